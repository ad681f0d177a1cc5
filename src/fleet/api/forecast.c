/* plan and whatif: what would be, worked out by the scheduler on a copy of the picture. */
#include <errno.h>
#include <jansson.h>

#include "fleet/api/handlers.h"
#include "fleet/schedule/forecast.h"
#include "net/url.h"

static void write_optional(JsonWriter *json, const char *key, const char *value) {
        if (value)
                json_field_string(json, key, value);
}

static void write_rows(JsonWriter *json, const Forecast *forecast) {
        json_key(json, "units");
        json_begin_array(json);
        for (size_t i = 0; i < forecast->length; i++) {
                const ForecastRow *row = &forecast->rows[i];

                json_begin_object(json);
                json_field_string(json, "unit", row->unit);
                write_optional(json, "from", row->from);
                write_optional(json, "to", row->to);
                json_field_string(json, "why", row->reason);
                json_field_bool(json, "homeless", row->homeless);
                json_end_object(json);
        }
        json_end_array(json);
        json_field_u64(json, "homeless", forecast->homeless);
}

/* ---- whatif ---- */

static int write_loss(JsonWriter *json, const Picture *picture, const StringList *machines) {
        _cleanup_forecast_ Forecast forecast = {0};
        int r = schedule_forecast_loss(picture, machines, &forecast);

        if (r < 0)
                return r;
        json_begin_object(json);
        json_field_strings(json, "machines", machines);
        write_rows(json, &forecast);
        json_end_object(json);
        return 0;
}

static int write_losses(JsonWriter *json, const Picture *picture, const StringList *machines, bool each) {
        int r = 0;

        json_begin_object(json);
        json_key(json, "losses");
        json_begin_array(json);
        if (!each)
                r = write_loss(json, picture, machines);
        for (size_t i = 0; each && r >= 0 && i < machines->length; i++)
                r = write_loss(json, picture, &(StringList){.items = &machines->items[i], .length = 1});
        json_end_array(json);
        json_end_object(json);
        return r;
}

static int machines_of_query(HttpRequest *request, StringList *machines) {
        Slice rest = http_request_query(request), name, value;

        while (url_query_next(&rest, &name, &value)) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                int r;

                if (!slice_equals(name, slice_from("machine")))
                        continue;
                r = url_decode(&text, value, true, NULL);
                if (r >= 0)
                        r = string_list_add(machines, buffer_string(&text) ?: "");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int all_machines(const Picture *picture, StringList *machines) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < picture->n_slots; i++)
                if (picture->slots[i] && picture->slots[i]->present)
                        r = string_list_add(machines, picture->slots[i]->id);
        string_list_sort(machines);
        return r;
}

/* whatif/node-loss?machine=ID&machine=ID: all of them together; whatif/any-1: each machine by itself. */
void fleet_whatif_handle(FleetApi *api, HttpRequest *request, const char *path) {
        _cleanup_string_list_ StringList machines = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        Picture *picture = api->picture(api->userdata);
        bool any = str_equals(path, "any-1");
        int r;

        if (http_request_method(request) != HTTP_METHOD_GET) {
                fleet_fail(request, 405, "only GET supported against this resource");
                return;
        }
        if (!any && !str_equals(path, "node-loss")) {
                fleet_fail(request, 404, "whatif knows node-loss and any-1");
                return;
        }
        r = !picture ? -ENOMEM : any ? all_machines(picture, &machines) : machines_of_query(request, &machines);
        if (r >= 0)
                r = write_losses(&json, picture, &machines, any);
        if (r == -ENOENT)
                fleet_fail(request, 404, "a machine of these is not in the cluster");
        else if (r < 0)
                fleet_fail(request, 500, "out of memory");
        else
                fleet_respond_json(request, &body);
}

/* ---- plan ---- */

/* New units are younger than all others, and placed in the order in which they are given: `start` makes them so. */
#define NEW_UNITS ((uint64_t)INT64_MAX)

