#pragma once
/*
 * The store's server: everything one member owns, on one loop. main.c makes it, runs the loop, and closes it.
 */
#include <uv.h>

#include "store/inherited.h"
#include "store/settings.h"

/* What /version says: the server whose v2 protocol this one speaks. */
#define ETCD_VERSION "3.4.23"
#define ETCD_CLUSTER_VERSION "3.4.0"

typedef struct Server Server;

/* Recovers or begins, and listens, also on sockets of the service manager. Blocks. `settings` is borrowed until the end. */
int server_new(uv_loop_t *loop, const Settings *settings, Inherited *inherited, Server **ret_server, Error *error);

/* Hands leadership over if it has it, ends what is under way, and closes; the loop then comes to its end. */
void server_stop(Server *server);

/* After the loop has ended: < 0 when the server failed, with the reason in `error`. Frees. */
int server_free(Server *server, Error *error);
