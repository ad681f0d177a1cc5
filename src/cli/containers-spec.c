#include "cli/containers-spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENVIRONMENT_LINE_MAX = 65536, PORT_RANGE_MAX = 1024 };

void containers_spec_deinit(ContainersSpec *spec) {
        char *strings[] = {spec->name,    spec->host_name, spec->user,        spec->directory,  spec->entrypoint,
                           spec->network, spec->restart,   spec->stop_signal, spec->pull,       spec->cid_file,
                           spec->ipc,     spec->pid_mode,  spec->unused,      spec->pids_limit, spec->cpus};
        StringList *lists[] = {&spec->environment, &spec->environment_files,
                               &spec->volumes,     &spec->ports,
                               &spec->expose,      &spec->labels,
                               &spec->cap_add,     &spec->cap_drop,
                               &spec->tmpfs,       &spec->dns,
                               &spec->hosts,       &spec->attach,
                               &spec->groups,      &spec->security,
                               &spec->ulimits,     &spec->links};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                string_list_deinit(lists[i]);
}

static int take_entrypoint(void *target, const char *value, Error *error) {
        ContainersSpec *spec = target;

        spec->has_entrypoint = true;
        free(spec->entrypoint);
        spec->entrypoint = strdup(value);
        return spec->entrypoint ? 0 : error_set_errno(error, -ENOMEM, "--entrypoint");
}

