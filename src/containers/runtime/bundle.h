#pragma once
/* The OCI bundle's config.json (OCI runtime-spec 1.0) of a container. Pure: everything it needs is given. */
#include <jansson.h>
#include <sys/resource.h>

#include "base/error.h"
#include "containers/runtime/spec.h"
#include "containers/runtime/user.h"

typedef struct BundleMount {
        const char *source, *target; /* a bind */
        const char *propagation;     /* NULL: rprivate */
        bool read_only;
} BundleMount;

/* What the host is like. */
typedef struct BundleHost {
        bool cgroup_unified; /* version 2 */
        bool cgroup_namespaces;
        uint64_t capability_bound;          /* of this process */
        const char *init_program;           /* for --init; NULL: there is none */
        uint64_t hard_limits[RLIM_NLIMITS]; /* our own, by RLIMIT_…: without CAP_SYS_RESOURCE none can be above */
} BundleHost;

typedef struct BundleInput {
        const ContainerSpec *spec;
        const BundleHost *host;
        const char *id;
        const char *root; /* directory with the container's files */
        const char *host_name;
        const char *cgroup;            /* path in each hierarchy */
        const char *network_namespace; /* path; NULL: the host's */
        const ImageUser *user;
        const BundleMount *mounts; /* binds: volumes, and /etc/hosts and the like */
        size_t n_mounts;
        const StringList *more_environment; /* weaker than the spec's own; NULL: none */
} BundleInput;

/* The caller owns the object. -EINVAL with `error`: the spec asks for what cannot be. */
int bundle_config(const BundleInput *input, json_t **ret, Error *error);

/* The "process" object of a command executed in the container. `environment`: in addition. */
typedef struct BundleExec {
        const StringList *command, *environment;
        const char *directory; /* NULL: the container's */
        bool tty, privileged;
} BundleExec;

int bundle_exec_process(const BundleInput *input, const BundleExec *exec, json_t **ret, Error *error);
