/* explain: for every machine, why the unit may run there or not; status: what this daemon is about. */
#include "fleet/api/handlers.h"

static void write_verdict(JsonWriter *json, const PictureUnit *unit, const MachineVerdict *verdict) {
        bool here = unit->requirements->global ? verdict->n_obstacles == 0 : unit->target == verdict->machine;

        json_begin_object(json);
        json_field_string(json, "machine", verdict->machine->id);
        json_field_string(json, "ip", verdict->machine->address ?: "");
        json_field_u64(json, "units", picture_machine_load(verdict->machine));
        json_field_bool(json, "here", here);
        json_field_bool(json, "eligible", verdict->n_obstacles == 0);
        json_key(json, "obstacles");
        json_begin_array(json);
        for (size_t i = 0; i < verdict->n_obstacles; i++) {
                json_begin_object(json);
                json_field_string(json, "why", verdict->obstacles[i].text);
                json_field_string(json, "remedy", verdict->obstacles[i].remedy);
                json_end_object(json);
        }
        json_end_array(json);
        json_end_object(json);
}

void fleet_explain_handle(FleetApi *api, HttpRequest *request, const char *path) {
        _cleanup_explanation_ Explanation explanation = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        const RegistryUnit *known = registry_unit(api->registry, path);
        Picture *picture = api->picture(api->userdata);
        const PictureUnit *unit = picture ? picture_unit(picture, path) : NULL;

        if (http_request_method(request) != HTTP_METHOD_GET) {
                fleet_fail(request, 405, "only GET supported against this resource");
                return;
        }
        if (!picture || (unit && schedule_explain(picture, unit, &explanation) < 0)) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        if (!unit || !known) {
                fleet_fail(request, 404, "unit does not exist");
                return;
        }
        json_begin_object(&json);
        json_field_string(&json, "name", path);
        json_field_string(&json, "desiredState", unit_state_to_string(known->desired));
        json_field_string(&json, "summary", explanation.summary);
        if (known->machine) {
                json_field_string(&json, "machine", known->machine);
                json_field_string(&json, "reason", known->reason ?: "");
        }
        json_key(&json, "machines");
        json_begin_array(&json);
        for (size_t i = 0; i < explanation.n_machines; i++)
                write_verdict(&json, unit, &explanation.machines[i]);
        json_end_array(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

void fleet_status_handle(FleetApi *api, HttpRequest *request, const char *path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        const char *leader = registry_leader(api->registry);

        (void)path;
        json_begin_object(&json);
        json_field_string(&json, "machine", api->machine);
        json_field_string(&json, "engine", leader ?: "");
        json_field_u64(&json, "units", registry_units(api->registry)->length);
        json_field_string(&json, "version", FAERING_VERSION);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}