const Option *containers_spec_options(ContainersSpec *s) {
        static Option options[CONTAINERS_SPEC_OPTIONS];
        const Option table[] = {
                {"detach", 'd', OPTION_SWITCH, NULL, NULL, "do not wait; print the container's id", &s->detach, NULL},
                {"interactive", 'i', OPTION_SWITCH, NULL, NULL, "pass standard input on", &s->interactive, NULL},
                {"tty", 't', OPTION_SWITCH, NULL, NULL, "give it a terminal", &s->tty, NULL},
                {"rm", 0, OPTION_SWITCH, NULL, NULL, "remove it when it ends", &s->remove, NULL},
                {"name", 0, OPTION_STRING, "NAME", NULL, "its name", &s->name, NULL},
                {"env", 'e', OPTION_LIST, "NAME[=VALUE]", NULL, "a variable of its environment", &s->environment, NULL},
                {"env-file", 0, OPTION_LIST, "FILE", NULL, "variables, one a line", &s->environment_files, NULL},
                {"volume", 'v', OPTION_LIST, "PLACE:PATH[:ro]", NULL, "show a directory, or a named volume, at PATH",
                 &s->volumes, NULL},
                {"publish", 'p', OPTION_LIST, "[[IP:]PORT:]PORT", NULL, "make a port reachable on this machine",
                 &s->ports, NULL},
                {"publish-all", 'P', OPTION_SWITCH, NULL, NULL, "make all exposed ports reachable, at free ones",
                 &s->publish_all, NULL},
                {"expose", 0, OPTION_LIST, "PORT", NULL, "a port that others may use", &s->expose, NULL},
                {"network", 0, OPTION_STRING, "NETWORK", NULL, "bridge (default), host or none", &s->network, NULL},
                {"net", 0, OPTION_STRING, "NETWORK", NULL, NULL, &s->network, NULL},
                {"memory", 'm', OPTION_SIZE, "SIZE", NULL, "most memory it may use", &s->memory, NULL},
                {"memory-swap", 0, OPTION_SIZE, "SIZE", NULL, "most memory and swap", &s->memory_swap, NULL},
                {"pids-limit", 0, OPTION_STRING, "N", NULL, "most processes", &s->pids_limit, NULL},
                {"cpus", 0, OPTION_STRING, "N", NULL, "most processors, such as 0.5", &s->cpus, NULL},
                {"cpu-shares", 'c', OPTION_U64, "N", NULL, "its weight among others", &s->cpu_shares, NULL},
                {"restart", 0, OPTION_STRING, "WHEN", NULL, "no (default), always, on-failure[:N] or unless-stopped",
                 &s->restart, NULL},
                {"user", 'u', OPTION_STRING, "USER[:GROUP]", NULL, "who it runs as", &s->user, NULL},
                {"workdir", 'w', OPTION_STRING, "DIR", NULL, "its working directory", &s->directory, NULL},
                {"entrypoint", 0, OPTION_CALL, "COMMAND", NULL, "instead of the image's entry point", s,
                 take_entrypoint},
                {"hostname", 'h', OPTION_STRING, "NAME", NULL, "its host name", &s->host_name, NULL},
                {"label", 'l', OPTION_LIST, "NAME=VALUE", NULL, "a label", &s->labels, NULL},
                {"read-only", 0, OPTION_SWITCH, NULL, NULL, "its root file system cannot be written to", &s->read_only,
                 NULL},
                {"tmpfs", 0, OPTION_LIST, "PATH[:OPTIONS]", NULL, "a file system in memory", &s->tmpfs, NULL},
                {"cap-add", 0, OPTION_LIST, "NAME", NULL, "a capability that it gets", &s->cap_add, NULL},
                {"cap-drop", 0, OPTION_LIST, "NAME", NULL, "a capability that it loses", &s->cap_drop, NULL},
                {"privileged", 0, OPTION_SWITCH, NULL, NULL, "nothing is kept from it", &s->privileged, NULL},
                {"security-opt", 0, OPTION_LIST, "OPTION", NULL, "such as seccomp=unconfined", &s->security, NULL},
                {"init", 0, OPTION_SWITCH, NULL, NULL, "a small init runs the command", &s->init, NULL},
                {"dns", 0, OPTION_LIST, "ADDRESS", NULL, "a name server", &s->dns, NULL},
                {"add-host", 0, OPTION_LIST, "NAME:ADDRESS", NULL, "a line of /etc/hosts", &s->hosts, NULL},
                {"group-add", 0, OPTION_LIST, "GROUP", NULL, "a further group", &s->groups, NULL},
                {"shm-size", 0, OPTION_SIZE, "SIZE", NULL, "size of /dev/shm", &s->shm_size, NULL},
                {"ulimit", 0, OPTION_LIST, "NAME=SOFT[:HARD]", NULL, "a limit", &s->ulimits, NULL},
                {"ipc", 0, OPTION_STRING, "MODE", NULL, "\"host\": this machine's ipc namespace", &s->ipc, NULL},
                {"pid", 0, OPTION_STRING, "MODE", NULL, "\"host\": this machine's processes", &s->pid_mode, NULL},
                {"stop-signal", 0, OPTION_STRING, "SIGNAL", NULL, "what docker stop sends", &s->stop_signal, NULL},
                {"stop-timeout", 0, OPTION_U64, "SECONDS", NULL, "how long docker stop waits", &s->stop_timeout, NULL},
                {"cidfile", 0, OPTION_STRING, "FILE", NULL, "where its id is written", &s->cid_file, NULL},
                {"pull", 0, OPTION_STRING, "WHEN", NULL, "missing (default), always or never", &s->pull, NULL},
                {"attach", 'a', OPTION_LIST, "STREAM", NULL, NULL, &s->attach, NULL},
                {"link", 0, OPTION_LIST, "CONTAINER[:NAME]", NULL, NULL, &s->links, NULL},
                {"log-driver", 0, OPTION_STRING, "NAME", NULL, NULL, &s->unused, NULL},
                {"log-opt", 0, OPTION_STRING, "OPTION", NULL, NULL, &s->unused, NULL},
                {"quiet", 'q', OPTION_SWITCH, NULL, NULL, NULL, &s->unused_switch, NULL},
                {"sig-proxy", 0, OPTION_SWITCH, NULL, NULL, NULL, &s->unused_switch, NULL},
                {0},
        };

        _Static_assert(ARRAY_SIZE(table) <= CONTAINERS_SPEC_OPTIONS, "room for all options");
        memcpy(options, table, sizeof(table));
        return options;
}

/* ---- pieces ---- */

