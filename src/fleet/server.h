#pragma once
/* fleet's server: everything the daemon owns, on one loop. main.c makes it, runs the loop, and closes it. */
#include <uv.h>

#include "fleet/settings.h"
#include "host/supervisor.h"

typedef struct FleetServer FleetServer;

/* `settings` is borrowed. The supervisor must have been made with fleet_server_supervisor_events and the server's address,
 * hence in two steps: new, then start with it. */
int fleet_server_new(uv_loop_t *loop, const FleetSettings *settings, FleetServer **ret_server, Error *error);

/* The userdata of the supervisor's events. */
void *fleet_server_agent(FleetServer *server);

/* Takes the supervisor over, listens, and begins. */
int fleet_server_start(FleetServer *server, Supervisor *supervisor, Error *error);

/* Leaves the cluster: units unloaded, machine gone; then the loop comes to its end. */
void fleet_server_stop(FleetServer *server);

/* Prepares for the program's next life, which takes over all that runs: the lease is given up, and `ready` comes when the requests under way
 * are answered, or after a second. Once. */
void fleet_server_yield(FleetServer *server, void (*ready)(void *userdata), void *userdata);

/* After that, just before the program is executed anew: the API's sockets. */
int fleet_server_hand_over(FleetServer *server, Error *error);

/* See dump.h. */
int fleet_server_dump(const FleetServer *server, Buffer *text);

/* After the loop has ended. */
FleetServer *fleet_server_free(FleetServer *server);
