#pragma once
/* Running as a proxy: --proxy, or a founder that came too late with --discovery-fallback=proxy. */
#include <uv.h>

#include "store/inherited.h"
#include "store/settings.h"

typedef struct Proxying Proxying;

/* Listens at --listen-client-urls, also on clients' sockets of the service manager. Members are those of DATA_DIR/proxy/cluster when a proxy ran there before, else of
 * `settings->bootstrap`. `settings` is borrowed. Errors with `error`. */
int proxying_new(uv_loop_t *loop, const Settings *settings, Inherited *inherited, Proxying **ret_proxying, Error *error);

/* Closes all; memory goes once the loop has run: then proxying_free(). May follow itself. */
void proxying_stop(Proxying *proxying);
Proxying *proxying_free(Proxying *proxying);

/* 1: a proxy ran in this data directory; 0: none did. */
int proxying_has_data(const Settings *settings);
