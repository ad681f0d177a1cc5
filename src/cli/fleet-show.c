/* cat, status, explain: one unit, looked at. */
#include <errno.h>

#include "cli/fleet.h"
#include "fleet/unit/unit.h"

int fleet_show_unit(FleetGroup *group, const char *argument, const char *complaint, char **ret_name, json_t **ret_unit) {
        Error error = ERROR_NONE;
        int code;

        if (unit_name_mangle(argument, ret_name, &error) < 0) {
                fleet_complain(group, "%s", error.text);
                return CLI_USAGE;
        }
        code = fleet_get_unit(group, *ret_name, ret_unit);
        if (code == 0 && !*ret_unit) {
                if (group->old)
                        fleet_complain(group, "Unit %s %s", *ret_name, complaint);
                else
                        fleet_complain(group, "Unit %s %.*s; \"%s list-unit-files\" lists those that exist", *ret_name,
                                       (int)strcspn(complaint, "."), complaint, group->program);
                code = CLI_FAILED;
        }
        return code;
}

int fleet_parse_names(FleetGroup *group, const char *verb, const Option *options, int argc, char **argv, bool many,
                      StringList *arguments) {
        int code;

        if (verb_parse(verb_find(fleet_verbs, verb, false), group->program, options, OPTIONS_GNU, argc, argv, arguments, &code) < 0)
                return code == CLI_OK ? -1 : code;
        if (arguments->length == 0 || (!many && arguments->length > 1)) {
                fleet_complain(group, "%s needs %s", verb, many ? "at least one unit" : "one unit");
                return CLI_USAGE;
        }
        return 0;
}

