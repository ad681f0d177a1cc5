#pragma once
/* What a new process is made of, and the steps of its making. Plain data: who makes it is told in process.h and unit-shim.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

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

/* All is borrowed. Zero (with fds set) is a plain child: same user, / as its directory. */
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
} ProcessOptions;
