#pragma once
/* Shared by the files of the embedded supervisor; nobody else includes this. */
#include <uv.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "host/embedded-supervisor.h"
#include "host/kept-state.h"
#include "host/process.h"
#include "host/service-state.h"
#include "host/spawn-request.h"
#include "host/trigger-state.h"
#include "host/unit-group.h"
#include "host/unit-record.h"
#include "host/unit-shim.h"
#include "host/unit-log.h"
#include "host/unit-notify.h"

typedef struct Embedded Embedded;
typedef struct Unit Unit;

/* Reads one stream of a process, or both, into its unit's log. */
typedef struct LogPipe {
        uv_poll_t poll;
        struct UnitProcess *process;
        SupervisorStream stream;
        Buffer line; /* what has not ended of one */
        bool kept;   /* that is in a file as well: for the shim, if we are killed */
        int fd;      /* -1: at its end */
} LogPipe;

typedef enum UnitProcessRole {
        UNIT_PROCESS_MAIN,
        UNIT_PROCESS_CONTROL,
        UNIT_PROCESS_ABANDONED, /* nobody waits for it any more */
} UnitProcessRole;

/* A process and the readers of its output, which may outlive it. Frees itself when all are closed. */
typedef struct UnitProcess {
        Process process;
        Unit *unit;
        ListNode link;
        UnitProcessRole role;
        pid_t pid; /* kept after its end: for the log */
        LogPipe *pipes[2]; /* by stream; NULL: none */
        unsigned open; /* handles that are not closed */
        unsigned asked; /* shims that have yet to say whether they know how it ended */
        const ExecCommand *command; /* for texts; NULL: adopted. Lives as long as the run */
} UnitProcess;

/*
 * A shim, as its supervisor knows it: the parent of one of the unit's processes, or what keeps the unit's sockets. It lives until the
 * shim has ended, perhaps longer than its unit.
 */
typedef struct UnitHolder {
        Embedded *owner;
        Unit *unit;         /* NULL: has gone */
        ListNode link;      /* in owner->holders */
        ListNode unit_link; /* in unit->holders */
        uint64_t number;    /* of its files */
        pid_t pid, child;   /* child 0: it keeps sockets alone */
        int fd;             /* the connection; -1: at its end */
        uv_poll_t poll;
        bool sockets;       /* it keeps sockets */
        bool told_end;      /* it may go */
        bool open;          /* the handle is */
} UnitHolder;

typedef struct Spawner Spawner;

typedef enum JobKind { JOB_START, JOB_STOP, JOB_RELOAD, JOB_UNLOAD } JobKind;

/* An operation whose end is to be told. */
typedef struct Job {
        ListNode link;
        JobKind kind;
        SupervisorDone done;
        void *userdata;
        int r;
        Error error;
} Job;

typedef enum UnitKind {
        UNIT_SERVICE,
        UNIT_TRIGGER,  /* a socket, timer or path */
        UNIT_TEMPLATE, /* of the instances that a socket with Accept=yes starts; never runs itself */
} UnitKind;

typedef struct Definition {
        uint64_t serial; /* of the reading; 0: none */
        char *text, *tag;
        size_t text_length;
        UnitKind kind;
        ServiceOptions options; /* of a socket, timer or path: [Unit] and [Install] alone */
        TriggerOptions trigger;
} Definition;

/* How a unit's text names another one. */
typedef enum NameUse {
        NAME_USE_BEFORE,
        NAME_USE_REQUIRES,
        NAME_USE_REQUISITE,
        NAME_USE_BINDS_TO,
        NAME_USE_PART_OF,
        NAME_USE_UPHOLDS,
        NAME_USE_CONFLICTS,
        NAME_USE_WANTED_BY,
        NAME_USE_REQUIRED_BY,
        NAME_USE_ALIAS,  /* [Install] Alias=: a name of its own */
        NAME_USE_STARTS, /* the service of a socket, timer or path */
} NameUse;

typedef struct MentionedName MentionedName;

/* A name in a unit's text. */
typedef struct Mention {
        ListNode link; /* in the name's mentions */
        Unit *unit;    /* whose text it is in */
        MentionedName *name;
        NameUse use;
} Mention;

