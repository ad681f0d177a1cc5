/* list-machines, list-units, list-unit-files: tables with a choice of fields. */
#include <ctype.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "cli/fleet-live.h"
#include "fleet/unit/unit.h"

typedef struct ListOptions {
        bool full, no_legend;
        char *fields;
        char *output; /* NULL: a table */
        bool watch;   /* of list-units */
} ListOptions;

typedef struct Field {
        const char *name;
        /* Appends the field of one entry. */
        void (*write)(json_t *entry, json_t *machines, bool full, Buffer *text);
} Field;

enum { FIELDS_MAX = 16 };

/* The fields that were asked for, in their order; *ret_count of them. 0 or the exit code. */
static int choose_fields(FleetGroup *group, const Field *known, const ListOptions *options, const Field *chosen[FIELDS_MAX], size_t *ret_count) {
        Slice rest = slice_from(options->fields), name;
        size_t count = 0;

        if (!*options->fields) {
                fleet_complain(group, "Must define output format");
                return CLI_FAILED;
        }
        while (slice_split(&rest, ',', &name) && count < FIELDS_MAX) {
                const Field *field = known;

                while (field->name && !slice_equals(name, slice_from(field->name)))
                        field++;
                if (!field->name) {
                        fleet_complain(group, "Invalid key in output format: \"%.*s\"", (int)name.length, name.data);
                        return CLI_FAILED;
                }
                if (str_equals(field->name, "tmachine"))
                        (void)fprintf(stderr, "WARNING: The \"tmachine\" field is deprecated. Use \"target\" instead\n");
                chosen[count++] = field;
        }
        *ret_count = count;
        return 0;
}

static int print_fields(FleetGroup *group, const Field *known, const ListOptions *options, json_t *entries, json_t *machines) {
        const Field *chosen[FIELDS_MAX];
        _cleanup_table_ Table table = {0};
        size_t count = 0, i;
        json_t *entry;
        int code;

        if (options->output && str_equals(options->output, "json")) {
                (void)json_dumpf(entries, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
                printf("\n");
                return CLI_OK;
        }
        if (options->output && !str_equals(options->output, "table")) {
                fleet_complain(group, "unknown form \"%s\": -o takes table or json", options->output);
                return CLI_USAGE;
        }
        code = choose_fields(group, known, options, chosen, &count);
        if (code != 0)
                return code;
        table_init(&table, count);
        table.most = options->watch ? fleet_live_lines() : 0;
        for (size_t k = 0; k < count; k++) {
                char upper[32] = "";

                for (size_t c = 0; chosen[k]->name[c] && c + 1 < sizeof(upper); c++)
                        upper[c] = (char)toupper((unsigned char)chosen[k]->name[c]);
                (void)table_add(&table, upper);
        }
        json_array_foreach(entries, i, entry)
                for (size_t k = 0; k < count; k++) {
                        _cleanup_buffer_ Buffer text = BUFFER_INIT;

                        chosen[k]->write(entry, machines, options->full, &text);
                        (void)table_add(&table, buffer_length(&text) > 0 && buffer_string(&text) ? buffer_string(&text) : "-");
                }
        table_print(&table, group->old ? TABLE_TABS : TABLE_SPACES, !options->no_legend);
        return CLI_OK;
}

static int parse_list(FleetGroup *group, const char *name, ListOptions *list, int argc, char **argv) {
        const Verb *verb = verb_find(fleet_verbs, name, false);
        _cleanup_string_list_ StringList arguments = {0};
        const Option options[] = {
                {"full", 'l', OPTION_SWITCH, NULL, NULL, "whole IDs and hashes", &list->full, NULL},
                {"l", 0, OPTION_SWITCH, NULL, NULL, NULL, &list->full, NULL},
                {"no-legend", 0, OPTION_SWITCH, NULL, NULL, "without the line of names", &list->no_legend, NULL},
                {"fields", 0, OPTION_STRING, "LIST", NULL, "which columns, separated by commas", &list->fields, NULL},
                {"output", 'o', OPTION_STRING, "FORM", NULL, "table or json", &list->output, NULL},
                /* of list-units; for the others the list ends here */
                {str_equals(name, "list-units") ? "watch" : NULL, 'w', OPTION_SWITCH, NULL, NULL, "go on with what changes, until interrupted",
                 &list->watch, NULL},
                {0},
        };
        int code;

        return verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0 ? code : -1;
}

/* ---- machines ---- */

static void machine_id(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)buffer_printf(text, full ? "%s" : "%.8s...", cli_text(entry, "id"));
}

