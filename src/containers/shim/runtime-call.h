#pragma once
/* Runs the OCI runtime: a program that does one thing and ends. */
#include <sys/types.h>

#include "base/error.h"

typedef struct RuntimeCall {
        const char
                *hide; /* a mount that the runtime must not see (version 2 of the cgroups beside version 1), or NULL */
        char *const *argv; /* argv[0]: the runtime's path */
        int fds[3];        /* become 0, 1, 2 of the runtime and of what it starts; -1: /dev/null */
} RuntimeCall;

/* Starts it; the caller waits for the process. -errno with `error`. */
int runtime_call_start(const RuntimeCall *call, pid_t *ret_pid, Error *error);

/* In this process: hides the mount in a mount namespace of its own, and executes. Returns -errno if it cannot. */
int runtime_call_exec(const RuntimeCall *call);
