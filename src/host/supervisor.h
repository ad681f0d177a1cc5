#pragma once
/*
 * Who runs units on a machine: systemd, the embedded supervisor or a fake, behind one table of operations. A backend
 * embeds a Supervisor as its first member and owns its units; the caller owns the events' userdata.
 *
 * Everything ends later: no operation calls back before it has returned (but with -ENOMEM), and each calls `done`
 * once, with -ECANCELED when another operation on the unit or supervisor_close() cut it short. States are told as
 * they change, in systemd's words; a caller that keeps what it was told never needs to ask.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#define SUPERVISOR_WORD_MAX 32
#define SUPERVISOR_TEXT_MAX 256
#define SUPERVISOR_TAG_MAX 64         /* characters of a unit's tag */
#define SUPERVISOR_LOG_LINES_MAX 100000 /* most old lines one reading gives */

typedef struct Supervisor Supervisor;
typedef struct SupervisorLog SupervisorLog;

/* A unit's state in the words of `systemctl show`. */
typedef struct SupervisorState {
        char load[SUPERVISOR_WORD_MAX];   /* loaded, not-found, bad-setting, error, masked */
        char active[SUPERVISOR_WORD_MAX]; /* inactive, activating, active, reloading, deactivating, failed */
        char sub[SUPERVISOR_WORD_MAX];    /* dead, start-pre, running, exited, auto-restart, … */
        char result[SUPERVISOR_WORD_MAX]; /* of the last run: success, exit-code, signal, timeout, … */
        pid_t main_pid;                   /* 0: none */
        int exit_code;                    /* CLD_EXITED, CLD_KILLED, CLD_DUMPED of the last main process; 0: none yet */
        int exit_status;                  /* its exit status or signal */
        uint64_t restarts;                /* automatic ones since it was last started by hand */
        WallUsec since;                   /* when `active` became what it is; 0: not known */
        char text[SUPERVISOR_TEXT_MAX];   /* why it failed, or what it says of itself (STATUS=); may be empty */
} SupervisorState;

/* A unit that was loaded through this supervisor, perhaps by an earlier run of the program. Borrows its strings. */
typedef struct SupervisorUnit {
        const char *name;
        const char *tag;       /* what supervisor_load() got; "" when not known */
        Slice text;            /* of the unit file; empty when not known */
        bool start_asked;      /* it was started since it was loaded or stopped */
        bool start_known;      /* false: `start_asked` means nothing, as nobody wrote it down (systemd, of an earlier run's units) */
        SupervisorState state;
} SupervisorUnit;

typedef enum SupervisorStream {
        SUPERVISOR_STREAM_OUTPUT,
        SUPERVISOR_STREAM_ERROR,
        SUPERVISOR_STREAM_NOTE, /* what the supervisor says about the unit */
} SupervisorStream;

/* Borrows its text, which has no line end. */
typedef struct SupervisorLogLine {
        WallUsec at;
        pid_t pid; /* 0: not known */
        SupervisorStream stream;
        Slice text;
} SupervisorLogLine;

/* The end of an operation. `error` is never NULL; its text is empty when r is 0. */
typedef void (*SupervisorDone)(void *userdata, int r, const Error *error);

typedef struct SupervisorEvents {
        /* A unit's state is another one than told before. Not called from within an operation. `state` is borrowed. The
         * unit may be operated on from here. After unloading: load "not-found". */
        void (*changed)(void *userdata, const char *name, const SupervisorState *state);
        /* May be NULL. The service manager is out of reach (connection to systemd lost): a text for people. Operations end with -ENOTCONN
         * until it is there again, which the supervisor sees to; then changes are told. */
        void (*lost)(void *userdata, int r, const Error *error);
} SupervisorEvents;

typedef struct SupervisorLogEvents {
        /* One line, oldest first. The log may be closed from here. */
        void (*line)(void *userdata, const SupervisorLogLine *line);
        /* No more lines follow: all were given and no following was asked for, or r < 0. Last call; the log must
         * still be closed. */
        void (*end)(void *userdata, int r, const Error *error);
} SupervisorLogEvents;

/*
 * Names are those of valid units with their type; strings are borrowed for the call only. An operation on a unit that
 * is not loaded ends with -ENOENT. Errors name the unit and say what is wrong.
 */
