#pragma once
/*
 * systemd as the supervisor: sd-bus on the libuv loop, without polling. Unit files lie in one folder of ours, linked
 * for this boot (LinkUnitFiles, runtime); states come as D-Bus signals; logs come from the journal. The units
 * outlive us.
 */
#include <uv.h>

#include "host/supervisor.h"

typedef struct SystemdOptions {
        const char *units_directory; /* NULL: /run/fleet/units; made if missing */
        bool user;                   /* the user's own systemd instead of the system's */
} SystemdOptions;

/* Whether systemd runs this machine, by the folder that sd_booted(3) names. */
bool systemd_is_running(void);

/* -errno with `error`: there is no bus to connect to. */
int systemd_supervisor_new(uv_loop_t *loop, const SystemdOptions *options, const SupervisorEvents *events,
                           void *userdata, Supervisor **ret, Error *error);
