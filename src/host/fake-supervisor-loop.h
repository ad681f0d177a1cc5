#pragma once
/* A fake supervisor that runs on a libuv loop by the system's clock: for a program that is to do all but run units. */
#include <uv.h>

#include "host/fake-supervisor.h"

/* supervisor_close() ends it, once the loop has run. -ENOMEM. */
int fake_supervisor_loop_new(uv_loop_t *loop, const SupervisorEvents *events, void *userdata, Supervisor **ret, Error *error);
