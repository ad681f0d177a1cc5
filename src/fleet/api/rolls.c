/* rolls: updates of units step by step, each of which can be taken back (docs/decisions/fleet-update.md). */
#include <errno.h>

#include "fleet/api/write.h"
#include "fleet/registry/roll.h"
#include "net/url.h"

enum { ROLL_MACHINES_MAX = 10000 };

/* ---- reading ---- */

static void write_roll(JsonWriter *json, const RegistryRoll *roll) {
        json_begin_object(json);
        json_field_string(json, "unit", roll->unit);
        json_field_string(json, "from", roll->record.from);
        json_field_string(json, "to", roll->record.to);
        json_field_strings(json, "machines", &roll->record.machines);
        json_end_object(json);
}

static int compare_rolls(const void *a, const void *b) {
        return strcmp((*(const RegistryRoll *const *)a)->unit, (*(const RegistryRoll *const *)b)->unit);
}

/* Those that say something: of a unit that is there, with one of their two texts. */
static void list_rolls(FleetApi *api, HttpRequest *request) {
        const Map *rolls = registry_rolls(api->registry);
        _cleanup_free_ const RegistryRoll **sorted = calloc(rolls->length + 1, sizeof(*sorted));
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        size_t count = 0;

        map_foreach (rolls, entry) {
                const RegistryRoll *roll = entry->value;
                const RegistryUnit *unit = registry_unit(api->registry, roll->unit);

                if (sorted && unit && registry_roll_holds(roll, unit))
                        sorted[count++] = roll;
        }
        if (count > 1)
                qsort(sorted, count, sizeof(*sorted), compare_rolls);
        json_begin_object(&json);
        json_key(&json, "rolls");
        json_begin_array(&json);
        for (size_t i = 0; i < count; i++)
                write_roll(&json, sorted[i]);
        json_end_array(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

static void get_roll(FleetApi *api, HttpRequest *request, const char *name) {
        const RegistryRoll *roll = registry_roll(api->registry, name);
        const RegistryUnit *unit = registry_unit(api->registry, name);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        if (!roll || !unit || !registry_roll_holds(roll, unit)) {
                fleet_fail(request, 404, "the unit is not being updated");
                return;
        }
        write_roll(&json, roll);
        fleet_respond_json(request, &body);
}

/* ---- writing: step after step, as a crash between two of them must leave what can be gone on with ---- */

typedef enum RollStep {
        STEP_TEXT,   /* the new text */
        STEP_RECORD, /* what it was, and is to be */
        STEP_OBJECT, /* the unit has that text */
        STEP_DROP,   /* nothing is under way any more */
        STEP_END,
} RollStep;

typedef struct RollWrite {
        FleetWrite base;
        char *text;        /* for STEP_TEXT */
        char *hash;        /* for STEP_OBJECT; NULL: it stays */
        RollRecord record; /* for STEP_RECORD */
        RollStep steps[STEP_END];
        size_t next, length;
} RollWrite;

static void write_release(FleetWrite *base) {
        RollWrite *write = container_of(base, RollWrite, base);

        free(write->text);
        free(write->hash);
        roll_record_deinit(&write->record);
        free(write);
}

/* NULL after it was answered that there is no memory. */
static RollWrite *write_new(FleetApi *api, HttpRequest *request, const char *name) {
        RollWrite *write = calloc(1, sizeof(*write));

        if (write)
                write->base.release = write_release;
        if (write && fleet_write_begin(&write->base, api, request, name, 204) >= 0)
                return write;
        free(write);
        fleet_fail(request, 500, "out of memory");
        return NULL;
}

static void write_step(RollWrite *write, RollStep step) {
        write->steps[write->length++] = step;
}

static void on_mirrored(void *userdata, int r) {
        RollWrite *write = userdata;

        (void)r; /* at the registry's end the request is gone long since */
        fleet_write_end(&write->base, NULL);
}

static void write_go_on(RollWrite *write);

static void on_written(void *userdata, const StoreReply *reply) {
        RollWrite *write = userdata;
        bool gone = reply->r < 0 && reply->code == STORE_KEY_NOT_FOUND && write->steps[write->next - 1] == STEP_DROP;

        if (reply->r < 0 && !gone) {
                fleet_write_end(&write->base, reply);
                return;
        }
        fleet_write_note(&write->base, reply);
        write_go_on(write);
}

static int write_do(RollWrite *write, RollStep step) {
        Registry *registry = write->base.api->registry;
        const char *name = write->base.name;

        switch (step) {
        case STEP_TEXT:
                return registry_put_text(registry, write->hash, write->text, on_written, write);
        case STEP_RECORD:
                return registry_put_roll(registry, name, &write->record, on_written, write);
        case STEP_OBJECT:
                return registry_replace_unit(registry, name, write->hash, on_written, write);
        default:
                return registry_drop_roll(registry, name, on_written, write);
        }
}

static void write_go_on(RollWrite *write) {
        int r;

        if (write->next < write->length) {
                RollStep step = write->steps[write->next++];

                r = write_do(write, step);
        } else {
                r = registry_reach(write->base.api->registry, write->base.index, on_mirrored, write);
        }
        if (r < 0)
                fleet_write_refuse(&write->base, 500, "out of memory");
}

/* ---- PUT: {"options": [{section, name, value}…], "machines": ["ID"…]} ---- */

static int read_machines(json_t *machines, StringList *list, Error *error) {
        json_t *machine;
        size_t i;
        int r = 0;

        if (json_array_size(machines) > ROLL_MACHINES_MAX)
                return error_set(error, -EINVAL, "more than %d machines", ROLL_MACHINES_MAX);
        json_array_foreach (machines, i, machine) {
                if (!json_is_string(machine))
                        return error_set(error, -EINVAL, "machines must be a list of IDs");
                if (r >= 0)
                        r = string_list_add(list, json_string_value(machine));
        }
        return r;
}

static int text_is_global(const char *text, const char *name, bool *ret) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        _cleanup_unitfile_ UnitFile file = {0};
        int r = unitfile_parse(&file, slice_from(text), NULL, NULL);

        if (r >= 0)
                r = unit_requirements_read(&file, name, &requirements);
        if (r < 0)
                return r;
        *ret = requirements.global;
        return 0;
}

/* The new text; everything that fleet would refuse is refused here. */
static int read_text(RollWrite *write, json_t *options, Error *error) {
        _cleanup_unitfile_ UnitFile file = {0};
        int r = fleet_parse_options(options, &file, error);

        if (r >= 0)
                r = unit_validate_options(&file, error);
        return r < 0 ? r : fleet_write_text(&file, &write->text, &write->hash, error);
}

/* What the unit had before the first of several updates stays what it goes back to. */
static int prepare_record(RollWrite *write, const RegistryUnit *unit) {
        const RegistryRoll *before = registry_roll(write->base.api->registry, write->base.name);
        const char *from = before && registry_roll_holds(before, unit) ? before->record.from : unit->hash;

        write->record.from = strdup(from);
        write->record.to = strdup(write->hash);
        return write->record.from && write->record.to ? 0 : -ENOMEM;
}

static int prepare_put(RollWrite *write, const RegistryUnit *unit, json_t *body, Error *error) {
        bool was_global = false, is_global = false;
        int r = read_text(write, json_object_get(body, "options"), error);

        if (r >= 0)
                r = read_machines(json_object_get(body, "machines"), &write->record.machines, error);
        if (r >= 0)
                r = text_is_global(unit->text, write->base.name, &was_global);
        if (r >= 0)
                r = text_is_global(write->text, write->base.name, &is_global);
        if (r < 0)
                return r;
        if (was_global != is_global)
                return error_set(
                        error, -EINVAL,
                        "an update cannot make a unit global, or no longer so: destroy it, and start the new one");
        if (!is_global && write->record.machines.length > 0)
                return error_set(error, -EINVAL, "machines are given for a global unit only");
        write_step(write, STEP_TEXT);
        write_step(write, STEP_RECORD);
        if (!is_global)
                write_step(write, STEP_OBJECT);
        return prepare_record(write, unit);
}

static void put_roll(FleetApi *api, HttpRequest *request, const char *name) {
        Slice text = http_request_body(request);
        const RegistryUnit *unit = registry_unit(api->registry, name);
        json_t *body = json_loadb(text.data, text.length, 0, NULL);
        Error error = ERROR_NONE;
        RollWrite *write;
        int r;

        if (!json_is_object(body) || !unit || !registry_unit_is_complete(unit)) {
                if (!json_is_object(body))
                        fleet_fail(request, 400,
                                   "the body must be a JSON object with options, and for a global unit machines");
                else
                        fleet_fail(request, 404, "unit does not exist");
                json_decref(body);
                return;
        }
        write = write_new(api, request, name);
        r = write ? prepare_put(write, unit, body, &error) : -ENOMEM;
        json_decref(body);
        if (r >= 0)
                write_go_on(write);
        else if (write)
                fleet_write_refuse(&write->base, r == -ENOMEM ? 500 : 400, error.text[0] ? error.text : "out of memory");
}

/* ---- DELETE: the new text is everybody's; with ?back=true the old one is again ---- */

static bool wants_back(HttpRequest *request, bool *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        *ret = false;
        if (url_query_get(http_request_query(request), "back", &text) <= 0 ||
            str_parse_bool((Slice){buffer_data(&text), buffer_length(&text)}, ret) >= 0)
                return true;
        fleet_fail(request, 400, "back must be true or false");
        return false;
}

static void delete_roll(FleetApi *api, HttpRequest *request, const char *name) {
        const RegistryRoll *roll = registry_roll(api->registry, name);
        const RegistryUnit *unit = registry_unit(api->registry, name);
        const char *hash;
        RollWrite *write;
        bool back;

        if (!wants_back(request, &back))
                return;
        if (!roll) {
                fleet_fail(request, 404, "the unit is not being updated");
                return;
        }
        write = write_new(api, request, name);
        if (!write)
                return;
        hash = back ? roll->record.from : roll->record.to;
        if (unit && registry_roll_holds(roll, unit) && !str_equals(unit->hash, hash)) {
                write->hash = strdup(hash);
                if (!write->hash) {
                        fleet_write_refuse(&write->base, 500, "out of memory");
                        return;
                }
                write_step(write, STEP_OBJECT);
        }
        write_step(write, STEP_DROP);
        write_go_on(write);
}

void fleet_rolls_handle(FleetApi *api, HttpRequest *request, const char *path) {
        static const FleetMethods methods = {list_rolls, get_roll, put_roll, delete_roll};

        fleet_by_method(&methods, api, request, path);
}