int fleet_verb_cat(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_free_ char *name = NULL;
        json_t *unit = NULL;
        int code = fleet_parse_names(group, "cat", NULL, argc, argv, false, &arguments);

        if (code == 0)
                code = fleet_show_unit(group, arguments.items[0], "not found", &name, &unit);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        if (fleet_read_options(unit, &file) >= 0 && unitfile_write(&file, &text) >= 0)
                (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        json_decref(unit);
        return CLI_OK;
}

/* ---- explain ---- */

static void print_machine(json_t *machine) {
        bool here = json_is_true(json_object_get(machine, "here")), eligible = json_is_true(json_object_get(machine, "eligible"));
        json_int_t units = json_integer_value(json_object_get(machine, "units"));
        json_t *obstacle;
        size_t i;

        printf("\n%.8s... %s, %" JSON_INTEGER_FORMAT " unit%s: %s\n", cli_text(machine, "machine"), cli_text(machine, "ip"), units,
               units == 1 ? "" : "s", here ? "runs here" : eligible ? "may run here" : "may not run here");
        json_array_foreach(json_object_get(machine, "obstacles"), i, obstacle)
                printf("  - %s\n    to change that: %s\n", cli_text(obstacle, "why"), cli_text(obstacle, "remedy"));
}

static int get_explanation(FleetGroup *group, const char *name, CliAnswer *ret_answer) {
        int code = fleet_ask_of(group, "/faering/v1/explain", name, ret_answer);

        if (code == 0 && ret_answer->status != 200) {
                fleet_complain(group, "unit %s does not exist", name);
                code = CLI_FAILED;
        }
        return code;
}

int fleet_verb_explain(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_free_ char *name = NULL;
        Error error = ERROR_NONE;
        bool as_json = false;
        json_t *machine;
        size_t i;
        const Option options[] = {FLEET_FORM_OPTION(as_json), {0}};
        int code = fleet_parse_names(group, "explain", options, argc, argv, false, &arguments);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        if (unit_name_mangle(arguments.items[0], &name, &error) < 0) {
                fleet_complain(group, "%s", error.text);
                return CLI_USAGE;
        }
        code = get_explanation(group, name, &answer);
        if (code != 0)
                return code;
        if (as_json) {
                fleet_print_answer(&answer);
                return CLI_OK;
        }
        printf("%s: %s\n", name, cli_text(answer.json, "summary"));
        if (*cli_text(answer.json, "reason"))
                printf("placed there because: %s\n", cli_text(answer.json, "reason"));
        json_array_foreach(json_object_get(answer.json, "machines"), i, machine)
                print_machine(machine);
        return CLI_OK;
}

/* ---- status ---- */

static void print_place(json_t *state) {
        const char *health = cli_text(state, "health"), *why = cli_text(state, "healthText");

        printf("     runs: %s/%s%s\n   active: %s (%s), load %s\n", cli_text(state, "machine"), cli_text(state, "ip"),
               json_is_true(json_object_get(state, "present")) ? "" : ", which is gone", cli_text(state, "active"), cli_text(state, "sub"),
               cli_text(state, "load"));
        if (*cli_text(state, "text"))
                printf("  because: %s\n", cli_text(state, "text"));
        if (*health)
                printf("   health: %s%s%s\n", health, *why ? ": " : "", why);
}

static void print_state(json_t *unit, json_t *states, json_t *explanation) {
        json_t *state;
        size_t i;

        printf("%s\n   wanted: %s\n", cli_text(unit, "name"), cli_text(unit, "desiredState"));
        json_array_foreach(states, i, state)
                print_place(state);
        printf("      why: %s\n",
               *cli_text(explanation, "reason") ? cli_text(explanation, "reason") : cli_text(explanation, "summary"));
        if (*cli_text(explanation, "reason") && strchr(cli_text(explanation, "summary"), ',')) /* more than where it is */
                printf("     note: %s\n", cli_text(explanation, "summary"));
}

/* Everything that is known of the unit, one object a line. */
static void print_json(json_t *unit, json_t *state, json_t *states, json_t *explanation) {
        json_t *all = json_pack("{s:O, s:o, s:O, s:O}", "unit", unit, "state", json_object_size(state) > 0 ? json_incref(state) : json_null(),
                                "states", states, "explanation", explanation);

        if (all)
                (void)json_dumpf(all, stdout, JSON_SORT_KEYS);
        printf("\n");
        json_decref(all);
}

/* On each machine where it is to be. */
static bool is_active(json_t *states) {
        json_t *state;
        size_t i;

        json_array_foreach(states, i, state)
                if (!str_equals(cli_text(state, "active"), "active"))
                        return false;
        return json_array_size(states) > 0;
}

static int print_status(FleetGroup *group, const char *argument, bool as_json) {
        _cleanup_free_ char *name = NULL;
        _cleanup_cli_answer_ CliAnswer state = {0}, own = {0}, explanation = {0};
        json_t *unit = NULL, *states;
        int code = fleet_show_unit(group, argument, "does not exist.", &name, &unit);

        if (code == 0)
                code = fleet_ask_of(group, "/fleet/v1/state", name, &state);
        if (code == 0)
                code = fleet_ask_of(group, "/faering/v1/states", name, &own);
        if (code == 0)
                code = get_explanation(group, name, &explanation);
        states = json_object_get(own.json, "states");
        if (code == 0) {
                if (as_json)
                        print_json(unit, state.json, states, explanation.json);
                else
                        print_state(unit, states, explanation.json);
                code = is_active(states) ? CLI_OK : CLI_FAILED;
        }
        json_decref(unit);
        return code;
}

int fleet_verb_status(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        bool as_json = false;
        uint64_t unused = 0;
        const Option options[] = {FLEET_FORM_OPTION(as_json),
                                  {"ssh-port", 0, OPTION_U64, NULL, NULL, NULL, &unused, NULL},
                                  {0}};
        int result = CLI_OK, code = fleet_parse_names(group, "status", options, argc, argv, true, &arguments);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        for (size_t i = 0; i < arguments.length; i++) {
                if (i > 0 && !as_json)
                        printf("\n");
                code = print_status(group, arguments.items[i], as_json);
                if (code != CLI_OK)
                        result = code;
        }
        return result;
}
