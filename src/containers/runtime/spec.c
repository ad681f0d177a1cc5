#include "containers/runtime/spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "containers/runtime/json-fields.h"

enum {
        SHM_DEFAULT = 64 * 1024 * 1024,
        LOG_BYTES_DEFAULT = 10 * 1024 * 1024,
        LOG_FILES_DEFAULT = 2,
        LOG_FILES_MAX = 20,
        MEMORY_MIN = 6 * 1024 * 1024
};

void container_spec_deinit(ContainerSpec *s) {
        char *strings[] = {s->image,     s->host_name,         s->domain, s->user,
                           s->directory, s->network_container, s->cpus,   s->memory_nodes};
        StringList *lists[] = {&s->command,     &s->environment, &s->exposed, &s->dns,          &s->dns_search,
                               &s->dns_options, &s->extra_hosts, &s->links,   &s->volumes_from, &s->cap_add,
                               &s->cap_drop,    &s->group_add,   &s->sysctls};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                string_list_deinit(lists[i]);
        for (size_t i = 0; i < s->n_mounts; i++) {
                free(s->mounts[i].source);
                free(s->mounts[i].target);
                free(s->mounts[i].options);
                free(s->mounts[i].propagation);
        }
        for (size_t i = 0; i < s->n_limits; i++)
                free(s->limits[i].name);
        for (size_t i = 0; i < s->n_devices; i++) {
                free(s->devices[i].source);
                free(s->devices[i].target);
                free(s->devices[i].access);
        }
        free(s->mounts);
        free(s->limits);
        free(s->devices);
        free(s->ports);
        *s = (ContainerSpec){0};
}