static void machine_ip(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "primaryIP"));
}

static void machine_metadata(json_t *entry, json_t *machines, bool full, Buffer *text) {
        json_t *metadata = json_object_get(entry, "metadata"), *value;
        const char *key;

        (void)machines;
        (void)full;
        json_object_foreach(metadata, key, value)
                (void)buffer_printf(text, "%s%s=%s", buffer_length(text) ? "," : "", key, json_string_value(value) ?: "");
}

/* Of our own API; put into the entries by add_states(). */
static void machine_state(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "state"));
}

static int add_states(FleetGroup *group, json_t *machines) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        json_t *machine, *own;
        size_t i, j;
        int code = fleet_request(group, "GET", "/faering/v1/machines", NULL, &answer);

        if (code != 0)
                return code;
        json_array_foreach(machines, i, machine)
                json_array_foreach(json_object_get(answer.json, "machines"), j, own)
                        if (str_equals(cli_text(machine, "id"), cli_text(own, "id")))
                                (void)json_object_set(machine, "state", json_object_get(own, "state"));
        return 0;
}

int fleet_verb_list_machines(void *userdata, int argc, char **argv) {
        static const Field fields[] = {
                {"machine", machine_id}, {"ip", machine_ip}, {"metadata", machine_metadata}, {"state", machine_state}, {0}};
        FleetGroup *group = userdata;
        ListOptions options = {.fields = strdup("machine,ip,metadata")};
        int code = parse_list(group, "list-machines", &options, argc, argv);
        json_t *machines = NULL;

        if (code < 0)
                code = fleet_list(group, "machines", "machines", &machines);
        if (machines && strstr(options.fields, "state"))
                code = add_states(group, machines);
        if (machines && code == 0)
                code = print_fields(group, fields, &options, machines, machines);
        json_decref(machines);
        free(options.fields);
        free(options.output);
        return code;
}

/* ---- units ---- */

static void state_unit(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "name"));
}

static void state_machine(json_t *entry, json_t *machines, bool full, Buffer *text) {
        if (*cli_text(entry, "machineID"))
                fleet_format_machine(machines, cli_text(entry, "machineID"), full, text);
}

static void state_active(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "systemdActiveState"));
}

static void state_sub(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "systemdSubState"));
}

static void state_load(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "systemdLoadState"));
}

static void state_hash(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)buffer_printf(text, full ? "%s" : "%.7s", cli_text(entry, "hash"));
}

static const Field unit_fields[] = {{"unit", state_unit}, {"machine", state_machine}, {"active", state_active},
                                    {"sub", state_sub},   {"load", state_load},       {"hash", state_hash},     {0}};

static int get_states(FleetGroup *group, json_t **ret_machines, json_t **ret_states) {
        int code = fleet_list(group, "machines", "machines", ret_machines);

        return code != 0 ? code : fleet_list(group, "state", "states", ret_states);
}

static int list_units_once(FleetGroup *group, const ListOptions *options) {
        json_t *machines = NULL, *states = NULL;
        int code = get_states(group, &machines, &states);

        if (options->watch && code == 0)
                fleet_live_clear();
        if (code == 0)
                code = print_fields(group, unit_fields, options, states, machines);
        json_decref(machines);
        json_decref(states);
        if (options->watch)
                fleet_live_printed();
        return code;
}

/* ---- list-units -w where the output is no terminal: a line for each unit that is another one than before ---- */

static void write_row(const Field *const *chosen, size_t count, json_t *state, json_t *machines, bool full, Buffer *line) {
        for (size_t k = 0; k < count; k++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                chosen[k]->write(state, machines, full, &text);
                (void)buffer_printf(line, "%s%s", k ? "  " : "", buffer_length(&text) > 0 ? buffer_string(&text) ?: "" : "-");
        }
}

static void print_at(const char *line, const char *what) {
        time_t now = (time_t)(clock_wall() / (WallUsec)USEC_PER_SEC);
        struct tm parts;
        char at[16] = "";

        if (localtime_r(&now, &parts))
                (void)strftime(at, sizeof(at), "%H:%M:%S", &parts);
        printf("%s  %s%s\n", at, line, what);
}