typedef struct SocketPorts SocketPorts;
typedef struct PathWatches PathWatches;

#define UNIT_STATES_MAX 16

/* A state that is to be told. */
typedef struct StateNote {
        ListNode link;
        KeptState state;
} StateNote;

struct Unit {
        Embedded *owner;
        ListNode link;
        char *name;
        Definition definition; /* in force */
        Definition *next;      /* loaded while it ran: in force from its next start. NULL: none */
        ServiceMachine machine;
        TriggerMachine trigger;
        SocketPorts *ports;     /* of a socket that is open */
        PathWatches *watches;   /* of a path that is open */
        int connection;         /* of an instance that a socket with Accept=yes started; -1: none */
        char *listener;         /* the socket that started it: the instance goes when it has ended. NULL: none */
        Usec active_at, inactive_at; /* when it last left rest, and came to rest; 0: never */
        bool tell_triggers;     /* those that start it are to be told of its state */
        UnitGroup group;
        bool group_open;
        UnitLog log;
        List processes; /* UnitProcess */
        List holders;   /* UnitHolder */
        UnitProcess *main, *control;
        UnitProcess *stranger; /* of those that nobody tells us of: watched until it ends. NULL: none */
        bool has_strangers;    /* what an earlier supervisor had started, and whose shim is gone */
        uv_fs_event_t *pid_watch; /* for a PID file to appear */
        HeapNode deadline;
        List jobs;
        uint64_t stored, stored_next; /* serials of the definitions that are on disk */
        uint32_t record_sum;          /* of the record on disk; 0: none */
        bool start_asked;
        bool start_queued; /* in owner->queued, or waits in `waiting` of a unit it is ordered after */
        ListNode queue_link;
        List waiting;      /* Unit: to be started after this one */
        uint64_t visited;  /* number of the last search for rings that came here */
        uint64_t start;    /* number of the start that queued it last, its own or another's that pulled it in */
        Usec upheld_at;    /* when it was last started because another one upholds it; 0: never */
        bool awaits_uphold; /* to be started so again, but not yet */
        Mention *mentions; /* the names in its text */
        size_t n_mentions;
        bool lingers;      /* in owner->lingering: its own processes have ended, others of its group may not have */
        ListNode linger_link;
        bool dirty;        /* in owner->dirty */
        ListNode dirty_link;
        List states; /* StateNote: states that it has passed through since the last telling */
        size_t n_states;
        KeptState told;
        bool was_told;
        WallUsec since;
        const char *last_active; /* a constant; "": not known */
        char *text;              /* as SupervisorState has it; NULL: none */
        ServiceState last_state;
};

struct SupervisorLog {
        ListNode link;
        Embedded *owner;
        char *unit;
        size_t lines;
        bool follow, started, closed;
        const SupervisorLogEvents *events;
        void *userdata;
};

struct Embedded {
        Supervisor base;
        uv_loop_t *loop;
        char *state_directory, *run_directory, *units_directory, *logs_directory, *stamps_directory, *runtime_root, *notify_path, *machine_id, *boot_id;
        char *shim, *shims_directory, *texts_directory, *next_directory; /* NULL: units do not outlive us */
        List holders; /* UnitHolder */
        uint64_t n_holders, serial; /* last numbers */
        Spawner *spawner;     /* NULL: none is there */
        unsigned n_spawners;  /* and those that are at their end */
        char host_name[256], kernel[128];
        Usec startup;  /* when it began, since boot */
        Random random; /* for delays of timers */
        uint64_t connections; /* accepted so far */
        uint64_t log_size;
        CgroupRoot cgroups;
        ProcessReaper reaper;
        bool enables;  /* see EmbeddedOptions */
        Map by_name;
        Map mentioned; /* MentionedName */
        List units;
        List queued;    /* Unit: to be started, or to wait for another one */
        List lingering; /* Unit */
        uint64_t searches; /* for rings, so far */
        uint64_t starts;   /* from outside, so far */
        bool lets_fall;    /* nothing is upheld any more */
        size_t n_units;
        Heap deadlines;
        uv_timer_t timer; /* the next deadline */
        uv_check_t later; /* what is told in the next turn, after polling */
        uv_idle_t hurry;  /* keeps polling from waiting meanwhile */
        uv_poll_t notify;
        int notify_fd;
        UnitHolder *notify_holder; /* NULL: none */
        KeptNotices *notes;          /* said before we came, until units are there; NULL: nothing */
        List finished; /* Job: to be told */
        List listings; /* Listing */
        List dirty;    /* Unit: to be settled */
        List logs;     /* SupervisorLog */
        bool closing;
        bool leaving; /* what runs goes on */
        unsigned open; /* handles */
        void (*closed)(void *userdata);
        void *closed_data;
};