int signal_parse(const char *text, int *ret) {
        uint64_t number;

        if (str_parse_u64(slice_from(text), SIGRTMAX, &number) >= 0) {
                if (number == 0)
                        return -EINVAL;
                *ret = (int)number;
                return 0;
        }
        if (strncasecmp(text, "SIG", 3) == 0)
                text += 3;
        for (int i = 1; i < NSIG; i++) {
                const char *name = sigabbrev_np(i);

                if (name && strcasecmp(name, text) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        return -EINVAL;
}

/* ---- what runs ---- */

static int parse_command(const json_t *config, const ImageConfig *image, ContainerSpec *spec, Error *error) {
        _cleanup_string_list_ StringList entry = {0}, command = {0};
        bool has_entry, has_command;
        int r;

        r = json_field_get_list(config, "Entrypoint", &entry, &has_entry, error);
        if (r >= 0)
                r = json_field_get_list(config, "Cmd", &command, &has_command, error);
        if (r < 0)
                return r;
        /* --entrypoint "" says: none, not even the image's; an entry point of one's own drops the image's command as
         * well */
        if (entry.length == 1 && entry.items[0][0] == '\0')
                string_list_deinit(&entry);
        for (size_t i = 0; r >= 0 && image && !has_entry && i < image->entrypoint.length; i++)
                r = string_list_add(&spec->command, image->entrypoint.items[i]);
        for (size_t i = 0; r >= 0 && i < entry.length; i++)
                r = string_list_add(&spec->command, entry.items[i]);
        for (size_t i = 0; r >= 0 && image && !has_entry && command.length == 0 && i < image->command.length; i++)
                r = string_list_add(&spec->command, image->command.items[i]);
        for (size_t i = 0; r >= 0 && i < command.length; i++)
                r = string_list_add(&spec->command, command.items[i]);
        if (r >= 0 && spec->command.length == 0)
                return error_set(error, -EINVAL, "No command specified");
        return r;
}

static bool same_variable(const char *a, const char *b) {
        size_t length = strcspn(a, "=");

        return strncmp(a, b, length) == 0 && (b[length] == '=' || b[length] == '\0');
}

static int add_variable(StringList *list, const char *variable) {
        for (size_t i = 0; i < list->length; i++)
                if (same_variable(variable, list->items[i])) {
                        char *copy = strdup(variable);

                        if (!copy)
                                return -ENOMEM;
                        free(list->items[i]);
                        list->items[i] = copy;
                        return 0;
                }
        return string_list_add(list, variable);
}

static int parse_environment(const json_t *config, const ImageConfig *image, ContainerSpec *spec, Error *error) {
        _cleanup_string_list_ StringList own = {0};
        int r = json_field_get_list(config, "Env", &own, NULL, error);

        for (size_t i = 0; r >= 0 && image && i < image->environment.length; i++)
                r = add_variable(&spec->environment, image->environment.items[i]);
        for (size_t i = 0; r >= 0 && i < own.length; i++)
                r = add_variable(&spec->environment, own.items[i]);
        return r;
}

static int take_image_string(char **target, const char *value) {
        if (*target || !value || !value[0])
                return 0;
        *target = strdup(value);
        return *target ? 0 : -ENOMEM;
}

static int parse_stop(const json_t *config, const ImageConfig *image, ContainerSpec *spec, Error *error) {
        _cleanup_free_ char *name = NULL;
        int r = json_field_get_string(config, "StopSignal", &name, error);

        spec->stop_timeout = -1;
        spec->stop_signal = SIGTERM;
        if (r >= 0)
                r = json_field_get_i64(config, "StopTimeout", &spec->stop_timeout, error);
        if (r >= 0)
                r = take_image_string(&name, image ? image->stop_signal : NULL);
        if (r >= 0 && name && signal_parse(name, &spec->stop_signal) < 0)
                return error_set(error, -EINVAL, "invalid signal: %.64s", name);
        return r;
}

static int parse_exposed(const json_t *config, const ImageConfig *image, ContainerSpec *spec, Error *error) {
        json_t *ports, *value;
        const char *key;
        int r = json_field_get_object(config, "ExposedPorts", &ports, error);

        if (r < 0)
                return r;
        json_object_foreach (ports, key, value) {
                char protocol[4];
                uint16_t port;

                r = spec_port_parse(key, &port, protocol, error);
                if (r >= 0)
                        r = string_list_add(&spec->exposed, key);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; r >= 0 && image && i < image->ports.length; i++)
                if (!string_list_contains(&spec->exposed, image->ports.items[i]))
                        r = string_list_add(&spec->exposed, image->ports.items[i]);
        return r;
}

static int parse_config(const json_t *config, const ImageConfig *image, ContainerSpec *spec, Error *error) {
        int r;

        r = json_field_get_string(config, "Image", &spec->image, error);
        if (r >= 0 && !spec->image)
                return error_set(error, -EINVAL, "no image is given");
        if (r >= 0)
                r = json_field_get_string(config, "Hostname", &spec->host_name, error);
        if (r >= 0 && spec->host_name && strlen(spec->host_name) > 63)
                return error_set(error, -EINVAL, "invalid hostname: %.80s", spec->host_name);
        if (r >= 0)
                r = json_field_get_string(config, "Domainname", &spec->domain, error);
        if (r >= 0)
                r = json_field_get_string(config, "User", &spec->user, error);
        if (r >= 0)
                r = json_field_get_string(config, "WorkingDir", &spec->directory, error);
        if (r >= 0)
                r = json_field_get_bool(config, "Tty", &spec->tty, error);
        if (r >= 0)
                r = json_field_get_bool(config, "OpenStdin", &spec->open_stdin, error);
        if (r >= 0)
                r = json_field_get_bool(config, "StdinOnce", &spec->stdin_once, error);
        if (r >= 0 && image)
                r = take_image_string(&spec->user, image->user);
        if (r >= 0 && image)
                r = take_image_string(&spec->directory, image->directory);
        if (r >= 0 && spec->directory && spec->directory[0] != '/')
                return error_set(error, -EINVAL,
                                 "the working directory '%.256s' is invalid, it needs to be an absolute path",
                                 spec->directory);
        if (r >= 0)
                r = parse_command(config, image, spec, error);
        if (r >= 0)
                r = parse_environment(config, image, spec, error);
        if (r >= 0)
                r = parse_stop(config, image, spec, error);
        return r < 0 ? r : parse_exposed(config, image, spec, error);
}

/* ---- how the host keeps it ---- */

static int parse_network(const json_t *host, ContainerSpec *spec, Error *error) {
        const char *mode = json_text(host, "NetworkMode");

        spec->network = NETWORK_BRIDGE;
        if (mode[0] == '\0' || str_equals(mode, "default") || str_equals(mode, "bridge"))
                return 0;
        if (str_equals(mode, "host"))
                spec->network = NETWORK_HOST;
        else if (str_equals(mode, "none"))
                spec->network = NETWORK_NONE;
        else if (str_starts_with(mode, "container:") && mode[10]) {
                spec->network = NETWORK_CONTAINER;
                spec->network_container = strdup(mode + 10);
                return spec->network_container ? 0 : -ENOMEM;
        } else
                return error_set(error, -ENOENT,
                                 "network %.128s not found: bridge, host, none and container:NAME are there", mode);
        return 0;
}

static int parse_namespaces(const json_t *host, ContainerSpec *spec, Error *error) {
        static const char *const keys[] = {"PidMode", "IpcMode", "UTSMode", "CgroupnsMode"};
        bool *const targets[] = {&spec->pid_host, &spec->ipc_host, &spec->uts_host, &spec->cgroup_host};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const char *mode = json_text(host, keys[i]);

                *targets[i] = str_equals(mode, "host");
                if (mode[0] && !*targets[i] && !str_equals(mode, "private") && !str_equals(mode, "shareable"))
                        return error_set(error, -EOPNOTSUPP, "%s \"%.128s\" is not supported: private and host are",
                                         keys[i], mode);
        }
        return 0;
}

static int parse_security(const json_t *host, ContainerSpec *spec, Error *error) {
        _cleanup_string_list_ StringList options = {0};
        int r = json_field_get_list(host, "SecurityOpt", &options, NULL, error);

        for (size_t i = 0; r >= 0 && i < options.length; i++) {
                char *option = options.items[i], *colon = strchr(option, ':');

                if (colon && !strchr(option, '='))
                        *colon = '='; /* the older way to write it */
                if (str_equals(option, "no-new-privileges") || str_equals(option, "no-new-privileges=true"))
                        spec->no_new_privileges = true;
                else if (str_equals(option, "seccomp=unconfined"))
                        spec->no_seccomp = true;
                else if (!str_starts_with(option, "label=") && !str_starts_with(option, "apparmor=") &&
                         !str_equals(option, "no-new-privileges=false"))
                        return error_set(error, -EOPNOTSUPP,
                                         "security option \"%.128s\" is not supported: no-new-privileges and "
                                         "seccomp=unconfined are",
                                         option);
        }
        return r;
}

static int parse_restart(const json_t *host, ContainerSpec *spec, Error *error) {
        static const char *const names[] = {"no", "always", "on-failure", "unless-stopped"};
        const json_t *policy = json_object_get(host, "RestartPolicy");
        const char *name = json_text(policy, "Name");
        int r = json_field_get_i64(policy, "MaximumRetryCount", &spec->restart_max, error);

        if (r < 0 || !name[0])
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_equals(name, names[i])) {
                        spec->restart = (RestartPolicy)i;
                        if (spec->auto_remove && spec->restart != RESTART_NO)
                                return error_set(error, -EINVAL,
                                                 "can't create 'AutoRemove' container with restart policy");
                        return 0;
                }
        return error_set(error, -EINVAL, "invalid restart policy '%.64s'", name);
}