static int list_changes(FleetGroup *group, const ListOptions *options, json_t **told) {
        json_t *machines = NULL, *states = NULL, *state, *lines = json_object(), *old;
        const Field *chosen[FIELDS_MAX];
        size_t count = 0, i;
        const char *key;
        int code = get_states(group, &machines, &states);

        if (code == 0)
                code = choose_fields(group, unit_fields, options, chosen, &count);
        json_array_foreach(states, i, state) {
                _cleanup_free_ char *name = str_printf("%s on %.8s...", cli_text(state, "name"), cli_text(state, "machineID"));
                _cleanup_buffer_ Buffer line = BUFFER_INIT;

                write_row(chosen, count, state, machines, options->full, &line);
                if (code != 0 || !name || !buffer_string(&line))
                        continue;
                (void)json_object_set_new(lines, name, json_string(buffer_string(&line)));
                if (!str_equals(cli_text(*told, name), buffer_string(&line)))
                        print_at(buffer_string(&line), "");
        }
        json_object_foreach(*told, key, old)
                if (code == 0 && !json_object_get(lines, key))
                        print_at(key, " is gone");
        json_decref(*told);
        *told = lines;
        json_decref(machines);
        json_decref(states);
        fleet_live_printed();
        return code;
}

static int watch_units(FleetGroup *group, const ListOptions *options) {
        json_t *told = NULL; /* unit and machine → the line that was printed last */
        uint64_t number = 0;
        int code;

        fleet_live_begin(group);
        do {
                code = fleet_live_wait(group, &number);
                if (code == 0)
                        code = isatty(STDOUT_FILENO) ? list_units_once(group, options) : list_changes(group, options, &told);
        } while (code == 0);
        fleet_live_end();
        json_decref(told);
        return code;
}

int fleet_verb_list_units(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        ListOptions options = {.fields = strdup("unit,machine,active,sub")};
        int code = parse_list(group, "list-units", &options, argc, argv);

        if (code < 0 && options.watch && options.output) {
                fleet_complain(group, "-w prints lines for people: leave -o out");
                code = CLI_USAGE;
        }
        if (code < 0)
                code = options.watch ? watch_units(group, &options) : list_units_once(group, &options);
        free(options.fields);
        free(options.output);
        return code;
}

/* ---- unit files ---- */

static void file_hash(json_t *entry, json_t *machines, bool full, Buffer *text) {
        _cleanup_unitfile_ UnitFile file = {0};
        char hex[UNIT_HASH_HEX_SIZE];
        UnitHash hash;

        (void)machines;
        if (fleet_read_options(entry, &file) < 0 || unit_hash(&file, &hash) < 0)
                return;
        unit_hash_to_hex(&hash, hex);
        (void)buffer_printf(text, full ? "%s" : "%.7s", hex);
}

static void file_desired(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, cli_text(entry, "desiredState"));
}

static void file_state(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        if (!fleet_unit_is_global(entry))
                (void)buffer_append_string(text, cli_text(entry, "currentState"));
}

static void file_target(json_t *entry, json_t *machines, bool full, Buffer *text) {
        if (fleet_unit_is_global(entry))
                (void)buffer_append_string(text, "global");
        else
                state_machine(entry, machines, full, text);
}

static void file_global(json_t *entry, json_t *machines, bool full, Buffer *text) {
        (void)machines;
        (void)full;
        (void)buffer_append_string(text, fleet_unit_is_global(entry) ? "true" : "false");
}

static void file_description(json_t *entry, json_t *machines, bool full, Buffer *text) {
        _cleanup_unitfile_ UnitFile file = {0};

        (void)machines;
        (void)full;
        if (fleet_read_options(entry, &file) >= 0)
                (void)buffer_append_string(text, unit_description(&file));
}

int fleet_verb_list_unit_files(void *userdata, int argc, char **argv) {
        static const Field fields[] = {{"unit", state_unit},     {"hash", file_hash},     {"dstate", file_desired},
                                       {"state", file_state},    {"target", file_target}, {"tmachine", state_machine}, {"global", file_global},
                                       {"desc", file_description}, {0}};
        FleetGroup *group = userdata;
        ListOptions options = {.fields = strdup("unit,hash,dstate,state,target")};
        int code = parse_list(group, "list-unit-files", &options, argc, argv);
        json_t *machines = NULL, *units = NULL;

        if (code < 0)
                code = fleet_list(group, "machines", "machines", &machines);
        if (code == 0)
                code = fleet_list(group, "units", "units", &units);
        if (units)
                code = print_fields(group, fields, &options, units, machines);
        json_decref(machines);
        json_decref(units);
        free(options.fields);
        free(options.output);
        return code;
}