static inline UnitKind unit_kind(const Unit *unit) {
        return unit->definition.kind;
}

/* Nothing of it runs, and nothing is under way. */
static inline bool unit_at_rest(const Unit *unit) {
        return unit_kind(unit) == UNIT_TRIGGER ? trigger_at_rest(&unit->trigger) : service_at_rest(&unit->machine);
}

/* At rest, and not about to start. */
static inline bool unit_is_idle(const Unit *unit) {
        return unit_at_rest(unit) && !unit->start_queued;
}

static inline bool unit_is_active(const Unit *unit) {
        const char *active = unit_kind(unit) == UNIT_TRIGGER ? trigger_state_to_active(unit->trigger.state)
                                                             : service_state_to_active(unit->machine.state);

        return str_equals(active, "active") || str_equals(active, "reloading");
}

static inline bool unit_has_failed(const Unit *unit) {
        return unit_kind(unit) == UNIT_TRIGGER ? unit->trigger.state == TRIGGER_FAILED
                                               : service_at_rest(&unit->machine) && unit->machine.result != SERVICE_RESULT_SUCCESS;
}

static inline Embedded *embedded_of(Supervisor *supervisor) {
        return container_of(supervisor, Embedded, base);
}

/* embedded-supervisor.c */
Unit *embedded_find(Embedded *e, const char *name);
void embedded_wake(Embedded *e); /* tell and settle things in the next turn */
void embedded_set_deadline(Unit *unit);
void unit_mark_dirty(Unit *unit);
void unit_settle_lingering(Unit *unit);
int embedded_add_unit(Embedded *e, const char *name, Unit **ret, Error *error);
Unit *embedded_load_unit(Embedded *e, const char *name, Slice text, const char *tag, int *ret_r, Error *error); /* NULL: *ret_r < 0 */

/* embedded-end.c */
void embedded_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata);
void embedded_leave(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata);
void embedded_close_step(Embedded *e);   /* while it closes, in each turn */
void embedded_close_handles(Embedded *e); /* the last step, also of a birth that fails */
void embedded_handle_closed(Embedded *e); /* one of e->open; with the last it is freed */
void embedded_free(Embedded *e);

/* embedded-jobs.c: ends of operations, states told */
void embedded_finish_job(Embedded *e, Job *job, int r, const Error *error);
void embedded_finish_now(Embedded *e, SupervisorDone done, void *userdata, int r, const Error *error);
void embedded_tell_finished(Embedded *e);
void unit_add_job(Unit *unit, JobKind kind, SupervisorDone done, void *userdata);
void unit_cancel_jobs(Unit *unit, JobKind kind, const char *why);
void unit_fail_starts(Unit *unit, const char *format, ...) _printf_(2, 3);
bool unit_wants_unload(const Unit *unit);
void unit_release_processes(Unit *unit);
void unit_settle(Unit *unit);

/* embedded-names.c: who names whom */
void unit_note_names(Unit *unit); /* of its definition in force */
void unit_forget_names(Unit *unit);
Unit *embedded_find_named(Embedded *e, const char *name); /* also by an alias */

/* The units that name `named`, or an alias of it, in one way. No definition may change meanwhile. */
typedef struct Naming {
        Unit *unit; /* NULL: no more */
        const Unit *named;
        NameUse use;
        size_t names; /* looked at so far */
        const List *list;
        ListNode *next;
} Naming;

Naming naming_first(const Unit *named, NameUse use);
void naming_next(Naming *naming);

#define naming_foreach(named_unit, how, naming) \
        for (Naming naming = naming_first(named_unit, how); naming.unit; naming_next(&naming))

