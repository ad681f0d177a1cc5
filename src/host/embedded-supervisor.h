#pragma once
/*
 * A supervisor of its own, for machines and containers where systemd is not PID 1: runs the services of unit files, by
 * systemd's rules, as children of this program, and the sockets, timers and paths that start them. Other types of units are
 * refused. A socket with Accept=yes takes its template from what was loaded, or from systemd's folders of unit files.
 *
 * With a shim (EmbeddedOptions.shim) units outlive it: after supervisor_leave(), or a crash, the next one on the same state directory
 * takes them over as they are by then (docs/formats/unit-shim.md). Without one the units end with it, and after a crash the next start
 * kills what the earlier one left behind, and says so in the units' logs. supervisor_close() kills what still runs. Children of the program must come from process_spawn(): see there.
 */
#include <uv.h>

#include "host/supervisor.h"

#define EMBEDDED_UNITS_MAX 4096

typedef struct EmbeddedOptions {
        const char *state_directory; /* logs, and what timers keep; made if missing */
        const char *run_directory;   /* records and sockets: what has to outlive the supervisor, not the machine; NULL: state_directory */
        const char *runtime_root;    /* RuntimeDirectory=, %t, sockets; NULL: /run */
        const char *cgroup_name;     /* folder of the units' groups; NULL: "faering-units" */
        bool cgroup_at_top;          /* see cgroup_root_open() */
        bool without_cgroups;        /* trace processes by session and environment, as where no cgroup is writable */
        uint64_t log_size;           /* bytes kept of each unit's output; 0: UNIT_LOG_SIZE_DEFAULT */
        const char *shim;            /* full path of faering-unit-shim; NULL: units do not outlive the supervisor */
        const char *machine_id;      /* %m; NULL: of /etc/machine-id */
        uint64_t seed;               /* of the delays of timers; 0: of the system */
        bool enables;                /* what is loaded counts as enabled: its [Install] section is honoured */
} EmbeddedOptions;

/* All strings are copied. Kills what an earlier run left behind; *ret_leftovers (may be NULL): how many processes. */
int embedded_supervisor_new(uv_loop_t *loop, const EmbeddedOptions *options, const SupervisorEvents *events,
                            void *userdata, Supervisor **ret, size_t *ret_leftovers, Error *error);

/* Before all units are stopped one after the other: from here on none is started because another one upholds it. */
void embedded_supervisor_let_fall(Supervisor *supervisor);
