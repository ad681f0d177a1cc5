#pragma once
/*
 * Child processes on a libuv loop. A child is held by a pidfd from its birth, so that a signal can reach no other
 * process, and is waited for through it. What keeps the child from executing its program (a missing file, a
 * directory it may not enter) comes back through a pipe, as an errno and the step that failed.
 *
 * A Process is embedded in its owner, who keeps it until `closed`. Between clone and exec the child makes system calls
 * only: everything is looked up and allocated before.
 */
#include <uv.h>

#include "base/error.h"
#include "base/list.h"
#include "base/util.h"
#include "host/process-options.h"

typedef struct Process Process;
typedef struct ProcessReaper ProcessReaper;

typedef struct ProcessEvents {
        /* May be NULL. The program runs (r == 0), or `step` failed with -errno `r`; then `exited` follows. */
        void (*executed)(Process *process, int r, ProcessStep step);
        /* It has ended and is reaped: CLD_EXITED and its status, or CLD_KILLED, CLD_DUMPED and the signal. Comes after
         * `executed`. The owner calls process_close(), here or later. */
        void (*exited)(Process *process, int code, int status);
        /* The last call: memory may be freed. */
        void (*closed)(Process *process);
} ProcessEvents;

struct Process {
        const ProcessEvents *events;
        void *owner;
        pid_t pid;  /* 0 once it is reaped */
        int pidfd;  /* -1: its parent, which is not us, keeps it until it has told us its end */
        int report; /* reading end of the pipe on which the child reports */
        ProcessReaper *reaper;
        struct ProcessHandles *handles; /* outlive a spawn that fails. NULL: what happens is told */
        bool closing;
        bool adopted;
        bool executed_told;
        ListNode link; /* in its reaper */
};

/*
 * Starts a child. `reaper` is the loop's one, or NULL when it has none. On failure (-EAGAIN, -ENOMEM, -EINVAL, …) the
 * error says why and the Process is as before: no event follows. A program that cannot be executed is no failure here.
 */
int process_spawn(Process *process, uv_loop_t *loop, ProcessReaper *reaper, const ProcessOptions *options,
                  const ProcessEvents *events, void *owner, Error *error);

/* Waits for a process that is there already (a daemon that forked). Of one that is not our child it cannot be told
 * how it ended: it counts as exited with 0. -ESRCH, -ENOMEM. */
int process_adopt(Process *process, uv_loop_t *loop, ProcessReaper *reaper, pid_t pid, const ProcessEvents *events,
                  void *owner);

/*
 * A process that another one has made for us and keeps, also its zombie, until it has told us: the owner hands on what that one says,
 * by the two functions below. It takes no file. If its parent ends first it is ours, as this program is a subreaper, and is reaped as
 * any other. `closed` of such a process comes from within process_close(), or with its end.
 */
void process_begin_told(Process *process, ProcessReaper *reaper, pid_t pid, const ProcessEvents *events, void *owner);
void process_tell_executed(Process *process, int r, ProcessStep step);

/* Also of others whose parent tells. Of one that has ended it does nothing. */
void process_tell_end(Process *process, int code, int status);

static inline bool process_is_running(const Process *process) {
        return process->pid > 0;
}

/* -ESRCH when it has ended. */
int process_kill(const Process *process, int signal);

/* Lets go of a process that goes on running, unheard. `closed` follows in a later turn. */
void process_leave(Process *process);

/* Lets go. A child that still runs is killed and reaped first, unheard. `closed` follows in a later turn. */
void process_close(Process *process);

/*
 * Adopts and reaps what children leave behind: makes this program a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so
 * that a process whose parent ends becomes our child, as under PID 1. While a reaper lives, children of the loop's
 * program come from process_spawn() alone: others would be reaped away from their owner.
 */
typedef struct ProcessReaperEvents {
        /* May be NULL. Whether `parent`, which `process` has, tells how its children end (see process_tell_end()). 0: it has been
         * reaped by another one, which may have been such a parent. */
        bool (*is_teller)(void *userdata, const Process *process, pid_t parent);
        /* All that has ended by now was told: time to look whether groups are empty. */
        void (*settled)(void *userdata);
        void (*closed)(void *userdata);
} ProcessReaperEvents;

struct ProcessReaper {
        uv_signal_t signal;
        List processes;
        const ProcessReaperEvents *events;
        void *userdata;
        bool was_subreaper;
};

/* The one that this program has, or NULL: for children that the reaper's owner knows nothing of. */
ProcessReaper *process_reaper_of_program(void);

int process_reaper_init(ProcessReaper *reaper, uv_loop_t *loop, const ProcessReaperEvents *events, void *userdata);

/* A process that told ends has gone: those that waited for its word are looked at again. */
void process_reaper_teller_gone(ProcessReaper *reaper);

/* All its processes must be closed. `closed` follows. */
void process_reaper_close(ProcessReaper *reaper);