typedef struct SupervisorOps {
        const char *name; /* "systemd", "embedded", "fake" */

        /* Gives a unit file to the supervisor under a name. `tag` is the caller's own mark for this text (fleet's
         * hash); list() gives it back. Replaces a text loaded before; a running unit keeps running from the old one
         * until it is started again. -EINVAL: the unit cannot be run, and why. -EOPNOTSUPP: not by this supervisor. */
        void (*load)(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done,
                     void *userdata);

        /* Stops the unit and takes its file away; ends when both is done. -ENOENT counts as success. */
        void (*unload)(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata);

        /* Makes what was loaded and unloaded known to the service manager: once after any number of both. */
        void (*reread)(Supervisor *supervisor, SupervisorDone done, void *userdata);

        /* Ends when the unit is active (a oneshot: has run), or has failed: -EREMOTEIO, the error says how. 0 at once
         * when it is active already. */
        void (*start)(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata);

        /* Ends when the unit is inactive or failed. Cuts a start short. */
        void (*stop)(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata);

        /* Asks a running unit to read its configuration anew (ExecReload=). -EOPNOTSUPP: it has no way to. */
        void (*reload)(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata);

        /* Sends a signal to the unit's processes (all of them). 0 also when it has none. */
        void (*kill)(Supervisor *supervisor, const char *name, int signal, SupervisorDone done, void *userdata);

        /* Tells each unit that is there, then `done`. To adopt what an earlier run of the program left. */
        void (*list)(Supervisor *supervisor, void (*unit)(void *userdata, const SupervisorUnit *unit),
                     SupervisorDone done, void *userdata);

        /* The state as last told; at once. -ENOENT: no such unit. */
        int (*state)(Supervisor *supervisor, const char *name, SupervisorState *ret);

        /* Opens a unit's log: its last `lines` lines (at most SUPERVISOR_LOG_LINES_MAX), then, with `follow`, what
         * comes. Lines come through `events`, never from within this call. Of a unit that never wrote: none. -errno
         * with `error`. *ret is the caller's: log_close() it before the supervisor. */
        int (*log_open)(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                        const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error);

        /* No event follows. */
        void (*log_close)(Supervisor *supervisor, SupervisorLog *log);

        /* As close(), but what runs goes on, and a later supervisor on the same state finds it by list(). What is under way is ended with
         * -ECANCELED, and may be done or not. */
        void (*leave)(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata);

        /* Lets go: ends all operations with -ECANCELED, then calls `closed` (may be NULL) once nothing of it is left.
         * systemd's units go on; the embedded supervisor kills its own first, so stop them before. */
        void (*close)(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata);
} SupervisorOps;

struct Supervisor {
        const SupervisorOps *ops;
        const SupervisorEvents *events; /* borrowed */
        void *userdata;                 /* of events */
};

static inline void supervisor_load(Supervisor *supervisor, const char *name, Slice text, const char *tag,
                                   SupervisorDone done, void *userdata) {
        supervisor->ops->load(supervisor, name, text, tag, done, userdata);
}

static inline void supervisor_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        supervisor->ops->unload(supervisor, name, done, userdata);
}

static inline void supervisor_reread(Supervisor *supervisor, SupervisorDone done, void *userdata) {
        supervisor->ops->reread(supervisor, done, userdata);
}

static inline void supervisor_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        supervisor->ops->start(supervisor, name, done, userdata);
}

static inline void supervisor_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        supervisor->ops->stop(supervisor, name, done, userdata);
}

static inline void supervisor_reload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        supervisor->ops->reload(supervisor, name, done, userdata);
}

static inline void supervisor_kill(Supervisor *supervisor, const char *name, int signal, SupervisorDone done,
                                   void *userdata) {
        supervisor->ops->kill(supervisor, name, signal, done, userdata);
}

static inline void supervisor_list(Supervisor *supervisor, void (*unit)(void *userdata, const SupervisorUnit *unit),
                                   SupervisorDone done, void *userdata) {
        supervisor->ops->list(supervisor, unit, done, userdata);
}

static inline int supervisor_state(Supervisor *supervisor, const char *name, SupervisorState *ret) {
        return supervisor->ops->state(supervisor, name, ret);
}

static inline int supervisor_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                                      const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret,
                                      Error *error) {
        return supervisor->ops->log_open(supervisor, name, lines, follow, events, userdata, ret, error);
}

static inline void supervisor_log_close(Supervisor *supervisor, SupervisorLog *log) {
        supervisor->ops->log_close(supervisor, log);
}

static inline void supervisor_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        supervisor->ops->close(supervisor, closed, userdata);
}

static inline void supervisor_leave(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        supervisor->ops->leave(supervisor, closed, userdata);
}

/* Copies `word` into a field of a SupervisorState, cut to its size. */
static inline void supervisor_set_word(char *field, size_t size, const char *word) {
        size_t length = min_of(strlen(word), size - 1);

        memcpy(field, word, length);
        field[length] = '\0';
}
