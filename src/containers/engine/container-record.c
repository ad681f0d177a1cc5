/* The record of a container, docs/formats/containers.md. */
#include <errno.h>
#include <stdio.h>

#include "containers/engine/engine.h"
#include "containers/runtime/json-fields.h"
#include "host/file.h"

enum { RECORD_MAX = 4 * 1024 * 1024, RECORD_VERSION = 1 };

static json_t *volumes_to_json(const Container *container) {
        json_t *array = json_array();

        for (size_t i = 0; i < container->n_volumes; i++) {
                const ContainerVolume *volume = &container->volumes[i];

                (void)json_array_append_new(array, json_pack("{s:s*, s:s, s:s, s:b, s:b, s:s*}", "Name", volume->name,
                                                             "Source", volume->source, "Destination", volume->target,
                                                             "ReadOnly", volume->read_only, "Anonymous",
                                                             volume->anonymous, "Propagation", volume->propagation));
        }
        return array;
}

static json_t *ports_to_json(const Container *container) {
        json_t *array = json_array();

        for (size_t i = 0; i < container->n_ports; i++) {
                const NetworkPort *port = &container->ports[i];

                (void)json_array_append_new(array, json_pack("{s:s, s:i, s:i, s:s}", "Address", port->address, "Host",
                                                             port->host, "Container", port->container, "Protocol",
                                                             port->protocol));
        }
        return array;
}

int container_save(Container *container, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/config.json", container->directory), *text = NULL;
        _cleanup_json_ json_t *record = json_pack(
                "{s:i, s:s, s:s, s:I, s:s, s:s, s:O, s:O, s:o, s:o, s:s, s:{s:i, s:i, s:i, s:b, s:s, s:I, s:I, s:I, "
                "s:b, s:b, s:b}}",
                "Version", RECORD_VERSION, "Id", container->id, "Name", container->name, "Created",
                (json_int_t)container->created, "Image", container->image_id, "ImageName", container->image_name,
                "Config", container->config, "HostConfig", container->host_config, "Volumes",
                volumes_to_json(container), "Ports", ports_to_json(container), "Address", container->address, "State",
                "State", (int)container->state, "Pid", (int)container->pid, "ExitCode", container->exit_code,
                "OOMKilled", container->oom_killed, "Error", container->error ?: "", "Started",
                (json_int_t)container->started, "Finished", (json_int_t)container->finished, "Restarts",
                (json_int_t)container->restarts, "StoppedByHand", container->stopped_by_hand, "Removing",
                container->removing, "HasNetwork", container->has_network);

        if (!record || !path)
                return error_set(error, -ENOMEM, "no memory for the record of container %.12s", container->id);
        text = json_dumps(record, JSON_INDENT(1));
        if (!text)
                return error_set(error, -ENOMEM, "no memory for the record of container %.12s", container->id);
        return file_replace(path, 0600, slice_from(text), true, error);
}

static int load_volumes(const json_t *array, Container *container) {
        Error error;
        int r = 0;

        container->volumes = calloc(json_array_size(array) + 1, sizeof(*container->volumes));
        if (!container->volumes)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < json_array_size(array); i++) {
                const json_t *item = json_array_get(array, i);
                ContainerVolume *volume = &container->volumes[container->n_volumes++];

                r = json_field_get_string(item, "Name", &volume->name, &error);
                if (r >= 0)
                        r = json_field_get_string(item, "Source", &volume->source, &error);
                if (r >= 0)
                        r = json_field_get_string(item, "Destination", &volume->target, &error);
                if (r >= 0)
                        r = json_field_get_string(item, "Propagation", &volume->propagation, &error);
                volume->read_only = json_is_true(json_object_get(item, "ReadOnly"));
                volume->anonymous = json_is_true(json_object_get(item, "Anonymous"));
                if (r >= 0 && (!volume->source || !volume->target))
                        r = -EBADMSG;
        }
        return r;
}

