#pragma once
/*
 * What a container is to be: read from the JSON of Docker's "create" (its Config and HostConfig), with what the image
 * says filled in. Owns everything.
 */
#include <jansson.h>

#include "base/error.h"
#include "base/str.h"
#include "containers/image/image-config.h"

enum {
        SPEC_MOUNTS_MAX = 256,
        SPEC_PORTS_MAX = 1024,
        SPEC_LIMITS_MAX = 32,
        SPEC_DEVICES_MAX = 64,
};

typedef enum MountKind {
        MOUNT_BIND,
        MOUNT_VOLUME,
        MOUNT_TMPFS,
} MountKind;

typedef struct SpecMount {
        MountKind kind;
        char *source;      /* path of a bind; name of a volume, NULL: one of its own; NULL of a tmpfs */
        char *target;      /* in the container, begins with '/' */
        char *options;     /* of a tmpfs: "size=64m,mode=1777"; else NULL */
        char *propagation; /* NULL: rprivate */
        bool read_only;
        bool must_exist; /* --mount type=bind: a missing source is an error */
} SpecMount;

typedef struct SpecPort {
        uint16_t container, host; /* host 0: chosen */
        char protocol[4];         /* "tcp", "udp" */
        char address[16];         /* of the host; "0.0.0.0": all */
} SpecPort;

typedef struct SpecLimit {
        char *name;         /* "nofile" */
        int64_t soft, hard; /* -1: none */
} SpecLimit;

typedef struct SpecDevice {
        char *source, *target, *access;
} SpecDevice;

typedef enum NetworkMode {
        NETWORK_BRIDGE,
        NETWORK_HOST,
        NETWORK_NONE,
        NETWORK_CONTAINER, /* that of another container */
} NetworkMode;

typedef enum RestartPolicy {
        RESTART_NO,
        RESTART_ALWAYS,
        RESTART_ON_FAILURE,
        RESTART_UNLESS_STOPPED,
} RestartPolicy;

typedef struct ContainerSpec {
        char *image;              /* as it was asked for */
        char *host_name, *domain; /* NULL: made of the id */
        char *user, *directory;
        StringList command; /* entry point and arguments together */
        StringList environment;
        bool tty, open_stdin, stdin_once;
        int stop_signal;
        int64_t stop_timeout; /* seconds; -1: the engine's */

        NetworkMode network;
        char *network_container;
        SpecPort *ports;
        size_t n_ports;
        bool publish_all;
        StringList exposed; /* "80/tcp" */
        StringList dns, dns_search, dns_options, extra_hosts;
        StringList links, volumes_from; /* of other containers: "name:alias", "name:ro" */

        SpecMount *mounts;
        size_t n_mounts;
        bool read_only;
        int64_t shm_size;

        bool privileged, init, no_new_privileges, no_seccomp;
        bool pid_host, ipc_host, uts_host, cgroup_host;
        StringList cap_add, cap_drop, group_add;
        SpecDevice *devices;
        size_t n_devices;
        SpecLimit *limits;
        size_t n_limits;
        StringList sysctls; /* "name=value" */
        int64_t oom_score;

        int64_t memory, memory_swap, memory_reservation;            /* bytes; 0: no limit; swap -1: unlimited */
        int64_t nano_cpus, cpu_shares, cpu_period, cpu_quota, pids; /* pids 0 and -1: no limit */
        char *cpus, *memory_nodes;

        bool auto_remove;
        RestartPolicy restart;
        int64_t restart_max;
        uint64_t log_bytes, log_files;
} ContainerSpec;

void container_spec_deinit(ContainerSpec *spec);
#define _cleanup_container_spec_ _cleanup_(container_spec_deinit)

/*
 * `config`: the object that Docker calls Config; `host_config` may be NULL; `image` may be NULL. -EINVAL with a text
 * that names what is wrong; -EOPNOTSUPP: what is asked is not done here.
 */
int container_spec_parse(const json_t *config, const json_t *host_config, const ImageConfig *image, ContainerSpec *ret,
                         Error *error);

/* "SIGTERM", "TERM", "15". -EINVAL. */
int signal_parse(const char *text, int *ret);

/* ---- spec-ports.c ---- */

/* "80/tcp", "53/udp", "80". -EINVAL with `error`. */
int spec_port_parse(const char *text, uint16_t *ret_port, char ret_protocol[static 4], Error *error);

/* PortBindings: {"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"18080"}]} */
int spec_ports_parse(const json_t *bindings, ContainerSpec *spec, Error *error);

/* ---- spec-mounts.c ---- */

/* A volume's name becomes that of a directory. */
bool spec_volume_name_is_valid(Slice name);

/* Binds, Tmpfs, Mounts, and the volumes of config and image. */
int spec_mounts_parse(const json_t *config, const json_t *host_config, const ImageConfig *image, ContainerSpec *spec,
                      Error *error);
