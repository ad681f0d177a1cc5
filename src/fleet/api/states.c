/* state: how units do on their machines. */
#include "fleet/api/handlers.h"
#include "net/url.h"

typedef struct StateRow {
        const RegistryMachine *machine;
        const RegistryState *state;
} StateRow;

static int compare_rows(const void *a, const void *b) {
        const StateRow *x = a, *y = b;
        int r = strcmp(x->state->unit, y->state->unit);

        return r ? r : strcmp(x->machine->id, y->machine->id);
}

/* Of one unit, or of all (""), on one machine. */
static void add_rows(const RegistryMachine *machine, const char *unit, StateRow *rows, size_t *count) {
        const RegistryState *state = *unit ? map_get(&machine->states, slice_from(unit)) : NULL;

        if (state)
                rows[(*count)++] = (StateRow){machine, state};
        if (*unit)
                return;
        map_foreach(&machine->states, entry)
                rows[(*count)++] = (StateRow){machine, entry->value};
}

static size_t count_rows(const Registry *registry, const char *unit) {
        size_t count = 0;

        map_foreach(registry_machines(registry), entry)
                count += *unit ? 1 : ((const RegistryMachine *)entry->value)->states.length;
        return count;
}

/* Rows of one machine and one unit, or of all (""). */
static StateRow *collect_rows(const Registry *registry, const char *machine_id, const char *unit, size_t *ret_count) {
        StateRow *rows = calloc(count_rows(registry, unit) + 1, sizeof(*rows));
        size_t count = 0;

        if (!rows)
                return NULL;
        map_foreach(registry_machines(registry), entry) {
                const RegistryMachine *machine = entry->value;

                if (!*machine_id || str_equals(machine->id, machine_id))
                        add_rows(machine, unit, rows, &count);
        }
        qsort(rows, count, sizeof(*rows), compare_rows);
        *ret_count = count;
        return rows;
}

static void write_row(JsonWriter *json, const StateRow *row) {
        json_begin_object(json);
        json_field_string(json, "hash", row->state->record.hash);
        json_field_string(json, "machineID", row->machine->id);
        json_field_string(json, "name", row->state->unit);
        json_field_string(json, "systemdActiveState", row->state->record.active);
        json_field_string(json, "systemdLoadState", row->state->record.load);
        json_field_string(json, "systemdSubState", row->state->record.sub);
        json_end_object(json);
}

static void query_text(HttpRequest *request, const char *name, Buffer *value) {
        (void)url_query_get(http_request_query(request), name, value);
}

static void list_states(FleetApi *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT, machine = BUFFER_INIT, unit = BUFFER_INIT;
        _cleanup_free_ StateRow *rows = NULL;
        JsonWriter json = json_writer(&body);
        size_t total = 0;
        FleetPage page;

        if (!fleet_page(request, &page))
                return;
        query_text(request, "machineID", &machine);
        query_text(request, "unitName", &unit);
        rows = collect_rows(api->registry, buffer_string(&machine) ?: "", buffer_string(&unit) ?: "", &total);
        json_begin_object(&json);
        if (page.first < total) {
                json_key(&json, "states");
                json_begin_array(&json);
                for (size_t i = page.first; i < fleet_page_end(&page, total); i++)
                        write_row(&json, &rows[i]);
                json_end_array(&json);
                fleet_write_next_page(&json, &page, total);
        }
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

/* One unit's; fleet 1.0 drops the connection when there is none, and its client crashes at a 404: {} suits both. */
static void get_state(FleetApi *api, HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        _cleanup_free_ StateRow *rows = NULL;
        JsonWriter json = json_writer(&body);
        size_t total = 0;

        rows = collect_rows(api->registry, "", name, &total);
        if (total > 0) {
                write_row(&json, &rows[0]);
        } else {
                json_begin_object(&json);
                json_end_object(&json);
        }
        fleet_respond_json(request, &body);
}

void fleet_states_handle(FleetApi *api, HttpRequest *request, const char *path) {
        if (http_request_method(request) != HTTP_METHOD_GET)
                fleet_fail(request, 405, "only GET supported against this resource");
        else if (*path)
                get_state(api, request, path);
        else
                list_states(api, request);
}
