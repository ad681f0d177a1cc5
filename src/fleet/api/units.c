/* units: list, get, create, change what is wanted, destroy. */
#include <errno.h>
#include <jansson.h>

#include "fleet/api/json-shape.h"
#include "fleet/api/write.h"
#include "fleet/unit/validate.h"

/* ---- reading ---- */

static const char *unit_current_state(const Registry *registry, const RegistryUnit *unit) {
        const RegistryState *state = unit->machine ? registry_state(registry, unit->machine, unit->name) : NULL;

        if (!state)
                return "inactive";
        return state->record.launched ? "launched" : "loaded";
}

static void write_options(JsonWriter *json, const char *text) {
        _cleanup_unitfile_ UnitFile file = {0};

        json_begin_array(json);
        if (unitfile_parse(&file, slice_from(text), NULL, NULL) >= 0)
                for (size_t i = 0; i < file.n_options; i++) {
                        json_begin_object(json);
                        json_field_string(json, "name", file.options[i].name);
                        json_field_string(json, "section", unitfile_section_name(&file, &file.options[i]));
                        if (*file.options[i].value) /* as fleet does: an empty one is left out, also by its client */
                                json_field_string(json, "value", file.options[i].value);
                        json_end_object(json);
                }
        json_end_array(json);
}

static bool unit_is_global(const RegistryUnit *unit) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};

        return unitfile_parse(&file, slice_from(unit->text), NULL, NULL) >= 0 &&
               unit_requirements_read(&file, unit->name, &requirements) >= 0 && requirements.global;
}

/* `current`: NULL, or what is said of a unit that is not global in place of its own state. */
static void write_unit(JsonWriter *json, const Registry *registry, const RegistryUnit *unit, const char *current) {
        json_begin_object(json);
        if (!unit_is_global(unit))
                json_field_string(json, "currentState", current ?: unit_current_state(registry, unit));
        json_field_string(json, "desiredState", unit_state_to_string(unit->desired));
        if (unit->machine)
                json_field_string(json, "machineID", unit->machine);
        json_field_string(json, "name", unit->name);
        json_key(json, "options");
        write_options(json, unit->text);
        json_end_object(json);
}