/* `order`: of a unit that is new. */
static int apply_unit(Picture *picture, json_t *unit, uint64_t order, Error *error) {
        const char *name = json_string_value(json_object_get(unit, "name"));
        const char *desired = json_string_value(json_object_get(unit, "desiredState"));
        const PictureUnit *known = name ? picture_unit(picture, name) : NULL;
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        _cleanup_unitfile_ UnitFile file = {0};
        UnitState state = UNIT_LAUNCHED;
        int r;

        if (!name || unit_validate_name(name, error) < 0)
                return error_set(error, -EINVAL, "a unit has no name, or one that cannot be");
        if (desired && unit_state_from_string(desired, &state, error) < 0)
                return -EINVAL;
        r = fleet_parse_options(json_object_get(unit, "options"), &file, error);
        if (r >= 0)
                r = unit_validate_options(&file, error);
        if (r < 0)
                return error_prefix(error, r, "%s", name);
        r = unit_requirements_read(&file, name, &requirements);
        return r < 0 ? r : picture_put_unit(picture, name, &requirements, state, known ? known->order : order);
}

static int apply_body(Picture *picture, json_t *body, Error *error) {
        json_t *one;
        size_t i;
        int r = 0;

        json_array_foreach(json_object_get(body, "destroy"), i, one)
                if (json_is_string(one))
                        picture_remove_unit(picture, json_string_value(one));
        json_array_foreach(json_object_get(body, "units"), i, one)
                if (r >= 0)
                        r = apply_unit(picture, one, NEW_UNITS + i, error);
        return r;
}

/* Units that are asked about, and wait already, are news all the same. */
static void forget_waiting(Picture *before, json_t *body) {
        json_t *one;
        size_t i;

        json_array_foreach(json_object_get(body, "units"), i, one) {
                const char *name = json_string_value(json_object_get(one, "name"));
                const PictureUnit *unit = name ? picture_unit(before, name) : NULL;

                if (unit && !unit->target && !unit->requirements->global)
                        picture_remove_unit(before, name);
        }
}

static int forecast_body(const Picture *picture, json_t *body, Forecast *ret, Error *error) {
        Picture before = {0}, after = {0};
        Plan due = {0};
        int r = picture_copy(picture, &before);

        if (r >= 0)
                r = schedule_plan(&before, &due);
        if (r >= 0)
                r = picture_copy(&before, &after);
        if (r >= 0)
                forget_waiting(&before, body);
        if (r >= 0)
                r = apply_body(&after, body, error);
        if (r >= 0)
                r = schedule_forecast(&before, &after, ret);
        plan_deinit(&due);
        picture_deinit(&before);
        picture_deinit(&after);
        return r;
}

/* {"units": [{"name", "desiredState", "options"}], "destroy": ["NAME"]} */
void fleet_plan_handle(FleetApi *api, HttpRequest *request, const char *path) {
        Slice text = http_request_body(request);
        _cleanup_forecast_ Forecast forecast = {0};
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        JsonWriter json = json_writer(&answer);
        Picture *picture = api->picture(api->userdata);
        Error error = ERROR_NONE;
        json_t *body;
        int r;

        (void)path;
        if (http_request_method(request) != HTTP_METHOD_POST) {
                fleet_fail(request, 405, "only POST supported against this resource");
                return;
        }
        body = json_loadb(text.data, text.length, 0, NULL);
        if (!json_is_object(body)) {
                fleet_fail(request, 400, "the body must be a JSON object with units and destroy");
                json_decref(body);
                return;
        }
        r = picture ? forecast_body(picture, body, &forecast, &error) : -ENOMEM;
        json_decref(body);
        if (r < 0) {
                fleet_fail(request, r == -ENOMEM ? 500 : 400, error.text[0] ? error.text : "out of memory");
                return;
        }
        json_begin_object(&json);
        write_rows(&json, &forecast);
        json_end_object(&json);
        fleet_respond_json(request, &answer);
}
