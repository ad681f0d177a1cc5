#pragma once
/*
 * What a .service file asks for, as values ready to use: systemd.unit(5), systemd.service(5), systemd.exec(5),
 * systemd.kill(5), systemd.resource-control(5). For a supervisor that runs the unit itself.
 *
 * Defaults are filled in; lists follow systemd's rule that an empty assignment empties them; specifiers are replaced.
 * Variables are not: the environment is known only when a command is run (exec_command_expand()).
 *
 * A ServiceOptions owns everything in it.
 */
#include <sys/resource.h>

#include "unitfile/exec-line.h"
#include "unitfile/unitfile.h"
#include "unitfile/value.h"

#define SERVICE_TIMEOUT_DEFAULT (90 * USEC_PER_SEC)
#define SERVICE_RESTART_DELAY_DEFAULT (100 * USEC_PER_MSEC)
#define SERVICE_START_LIMIT_INTERVAL_DEFAULT (10 * USEC_PER_SEC)
#define SERVICE_START_LIMIT_BURST_DEFAULT 5

typedef enum ServiceType {
        SERVICE_SIMPLE,
        SERVICE_EXEC,
        SERVICE_FORKING,
        SERVICE_ONESHOT,
        SERVICE_NOTIFY,
        SERVICE_IDLE,
} ServiceType;

typedef enum ServiceRestart {
        SERVICE_RESTART_NO,
        SERVICE_RESTART_ON_SUCCESS,
        SERVICE_RESTART_ON_FAILURE,
        SERVICE_RESTART_ON_ABNORMAL,
        SERVICE_RESTART_ON_WATCHDOG,
        SERVICE_RESTART_ON_ABORT,
        SERVICE_RESTART_ALWAYS,
} ServiceRestart;

typedef enum ServiceKillMode {
        SERVICE_KILL_CONTROL_GROUP,
        SERVICE_KILL_MIXED,
        SERVICE_KILL_PROCESS,
        SERVICE_KILL_NONE,
} ServiceKillMode;

typedef enum ServiceNotifyAccess {
        SERVICE_NOTIFY_DEFAULT, /* main for Type=notify, none otherwise */
        SERVICE_NOTIFY_NONE,
        SERVICE_NOTIFY_MAIN,
        SERVICE_NOTIFY_EXEC,
        SERVICE_NOTIFY_ALL,
} ServiceNotifyAccess;

typedef enum ServiceStreamKind {
        SERVICE_STREAM_DEFAULT, /* input: null; output: journal; error: as output */
        SERVICE_STREAM_INHERIT,
        SERVICE_STREAM_NULL,
        SERVICE_STREAM_JOURNAL, /* also syslog, kmsg and their +console forms */
        SERVICE_STREAM_TTY,
        SERVICE_STREAM_SOCKET,
        SERVICE_STREAM_FILE,     /* opened, written from the start */
        SERVICE_STREAM_APPEND,
        SERVICE_STREAM_TRUNCATE,
} ServiceStreamKind;

typedef struct ServiceStream {
        ServiceStreamKind kind;
        char *path; /* for FILE, APPEND, TRUNCATE */
} ServiceStream;

/* Exit codes and signals. */
typedef struct ExitStatusSet {
        uint64_t codes[4];
        uint64_t signals[2];
} ExitStatusSet;

/* A path that may be marked with '-': its absence is no failure. */
typedef struct OptionalPath {
        char *path;
        bool optional;
} OptionalPath;

typedef struct OptionalPathList {
        OptionalPath *items;
        size_t length, capacity;
} OptionalPathList;

typedef struct ServiceLimit {
        bool set;
        uint64_t soft, hard; /* VALUE_LIMIT_INFINITY for none */
} ServiceLimit;

/* RuntimeDirectory= and its kin: names below the root of their kind (/run, /var/lib, …). */
typedef struct ServiceDirectory {
        StringList names;
        unsigned mode;
} ServiceDirectory;