static json_t *list_json(const StringList *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->length; i++)
                (void)json_array_append_new(array, json_string(list->items[i]));
        return array;
}

static int append_variable(json_t *array, const char *text) {
        _cleanup_free_ char *pair = NULL;
        const char *value;

        if (strchr(text, '='))
                return json_array_append_new(array, json_string(text));
        value = getenv(text);
        if (!value)
                return 0;
        pair = str_printf("%s=%s", text, value);
        return pair ? json_array_append_new(array, json_string(pair)) : -1;
}

static int read_environment_file(json_t *array, const char *path, Error *error) {
        char *line = NULL;
        FILE *file = fopen(path, "re");
        size_t size = 0;
        ssize_t length;
        int r = 0;

        if (!file)
                return error_set_errno(error, -errno, "--env-file: cannot open %s", path);
        while (r == 0 && (length = getline(&line, &size, file)) >= 0) {
                char *text = line + strspn(line, " \t");

                line[strcspn(line, "\r\n")] = '\0';
                if (length > ENVIRONMENT_LINE_MAX)
                        r = error_set(error, -EINVAL, "--env-file: a line of %s is longer than %d bytes", path,
                                      ENVIRONMENT_LINE_MAX);
                else if (*text && *text != '#' && append_variable(array, text) < 0)
                        r = error_set(error, -EINVAL, "--env-file: a line of %s is not UTF-8", path);
        }
        free(line);
        (void)fclose(file);
        return r;
}

static int build_environment(const ContainersSpec *spec, json_t **ret, Error *error) {
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r >= 0 && i < spec->environment_files.length; i++)
                r = read_environment_file(array, spec->environment_files.items[i], error);
        for (size_t i = 0; r >= 0 && i < spec->environment.length; i++)
                if (append_variable(array, spec->environment.items[i]) < 0)
                        r = error_set(error, -EINVAL, "--env \"%s\" is not UTF-8", spec->environment.items[i]);
        *ret = array;
        return r;
}

static int build_labels(const StringList *labels, json_t **ret) {
        *ret = json_object();
        for (size_t i = 0; i < labels->length; i++) {
                _cleanup_free_ char *name = strdup(labels->items[i]);
                char *equals = name ? strchr(name, '=') : NULL;

                if (!name)
                        return -ENOMEM;
                if (equals)
                        *equals++ = '\0';
                (void)json_object_set_new(*ret, name, json_string(equals ?: ""));
        }
        return 0;
}

/* "80", "80-90" */
static int parse_range(const char *text, unsigned *ret_first, unsigned *ret_last) {
        Slice rest = slice_from(text), first;
        uint64_t a, b;

        (void)slice_split(&rest, '-', &first);
        if (str_parse_u64(first, UINT16_MAX, &a) < 0)
                return -EINVAL;
        b = a;
        if (rest.data && str_parse_u64(rest, UINT16_MAX, &b) < 0)
                return -EINVAL;
        if (b < a || b - a > PORT_RANGE_MAX)
                return -EINVAL;
        *ret_first = (unsigned)a;
        *ret_last = (unsigned)b;
        return 0;
}

