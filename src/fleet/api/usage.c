/* usage: what this machine's units use of it, or another machine's of that; ?machine=ID. */
#include <errno.h>

#include "fleet/api/handlers.h"
#include "host/unit-usage.h"
#include "net/url.h"

static void write_known(JsonWriter *json, const char *key, uint64_t value) {
        if (value != UNIT_USAGE_UNKNOWN)
                json_field_u64(json, key, value);
}

static void write_unit(JsonWriter *json, const UsageReader *reader, const char *name, const SupervisorState *state) {
        UnitUsage usage = {UNIT_USAGE_UNKNOWN, UNIT_USAGE_UNKNOWN, UNIT_USAGE_UNKNOWN};

        if (state->main_pid > 0)
                (void)usage_read(reader, name, state->main_pid,
                                 &usage); /* without a group of its own nothing is known */
        json_begin_object(json);
        json_field_string(json, "unit", name);
        json_field_string(json, "active", state->active);
        write_known(json, "cpuUsec", usage.cpu);
        write_known(json, "memory", usage.memory);
        write_known(json, "tasks", usage.tasks);
        json_end_object(json);
}

static int write_units(FleetApi *api, JsonWriter *json) {
        const RegistryMachine *machine = registry_machine(api->registry, api->machine);
        _cleanup_usage_reader_ UsageReader reader = {0};
        int r = usage_reader_init(&reader);

        if (r < 0)
                return r;
        json_key(json, "units");
        json_begin_array(json);
        if (machine)
                map_foreach (&machine->states, entry) {
                        const RegistryState *told = entry->value;
                        SupervisorState state;

                        if (supervisor_state(api->supervisor, told->unit, &state) >= 0)
                                write_unit(json, &reader, told->unit, &state);
                }
        json_end_array(json);
        return 0;
}

static void respond_own(FleetApi *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_field_string(&json, "machine", api->machine);
        json_field_u64(&json, "time", clock_monotonic());
        if (write_units(api, &json) < 0) {
                fleet_fail(request, 500, "cannot read where this machine's control groups are");
                return;
        }
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

void fleet_usage_handle(FleetApi *api, HttpRequest *request, const char *path) {
        const RegistryMachine *machine;

        if (*path)
                fleet_fail(request, 404, "");
        else if (http_request_method(request) != HTTP_METHOD_GET)
                fleet_fail(request, 405, "only GET supported against this resource");
        else if (!api->supervisor)
                fleet_fail(request, 503, "the daemon is about to begin");
        else if (!fleet_named_machine(api, request, &machine))
                return;
        else if (machine && !str_equals(machine->id, api->machine) && !http_request_listener_data(request))
                fleet_relay(api, request, machine,
                            &(FleetRelay){.target = "/faering/v1/usage", .what = "what its units use is known"});
        else
                respond_own(api, request);
}
