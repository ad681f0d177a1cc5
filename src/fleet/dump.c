#include "fleet/dump.h"

#include <errno.h>

#include "base/json-write.h"

static void dump_machines(const Registry *registry, JsonWriter *json) {
        json_key(json, "machines");
        json_begin_array(json);
        map_foreach (registry_machines(registry), entry) {
                const RegistryMachine *machine = entry->value;

                json_begin_object(json);
                json_field_string(json, "id", machine->id);
                json_field_bool(json, "present", machine->present);
                json_field_string(json, "primaryIP", machine->record.address ?: "");
                json_key(json, "states");
                json_begin_array(json);
                map_foreach (&machine->states, state) {
                        const RegistryState *one = state->value;

                        json_begin_object(json);
                        json_field_string(json, "name", one->unit);
                        json_field_string(json, "hash", one->record.hash ?: "");
                        json_field_string(json, "load", one->record.load ?: "");
                        json_field_string(json, "active", one->record.active ?: "");
                        json_field_string(json, "sub", one->record.sub ?: "");
                        json_end_object(json);
                }
                json_end_array(json);
                json_end_object(json);
        }
        json_end_array(json);
}

static void dump_units(const Registry *registry, JsonWriter *json) {
        static const char *const desired[] = {
                [UNIT_INACTIVE] = "inactive", [UNIT_LOADED] = "loaded", [UNIT_LAUNCHED] = "launched"};

        json_key(json, "units");
        json_begin_array(json);
        map_foreach (registry_units(registry), entry) {
                const RegistryUnit *unit = entry->value;

                json_begin_object(json);
                json_field_string(json, "name", unit->name);
                json_field_string(json, "hash", unit->hash ?: "");
                json_field_string(json, "desiredState", desired[unit->desired]);
                json_field_string(json, "machineID", unit->machine ?: "");
                json_end_object(json);
        }
        json_end_array(json);
}

int fleet_dump(const Registry *registry, const char *machine, bool registered, Buffer *text) {
        JsonWriter json = json_writer(text);

        json_begin_object(&json);
        json_field_string(&json, "machine", machine);
        json_field_bool(&json, "registered", registered);
        json_field_bool(&json, "loaded", registry_is_loaded(registry));
        json_field_string(&json, "leader", registry_leader(registry) ?: "");
        dump_machines(registry, &json);
        dump_units(registry, &json);
        json_end_object(&json);
        (void)buffer_append_byte(text, '\n');
        return buffer_failed(text) ? -ENOMEM : 0;
}