static int add_binding(json_t *bindings, json_t *exposed, unsigned port, const char *protocol, const char *ip,
                       const char *host_port) {
        _cleanup_free_ char *key = str_printf("%u/%s", port, protocol);
        json_t *list;

        if (!key)
                return -ENOMEM;
        (void)json_object_set_new(exposed, key, json_object());
        list = json_object_get(bindings, key);
        if (!list) {
                (void)json_object_set_new(bindings, key, json_array());
                list = json_object_get(bindings, key);
        }
        return json_array_append_new(list, json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", host_port));
}

/* [[IP:][PORT]:]PORT[/PROTOCOL]; an IPv6 address in brackets. */
static int add_port(const char *text, json_t *bindings, json_t *exposed, Error *error) {
        _cleanup_free_ char *copy = strdup(text);
        char *protocol, *colon, *host = NULL, *ip = NULL, *container = copy;
        unsigned first, last, host_first = 0, host_last = 0;

        if (!copy)
                return error_set_errno(error, -ENOMEM, "--publish");
        protocol = strrchr(copy, '/');
        if (protocol)
                *protocol++ = '\0';
        colon = strrchr(copy, ':');
        if (colon) {
                *colon = '\0';
                container = colon + 1;
                host = copy;
                colon = strrchr(host, ':');
                if (colon) {
                        *colon = '\0';
                        ip = host;
                        host = colon + 1;
                }
        }
        if (ip && ip[0] == '[' && strlen(ip) > 2) {
                ip[strlen(ip) - 1] = '\0';
                ip++;
        }
        if (parse_range(container, &first, &last) < 0 || first == 0 ||
            (host && *host && parse_range(host, &host_first, &host_last) < 0) ||
            (protocol && !str_equals(protocol, "tcp") && !str_equals(protocol, "udp")))
                return error_set(error, -EINVAL, "--publish \"%s\" is not [[IP:][PORT]:]PORT[/tcp|/udp]", text);
        if (host && *host && host_last - host_first != last - first)
                return error_set(error, -EINVAL, "--publish \"%s\": the ranges have different lengths", text);
        for (unsigned i = 0; i <= last - first; i++) {
                char number[16] = "";

                if (host && *host)
                        (void)snprintf(number, sizeof(number), "%u", host_first + i);
                if (add_binding(bindings, exposed, first + i, protocol ?: "tcp", ip ?: "", number) < 0)
                        return error_set(error, -EINVAL, "--publish \"%s\" cannot be sent", text);
        }
        return 0;
}

static int build_ports(const ContainersSpec *spec, json_t *bindings, json_t *exposed, Error *error) {
        for (size_t i = 0; i < spec->ports.length; i++) {
                int r = add_port(spec->ports.items[i], bindings, exposed, error);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < spec->expose.length; i++) {
                _cleanup_free_ char *key =
                        str_printf("%s%s", spec->expose.items[i], strchr(spec->expose.items[i], '/') ? "" : "/tcp");

                if (key)
                        (void)json_object_set_new(exposed, key, json_object());
        }
        return 0;
}

/* Volumes without a place of their own are the engine's to make. A relative place is one below the current directory. */
static int build_volumes(const ContainersSpec *spec, json_t *binds, json_t *anonymous, Error *error) {
        for (size_t i = 0; i < spec->volumes.length; i++) {
                const char *text = spec->volumes.items[i];
                _cleanup_free_ char *full = NULL, *here = NULL;

                if (!strchr(text, ':')) {
                        (void)json_object_set_new(anonymous, text, json_object());
                        continue;
                }
                if (text[0] == '.') {
                        here = realpath(".", NULL);
                        full = here ? str_printf("%s/%s", here, text) : NULL;
                        if (!full)
                                return error_set_errno(error, -ENOMEM, "--volume %s", text);
                }
                (void)json_array_append_new(binds, json_string(full ?: text));
        }
        return 0;
}

static json_t *build_tmpfs(const StringList *tmpfs) {
        json_t *object = json_object();

        for (size_t i = 0; i < tmpfs->length; i++) {
                _cleanup_free_ char *path = strdup(tmpfs->items[i]);
                char *colon = path ? strchr(path, ':') : NULL;

                if (colon)
                        *colon++ = '\0';
                if (path)
                        (void)json_object_set_new(object, path, json_string(colon ?: ""));
        }
        return object;
}

static int build_restart(const char *text, json_t **ret, Error *error) {
        Slice rest = slice_from(text ?: "no"), name;
        uint64_t count = 0;

        (void)slice_split(&rest, ':', &name);
        if (rest.data && str_parse_u64(rest, INT32_MAX, &count) < 0)
                return error_set(error, -EINVAL, "--restart \"%s\": what follows ':' is not a number", text);
        *ret = json_pack("{s:s%, s:I}", "Name", name.data, name.length, "MaximumRetryCount", (json_int_t)count);
        return *ret ? 0 : error_set(error, -EINVAL, "--restart cannot be sent");
}

/* Billionths of a processor, written decimally: not by way of a double. */
static int parse_cpus(const char *text, uint64_t *ret) {
        Slice rest = slice_from(text), whole;
        uint64_t units, nano = 0, scale = UINT64_C(100000000);

        (void)slice_split(&rest, '.', &whole);
        if (str_parse_u64(whole, 1000000, &units) < 0)
                return -EINVAL;
        for (size_t i = 0; rest.data && i < rest.length; i++, scale /= 10) {
                if (rest.data[i] < '0' || rest.data[i] > '9')
                        return -EINVAL;
                nano += (uint64_t)(rest.data[i] - '0') * scale;
        }
        *ret = units * UINT64_C(1000000000) + nano;
        return 0;
}

static int build_ulimits(const StringList *ulimits, json_t **ret, Error *error) {
        *ret = json_array();
        for (size_t i = 0; i < ulimits->length; i++) {
                Slice rest = slice_from(ulimits->items[i]), name, soft;
                uint64_t low, high;

                (void)slice_split(&rest, '=', &name);
                if (!rest.data || !slice_split(&rest, ':', &soft) || str_parse_u64(soft, INT64_MAX, &low) < 0)
                        return error_set(error, -EINVAL, "--ulimit \"%s\" is not NAME=SOFT[:HARD]", ulimits->items[i]);
                high = low;
                if (rest.data && str_parse_u64(rest, INT64_MAX, &high) < 0)
                        return error_set(error, -EINVAL, "--ulimit \"%s\" is not NAME=SOFT[:HARD]", ulimits->items[i]);
                (void)json_array_append_new(*ret, json_pack("{s:s%, s:I, s:I}", "Name", name.data, name.length, "Soft",
                                                            (json_int_t)low, "Hard", (json_int_t)high));
        }
        return 0;
}

static int build_limits(const ContainersSpec *spec, json_t *host, Error *error) {
        json_t *ulimits = NULL;
        uint64_t nano = 0, pids = 0;
        bool no_limit = spec->pids_limit && str_equals(spec->pids_limit, "-1");

        if (spec->cpus && parse_cpus(spec->cpus, &nano) < 0)
                return error_set(error, -EINVAL, "--cpus \"%s\" is not a number such as 0.5", spec->cpus);
        if (spec->pids_limit && !no_limit && str_parse_u64(slice_from(spec->pids_limit), INT32_MAX, &pids) < 0)
                return error_set(error, -EINVAL, "--pids-limit \"%s\" is not a whole number", spec->pids_limit);
        if (build_ulimits(&spec->ulimits, &ulimits, error) < 0) {
                json_decref(ulimits);
                return -EINVAL;
        }
        (void)json_object_set_new(host, "NanoCpus", json_integer((json_int_t)nano));
        (void)json_object_set_new(host, "PidsLimit", json_integer(no_limit ? -1 : (json_int_t)pids));
        (void)json_object_set_new(host, "Memory", json_integer((json_int_t)spec->memory));
        (void)json_object_set_new(host, "MemorySwap", json_integer((json_int_t)spec->memory_swap));
        (void)json_object_set_new(host, "CpuShares", json_integer((json_int_t)spec->cpu_shares));
        (void)json_object_set_new(host, "ShmSize", json_integer((json_int_t)spec->shm_size));
        (void)json_object_set_new(host, "Ulimits", ulimits);
        return 0;
}

/* ---- the whole ---- */

static int build_host(const ContainersSpec *spec, json_t *exposed, json_t *anonymous, json_t **ret, Error *error) {
        json_t *bindings = json_object(), *binds = json_array(), *restart = NULL, *host;
        int r;

        r = build_ports(spec, bindings, exposed, error);
        if (r >= 0)
                r = build_volumes(spec, binds, anonymous, error);
        if (r >= 0)
                r = build_restart(spec->restart, &restart, error);
        host = json_pack("{s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}",
                         "Binds", binds, "PortBindings", bindings, "RestartPolicy", restart ?: json_object(),
                         "NetworkMode", spec->network ?: "default", "AutoRemove", spec->remove, "CapAdd",
                         list_json(&spec->cap_add), "CapDrop", list_json(&spec->cap_drop), "Privileged",
                         spec->privileged, "ReadonlyRootfs", spec->read_only, "PublishAllPorts", spec->publish_all,
                         "Tmpfs", build_tmpfs(&spec->tmpfs), "Dns", list_json(&spec->dns), "ExtraHosts",
                         list_json(&spec->hosts), "GroupAdd", list_json(&spec->groups), "SecurityOpt",
                         list_json(&spec->security), "Links", list_json(&spec->links), "IpcMode", spec->ipc ?: "",
                         "PidMode", spec->pid_mode ?: "");
        *ret = host;
        if (r >= 0 && !host)
                r = error_set(error, -EINVAL, "the options cannot be sent: one is not UTF-8, or there is no memory");
        if (r >= 0 && spec->init)
                (void)json_object_set_new(host, "Init", json_true());
        return r < 0 ? r : build_limits(spec, host, error);
}

static int build_container(const ContainersSpec *spec, const char *image, const StringList *arguments, size_t first,
                           json_t *root, Error *error) {
        json_t *environment = NULL, *labels = NULL, *command = json_array();
        int r = build_environment(spec, &environment, error);

        if (r >= 0)
                r = build_labels(&spec->labels, &labels);
        for (size_t i = first; i < arguments->length; i++)
                (void)json_array_append_new(command, json_string(arguments->items[i]));
        (void)json_object_set_new(root, "Env", environment);
        (void)json_object_set_new(root, "Labels", labels ?: json_object());
        (void)json_object_set_new(root, "Cmd", json_array_size(command) ? json_incref(command) : json_null());
        json_decref(command);
        (void)json_object_set_new(root, "Image", json_string(image));
        (void)json_object_set_new(root, "Hostname", json_string(spec->host_name ?: ""));
        (void)json_object_set_new(root, "User", json_string(spec->user ?: ""));
        (void)json_object_set_new(root, "WorkingDir", json_string(spec->directory ?: ""));
        (void)json_object_set_new(root, "Tty", json_boolean(spec->tty));
        (void)json_object_set_new(root, "OpenStdin", json_boolean(spec->interactive));
        (void)json_object_set_new(root, "StdinOnce", json_boolean(spec->interactive && !spec->detach));
        (void)json_object_set_new(root, "AttachStdin", json_boolean(spec->interactive && !spec->detach));
        (void)json_object_set_new(root, "AttachStdout", json_boolean(!spec->detach));
        (void)json_object_set_new(root, "AttachStderr", json_boolean(!spec->detach));
        if (spec->has_entrypoint)
                (void)json_object_set_new(root, "Entrypoint",
                                          *spec->entrypoint ? json_pack("[s]", spec->entrypoint)
                                                            : json_pack("[s]", ""));
        if (spec->stop_signal)
                (void)json_object_set_new(root, "StopSignal", json_string(spec->stop_signal));
        if (spec->stop_timeout)
                (void)json_object_set_new(root, "StopTimeout", json_integer((json_int_t)spec->stop_timeout));
        return r;
}

int containers_spec_build(const ContainersSpec *spec, const char *image, const StringList *arguments,
                          size_t first_argument, json_t **ret, Error *error) {
        json_t *root = json_object(), *exposed = json_object(), *anonymous = json_object(), *host = NULL;
        int r = build_container(spec, image, arguments, first_argument, root, error);

        if (r >= 0)
                r = build_host(spec, exposed, anonymous, &host, error);
        (void)json_object_set_new(root, "ExposedPorts", exposed);
        (void)json_object_set_new(root, "Volumes", anonymous);
        if (host)
                (void)json_object_set_new(root, "HostConfig", host);
        if (r < 0) {
                json_decref(root);
                return r;
        }
        *ret = root;
        return 0;
}
