/* states: how one unit does on each machine, with what fleet's own resource has no room for. */
#include "fleet/api/handlers.h"

static const RegistryState *state_of(const RegistryMachine *machine, const char *unit) {
        return map_get(&machine->states, slice_from(unit));
}

static void write_state(JsonWriter *json, const RegistryMachine *machine, const StateRecord *record) {
        json_begin_object(json);
        json_field_string(json, "machine", machine->id);
        json_field_string(json, "ip", machine->record.address ?: "");
        json_field_bool(json, "present", machine->present);
        json_field_string(json, "hash", record->hash);
        json_field_string(json, "load", record->load);
        json_field_string(json, "active", record->active);
        json_field_string(json, "sub", record->sub);
        json_field_bool(json, "launched", record->launched);
        json_field_string(json, "text", record->text ?: "");
        json_field_string(json, "health", record->health ?: "");
        json_field_string(json, "healthText", record->health_text ?: "");
        json_end_object(json);
}

void fleet_own_states_handle(FleetApi *api, HttpRequest *request, const char *path) {
        const RegistryUnit *unit = registry_unit(api->registry, path);
        _cleanup_free_ const RegistryMachine **machines = NULL;
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        size_t count = 0;

        if (http_request_method(request) != HTTP_METHOD_GET) {
                fleet_fail(request, 405, "only GET supported against this resource");
                return;
        }
        if (!unit || !registry_unit_is_complete(unit)) {
                fleet_fail(request, 404, "unit does not exist");
                return;
        }
        machines = fleet_sorted_machines(api->registry, &count);
        json_begin_object(&json);
        json_field_string(&json, "name", unit->name);
        json_field_string(&json, "hash", unit->hash);
        json_field_string(&json, "desiredState", unit_state_to_string(unit->desired));
        json_key(&json, "states");
        json_begin_array(&json);
        for (size_t i = 0; i < count; i++) {
                const RegistryState *state = state_of(machines[i], path);

                if (state)
                        write_state(&json, machines[i], &state->record);
        }
        json_end_array(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}
