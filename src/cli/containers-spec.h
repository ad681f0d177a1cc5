#pragma once
/* What docker run and docker create say of a container, as the body of POST /containers/create. */
#include <jansson.h>

#include "base/options.h"

#define CONTAINERS_SPEC_OPTIONS 64

/* Targets of the options; owns its strings. */
typedef struct ContainersSpec {
        char *name, *host_name, *user, *directory, *entrypoint, *network, *restart, *stop_signal, *pull, *cid_file,
                *ipc, *pid_mode, *unused;
        StringList environment, environment_files, volumes, ports, expose, labels, cap_add, cap_drop, tmpfs, dns, hosts,
                attach, groups, security, ulimits, links;
        uint64_t memory, memory_swap, shm_size, cpu_shares, stop_timeout;
        char *pids_limit, *cpus;
        bool detach, interactive, tty, remove, privileged, read_only, init, publish_all, unused_switch, has_entrypoint;
} ContainersSpec;

void containers_spec_deinit(ContainersSpec *spec);
#define _cleanup_containers_spec_ _cleanup_(containers_spec_deinit)

/* The option table for these targets; valid until the next call. */
const Option *containers_spec_options(ContainersSpec *spec);

/* -EINVAL with `error`: an option's value cannot be read. The object is the caller's. */
int containers_spec_build(const ContainersSpec *spec, const char *image, const StringList *arguments,
                          size_t first_argument, json_t **ret, Error *error);