static void list_units(FleetApi *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        _cleanup_free_ const RegistryUnit **units = NULL;
        JsonWriter json = json_writer(&body);
        size_t total = 0;
        FleetPage page;

        if (!fleet_page(request, &page))
                return;
        units = fleet_sorted_units(api->registry, &total);
        json_begin_object(&json);
        if (page.first < total) {
                json_key(&json, "units");
                json_begin_array(&json);
                for (size_t i = page.first; i < fleet_page_end(&page, total); i++)
                        write_unit(&json, api->registry, units[i], NULL);
                json_end_array(&json);
                fleet_write_next_page(&json, &page, total);
        }
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

static const RegistryUnit *find_unit(FleetApi *api, const char *name) {
        const RegistryUnit *unit = registry_unit(api->registry, name);

        return unit && registry_unit_is_complete(unit) ? unit : NULL;
}

static void get_unit(FleetApi *api, HttpRequest *request, const char *name) {
        const RegistryUnit *unit = find_unit(api, name);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        if (!unit) {
                fleet_fail(request, 404, "unit does not exist");
                return;
        }
        write_unit(&json, api->registry, unit, fleet_old_client_looks(api, request, name) ? "launched" : NULL);
        fleet_respond_json(request, &body);
}

/* ---- writing: several writes to the store for one request ---- */

typedef struct UnitWrite {
        FleetWrite base;
        char *text, *hash; /* of a unit that is made */
        UnitState desired;
        size_t pending;      /* writes that the store has not answered */
        StoreReply failure;  /* of the first that failed: r and error only */
        bool replace;        /* the unit is there, with another text, which is still to be written */
        bool text_is_known;  /* by other units: it was not written */
} UnitWrite;

static void write_release(FleetWrite *base) {
        UnitWrite *write = container_of(base, UnitWrite, base);

        free(write->text);
        free(write->hash);
        free(write);
}

/* NULL after it was answered that there is no memory. */
static UnitWrite *write_new(FleetApi *api, HttpRequest *request, const char *name, unsigned status) {
        UnitWrite *write = calloc(1, sizeof(*write));

        if (write)
                write->base.release = write_release;
        if (write && fleet_write_begin(&write->base, api, request, name, status) >= 0)
                return write;
        free(write);
        fleet_fail(request, 500, "out of memory");
        return NULL;
}

static void write_end(UnitWrite *write) {
        StoreReply failure = write->failure;

        fleet_write_end(&write->base, &failure);
}

static void write_note_failure(UnitWrite *write, int r, const Error *error) {
        if (write->failure.r >= 0)
                write->failure = (StoreReply){.r = r, .error = *error};
}

static void write_settle(UnitWrite *write);

static void on_written(void *userdata, const StoreReply *reply) {
        UnitWrite *write = userdata;

        write->pending--;
        if (reply->r < 0)
                write_note_failure(write, reply->r, &reply->error);
        fleet_write_note(&write->base, reply);
        write_settle(write);
}

static void on_created(void *userdata, const StoreReply *reply) {
        static const StoreReply fine = {0};

        /* somebody else was faster: the unit is there */
        on_written(userdata, reply->code == STORE_KEY_EXISTS ? &fine : reply);
}

/* Counts a write that was sent, or what kept it from being sent. */
static void write_try(UnitWrite *write, int r) {
        Error error = ERROR_NONE;

        if (r >= 0) {
                write->pending++;
                return;
        }
        (void)error_set_errno(&error, r, "cannot send the write");
        write_note_failure(write, r, &error);
}

static void write_text(UnitWrite *write) {
        write_try(write, registry_put_text(write->base.api->registry, write->hash, write->text, on_written, write));
}

/* The mirror has what was written. A text that was left out may have gone in the meantime. */
static void on_mirrored(void *userdata, int r) {
        UnitWrite *write = userdata;
        const RegistryUnit *unit = r < 0 ? NULL : registry_unit(write->base.api->registry, write->base.name);

        if (write->text_is_known && unit && !registry_unit_is_complete(unit)) {
                write->text_is_known = false;
                write_text(write);
                write_settle(write);
        } else { /* at the registry's end the request is gone long since */
                write_end(write);
        }
}

/* Once all is written, the answer waits until a reading would show it. */
static void write_settle(UnitWrite *write) {
        if (write->pending > 0)
                return;
        if (write->replace && write->failure.r >= 0) {
                write->replace = false;
                write_try(write, registry_replace_unit(write->base.api->registry, write->base.name, write->hash, on_written, write));
                if (write->pending > 0)
                        return;
        }
        if (write->failure.r >= 0) {
                int r = registry_reach(write->base.api->registry, write->base.index, on_mirrored, write);
                Error error = ERROR_NONE;

                if (r >= 0)
                        return;
                (void)error_set_errno(&error, r, "cannot wait for it");
                write_note_failure(write, r, &error);
        }
        write_end(write);
}

static void write_desired(UnitWrite *write) {
        write_try(write, registry_set_desired(write->base.api->registry, write->base.name, write->desired, on_written, write));
}

/* Nothing of it waits for the rest: who reads it in between takes a unit without text or without name for none. But the new text
 * of a unit that is there comes after what is wanted of it: otherwise it would be started, and stopped at once. */
static void write_unit_parts(UnitWrite *write) {
        write->text_is_known = registry_text_is_used(write->base.api->registry, write->hash);
        if (!write->text_is_known)
                write_text(write);
        if (!write->replace)
                write_try(write, registry_create_unit(write->base.api->registry, write->base.name, write->hash, on_created, write));
        write_desired(write);
        write_settle(write);
}

typedef struct OptionBody {
        const char *section, *name, *value;
} OptionBody;

/* What is left out is empty: fleetctl does that with values. */
static int read_option(json_t *option, OptionBody *ret, Error *error) {
        int r = json_shape_check(option, JSON_OBJECT, "Go struct field Unit.options of type schema.UnitOption", error);

        if (r >= 0)
                r = json_shape_string(option, "section", "Go struct field UnitOption.options.section of type string", &ret->section, error);
        if (r >= 0)
                r = json_shape_string(option, "name", "Go struct field UnitOption.options.name of type string", &ret->name, error);
        if (r >= 0)
                r = json_shape_string(option, "value", "Go struct field UnitOption.options.value of type string", &ret->value, error);
        return r;
}

int fleet_parse_options(json_t *options, UnitFile *file, Error *error) {
        json_t *json;
        size_t i;

        json_array_foreach (options, i, json) {
                OptionBody option;
                int r = read_option(json, &option, error);

                if (r >= 0 && (!*option.section || !*option.name))
                        r = error_set(error, -EINVAL, "option %zu lacks its %s", i + 1, *option.section ? "name" : "section");
                if (r >= 0)
                        r = unitfile_add(file, slice_from(option.section), slice_from(option.name), slice_from(option.value), error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int fleet_write_text(const UnitFile *file, char **ret_text, char **ret_hash, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT_LIMIT(FLEET_UNIT_MAX);
        char hex[UNIT_HASH_HEX_SIZE];
        UnitHash hash;
        int r = unit_hash(file, &hash);

        if (r >= 0)
                r = unitfile_write(file, &text);
        if (r == -EMSGSIZE)
                return error_set(error, -EINVAL, "the unit's text is larger than %zu bytes", FLEET_UNIT_MAX);
        if (r < 0)
                return r;
        unit_hash_to_hex(&hash, hex);
        *ret_hash = strdup(hex);
        *ret_text = buffer_steal_string(&text, NULL);
        return *ret_hash && *ret_text ? 0 : -ENOMEM;
}

/* The new unit's text and hash; everything that fleet would refuse is refused here. */
static int prepare_unit(UnitWrite *write, json_t *options, Error *error) {
        _cleanup_unitfile_ UnitFile file = {0};
        int r;

        r = unit_validate_name(write->base.name, error);
        if (r >= 0)
                r = fleet_parse_options(options, &file, error);
        if (r >= 0)
                r = unit_validate_options(&file, error);
        if (r >= 0)
                r = unit_validate_state(write->base.name, write->desired, error);
        return r < 0 ? r : fleet_write_text(&file, &write->text, &write->hash, error);
}

static void create_unit(FleetApi *api, HttpRequest *request, const char *name, json_t *options, UnitState desired,
                        bool replace) {
        UnitWrite *write = write_new(api, request, name, 201);
        Error error = ERROR_NONE;
        int r;

        if (!write)
                return;
        write->desired = desired;
        write->replace = replace;
        r = prepare_unit(write, options, &error);
        if (r >= 0)
                write_unit_parts(write);
        else
                fleet_write_refuse(&write->base, r == -ENOMEM ? 500 : 400, r == -ENOMEM ? "out of memory" : error.text);
}

static void change_unit(FleetApi *api, HttpRequest *request, const char *name, UnitState desired) {
        const RegistryUnit *unit;
        Error error = ERROR_NONE;
        UnitWrite *write;

        if (unit_validate_state(name, desired, &error) < 0) {
                fleet_fail(request, 400, error.text);
                return;
        }
        write = write_new(api, request, name, 204);
        if (!write)
                return;
        unit = find_unit(api, name);
        fleet_old_client_changes(api, request, name,
                                 unit && desired == UNIT_LOADED && str_equals(unit_current_state(api->registry, unit), "launched"));
        write->desired = desired;
        write_desired(write);
        write_settle(write);
}

/* Whether the options are another text than the unit has. What cannot be read is another one: it will be refused. */
static bool text_differs(const RegistryUnit *unit, json_t *options) {
        _cleanup_unitfile_ UnitFile file = {0};
        char hex[UNIT_HASH_HEX_SIZE];
        UnitHash hash;

        if (fleet_parse_options(options, &file, NULL) < 0 || unit_hash(&file, &hash) < 0)
                return true;
        unit_hash_to_hex(&hash, hex);
        return !str_equals(hex, unit->hash);
}

/* What a PUT asks for; empty fields are "", the list of options NULL. */
typedef struct UnitBody {
        const char *name, *desired;
        json_t *options;
} UnitBody;

static int check_body_options(json_t *options, Error *error) {
        int r = json_shape_check(options, JSON_ARRAY, "Go struct field Unit.options of type []*schema.UnitOption", error);
        OptionBody unused;

        for (size_t i = 0; i < json_array_size(options) && r >= 0; i++)
                r = read_option(json_array_get(options, i), &unused, error);
        return r;
}

/* -EINVAL with Go's complaint. null is an empty body. */
static int read_body(json_t *json, UnitBody *ret, Error *error) {
        int r = json_shape_check(json, JSON_OBJECT, "Go value of type schema.Unit", error);
        const char *unused;

        if (r >= 0)
                r = json_shape_string(json, "name", "Go struct field Unit.name of type string", &ret->name, error);
        if (r >= 0)
                r = json_shape_string(json, "desiredState", "Go struct field Unit.desiredState of type string", &ret->desired, error);
        if (r >= 0)
                r = json_shape_string(json, "currentState", "Go struct field Unit.currentState of type string", &unused, error);
        if (r >= 0)
                r = json_shape_string(json, "machineID", "Go struct field Unit.machineID of type string", &unused, error);
        ret->options = json_shape_field(json, "options");
        return r < 0 ? r : check_body_options(ret->options, error);
}

static void put_unit_body(FleetApi *api, HttpRequest *request, const char *name, const UnitBody *body) {
        const char *own = body->name, *wanted = body->desired;
        json_t *options = body->options;
        bool has_options = json_array_size(options) > 0;
        const RegistryUnit *unit = find_unit(api, name);
        UnitState desired = UNIT_INACTIVE;
        Error error = ERROR_NONE;

        if (*own && !str_equals(own, name)) {
                (void)error_set(&error, -EINVAL, "name in URL \"%s\" differs from unit name in request body \"%s\"",
                                name, own);
                fleet_fail(request, 400, error.text);
        } else if (*wanted && unit_state_from_string(wanted, &desired, &error) < 0) {
                fleet_fail(request, 400, error.text);
        } else if (unit && has_options && text_differs(unit, options)) {
                create_unit(api, request, name, options, desired, true);
        } else if (unit) {
                if (*wanted)
                        change_unit(api, request, name, desired);
                else
                        fleet_fail(request, 409, "must provide DesiredState to update existing unit");
        } else if (!has_options) {
                if (unit_validate_name(name, &error) < 0)
                        fleet_fail(request, 400, error.text);
                else
                        fleet_fail(request, 409, "unit does not exist and options field empty");
        } else {
                create_unit(api, request, name, options, desired, false);
        }
}

static void put_unit(FleetApi *api, HttpRequest *request, const char *name) {
        Slice type = http_request_header(request, "content-type"), text = http_request_body(request);
        const char *semicolon = type.length ? memchr(type.data, ';', type.length) : NULL;
        Error error = ERROR_NONE;
        json_error_t problem;
        UnitBody body;
        json_t *json;

        if (semicolon)
                type.length = (size_t)(semicolon - type.data);
        if (!slice_equals(slice_trim(type), slice_from("application/json"))) {
                fleet_fail(request, 415,
                           type.data ? "only acceptable Content-Type is application/json" : "expected 1 Content-Type, got 0");
                return;
        }
        json = json_loadb(text.data, text.length, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &problem);
        if (!json)
                fleet_fail_json(request, "unable to decode body: ", text, problem.text);
        else if (read_body(json, &body, &error) < 0)
                fleet_fail_shape(request, "unable to decode body: ", &error);
        else
                put_unit_body(api, request, name, &body);
        json_decref(json);
}

static void on_destroyed(void *userdata, const StoreReply *reply) {
        UnitWrite *write = userdata;

        if (reply->code != STORE_KEY_NOT_FOUND)
                on_written(write, reply);
        else /* somebody else was faster */
                fleet_write_refuse(&write->base, 404, "unit does not exist");
}

static void delete_unit(FleetApi *api, HttpRequest *request, const char *name) {
        UnitWrite *write;

        if (!find_unit(api, name)) {
                fleet_fail(request, 404, "unit does not exist");
                return;
        }
        write = write_new(api, request, name, 204);
        if (!write)
                return;
        fleet_old_client_changes(api, request, name, false);
        write_try(write, registry_destroy_unit(api->registry, name, on_destroyed, write));
        write_settle(write);
}

void fleet_units_handle(FleetApi *api, HttpRequest *request, const char *path) {
        static const FleetMethods methods = {list_units, get_unit, put_unit, delete_unit};

        fleet_by_method(&methods, api, request, path);
}
