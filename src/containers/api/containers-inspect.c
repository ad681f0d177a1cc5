/* GET /containers/ID/json and /top */
#include <stdio.h>

#include "containers/api/handlers.h"
#include "containers/network/network.h"
#include "host/file.h"

static void write_time(JsonWriter *json, const char *key, WallUsec at) {
        char text[40];

        api_format_time(at, text);
        json_field_string(json, key, text);
}

static void write_state(JsonWriter *json, const Container *container) {
        bool running = container_is_running(container);

        json_key(json, "State");
        json_begin_object(json);
        json_field_string(json, "Status", container_state_name(container->state));
        json_field_bool(json, "Running", running || container->state == CONTAINER_RESTARTING);
        json_field_bool(json, "Paused", false);
        json_field_bool(json, "Restarting", container->state == CONTAINER_RESTARTING);
        json_field_bool(json, "OOMKilled", container->oom_killed);
        json_field_bool(json, "Dead", false);
        json_field_i64(json, "Pid", container->pid);
        json_field_i64(json, "ExitCode", container->exit_code);
        json_field_string(json, "Error", container->error ?: "");
        write_time(json, "StartedAt", container->started);
        write_time(json, "FinishedAt", running ? 0 : container->finished);
        json_end_object(json);
}

/* ---- network ---- */

static const char *network_name(const Container *container) {
        static const char *const names[] = {[NETWORK_BRIDGE] = "bridge",
                                            [NETWORK_HOST] = "host",
                                            [NETWORK_NONE] = "none",
                                            [NETWORK_CONTAINER] = "container"};

        return names[container->spec.network];
}

