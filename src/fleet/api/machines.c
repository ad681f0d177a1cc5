/* machines: list, and changes of the metadata. */
#include <errno.h>
#include <jansson.h>

#include "fleet/api/handlers.h"
#include "fleet/api/json-shape.h"

enum { PATCH_OPERATIONS_MAX = 1000 };

static void write_machine(JsonWriter *json, const RegistryMachine *machine) {
        MetadataPair *metadata;
        size_t count;

        json_begin_object(json);
        json_field_string(json, "id", machine->id);
        if (registry_machine_metadata(machine, &metadata, &count) >= 0) {
                if (count > 0) {
                        json_key(json, "metadata");
                        json_begin_object(json);
                        for (size_t i = 0; i < count; i++)
                                json_field_string(json, metadata[i].key, metadata[i].value);
                        json_end_object(json);
                }
                metadata_pairs_free(metadata, count);
        }
        json_field_string(json, "primaryIP", machine->record.address);
        json_end_object(json);
}

static void list_machines(FleetApi *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        _cleanup_free_ const RegistryMachine **machines = NULL;
        JsonWriter json = json_writer(&body);
        size_t total = 0, present = 0;
        FleetPage page;

        if (!fleet_page(request, &page))
                return;
        machines = fleet_sorted_machines(api->registry, &total);
        for (size_t i = 0; i < total; i++)
                if (machines[i]->present)
                        machines[present++] = machines[i];
        json_begin_object(&json);
        if (page.first < present) {
                json_key(&json, "machines");
                json_begin_array(&json);
                for (size_t i = page.first; i < fleet_page_end(&page, present); i++)
                        write_machine(&json, machines[i]);
                json_end_array(&json);
                fleet_write_next_page(&json, &page, present);
        }
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

/* ---- PATCH ---- */

typedef struct Patch {
        FleetApi *api;
        HttpRequest *request; /* NULL: the client is gone */
        json_t *operations;
        size_t next;
        uint64_t written; /* index of the last change */
} Patch;

static void patch_free(Patch *patch) {
        if (patch->request)
                http_request_set_gone(patch->request, NULL, false);
        json_decref(patch->operations);
        free(patch);
}

static void patch_gone(HttpRequest *request) {
        ((Patch *)http_request_data(request))->request = NULL;
}

/* "/ID/metadata/KEY" */
static bool parse_patch_path(const char *path, char **ret_id, char **ret_key) {
        static const char key_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
        _cleanup_free_ char *id = NULL, *key = NULL;
        char rest;

        if (sscanf(path, "/%m[^/]/metadata/%m[^/]%c", &id, &key, &rest) != 2 || key[strspn(key, key_characters)])
                return false;
        *ret_id = id;
        *ret_key = key;
        id = key = NULL;
        return true;
}

typedef struct PatchOperation {
        const char *op, *path, *value;
} PatchOperation;

/* The documents show a plain string, fleet's code wants {"value": …}: both are taken. */
static int read_patch_value(json_t *operation, const char **ret, Error *error) {
        json_t *value = json_shape_field(operation, "value");

        if (json_is_string(value)) {
                *ret = json_string_value(value);
                return 0;
        }
        *ret = "";
        if (json_is_object(value))
                return json_shape_string(value, "value", "Go struct field .Value.value of type string", ret, error);
        return json_shape_check(
                value, JSON_OBJECT,
                "Go struct field machineMetadataOp.Value of type struct { Value string \"json:\\\"value\\\"\" }", error);
}

/* -EINVAL with Go's complaint about the shape. */
static int read_patch_operation(json_t *operation, PatchOperation *ret, Error *error) {
        int r = json_shape_check(operation, JSON_OBJECT, "Go value of type api.machineMetadataOp", error);

        if (r >= 0)
                r = json_shape_string(operation, "op", "Go struct field machineMetadataOp.op of type string", &ret->op, error);
        if (r >= 0)
                r = json_shape_string(operation, "path", "Go struct field machineMetadataOp.path of type string", &ret->path, error);
        return r < 0 ? r : read_patch_value(operation, &ret->value, error);
}

static int check_patch_operation(const PatchOperation *operation, Error *error) {
        _cleanup_free_ char *id = NULL, *key = NULL;
        bool remove = str_equals(operation->op, "remove");

        if (!remove && !str_equals(operation->op, "add") && !str_equals(operation->op, "replace"))
                return error_set(error, -EINVAL, "invalid op: expect add, remove, or replace");
        if (!parse_patch_path(operation->path, &id, &key))
                return error_set(error, -EINVAL, "machine metadata path invalid");
        if (!remove && !*operation->value)
                return error_set(error, -EINVAL, "invalid value: add and replace require a value");
        return 0;
}

/* First the shape of all, then what they say: as fleet does. null is an empty list. */
static int check_patch(json_t *operations, Error *error) {
        int r = json_shape_check(operations, JSON_ARRAY, "Go value of type []api.machineMetadataOp", error);
        PatchOperation operation;

        if (r >= 0 && json_array_size(operations) > PATCH_OPERATIONS_MAX)
                r = error_set(error, -EINVAL, "too many changes in one request");
        for (size_t i = 0; r >= 0 && i < json_array_size(operations); i++)
                r = read_patch_operation(json_array_get(operations, i), &operation, error);
        for (size_t i = 0; r >= 0 && i < json_array_size(operations); i++) {
                r = read_patch_operation(json_array_get(operations, i), &operation, error);
                if (r >= 0)
                        r = check_patch_operation(&operation, error);
        }
        return r;
}

static void patch_go_on(Patch *patch);

static void on_patched(void *userdata, const StoreReply *reply) {
        Patch *patch = userdata;

        if (patch->request && !fleet_check_reply(patch->request, reply))
                patch->request = NULL;
        if (reply->r >= 0 && reply->node)
                patch->written = reply->node->modified;
        patch_go_on(patch);
}

static void on_patch_mirrored(void *userdata, int r) {
        Patch *patch = userdata;
        HttpRequest *request = patch->request;

        (void)r; /* at the registry's end the request is gone long since */
        patch_free(patch);
        if (request)
                http_respond(request, 204, "Content-Type: application/json\r\nServer: fleetd/" FAERING_VERSION "\r\n", (Slice){"", 0});
}

/* One change after the other; a removed key is hidden by an empty value, as its machine would bring it back. */
static void patch_go_on(Patch *patch) {
        while (patch->request && patch->next < json_array_size(patch->operations)) {
                _cleanup_free_ char *id = NULL, *key = NULL;
                PatchOperation operation;

                if (read_patch_operation(json_array_get(patch->operations, patch->next++), &operation, NULL) < 0 ||
                    !parse_patch_path(operation.path, &id, &key))
                        continue;
                if (registry_set_metadata(patch->api->registry, id, key, str_equals(operation.op, "remove") ? "" : operation.value,
                                          on_patched, patch) >= 0)
                        return;
                fleet_fail(patch->request, 500, "out of memory");
                patch->request = NULL;
        }
        if (patch->request) {
                HttpRequest *request = patch->request;

                if (registry_reach(patch->api->registry, patch->written, on_patch_mirrored, patch) >= 0)
                        return;
                patch_free(patch);
                fleet_fail(request, 500, "out of memory");
                return;
        }
        patch_free(patch);
}

static void patch_machines(FleetApi *api, HttpRequest *request) {
        Slice body = http_request_body(request);
        json_error_t problem;
        json_t *operations = json_loadb(body.data, body.length, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &problem);
        Error error = ERROR_NONE;
        Patch *patch = NULL;

        if (!operations)
                fleet_fail_json(request, "", body, problem.text);
        else if (check_patch(operations, &error) < 0)
                fleet_fail_shape(request, "", &error);
        else if (!(patch = calloc(1, sizeof(*patch))))
                fleet_fail(request, 500, "out of memory");
        if (!patch) {
                json_decref(operations);
                return;
        }
        *patch = (Patch){.api = api, .request = request, .operations = operations};
        http_request_set_data(request, patch);
        http_request_set_gone(request, patch_gone, false);
        patch_go_on(patch);
}

void fleet_machines_handle(FleetApi *api, HttpRequest *request, const char *path) {
        if (*path)
                fleet_fail(request, 404, "");
        else if (http_request_method(request) == HTTP_METHOD_GET)
                list_machines(api, request);
        else if (http_request_method(request) == HTTP_METHOD_PATCH)
                patch_machines(api, request);
        else
                fleet_fail(request, 405, "only GET and PATCH supported against this resource");
}
