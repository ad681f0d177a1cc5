#pragma once
/*
 * Child processes on a libuv loop. A child is held by a pidfd from its birth, so that a signal can reach no other
 * process, and is waited for through it. What keeps the child from executing its program (a missing file, a
 * directory it may not enter) comes back through a pipe, as an errno and the step that failed.
 *
 * A Process is embedded in its owner, who keeps it until `closed`. Between clone and exec the child makes system calls
 * only: everything is looked up and allocated before.
 */
#include <sys/resource.h>
#include <uv.h>

#include "base/error.h"
#include "base/list.h"
#include "base/util.h"

#define PROCESS_LIMITS RLIM_NLIMITS
#define PROCESS_GROUPS_MAX 1024
#define PROCESS_FDS_MAX 64
#define PROCESS_PID_ROOMS 2

/* What a child does before its program runs; each can fail. */
typedef enum ProcessStep {
        PROCESS_STEP_NONE,
        PROCESS_STEP_SIGNALS,
        PROCESS_STEP_SESSION,
        PROCESS_STEP_CGROUP,
        PROCESS_STEP_STREAMS,
        PROCESS_STEP_PRIORITY,
        PROCESS_STEP_OOM_SCORE,
        PROCESS_STEP_LIMITS,
        PROCESS_STEP_ROOT,
        PROCESS_STEP_GROUP,
        PROCESS_STEP_USER,
        PROCESS_STEP_DIRECTORY,
        PROCESS_STEP_EXEC,
} ProcessStep;

/* Exit status of a child that failed at a step: systemd's numbers (systemd.exec(5), "Process Exit Codes"). */
int process_step_exit_status(ProcessStep step);

/* "executing the program", "changing to the working directory", …; a constant. */
const char *process_step_text(ProcessStep step);

/* The name systemd gives an exit status of its own, such as "EXEC" for 203, or NULL. */
const char *process_exit_status_name(int status);

typedef struct ProcessLimit {
        bool set;
        rlim_t soft, hard; /* without the right to raise it, both are cut to the hard limit in force */
} ProcessLimit;

/* Room for any process id. */
extern const char process_pid_room[];

/*
 * Who is to be the parent of a new process in place of this program, so that the process outlives it: a program of its own, whose
 * process makes the child before it becomes that program, as a subreaper.
 */
typedef struct ProcessParent {
        const struct ProcessOptions *options; /* of the parent: no user, cgroup or limits */
        char *child_room;                     /* process_pid_room somewhere in its arguments: the child's id */
        pid_t pid;                            /* set by process_spawn() */
} ProcessParent;

/* All is borrowed during process_spawn(). Zero (with fds set) is a plain child: same user, / as its directory. */
typedef struct ProcessOptions {
        const char *path;         /* full path of the program */
        const char *const *argv;  /* ends with NULL */
        const char *const *environment; /* ends with NULL; NULL: none */
        char *pid_rooms[PROCESS_PID_ROOMS]; /* each process_pid_room somewhere in the environment, where the child writes its own id */
        size_t n_pid_rooms;
        const char *directory;    /* NULL: / */
        bool directory_optional;  /* when it cannot be entered: / */
        const char *root;         /* chroot to it before; NULL: none */

        bool set_user;
        uid_t uid;
        gid_t gid;
        const gid_t *groups; /* supplementary; only with set_user */
        size_t n_groups;

        bool set_umask;
        mode_t umask;
        bool set_nice;
        int nice;
        bool set_oom_score;
        int oom_score;
        const ProcessLimit *limits; /* PROCESS_LIMITS of them, by RLIMIT_…; NULL: as the parent */

        int fds[3];              /* become 0, 1, 2; -1: /dev/null */
        const int *passed_fds;   /* become 3, 4, …; all others are closed */
        size_t n_passed_fds;

        bool new_session;        /* setsid() */
        bool ignore_sigpipe;
        bool no_new_privileges;
        int parent_death_signal; /* 0: none */
        const int *cgroup_fds;   /* open cgroup.procs files: the child enters each before it does anything else */
        size_t n_cgroup_fds;
        int namespaces;          /* CLONE_NEW… */
        ProcessParent *parent;   /* NULL: this program. With one a reaper is needed, and process_told_end() */
} ProcessOptions;

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
        int pidfd;
        int report; /* reading end of the pipe on which the child reports */
        ProcessReaper *reaper;
        struct ProcessHandles *handles; /* outlive a spawn that fails */
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
        /* A process that is none of process_spawn() has ended and is about to be reaped: /proc/PID still tells of
         * it. */
        void (*orphan_ended)(void *userdata, pid_t pid, int code, int status);
        /* May be NULL. Whether the process `pid` tells by process_reaper_told() how its children end. */
        bool (*is_teller)(void *userdata, pid_t pid);
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

/* The parent of a process says how it has ended. Of one that is not (any more) ours it does nothing. */
void process_reaper_told(ProcessReaper *reaper, pid_t pid, int code, int status);

/* A process that told ends has gone: those that waited for its word are looked at again. */
void process_reaper_teller_gone(ProcessReaper *reaper);

/* All its processes must be closed. `closed` follows. */
void process_reaper_close(ProcessReaper *reaper);