static int parse_limits(const json_t *host, ContainerSpec *spec, Error *error) {
        json_t *list;
        int r = json_field_get_array(host, "Ulimits", &list, error);

        if (r < 0)
                return r;
        if (json_array_size(list) > SPEC_LIMITS_MAX)
                return error_set(error, -EINVAL, "more than %d ulimits", SPEC_LIMITS_MAX);
        spec->limits = calloc(json_array_size(list) + 1, sizeof(*spec->limits));
        if (!spec->limits)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                SpecLimit *limit = &spec->limits[spec->n_limits++];

                r = json_field_get_string(item, "Name", &limit->name, error);
                if (r >= 0)
                        r = json_field_get_i64(item, "Soft", &limit->soft, error);
                if (r >= 0)
                        r = json_field_get_i64(item, "Hard", &limit->hard, error);
                if (r >= 0 && (!limit->name || !limit->name[0]))
                        r = error_set(error, -EINVAL, "a ulimit has no name");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_devices(const json_t *host, ContainerSpec *spec, Error *error) {
        json_t *list;
        int r = json_field_get_array(host, "Devices", &list, error);

        if (r < 0)
                return r;
        if (json_array_size(list) > SPEC_DEVICES_MAX)
                return error_set(error, -EINVAL, "more than %d devices", SPEC_DEVICES_MAX);
        spec->devices = calloc(json_array_size(list) + 1, sizeof(*spec->devices));
        if (!spec->devices)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                SpecDevice *device = &spec->devices[spec->n_devices++];

                r = json_field_get_string(item, "PathOnHost", &device->source, error);
                if (r >= 0)
                        r = json_field_get_string(item, "PathInContainer", &device->target, error);
                if (r >= 0)
                        r = json_field_get_string(item, "CgroupPermissions", &device->access, error);
                if (r >= 0 && (!device->source || !device->target))
                        r = error_set(error, -EINVAL, "a device needs PathOnHost and PathInContainer");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_sysctls(const json_t *host, ContainerSpec *spec, Error *error) {
        json_t *sysctls, *value;
        const char *key;
        int r = json_field_get_object(host, "Sysctls", &sysctls, error);

        if (r < 0)
                return r;
        json_object_foreach (sysctls, key, value) {
                r = string_list_take(&spec->sysctls, str_printf("%s=%s", key, json_string_value(value) ?: ""));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_log(const json_t *host, ContainerSpec *spec, Error *error) {
        const json_t *log = json_object_get(host, "LogConfig"), *options = json_object_get(log, "Config");
        const char *type = json_text(log, "Type"), *size = json_text(options, "max-size"),
                   *files = json_text(options, "max-file");

        spec->log_bytes = LOG_BYTES_DEFAULT;
        spec->log_files = LOG_FILES_DEFAULT;
        if (str_equals(type, "none"))
                spec->log_files = 0;
        else if (type[0] && !str_equals(type, "json-file"))
                return error_set(error, -EOPNOTSUPP,
                                 "logger: no log driver named '%.64s' is registered: json-file and none are", type);
        if (size[0] && (str_parse_size(slice_from(size), &spec->log_bytes) < 0 || spec->log_bytes == 0))
                return error_set(error, -EINVAL, "log option max-size \"%.64s\" is no size", size);
        if (files[0] && (str_parse_u64(slice_from(files), LOG_FILES_MAX, &spec->log_files) < 0 || spec->log_files == 0))
                return error_set(error, -EINVAL, "log option max-file \"%.64s\" must be a number from 1 to %d", files,
                                 LOG_FILES_MAX);
        return 0;
}

static int parse_resources(const json_t *host, ContainerSpec *spec, Error *error) {
        const struct {
                const char *key;
                int64_t *target;
        } numbers[] = {
                {"Memory", &spec->memory},
                {"MemorySwap", &spec->memory_swap},
                {"MemoryReservation", &spec->memory_reservation},
                {"NanoCpus", &spec->nano_cpus},
                {"CpuShares", &spec->cpu_shares},
                {"CpuPeriod", &spec->cpu_period},
                {"CpuQuota", &spec->cpu_quota},
                {"PidsLimit", &spec->pids},
                {"ShmSize", &spec->shm_size},
                {"OomScoreAdj", &spec->oom_score},
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(numbers); i++)
                r = json_field_get_i64(host, numbers[i].key, numbers[i].target, error);
        if (r >= 0)
                r = json_field_get_string(host, "CpusetCpus", &spec->cpus, error);
        if (r >= 0)
                r = json_field_get_string(host, "CpusetMems", &spec->memory_nodes, error);
        if (r < 0)
                return r;
        if (spec->memory < 0 || (spec->memory > 0 && spec->memory < MEMORY_MIN))
                return error_set(error, -EINVAL, "Minimum memory limit allowed is 6MB");
        if (spec->nano_cpus < 0 || spec->shm_size < 0)
                return error_set(error, -EINVAL, "NanoCpus and ShmSize may not be below zero");
        if (spec->shm_size == 0)
                spec->shm_size = SHM_DEFAULT;
        return 0;
}

static int parse_host(const json_t *config, const json_t *host, const ImageConfig *image, ContainerSpec *spec,
                      Error *error) {
        const struct {
                const char *key;
                StringList *target;
        } lists[] = {
                {"Dns", &spec->dns},
                {"DnsSearch", &spec->dns_search},
                {"DnsOptions", &spec->dns_options},
                {"ExtraHosts", &spec->extra_hosts},
                {"CapAdd", &spec->cap_add},
                {"CapDrop", &spec->cap_drop},
                {"GroupAdd", &spec->group_add},
                {"Links", &spec->links},
                {"VolumesFrom", &spec->volumes_from},
        };
        const struct {
                const char *key;
                bool *target;
        } switches[] = {
                {"Privileged", &spec->privileged},       {"ReadonlyRootfs", &spec->read_only},
                {"AutoRemove", &spec->auto_remove},      {"Init", &spec->init},
                {"PublishAllPorts", &spec->publish_all},
        };
        int (*const parsers[])(const json_t *host, ContainerSpec *spec, Error *error) = {
                parse_network, parse_namespaces, parse_security, parse_restart,   parse_limits,
                parse_devices, parse_sysctls,    parse_log,      parse_resources,
        };
        json_t *bindings;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
                r = json_field_get_list(host, lists[i].key, lists[i].target, NULL, error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(switches); i++)
                r = json_field_get_bool(host, switches[i].key, switches[i].target, error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(parsers); i++)
                r = parsers[i](host, spec, error);
        if (r >= 0)
                r = json_field_get_object(host, "PortBindings", &bindings, error);
        if (r >= 0)
                r = spec_ports_parse(bindings, spec, error);
        return r < 0 ? r : spec_mounts_parse(config, host, image, spec, error);
}

int container_spec_parse(const json_t *config, const json_t *host_config, const ImageConfig *image, ContainerSpec *ret,
                         Error *error) {
        _cleanup_container_spec_ ContainerSpec spec = {0};
        int r;

        if (!json_is_object(config))
                return error_set(error, -EINVAL, "the body must be an object");
        if (host_config && !json_is_object(host_config) && !json_is_null(host_config))
                return error_set(error, -EINVAL, "HostConfig must be an object");
        r = parse_config(config, image, &spec, error);
        if (r >= 0)
                r = parse_host(config, host_config, image, &spec, error);
        if (r < 0)
                return r;
        *ret = spec;
        spec = (ContainerSpec){0};
        return 0;
}