static void write_endpoint(JsonWriter *json, const Container *container) {
        const ContainerNetwork *network = container->engine->network;
        bool up = container_is_running(container) && container->address[0] && network &&
                  container->spec.network == NETWORK_BRIDGE;
        char mac_text[20] = "";
        uint8_t mac[6];

        if (up && address_to_mac(container->address, mac) >= 0)
                (void)snprintf(mac_text, sizeof(mac_text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                               mac[3], mac[4], mac[5]);
        json_field_string(json, "Gateway", up ? container_network_gateway(network) : "");
        json_field_string(json, "IPAddress", up ? container->address : "");
        json_field_u64(json, "IPPrefixLen", up ? container_network_prefix(network) : 0);
        json_field_string(json, "IPv6Gateway", "");
        json_field_string(json, "GlobalIPv6Address", "");
        json_field_u64(json, "GlobalIPv6PrefixLen", 0);
        json_field_string(json, "MacAddress", mac_text);
}

static void write_networks(JsonWriter *json, const Container *container) {
        json_key(json, "Networks");
        json_begin_object(json);
        json_key(json, network_name(container));
        json_begin_object(json);
        json_key(json, "IPAMConfig");
        json_write_null(json);
        json_key(json, "Links");
        json_write_null(json);
        json_key(json, "Aliases");
        json_write_null(json);
        json_field_string(json, "NetworkID", network_name(container));
        json_field_string(json, "EndpointID", container_is_running(container) ? container->id : "");
        write_endpoint(json, container);
        json_key(json, "DriverOpts");
        json_write_null(json);
        json_end_object(json);
        json_end_object(json);
}

static bool same_port(const NetworkPort *a, const NetworkPort *b) {
        return a->container == b->container && str_equals(a->protocol, b->protocol);
}

/* {"80/tcp":[{"HostIp":…,"HostPort":…}],"443/tcp":null} */
static void write_ports(JsonWriter *json, const Container *container) {
        bool running = container_is_running(container);

        json_key(json, "Ports");
        json_begin_object(json);
        for (size_t i = 0; running && i < container->n_ports; i++) {
                const NetworkPort *port = &container->ports[i];
                bool seen = false;
                char text[16];

                for (size_t k = 0; k < i; k++)
                        seen |= same_port(&container->ports[k], port);
                if (seen)
                        continue;
                (void)snprintf(text, sizeof(text), "%u/%s", port->container, port->protocol);
                json_key(json, text);
                json_begin_array(json);
                for (size_t k = i; k < container->n_ports; k++) {
                        if (!same_port(&container->ports[k], port))
                                continue;
                        (void)snprintf(text, sizeof(text), "%u", container->ports[k].host);
                        json_begin_object(json);
                        json_field_string(json, "HostIp", container->ports[k].address);
                        json_field_string(json, "HostPort", text);
                        json_end_object(json);
                }
                json_end_array(json);
        }
        for (size_t i = 0; running && i < container->spec.exposed.length; i++) {
                NetworkPort exposed = {0};
                bool published = false;

                (void)spec_port_parse(container->spec.exposed.items[i], &exposed.container, exposed.protocol, NULL);
                for (size_t k = 0; k < container->n_ports; k++)
                        published |= same_port(&container->ports[k], &exposed);
                if (published)
                        continue;
                json_key(json, container->spec.exposed.items[i]);
                json_write_null(json);
        }
        json_end_object(json);
}

void api_write_network_settings(JsonWriter *json, const Container *container, bool brief) {
        _cleanup_free_ char *path = NULL;

        json_begin_object(json);
        if (!brief) {
                path = container->has_network && container->engine->network
                               ? container_network_namespace(container->engine->network, container->id)
                               : NULL;
                json_field_string(json, "Bridge", "");
                json_field_string(json, "SandboxID", container->has_network ? container->id : "");
                json_field_bool(json, "HairpinMode", false);
                write_ports(json, container);
                json_field_string(json, "SandboxKey", path ?: "");
                write_endpoint(json, container);
        }
        write_networks(json, container);
        json_end_object(json);
}

void api_write_mounts(JsonWriter *json, const Container *container) {
        json_begin_array(json);
        for (size_t i = 0; i < container->n_volumes; i++) {
                const ContainerVolume *volume = &container->volumes[i];

                json_begin_object(json);
                json_field_string(json, "Type", volume->name ? "volume" : "bind");
                if (volume->name)
                        json_field_string(json, "Name", volume->name);
                json_field_string(json, "Source", volume->source);
                json_field_string(json, "Destination", volume->target);
                if (volume->name)
                        json_field_string(json, "Driver", "local");
                json_field_string(json, "Mode", volume->read_only ? "ro" : "");
                json_field_bool(json, "RW", !volume->read_only);
                json_field_string(json, "Propagation", volume->name ? "" : volume->propagation ?: "rprivate");
                json_end_object(json);
        }
        json_end_array(json);
}

void api_write_exec_ids(JsonWriter *json, const Container *container) {
        json_key(json, "ExecIDs");
        if (container->n_execs == 0) {
                json_write_null(json);
                return;
        }
        json_begin_array(json);
        map_foreach (&container->engine->execs, entry) {
                const Exec *exec = entry->value;

                if (exec->container == container && !exec->over)
                        json_write_string(json, slice_from(exec->id));
        }
        json_end_array(json);
}

static void write_path(JsonWriter *json, const char *key, const Container *container, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", container->directory, name);

        json_field_string(json, key, path ?: "");
}

static void write_graph_driver(JsonWriter *json, const Container *container) {
        json_key(json, "GraphDriver");
        json_begin_object(json);
        json_field_string(json, "Name", "overlay2");
        json_key(json, "Data");
        json_begin_object(json);
        write_path(json, "MergedDir", container, "merged");
        write_path(json, "UpperDir", container, "upper");
        write_path(json, "WorkDir", container, "work");
        json_end_object(json);
        json_end_object(json);
}

static void write_head(JsonWriter *json, const Container *container) {
        _cleanup_free_ char *name = str_printf("/%s", container->name);

        json_field_string(json, "Id", container->id);
        write_time(json, "Created", container->created);
        json_field_string(json, "Path", container->spec.command.items[0]);
        json_key(json, "Args");
        json_begin_array(json);
        for (size_t i = 1; i < container->spec.command.length; i++)
                json_write_string(json, slice_from(container->spec.command.items[i]));
        json_end_array(json);
        write_state(json, container);
        json_field_string(json, "Image", container->image_id);
        write_path(json, "ResolvConfPath", container, "resolv.conf");
        write_path(json, "HostnamePath", container, "hostname");
        write_path(json, "HostsPath", container, "hosts");
        write_path(json, "LogPath", container, SHIM_LOG);
        json_field_string(json, "Name", name ?: "");
        json_field_u64(json, "RestartCount", container->restarts);
        json_field_string(json, "Driver", "overlay2");
        json_field_string(json, "Platform", "linux");
        json_field_string(json, "MountLabel", "");
        json_field_string(json, "ProcessLabel", "");
        json_field_string(json, "AppArmorProfile", "");
        api_write_exec_ids(json, container);
}

void api_container_inspect(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        if (!container)
                return;
        json_begin_object(&json);
        write_head(&json, container);
        api_write_json(&json, "HostConfig", container->host_config);
        write_graph_driver(&json, container);
        json_key(&json, "Mounts");
        api_write_mounts(&json, container);
        api_write_json(&json, "Config", container->config);
        json_key(&json, "NetworkSettings");
        api_write_network_settings(&json, container, false);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}

/* ---- top ---- */

static void write_process(JsonWriter *json, pid_t pid) {
        _cleanup_free_ char *path = str_printf("/proc/%d/cmdline", (int)pid),
                            *stat_path = str_printf("/proc/%d/stat", (int)pid);
        _cleanup_buffer_ Buffer command = BUFFER_INIT, stat = BUFFER_INIT;
        char text[16], state = '?';
        const char *end;
        int parent = 0;

        if (!path || !stat_path || file_read(path, 65536, &command, NULL) < 0 ||
            file_read(stat_path, 4096, &stat, NULL) < 0)
                return; /* it has ended meanwhile */
        end = strrchr(buffer_string(&stat) ?: "", ')');
        if (end)
                (void)sscanf(end + 1, " %c %d", &state, &parent);
        for (size_t i = 0; i + 1 < buffer_length(&command); i++)
                if (buffer_data(&command)[i] == '\0')
                        buffer_data(&command)[i] = ' ';
        json_begin_array(json);
        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        json_write_string(json, slice_from(text));
        (void)snprintf(text, sizeof(text), "%d", parent);
        json_write_string(json, slice_from(text));
        (void)snprintf(text, sizeof(text), "%c", state);
        json_write_string(json, slice_from(text));
        json_write_string(json, slice_from(buffer_string(&command) ?: ""));
        json_end_array(json);
}

/* The columns are ours: ps and its options are not asked. */
void api_container_top(ContainersApi *api, HttpRequest *request, const char *argument) {
        static const char *const titles[] = {"PID", "PPID", "STAT", "CMD"};
        Container *container = api_container(api, request, argument);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_pid_list_ PidList pids = {0};
        _cleanup_cgroup_ Cgroup group = {0};
        JsonWriter json = json_writer(&text);
        Error error = ERROR_NONE;
        int r;

        if (!container)
                return;
        if (!container_is_running(container)) {
                char message[128];

                (void)snprintf(message, sizeof(message), "container %s is not running", container->id);
                api_fail(request, 409, message);
                return;
        }
        r = cgroup_create(&api->engine->cgroups, container->id, &group, &error);
        if (r >= 0)
                r = cgroup_list_pids(&group, &pids);
        if (r < 0) {
                api_fail_errno(request, r, &error);
                return;
        }
        json_begin_object(&json);
        json_key(&json, "Titles");
        json_begin_array(&json);
        for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
                json_write_string(&json, slice_from(titles[i]));
        json_end_array(&json);
        json_key(&json, "Processes");
        json_begin_array(&json);
        for (size_t i = 0; i < pids.length; i++)
                write_process(&json, pids.items[i]);
        json_end_array(&json);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}
