/* machines: list, and changes of the metadata. */
#include <errno.h>
#include <jansson.h>

#include "fleet/api/handlers.h"

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
        char *id = NULL, *key = NULL, rest;

        if (!path || sscanf(path, "/%m[^/]/metadata/%m[^/]%c", &id, &key, &rest) != 2) {
                free(id);
                free(key);
                return false;
        }
        *ret_id = id;
        *ret_key = key;
        return true;
}

/* The documents show a plain string, fleet's code wants {"value": …}: both are taken. */
static const char *patch_value(json_t *operation) {
        json_t *value = json_object_get(operation, "value");

        if (json_is_object(value))
                value = json_object_get(value, "value");
        return json_string_value(value);
}

static const char *patch_check(json_t *operation) {
        const char *op = json_string_value(json_object_get(operation, "op")), *value = patch_value(operation);
        _cleanup_free_ char *id = NULL, *key = NULL;

        if (!op || !(str_equals(op, "add") || str_equals(op, "remove") || str_equals(op, "replace")))
                return "invalid op: expect add, remove, or replace";
        if (!parse_patch_path(json_string_value(json_object_get(operation, "path")), &id, &key))
                return "machine metadata path invalid";
        if (!str_equals(op, "remove") && (!value || !*value))
                return "invalid value: add and replace require a value";
        return NULL;
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
                fleet_respond_empty(request, 204);
}

/* One change after the other; a removed key is hidden by an empty value, as its machine would bring it back. */
static void patch_go_on(Patch *patch) {
        while (patch->request && patch->next < json_array_size(patch->operations)) {
                json_t *operation = json_array_get(patch->operations, patch->next++);
                const char *op = json_string_value(json_object_get(operation, "op"));
                _cleanup_free_ char *id = NULL, *key = NULL;

                if (!parse_patch_path(json_string_value(json_object_get(operation, "path")), &id, &key))
                        continue;
                if (registry_set_metadata(patch->api->registry, id, key,
                                          str_equals(op, "remove") ? "" : patch_value(operation), on_patched,
                                          patch) >= 0)
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
        json_t *operations = json_loadb(body.data, body.length, JSON_DISABLE_EOF_CHECK, &problem), *operation;
        const char *refusal = NULL;
        Patch *patch;
        size_t i;

        if (!json_is_array(operations)) {
                fleet_fail_json(request, "", body, operations ? "the body must be a list of changes" : problem.text);
                json_decref(operations);
                return;
        }
        if (json_array_size(operations) > PATCH_OPERATIONS_MAX)
                refusal = "too many changes in one request";
        json_array_foreach (operations, i, operation)
                if (!refusal)
                        refusal = patch_check(operation);
        patch = refusal ? NULL : calloc(1, sizeof(*patch));
        if (!patch) {
                json_decref(operations);
                fleet_fail(request, refusal ? 400 : 500, refusal ?: "out of memory");
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
