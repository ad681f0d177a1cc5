/* The three networks that are there, and volumes. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "containers/api/handlers.h"
#include "host/file.h"

static const struct {
        const char *name, *driver;
} networks[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}};

static void write_ipam(JsonWriter *json, const Engine *engine, bool bridge) {
        json_key(json, "IPAM");
        json_begin_object(json);
        json_field_string(json, "Driver", "default");
        json_key(json, "Options");
        json_write_null(json);
        json_key(json, "Config");
        json_begin_array(json);
        if (bridge && engine->network) {
                json_begin_object(json);
                json_field_string(json, "Subnet", container_network_subnet(engine->network));
                json_field_string(json, "Gateway", container_network_gateway(engine->network));
                json_end_object(json);
        }
        json_end_array(json);
        json_end_object(json);
}

static void write_members(JsonWriter *json, const Engine *engine, NetworkMode mode) {
        json_key(json, "Containers");
        json_begin_object(json);
        map_foreach (&engine->by_id, entry) {
                const Container *container = entry->value;
                _cleanup_free_ char *address = NULL;

                if (!container_is_running(container) || container->spec.network != mode)
                        continue;
                address = container->address[0] && engine->network
                                  ? str_printf("%s/%u", container->address, container_network_prefix(engine->network))
                                  : strdup("");
                json_key(json, container->id);
                json_begin_object(json);
                json_field_string(json, "Name", container->name);
                json_field_string(json, "EndpointID", container->id);
                json_field_string(json, "IPv4Address", address ?: "");
                json_field_string(json, "IPv6Address", "");
                json_end_object(json);
        }
        json_end_object(json);
}

static void write_network(JsonWriter *json, const Engine *engine, size_t which, bool members) {
        static const NetworkMode modes[] = {NETWORK_BRIDGE, NETWORK_HOST, NETWORK_NONE};

        json_begin_object(json);
        json_field_string(json, "Name", networks[which].name);
        json_field_string(json, "Id", networks[which].name);
        json_field_string(json, "Created", "0001-01-01T00:00:00Z");
        json_field_string(json, "Scope", "local");
        json_field_string(json, "Driver", networks[which].driver);
        json_field_bool(json, "EnableIPv6", false);
        write_ipam(json, engine, which == 0);
        json_field_bool(json, "Internal", false);
        json_field_bool(json, "Attachable", false);
        json_field_bool(json, "Ingress", false);
        if (members) {
                write_members(json, engine, modes[which]);
        } else {
                json_key(json, "Containers");
                json_begin_object(json);
                json_end_object(json);
        }
        json_key(json, "Options");
        json_begin_object(json);
        if (which == 0)
                json_field_string(json, "com.docker.network.bridge.name", NETWORK_BRIDGE_NAME);
        json_end_object(json);
        json_key(json, "Labels");
        json_begin_object(json);
        json_end_object(json);
        json_end_object(json);
}

void api_networks(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        (void)argument;
        json_begin_array(&json);
        for (size_t i = api->engine->network ? 0 : 1; i < ARRAY_SIZE(networks); i++)
                write_network(&json, api->engine, i, false);
        json_end_array(&json);
        api_respond_json(request, 200, &text);
}

void api_network_inspect(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        char message[256];

        for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
                if (str_equals(networks[i].name, argument)) {
                        write_network(&json, api->engine, i, true);
                        api_respond_json(request, 200, &text);
                        return;
                }
        (void)snprintf(message, sizeof(message), "network %.128s not found", argument);
        api_fail(request, 404, message);
}

/* ---- volumes ---- */

static char *volume_path(const Engine *engine, const char *name, const char *below) {
        return str_printf("%s/volumes/%s%s", engine->settings->state_dir, name, below);
}

static bool volume_exists(const Engine *engine, const char *name) {
        _cleanup_free_ char *path = volume_path(engine, name, "/_data");
        struct stat info;

        return path && !strchr(name, '/') && name[0] && name[0] != '.' && stat(path, &info) >= 0 &&
               S_ISDIR(info.st_mode);
}

static void write_volume(JsonWriter *json, const Engine *engine, const char *name) {
        _cleanup_free_ char *path = volume_path(engine, name, "/_data");
        struct stat info = {0};
        char created[40];

        if (path)
                (void)stat(path, &info);
        api_format_time((WallUsec)info.st_ctime * (WallUsec)USEC_PER_SEC, created);
        json_begin_object(json);
        json_field_string(json, "CreatedAt", created);
        json_field_string(json, "Driver", "local");
        json_key(json, "Labels");
        json_write_null(json);
        json_field_string(json, "Mountpoint", path ?: "");
        json_field_string(json, "Name", name);
        json_key(json, "Options");
        json_write_null(json);
        json_field_string(json, "Scope", "local");
        json_end_object(json);
}

void api_volumes(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_free_ char *path = volume_path(api->engine, "", "");
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        DIR *directory = path ? opendir(path) : NULL;
        struct dirent *entry;

        (void)argument;
        json_begin_object(&json);
        json_key(&json, "Volumes");
        json_begin_array(&json);
        while (directory && (entry = readdir(directory)))
                if (volume_exists(api->engine, entry->d_name))
                        write_volume(&json, api->engine, entry->d_name);
        if (directory)
                (void)closedir(directory);
        json_end_array(&json);
        json_key(&json, "Warnings");
        json_write_null(&json);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}

static bool find_volume(ContainersApi *api, HttpRequest *request, const char *name) {
        char message[256];

        if (volume_exists(api->engine, name))
                return true;
        (void)snprintf(message, sizeof(message), "get %.128s: no such volume", name);
        api_fail(request, 404, message);
        return false;
}

void api_volume_inspect(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        if (!find_volume(api, request, argument))
                return;
        write_volume(&json, api->engine, argument);
        api_respond_json(request, 200, &text);
}

void api_volume_create(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        json_t *body = api_body(request);
        const char *name = json_string_value(json_object_get(body, "Name")) ?: "";
        _cleanup_free_ char *path = NULL;
        Error error = ERROR_NONE;
        int r;

        (void)argument;
        if (!body)
                return;
        if (!spec_volume_name_is_valid(slice_from(name))) {
                api_fail(request, 400, "a volume needs a name of [a-zA-Z0-9][a-zA-Z0-9_.-], two characters at least");
                json_decref(body);
                return;
        }
        path = volume_path(api->engine, name, "/_data");
        r = path ? file_make_folder(path, 0755, &error) : -ENOMEM;
        if (r >= 0)
                write_volume(&json, api->engine, name);
        json_decref(body);
        if (r < 0)
                api_fail_errno(request, r, &error);
        else
                api_respond_json(request, 201, &text);
}

void api_volume_remove(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_free_ char *path = NULL;
        Error error = ERROR_NONE;
        int r;

        if (!find_volume(api, request, argument))
                return;
        map_foreach (&api->engine->by_id, entry) {
                const Container *container = entry->value;

                for (size_t i = 0; i < container->n_volumes; i++)
                        if (container->volumes[i].name && str_equals(container->volumes[i].name, argument)) {
                                char message[256];

                                (void)snprintf(message, sizeof(message), "remove %.128s: volume is in use - [%s]",
                                               argument, container->id);
                                api_fail(request, 409, message);
                                return;
                        }
        }
        path = volume_path(api->engine, argument, "");
        r = path ? file_remove_tree(path, &error) : -ENOMEM;
        if (r < 0)
                api_fail_errno(request, r, &error);
        else
                api_respond_empty(request, 204);
}