/* embedded-order.c */
void embedded_start_queued(Embedded *e);
void unit_queue_start(Unit *unit, unsigned depth); /* 0: from outside */
void unit_stop(Unit *unit, const char *why);
void unit_settle_order(Unit *unit, ServiceState before); /* what its state, that was another one, means for others */
void unit_forget_order(Unit *unit);

/* embedded-uphold.c */
void unit_settle_upheld(Unit *unit); /* starts it, or those that it upholds, if an active unit upholds them */
Usec unit_uphold_due(const Unit *unit); /* when that is to be looked at again; USEC_INFINITY: not by time */

/* embedded-spawner.c */

/* Numbers of a new shim and its child; child 0: it holds files alone. */
typedef struct SpawnMade {
        pid_t shim, child;
} SpawnMade;

/* Closes request->control. `connection` is its other end, on which the new shim speaks. If it fails nothing runs. */
int spawner_make(Embedded *e, SpawnRequest *request, int connection, SpawnMade *ret, Error *error);
void spawner_close(Embedded *e);

/* embedded-holder.c: shims */

/* A shim that holds `fds`, each a letter in `held`, and with `options` the process that it is the parent of: *ret_child is its number. */
int holder_make(Unit *unit, const ProcessOptions *options, const char *held, const int *fds, size_t n_fds, pid_t *ret_child,
                Error *error);

/* The one that has NOTIFY_SOCKET, when there is a unit that may speak to it. */
#define NOTIFY_HOLDER 0 /* its number */

int holder_keep_notify(Embedded *e, Error *error);
void holder_end_notify(Embedded *e);

/* To one that is there. The lists are the caller's, and *n_fds files in them. */
typedef struct HolderFound {
        UnitHolder *holder;
        pid_t child;
        char held[UNIT_SHIM_FDS_MAX + 1];
        int fds[UNIT_SHIM_FDS_MAX];
        size_t n_fds;
        Buffer parts[2];  /* of output and errors */
        KeptNotices *notes; /* where those go; NULL: nowhere */
} HolderFound;

int holder_connect(Embedded *e, Unit *unit, uint64_t number, HolderFound *ret); /* *ret is zeroed, but for `notes` */
size_t holder_read_ends(const Embedded *e, uint64_t number, UnitShimEnd ends[UNIT_SHIM_ENDS_MAX]);
void holders_remove_strays(Embedded *e); /* shims that no record names: of a process that was being made when we were killed */
void holders_watch(const Unit *unit, pid_t pid);
void holders_forget(Unit *unit); /* the files of those that have gone: the record does not name them any more */
void holders_unit_gone(Unit *unit);
void holders_leave(Embedded *e);
void holder_end_sockets(const Unit *unit);
bool holders_tell_of(const Unit *unit, pid_t shim);
bool holders_ask(UnitProcess *process);
char *holders_find_ends(const UnitProcess *process); /* path of the file of its shim, the caller's; NULL: it has none */

/* embedded-record.c */
void record_save(Unit *unit);
void record_remove(Embedded *e, const char *name);

/* embedded-adopt.c */
int embedded_adopt(Embedded *e, size_t *ret_leftovers, Error *error);

/* embedded-log.c */
void embedded_follow(Embedded *e, const char *unit, const SupervisorLogLine *line);
void embedded_turn_logs(Embedded *e);
int embedded_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow, const SupervisorLogEvents *events,
                      void *userdata, SupervisorLog **ret, Error *error);
void embedded_log_close(Supervisor *supervisor, SupervisorLog *log);

/* embedded-definition.c */
int definition_read(Embedded *e, const char *name, Slice text, const char *tag, Definition *ret, Error *error);

/* embedded-trigger.c: sockets, timers and paths */
TriggerFacts trigger_facts(const Unit *unit);
void trigger_drive(Unit *unit);
void trigger_begin(Unit *unit);
void trigger_end(Unit *unit); /* stops, and lets go of its files */
void trigger_time(Unit *unit);
void triggers_tell(Unit *unit); /* those that start `unit` hear of its state */

/* embedded-socket.c */
int ports_open(Unit *unit, Error *error);
void ports_listen(Unit *unit, bool on); /* whether to wait for clients */
void ports_close(Unit *unit);
int ports_adopt(Unit *unit, int *fds, size_t n); /* takes over what it has from `fds` */
void ports_leave(Unit *unit); /* as ports_close(), but they stay bound through their shim */
int ports_collect(const Unit *service, int fds[PROCESS_FDS_MAX], size_t *ret_n, Buffer *names); /* what is passed to a service; borrowed */
void connection_close(Unit *unit);

