#pragma once
/* faering-containers: owns the loop's parts and wires them together. */
#include "containers/settings.h"

#include <uv.h>

typedef struct ContainersServer ContainersServer;

/* Blocks until all that an earlier engine, or a crash, left is known or cleared. Freed by the caller also when this
 * fails. */
int containers_server_new(uv_loop_t *loop, const ContainersSettings *settings, ContainersServer **ret, Error *error);

/* Serves. */
int containers_server_start(ContainersServer *server, Error *error);

/* The program ends once the loop has nothing to do; containers go on under their shims. */
void containers_server_stop(ContainersServer *server);

/* Runs the loop to its end. */
ContainersServer *containers_server_free(ContainersServer *server);

/* "crun 1.8.1" */
const char *containers_server_runtime(const ContainersServer *server);
