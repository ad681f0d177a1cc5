#pragma once
/*
 * A supervisor in memory, for tests and simulations: no loop, no process, no clock. Time is what fake_supervisor_run()
 * is told; what units do, how long operations take and which of them fail is scripted.
 */
#include "host/supervisor.h"

typedef enum FakeOutcome {
        FAKE_RUNS,      /* active, running (the default) */
        FAKE_COMPLETES, /* a oneshot: inactive again at once, with success */
        FAKE_FAILS,     /* failed, exit-code, status 1 */
        FAKE_HANGS,     /* stays in activating until it is stopped */
} FakeOutcome;

typedef enum FakeOperation {
        FAKE_LOAD,
        FAKE_UNLOAD,
        FAKE_REREAD,
        FAKE_START,
        FAKE_STOP,
        FAKE_RELOAD,
        FAKE_KILL,
        FAKE_LIST,
        FAKE_OPERATIONS,
} FakeOperation;

typedef struct FakeSupervisor FakeSupervisor;

/* NULL without memory. Freed by supervisor_close(). */
FakeSupervisor *fake_supervisor_new(const SupervisorEvents *events, void *userdata);
Supervisor *fake_supervisor_base(FakeSupervisor *fake);

/* Tells all that is due by `now`, also what comes of the callbacks if that is due. False: nothing was. */
bool fake_supervisor_run(FakeSupervisor *fake, Usec now);

/* supervisor_close() was called: the next run frees it. */
bool fake_supervisor_is_closing(const FakeSupervisor *fake);

/* After supervisor_leave() and its end: another program run finds the units as they are. */
Supervisor *fake_supervisor_return(FakeSupervisor *fake, const SupervisorEvents *events, void *userdata);

/* From now on list() does not know what was started, as systemd's after a restart. */
void fake_supervisor_forget_starts(FakeSupervisor *fake);

/* When the next thing is due; USEC_INFINITY: nothing is under way. */
Usec fake_supervisor_next(const FakeSupervisor *fake);

/* What starts of this unit lead to from now on, and how long they take. */
int fake_supervisor_script(FakeSupervisor *fake, const char *unit, FakeOutcome outcome, Usec delay);

/* How long starts of this unit take from now on; what they lead to stays. */
int fake_supervisor_script_delay(FakeSupervisor *fake, const char *unit, Usec delay);

/* The program that gave the orders is gone: what is under way goes on, and nobody hears of its end. Files are not taken away
 * any more, and the next program may set its own events (Supervisor.events). */
void fake_supervisor_orphan(FakeSupervisor *fake);

/* How long an operation takes from now on (a start: see above). */
void fake_supervisor_set_delay(FakeSupervisor *fake, FakeOperation operation, Usec delay);

/* The next `count` operations of this kind end with `r` and change nothing. */
void fake_supervisor_fail(FakeSupervisor *fake, FakeOperation operation, int r, unsigned count);

/* The unit's main process ends by itself. Does nothing unless it runs. */
void fake_supervisor_unit_exits(FakeSupervisor *fake, const char *unit, int status);

/* The unit prints a line. */
int fake_supervisor_print(FakeSupervisor *fake, const char *unit, const char *text);

/* How many operations of a kind were begun. */
uint64_t fake_supervisor_count(const FakeSupervisor *fake, FakeOperation operation);