/* embedded-path.c */
int watches_open(Unit *unit, Error *error);
bool watches_check(Unit *unit); /* whether a condition holds now */
void watches_close(Unit *unit);

/* embedded-unit.c: carries out what the state machine asks for */
Unit *unit_new(Embedded *e, const char *name, Error *error);
void unit_free(Unit *unit);
void unit_take_definition(Unit *unit, Definition *definition);
void unit_take_next(Unit *unit); /* the one that was loaded last comes into force */
int unit_set_next(Unit *unit, Definition *definition); /* takes it, or with NULL drops the one there is. -ENOMEM */
void definition_deinit(Definition *definition);
void unit_drive(Unit *unit); /* carries out all actions; then the unit is settled in the next turn */
void unit_kill_all(const Unit *unit, int signal);
void unit_stop_pid_watch(Unit *unit);
void unit_check_empty(Unit *unit);
void unit_note(Unit *unit, const char *format, ...) _printf_(2, 3);
void unit_note_state(Unit *unit); /* the state it is in now is to be told, even if it is in another by then */
KeptState unit_state(const Unit *unit); /* as it is; its text is borrowed */
void unit_set_text(Unit *unit, const char *format, ...) _printf_(2, 3); /* cut to SUPERVISOR_TEXT_MAX */
static inline const char *unit_text(const Unit *unit) {
        return unit->text ? unit->text : "";
}
bool unit_has_processes(const Unit *unit);
void unit_set_main_pid(Unit *unit, pid_t pid);
void unit_find_main(Unit *unit); /* by its PID file, or a guess */
UnitProcess *unit_process_of(const Process *process); /* NULL: it is no unit's */
UnitProcess *unit_find_process(const Unit *unit, pid_t pid); /* one that has not ended; NULL: none */
UnitProcess *unit_process_new(Unit *unit, UnitProcessRole role, const ExecCommand *command);
int unit_adopt_process(Unit *unit, UnitProcessRole role, const ExecCommand *command, pid_t pid, UnitProcess **ret);
void unit_process_ended(Unit *unit, const UnitProcess *process, UnitProcessRole role, int code, int status);
void unit_forget_states(Unit *unit);

/* embedded-exec.c: from options to a process */
int unit_spawn(Unit *unit, const ExecCommand *command, UnitProcessRole role, const ProcessEvents *events,
               UnitProcess *process, Error *error);
void unit_process_close_handle(UnitProcess *process);
void unit_remove_directories(Unit *unit);

/* embedded-pipe.c: what is printed */
int unit_attach_log(UnitProcess *process, SupervisorStream stream, int fd, Error *error); /* takes the reading end of a pipe */
void unit_continue_line(UnitProcess *process, SupervisorStream stream, Buffer *part); /* takes what a shim has read, and kept */
void unit_drain_pipes(UnitProcess *process);
void unit_close_pipes(UnitProcess *process); /* of what still writes, nothing more is read */

/* embedded-notify.c */
int notify_open(Embedded *e, Error *error);
void notify_close(Embedded *e);

/* What was said before we came, to the units that there are by now. `find`: whose a process was that may have ended; NULL: as any. */
void notify_take_kept(Embedded *e, Unit *(*find)(void *userdata, const KeptNotice *notice, UnitProcessRole *ret_role), void *userdata);
void notify_drop_kept(Embedded *e);
void notify_keep(Unit *unit); /* from here on what it says is heard or kept */
ServiceNotifyAccess notify_access(const ServiceOptions *options); /* what NotifyAccess= comes to; never the default */

/* embedded-leftovers.c */
int leftovers_kill(Embedded *e, size_t *ret_n, Error *error);
void leftovers_note(Embedded *e, const char *name, const char *text); /* in the log of a unit that is not there */
int leftovers_kill_run(Embedded *e, const char *name, const char *run, size_t *n, Error *error);
int leftovers_record(Unit *unit, Error *error);
void leftovers_forget(const Unit *unit);
