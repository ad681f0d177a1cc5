#pragma once
/*
 * The life of one service as a pure state machine: systemd's states, results and rules (systemd.service(5)), without
 * processes, clock or I/O. The shell around it (embedded-unit.c) tells what happened, with the time, and carries out
 * the actions that come of it, in their order, before it tells the next thing.
 *
 * A ServiceMachine borrows the options, which may be exchanged only while the service is at rest.
 */
#include "base/clock.h"
#include "unitfile/service-options.h"

typedef enum ServiceState {
        SERVICE_DEAD,
        SERVICE_START_PRE,
        SERVICE_START,
        SERVICE_START_POST,
        SERVICE_RUNNING,
        SERVICE_EXITED,
        SERVICE_RELOAD,
        SERVICE_STOP,
        SERVICE_STOP_WATCHDOG,
        SERVICE_STOP_SIGTERM,
        SERVICE_STOP_SIGKILL,
        SERVICE_STOP_POST,
        SERVICE_FINAL_SIGTERM,
        SERVICE_FINAL_SIGKILL,
        SERVICE_FAILED,
        SERVICE_AUTO_RESTART,
        SERVICE_STATES,
} ServiceState;

typedef enum ServiceResult {
        SERVICE_RESULT_SUCCESS,
        SERVICE_RESULT_RESOURCES, /* a process could not be made */
        SERVICE_RESULT_PROTOCOL,  /* it did not do what its type promises */
        SERVICE_RESULT_TIMEOUT,
        SERVICE_RESULT_EXIT_CODE,
        SERVICE_RESULT_SIGNAL,
        SERVICE_RESULT_CORE_DUMP,
        SERVICE_RESULT_WATCHDOG, /* it was silent for longer than WatchdogSec= */
        SERVICE_RESULT_START_LIMIT_HIT,
} ServiceResult;

typedef enum ServiceActionKind {
        SERVICE_ACTION_SPAWN_CONTROL, /* command list[index] as the control process */
        SERVICE_ACTION_SPAWN_MAIN,    /* start[index] as the main process */
        SERVICE_ACTION_SIGNAL,        /* `signal` to what KillMode= says; then service_signalled() */
        SERVICE_ACTION_KILL_CONTROL,  /* SIGKILL to the control process, which is given up */
        SERVICE_ACTION_FIND_MAIN,     /* read the PID file, or guess; then service_main_found(). A PID file that is not
                                       * there yet is waited for */
        SERVICE_ACTION_CLEAN_UP,      /* at rest: the group and the runtime directories go */
} ServiceActionKind;

typedef struct ServiceAction {
        ServiceActionKind kind;
        const ExecCommandList *list;
        size_t index;
        int signal;
        bool hard; /* SIGNAL: also to the whole group with KillMode=mixed: the final kill */
} ServiceAction;

#define SERVICE_ACTIONS_MAX 8

typedef struct ServiceMachine {
        const ServiceOptions *options;
        ServiceState state;
        ServiceResult result;      /* of this run; of the last one, at rest */
        bool control_alive;        /* a control process is being made, or runs */
        const ExecCommandList *control_list;
        size_t control_index;
        bool main_alive;           /* a main process is known, and runs */
        bool main_known;           /* false: processes of the group stand for it (Type=forking without a PID) */
        size_t main_index;         /* of start */
        bool main_ended;           /* it has ended in this run, with */
        int main_code, main_status;
        bool group_empty;
        bool forbid_restart;       /* a stop was asked for */
        bool start_pending;        /* start again once it is at rest */
        bool waits_for_pid_file;
        Usec deadline;             /* of this state; USEC_INFINITY: none */
        Usec watchdog;             /* longest silence that is borne in this run; 0: any */
        Usec watchdog_deadline;    /* when it will have been silent for too long; USEC_INFINITY: it need not speak now */
        uint64_t restarts;
        Usec limit_begin;          /* StartLimitIntervalSec= counts from here */
        uint64_t limit_count;
        bool reload_failed;
        ServiceAction actions[SERVICE_ACTIONS_MAX];
        size_t n_actions, next_action;
} ServiceMachine;

void service_machine_init(ServiceMachine *machine, const ServiceOptions *options);

/* After a new text was loaded. Only at rest. */
void service_machine_set_options(ServiceMachine *machine, const ServiceOptions *options);

/* Takes the next action; false: none is left. */
bool service_next_action(ServiceMachine *machine, ServiceAction *ret);

/* At rest nothing of the service runs and nothing is under way: dead or failed. */
static inline bool service_at_rest(const ServiceMachine *machine) {
        return machine->state == SERVICE_DEAD || machine->state == SERVICE_FAILED;
}

/* ---- what happened ---- */

/* Someone wants it started. While it stops it starts again after. Does nothing when it starts or runs already. */
void service_start(ServiceMachine *machine, Usec now);
void service_stop(ServiceMachine *machine, Usec now);

/* False: not running, or it has no ExecReload=. */
bool service_reload(ServiceMachine *machine, Usec now);

/* The failed state is forgotten, and the start limit. */
void service_reset_failed(ServiceMachine *machine);

/* The process that an action asked for could not even be made. */
void service_spawn_failed(ServiceMachine *machine, bool control, Usec now);

/* The main process runs its program. */
void service_main_executed(ServiceMachine *machine, Usec now);

/* A process has ended: CLD_… and status or signal. */
void service_main_exited(ServiceMachine *machine, int code, int status, Usec now);
void service_control_exited(ServiceMachine *machine, int code, int status, Usec now);

/* A signal was sent as asked. `waits`: there is something whose end is to be waited for. */
void service_signalled(ServiceMachine *machine, bool waits, Usec now);

/* FIND_MAIN's answer, or MAINPID= of the service. `found` false: there is none. */
void service_main_found(ServiceMachine *machine, bool found, Usec now);

/* Nothing runs in the group any more; the machine is told too when something does again. */
void service_group_populated(ServiceMachine *machine);
void service_group_emptied(ServiceMachine *machine, Usec now);

/* READY=1 and STOPPING=1. */
void service_notified_ready(ServiceMachine *machine, Usec now);
void service_notified_stopping(ServiceMachine *machine, Usec now);

/* WATCHDOG=1: it is well. WATCHDOG=trigger: it says itself that it is not. WATCHDOG_USEC=: another length, from now on. */
void service_notified_alive(ServiceMachine *machine, Usec now);
void service_notified_unwell(ServiceMachine *machine, Usec now);
void service_notified_watchdog(ServiceMachine *machine, Usec length, Usec now);

/* EXTEND_TIMEOUT_USEC=: what it is at takes longer: no time limit hits before `span` from now. */
void service_notified_extend(ServiceMachine *machine, Usec span, Usec now);

/* When service_deadline() is due; USEC_INFINITY: never. */
static inline Usec service_due(const ServiceMachine *machine) {
        return machine->deadline < machine->watchdog_deadline ? machine->deadline : machine->watchdog_deadline;
}

/* `now` has reached service_due(). */
void service_deadline(ServiceMachine *machine, Usec now);

/* ---- words ---- */

const char *service_state_to_string(ServiceState state);  /* the sub state */
const char *service_state_to_active(ServiceState state);  /* the active state */
const char *service_result_to_string(ServiceResult result);

/* Whether the table of moves has this one. */
bool service_move_is_allowed(ServiceState from, ServiceState to);
