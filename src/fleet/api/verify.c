/*
 * verify: what the systemd of the machine that a unit would go to says of it. POST {"name","text"}; a machine that is asked by
 * another answers for itself. {"machine":ID,"verified":BOOL,"why":TEXT,"lines":[TEXT…]}.
 */
#include <errno.h>

#include "fleet/api/handlers.h"
#include "host/unit-verify.h"

enum { LINES_MAX = 100 };

typedef struct Verify {
        FleetApi *api;
        HttpRequest *request;
        UnitVerify *run;
} Verify;

static void write_lines(JsonWriter *json, Slice lines) {
        Slice line;
        size_t count = 0;

        json_key(json, "lines");
        json_begin_array(json);
        while (lines.length > 0 && slice_split(&lines, '\n', &line) && count < LINES_MAX)
                if (line.length > 0) {
                        json_write_string(json, line);
                        count++;
                }
        json_end_array(json);
}

/* `why` NULL: it was asked. */
static void respond(FleetApi *api, HttpRequest *request, const char *why, Slice lines) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_field_string(&json, "machine", api->machine);
        json_field_bool(&json, "verified", !why);
        json_field_string(&json, "why", why ?: "");
        write_lines(&json, lines);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

static void on_gone(HttpRequest *request) {
        Verify *verify = http_request_data(request);

        unit_verify_cancel(verify->run);
        free(verify);
}

static void on_verified(void *userdata, int r, Slice lines, const Error *error) {
        Verify *verify = userdata;

        http_request_set_gone(verify->request, NULL, false);
        respond(verify->api, verify->request, r < 0 ? error->text : NULL, lines);
        free(verify);
}

static void verify_here(FleetApi *api, HttpRequest *request, const char *name, const char *text) {
        Verify *verify;
        Error error = ERROR_NONE;

        if (!str_equals(api->supervisor->ops->name, "systemd")) {
                respond(api, request, "units are not run by systemd there", (Slice){"", 0});
                return;
        }
        verify = calloc(1, sizeof(*verify));
        if (!verify) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        *verify = (Verify){.api = api, .request = request};
        if (unit_verify_start(http_request_loop(request), api->state_dir, name, slice_from(text), on_verified, verify,
                              &verify->run, &error) < 0) {
                free(verify);
                respond(api, request, error.text[0] ? error.text : "out of memory", (Slice){"", 0});
                return;
        }
        http_request_set_data(request, verify);
        http_request_set_gone(request, on_gone, false);
}

/* ---- where it would go ---- */

static const RegistryMachine *decide(FleetApi *api, const Picture *picture, const char *name,
                                     UnitRequirements *requirements) {
        const RegistryMachine *found = NULL;
        Picture copy = {0};

        if (picture_copy(picture, &copy) >= 0 &&
            picture_put_unit(&copy, name, requirements, UNIT_LAUNCHED, UINT64_MAX) >= 0) {
                const PictureUnit *unit = picture_unit(&copy, name);
                Decision decision = schedule_decide(&copy, unit);

                found = decision.machine ? registry_machine(api->registry, decision.machine->id) : NULL;
        }
        picture_deinit(&copy);
        return found;
}

/* NULL: this one will do, as it runs everywhere or nowhere, or is a template. */
static const RegistryMachine *target_machine(FleetApi *api, const char *name, const char *text) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        const RegistryUnit *known = registry_unit(api->registry, name);
        _cleanup_unitfile_ UnitFile file = {0};
        Picture *picture = api->picture(api->userdata);

        if (known && known->machine)
                return registry_machine(api->registry, known->machine);
        if (!picture || unit_name_split(slice_from(name)).kind == UNIT_NAME_TEMPLATE ||
            unitfile_parse(&file, slice_from(text), NULL, NULL) < 0 ||
            unit_requirements_read(&file, name, &requirements) < 0 || requirements.global)
                return NULL;
        return decide(api, picture, name, &requirements);
}

static void verify_body(FleetApi *api, HttpRequest *request, const char *name, const char *text) {
        const RegistryMachine *machine = http_request_listener_data(request) ? NULL : target_machine(api, name, text);
        _cleanup_free_ char *why = NULL;

        if (!machine || str_equals(machine->id, api->machine)) {
                verify_here(api, request, name, text);
        } else if (machine->record.logs && str_starts_with(machine->record.logs, "https://")) {
                const FleetRelay relay = {.method = "POST",
                                          .target = "/faering/v1/verify",
                                          .body = http_request_body(request),
                                          .what = "its systemd is"};

                fleet_relay(api, request, machine, &relay);
        } else {
                why = str_printf("it would go to machine %s, which other machines can ask this only by https",
                                 machine->id);
                respond(api, request, why ?: "", (Slice){"", 0});
        }
}

void fleet_verify_handle(FleetApi *api, HttpRequest *request, const char *path) {
        Slice body = http_request_body(request);
        json_t *object = NULL;
        const char *name, *text;
        Error error = ERROR_NONE;

        if (*path || http_request_method(request) != HTTP_METHOD_POST) {
                fleet_fail(request, 405, "only POST supported against this resource");
                return;
        }
        if (body.length > 0)
                object = json_loadb(body.data, body.length, 0, NULL);
        name = json_string_value(json_object_get(object, "name"));
        text = json_string_value(json_object_get(object, "text"));
        if (!name || !text || !api->supervisor)
                fleet_fail(request, 400, "the body must be a JSON object with a unit's name and text");
        else if (unit_validate_name(name, &error) < 0 || strchr(name, '/'))
                fleet_fail(request, 400, error.text[0] ? error.text : "the name has a slash in it");
        else
                verify_body(api, request, name, text);
        json_decref(object);
}