typedef enum ServicePreserve {
        SERVICE_PRESERVE_NO,
        SERVICE_PRESERVE_RESTART,
        SERVICE_PRESERVE_YES,
} ServicePreserve;

typedef struct ServiceOptions {
        /* [Unit] */
        char *description; /* NULL: none */
        StringList requires, requisite, wants, binds_to, part_of, upholds, conflicts, before, after, on_failure;
        Usec start_limit_interval; /* 0: no limit */
        uint64_t start_limit_burst;

        /* [Service]: what runs */
        ServiceType type;
        ExecCommandList start_pre, start, start_post, reload, stop, stop_post;
        char *pid_file;          /* full path, or below /run; NULL: none */
        bool remain_after_exit;
        bool guess_main_pid;
        ServiceNotifyAccess notify_access;

        /* when it ends */
        ServiceRestart restart;
        Usec restart_delay;
        ExitStatusSet success_status, restart_prevent_status, restart_force_status;
        Usec timeout_start, timeout_stop; /* USEC_INFINITY: none */
        Usec runtime_max;                 /* USEC_INFINITY: none */
        Usec watchdog;                    /* 0: none */
        ServiceKillMode kill_mode;
        int kill_signal;
        int final_kill_signal;
        int watchdog_signal;
        bool send_sigkill;
        bool send_sighup;

        /* in what surroundings */
        StringList environment; /* NAME=value; a later entry wins */
        OptionalPathList environment_files;
        StringList pass_environment;
        StringList unset_environment;
        char *working_directory; /* "~" is the user's home; NULL: / */
        bool working_directory_optional;
        char *root_directory;
        char *user, *group; /* NULL: those of the supervisor */
        StringList supplementary_groups;
        bool root_only_start; /* PermissionsStartOnly=: User= counts for ExecStart= alone */
        ServiceStream input, output, error;
        char *syslog_identifier;
        unsigned umask;
        bool nice_set;
        int64_t nice;
        bool oom_score_adjust_set;
        int64_t oom_score_adjust;
        bool ignore_sigpipe;
        bool no_new_privileges;
        StringList unenforced; /* options of the sandbox (systemd.exec(5)) that are set, but that nobody enforces here */
        ServiceLimit *limits; /* RLIM_NLIMITS of them, by RLIMIT_…; NULL: none is set */
        ServiceDirectory runtime_directory, state_directory, cache_directory, logs_directory, configuration_directory;
        ServicePreserve runtime_directory_preserve;

        /* cgroup; UINT64_MAX: no limit, 0 for weight and quota: not set */
        uint64_t memory_max, memory_high, tasks_max;
        uint64_t cpu_weight;
        uint64_t cpu_quota_permille; /* of one CPU */

        /* [Install] */
        StringList wanted_by, required_by, also, alias;

        UnitNoteList notes; /* what was not understood or ignored, with its place */
} ServiceOptions;

void service_options_deinit(ServiceOptions *options);
#define _cleanup_service_options_ _cleanup_(service_options_deinit)

/*
 * Reads a unit file. `source` may be NULL: specifiers stay.
 *
 * As in systemd, a value that cannot be understood is ignored, with a note, and so is an unknown option. -EINVAL, with
 * the error saying where and why: a command line that cannot be understood, or a service that cannot be run as it
 * stands (no command to start, several in a service that is not oneshot, Type=dbus, …). -ENOMEM.
 */
int service_options_read(const UnitFile *file, const SpecifierSource *source, ServiceOptions *ret, Error *error);

/* [Unit] and [Install] of a unit of another type, whose own section `own` ("Timer") is left to others. What belongs to services is
 * zero. -ENOMEM. */
int service_options_read_unit(const UnitFile *file, const SpecifierSource *source, const char *own, ServiceOptions *ret,
                              Error *error);

bool exit_status_set_has_code(const ExitStatusSet *set, int code);
bool exit_status_set_has_signal(const ExitStatusSet *set, int signal);