static int load_ports(const json_t *array, Container *container) {
        NetworkPort *ports = calloc(json_array_size(array) + 1, sizeof(*ports));

        if (!ports)
                return -ENOMEM;
        free(container->ports);
        container->ports = ports;
        container->n_ports = json_array_size(array);
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *item = json_array_get(array, i);

                ports[i].host = (uint16_t)json_integer_value(json_object_get(item, "Host"));
                ports[i].container = (uint16_t)json_integer_value(json_object_get(item, "Container"));
                (void)snprintf(ports[i].address, sizeof(ports[i].address), "%s", json_text(item, "Address"));
                (void)snprintf(ports[i].protocol, sizeof(ports[i].protocol), "%s", json_text(item, "Protocol"));
        }
        return 0;
}

static void load_state(const json_t *state, Container *container) {
        json_int_t number = json_integer_value(json_object_get(state, "State"));

        container->state = number >= 0 && number <= CONTAINER_REMOVING ? (ContainerState)number : CONTAINER_EXITED;
        container->pid = (pid_t)json_integer_value(json_object_get(state, "Pid"));
        container->exit_code = (int)json_integer_value(json_object_get(state, "ExitCode"));
        container->oom_killed = json_is_true(json_object_get(state, "OOMKilled"));
        container->started = json_integer_value(json_object_get(state, "Started"));
        container->finished = json_integer_value(json_object_get(state, "Finished"));
        container->restarts = (uint64_t)json_integer_value(json_object_get(state, "Restarts"));
        container->stopped_by_hand = json_is_true(json_object_get(state, "StoppedByHand"));
        container->removing = json_is_true(json_object_get(state, "Removing"));
        container->has_network = json_is_true(json_object_get(state, "HasNetwork"));
}

static int load_fields(json_t *record, Container *container, Error *error) {
        json_t *state = json_object_get(record, "State");
        int r;

        r = json_field_get_string(record, "Name", &container->name, error);
        if (r >= 0)
                r = json_field_get_string(record, "Image", &container->image_id, error);
        if (r >= 0)
                r = json_field_get_string(record, "ImageName", &container->image_name, error);
        if (r >= 0)
                r = json_field_get_string(state, "Error", &container->error, error);
        if (r < 0)
                return r;
        if (!container->name || !container->image_id || !container->image_name)
                return error_set(error, -EBADMSG, "Name, Image or ImageName is missing");
        container->created = json_integer_value(json_object_get(record, "Created"));
        container->config = json_incref(json_object_get(record, "Config"));
        container->host_config = json_incref(json_object_get(record, "HostConfig"));
        (void)snprintf(container->address, sizeof(container->address), "%s", json_text(record, "Address"));
        r = container_settle(container, NULL, error);
        if (r >= 0)
                r = load_volumes(json_object_get(record, "Volumes"), container);
        if (r >= 0)
                r = load_ports(json_object_get(record, "Ports"), container);
        load_state(state, container);
        return r;
}

int container_load(Engine *engine, char *directory, Container **ret, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/config.json", directory);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_json_ json_t *record = NULL;
        Container *container = NULL;
        json_error_t problem;
        int r = path ? file_read(path, RECORD_MAX, &text, error) : -ENOMEM;

        if (r >= 0) {
                record = json_loadb(buffer_data(&text) ?: "", buffer_length(&text), 0, &problem);
                if (!record || json_integer_value(json_object_get(record, "Version")) != RECORD_VERSION ||
                    strlen(json_text(record, "Id")) != CONTAINER_ID_LENGTH)
                        r = error_set(error, -EBADMSG, "%s is no record of a container: %s", path,
                                      record ? "its Version or Id is wrong" : problem.text);
        }
        if (r < 0) {
                free(directory);
                return r;
        }
        r = container_new(engine, json_text(record, "Id"), directory, &container);
        if (r < 0)
                return r;
        r = load_fields(record, container, error);
        if (r < 0) {
                container_free(container);
                return error_prefix(error, r, "%s", path);
        }
        *ret = container;
        return 0;
}
