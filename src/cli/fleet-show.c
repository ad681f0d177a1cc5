/* cat, status, explain, journal: one unit, looked at. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "cli/fleet.h"
#include "fleet/unit/unit.h"

/* The unit that the arguments name. 0 with *ret_unit, or the exit code after saying why. */
static int show_unit(FleetGroup *group, const char *argument, char **ret_name, json_t **ret_unit) {
        Error error = ERROR_NONE;
        int code;

        if (unit_name_mangle(argument, ret_name, &error) < 0) {
                cli_complain(group->program, "%s", error.text);
                return CLI_USAGE;
        }
        code = fleet_get_unit(group, *ret_name, ret_unit);
        if (code == 0 && !*ret_unit) {
                cli_complain(group->program, "unit %s does not exist; \"%s list-unit-files\" lists those that do", *ret_name, group->program);
                code = CLI_FAILED;
        }
        return code;
}

static int parse_names(FleetGroup *group, const char *verb, const Option *options, int argc, char **argv, bool many,
                       StringList *arguments) {
        int code;

        if (verb_parse(verb_find(fleet_verbs, verb, false), group->program, options, OPTIONS_GNU, argc, argv, arguments, &code) < 0)
                return code == CLI_OK ? -1 : code;
        if (arguments->length == 0 || (!many && arguments->length > 1)) {
                cli_complain(group->program, "%s needs one unit", verb);
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
        json_t *unit = NULL, *option;
        size_t i;
        int code = parse_names(group, "cat", NULL, argc, argv, false, &arguments);

        if (code == 0)
                code = show_unit(group, arguments.items[0], &name, &unit);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        json_array_foreach(json_object_get(unit, "options"), i, option)
                (void)unitfile_add(&file, slice_from(cli_text(option, "section")), slice_from(cli_text(option, "name")),
                                   slice_from(cli_text(option, "value")), NULL);
        if (unitfile_write(&file, &text) >= 0)
                (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        json_decref(unit);
        return CLI_OK;
}

/* ---- explain ---- */

static void print_machine(json_t *machine) {
        bool here = json_is_true(json_object_get(machine, "here")), eligible = json_is_true(json_object_get(machine, "eligible"));
        json_t *obstacle;
        size_t i;

        printf("\n%.8s... %s, %" JSON_INTEGER_FORMAT " units: %s\n", cli_text(machine, "machine"), cli_text(machine, "ip"),
               json_integer_value(json_object_get(machine, "units")), here ? "runs here" : eligible ? "may run here" : "may not run here");
        json_array_foreach(json_object_get(machine, "obstacles"), i, obstacle)
                printf("  - %s\n    to change that: %s\n", cli_text(obstacle, "why"), cli_text(obstacle, "remedy"));
}

static int get_explanation(FleetGroup *group, const char *name, CliAnswer *ret_answer) {
        _cleanup_free_ char *target = fleet_unit_target("/faering/v1/explain", name);
        int code = target ? fleet_request(group, "GET", target, NULL, ret_answer) : CLI_FAILED;

        if (code == 0 && ret_answer->status != 200) {
                cli_complain(group->program, "unit %s does not exist", name);
                code = CLI_FAILED;
        }
        return code;
}

int fleet_verb_explain(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_free_ char *name = NULL, *output = NULL;
        Error error = ERROR_NONE;
        json_t *machine;
        size_t i;
        const Option options[] = {{"output", 'o', OPTION_STRING, "FORM", NULL, "text or json", &output, NULL}, {0}};
        int code = parse_names(group, "explain", options, argc, argv, false, &arguments);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        if (unit_name_mangle(arguments.items[0], &name, &error) < 0) {
                cli_complain(group->program, "%s", error.text);
                return CLI_USAGE;
        }
        code = get_explanation(group, name, &answer);
        if (code != 0)
                return code;
        if (output && str_equals(output, "json")) {
                printf("%s", answer.body);
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

static int print_status(FleetGroup *group, const char *argument) {
        _cleanup_free_ char *name = NULL, *target = NULL;
        _cleanup_cli_answer_ CliAnswer state = {0}, explanation = {0};
        _cleanup_buffer_ Buffer where = BUFFER_INIT;
        json_t *unit = NULL, *machines = NULL;
        int code = show_unit(group, argument, &name, &unit);

        if (code != 0)
                return code;
        target = fleet_unit_target("/fleet/v1/state", name);
        code = target ? fleet_request(group, "GET", target, NULL, &state) : CLI_FAILED;
        if (code == 0)
                code = get_explanation(group, name, &explanation);
        if (code == 0)
                code = fleet_list(group, "machines", "machines", &machines);
        if (code == 0) {
                bool there = json_object_size(state.json) > 0;

                printf("%s\n   wanted: %s\n", name, cli_text(unit, "desiredState"));
                if (there) {
                        fleet_format_machine(machines, cli_text(state.json, "machineID"), true, &where);
                        printf("     runs: %.*s\n   active: %s (%s), load %s\n", (int)buffer_length(&where), buffer_data(&where),
                               cli_text(state.json, "systemdActiveState"), cli_text(state.json, "systemdSubState"),
                               cli_text(state.json, "systemdLoadState"));
                }
                printf("      why: %s\n", *cli_text(explanation.json, "reason") ? cli_text(explanation.json, "reason")
                                                                                : cli_text(explanation.json, "summary"));
                code = there && str_equals(cli_text(state.json, "systemdActiveState"), "active") ? CLI_OK : CLI_FAILED;
        }
        json_decref(unit);
        json_decref(machines);
        return code;
}

int fleet_verb_status(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        int result = CLI_OK, code = parse_names(group, "status", NULL, argc, argv, true, &arguments);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        for (size_t i = 0; i < arguments.length; i++) {
                code = print_status(group, arguments.items[i]);
                if (code != CLI_OK)
                        result = code;
        }
        return result;
}

/* ---- journal ---- */

static void print_log_line(const char *name, json_t *line) {
        time_t seconds = (time_t)(json_integer_value(json_object_get(line, "time")) / (json_int_t)USEC_PER_SEC);
        struct tm parts;
        char at[32] = "";

        if (localtime_r(&seconds, &parts))
                (void)strftime(at, sizeof(at), "%b %d %H:%M:%S", &parts);
        printf("%s %s[%" JSON_INTEGER_FORMAT "]: %s\n", at, name, json_integer_value(json_object_get(line, "pid")), cli_text(line, "text"));
}

typedef struct Journal {
        const char *name;
        Buffer line;
        bool done;
        int r;
        unsigned status;
        Error error;
} Journal;

static void on_journal_body(HttpCall *call, Slice bytes) {
        Journal *journal = http_call_userdata(call);

        for (size_t i = 0; i < bytes.length; i++) {
                json_t *line;

                if (bytes.data[i] != '\n') {
                        (void)buffer_append_byte(&journal->line, bytes.data[i]);
                        continue;
                }
                line = json_loadb(buffer_data(&journal->line), buffer_length(&journal->line), 0, NULL);
                if (line)
                        print_log_line(journal->name, line);
                json_decref(line);
                buffer_clear(&journal->line);
        }
        (void)fflush(stdout);
}

static void on_journal_done(HttpCall *call, int r, const Error *error) {
        Journal *journal = http_call_userdata(call);

        journal->status = http_call_status(call);
        journal->done = true;
        journal->r = r;
        journal->error = *error;
}

static const HttpCallOps journal_ops = {.body = on_journal_body, .done = on_journal_done};

static int print_journal(FleetGroup *group, const char *name, uint64_t lines, bool follow) {
        _cleanup_free_ char *base = fleet_unit_target("/faering/v1/logs", name), *target = NULL;
        Journal journal = {.name = name};
        HttpCallSpec spec = {.url = &group->endpoint};
        int r;

        if (base)
                target = str_printf("%s?lines=%" PRIu64 "%s", base, lines, follow ? "&follow=true" : "");
        if (!target)
                return CLI_FAILED;
        spec.target = target;
        r = http_client_call(group->http, &spec, &journal_ops, &journal, NULL);
        while (r >= 0 && !journal.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        buffer_deinit(&journal.line);
        if (r < 0 || journal.r < 0 || journal.status != 200) {
                cli_complain(group->program, "cannot read what %s wrote: %s", name,
                             journal.error.text[0] ? journal.error.text : "this machine has nothing of it");
                return CLI_FAILED;
        }
        return CLI_OK;
}

int fleet_verb_journal(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *name = NULL;
        uint64_t lines = 10;
        bool follow = false;
        const Option options[] = {
                {"lines", 'n', OPTION_U64, "N", NULL, "how many old lines (default: 10)", &lines, NULL},
                {"follow", 'f', OPTION_SWITCH, NULL, NULL, "go on with new ones until interrupted", &follow, NULL},
                {0},
        };
        json_t *unit = NULL;
        int code = parse_names(group, "journal", options, argc, argv, false, &arguments);

        if (code == 0)
                code = show_unit(group, arguments.items[0], &name, &unit);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        json_decref(unit);
        return print_journal(group, name, lines, follow);
}
