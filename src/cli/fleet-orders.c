/* cordon, uncordon, drain, rebalance: what people order of machines. */
#include <errno.h>
#include <unistd.h>

#include "cli/fleet.h"

enum { LOOK_MSEC = 100 };

/* ---- machines ---- */

int fleet_find_machines(FleetGroup *group, const StringList *arguments, StringList *ids) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = fleet_request(group, "GET", "/faering/v1/machines", NULL, &answer);

        for (size_t i = 0; code == 0 && i < arguments->length; i++) {
                const char *wanted = arguments->items[i], *found = NULL;
                json_t *machine;
                size_t j, matches = 0;

                json_array_foreach(json_object_get(answer.json, "machines"), j, machine)
                        if (str_starts_with(cli_text(machine, "id"), wanted) || str_equals(cli_text(machine, "ip"), wanted)) {
                                found = cli_text(machine, "id");
                                matches++;
                        }
                if (matches != 1) {
                        fleet_complain(group, matches ? "\"%s\" is the beginning of several machines' IDs: give more of it"
                                                      : "no machine has an ID that begins with \"%s\", nor that address; \"list-machines\" lists all",
                                       wanted);
                        return CLI_FAILED;
                }
                if (string_list_add(ids, found) < 0)
                        return CLI_FAILED;
        }
        return code;
}

static int parse_machines(FleetGroup *group, const char *verb, const Option *options, int argc, char **argv, StringList *ids) {
        _cleanup_string_list_ StringList arguments = {0};
        int code;

        if (verb_parse(verb_find(fleet_verbs, verb, false), group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code == CLI_OK ? -1 : code;
        if (arguments.length == 0) {
                fleet_complain(group, "%s needs at least one machine: the beginning of its ID, or its address", verb);
                return CLI_USAGE;
        }
        return fleet_find_machines(group, &arguments, ids);
}

static int set_state(FleetGroup *group, const char *id, const char *state) {
        _cleanup_free_ char *target = fleet_unit_target("/faering/v1/machines", id);
        _cleanup_free_ char *body = str_printf("{\"state\":\"%s\"}", state);
        _cleanup_cli_answer_ CliAnswer answer = {0};

        return target && body ? fleet_request(group, "PUT", target, body, &answer) : CLI_FAILED;
}

static int mark_machines(FleetGroup *group, const char *verb, const char *state, const char *done, int argc, char **argv) {
        _cleanup_string_list_ StringList ids = {0};
        const Option options[] = {{0}};
        int code = parse_machines(group, verb, options, argc, argv, &ids);

        for (size_t i = 0; code == 0 && i < ids.length; i++) {
                code = set_state(group, ids.items[i], state);
                if (code == 0)
                        printf("Machine %.8s... %s\n", ids.items[i], done);
        }
        return code < 0 ? CLI_OK : code;
}

int fleet_verb_cordon(void *group, int argc, char **argv) {
        return mark_machines(group, "cordon", "cordoned", "is cordoned: nothing new is placed there", argc, argv);
}

int fleet_verb_uncordon(void *group, int argc, char **argv) {
        return mark_machines(group, "uncordon", "active", "takes units", argc, argv);
}

/* ---- drain ---- */

static bool has_unit(json_t *left, const char *name) {
        json_t *unit;
        size_t i;

        json_array_foreach(left, i, unit)
                if (str_equals(cli_text(unit, "unit"), name))
                        return true;
        return false;
}

static void print_progress(const char *id, json_t *before, json_t *now) {
        json_t *unit;
        size_t i;

        json_array_foreach(before, i, unit)
                if (!has_unit(now, cli_text(unit, "unit")))
                        printf("Unit %s has left %.8s..., %zu left\n", cli_text(unit, "unit"), id, json_array_size(now));
        (void)fflush(stdout);
}

static size_t count_homes(json_t *left) {
        json_t *unit;
        size_t i, count = 0;

        json_array_foreach(left, i, unit)
                count += json_is_true(json_object_get(unit, "home"));
        return count;
}

static int complain_homeless(FleetGroup *group, const char *id, json_t *left) {
        json_t *unit;
        size_t i;

        json_array_foreach(left, i, unit)
                fleet_complain(group, "Unit %s stays on %.8s...: %s; \"%s explain %s\" says what would help", cli_text(unit, "unit"), id,
                               cli_text(unit, "why"), group->program, cli_text(unit, "unit"));
        return CLI_FAILED;
}

static int get_machine(FleetGroup *group, const char *id, CliAnswer *ret) {
        _cleanup_free_ char *target = fleet_unit_target("/faering/v1/machines", id);
        int code = target ? fleet_request(group, "GET", target, NULL, ret) : CLI_FAILED;

        if (code == 0 && ret->status == 404) {
                fleet_complain(group, "machine %s has left the cluster", id);
                code = CLI_FAILED;
        }
        return code;
}

/* Until nothing is left, or nothing that has another home. */
static int wait_drained(FleetGroup *group, const char *id) {
        json_t *before = NULL;
        int code = 0;

        for (bool again = true; again && code == 0;) {
                _cleanup_cli_answer_ CliAnswer answer = {0};
                json_t *left;

                code = get_machine(group, id, &answer);
                if (code != 0)
                        break;
                left = json_object_get(answer.json, "left");
                print_progress(id, before, left);
                json_decref(before);
                before = json_incref(left);
                again = count_homes(left) > 0;
                if (again && !str_equals(cli_text(answer.json, "state"), "draining")) {
                        fleet_complain(group, "somebody has taken the drain of %s back", id);
                        code = CLI_FAILED;
                } else if (again) {
                        (void)usleep(LOOK_MSEC * 1000);
                } else if (json_array_size(left) > 0) {
                        code = complain_homeless(group, id, left);
                }
        }
        json_decref(before);
        if (code == 0)
                printf("Machine %.8s... is drained\n", id);
        return code;
}

int fleet_verb_drain(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList ids = {0};
        bool no_block = false;
        int result = CLI_OK;
        const Option options[] = {{"no-block", 0, OPTION_SWITCH, NULL, NULL, "do not wait until the units have moved", &no_block, NULL}, {0}};
        int code = parse_machines(group, "drain", options, argc, argv, &ids);

        for (size_t i = 0; code == 0 && i < ids.length; i++)
                code = set_state(group, ids.items[i], "draining");
        if (code != 0 || no_block)
                return code < 0 ? CLI_OK : code;
        for (size_t i = 0; i < ids.length; i++)
                result = wait_drained(group, ids.items[i]) == CLI_OK ? result : CLI_FAILED;
        return result;
}

/* ---- rebalance ---- */

static void print_moves(json_t *moves) {
        json_t *move;
        size_t i;

        json_array_foreach(moves, i, move)
                printf("Unit %s moves from %.8s... to %.8s...\n", cli_text(move, "unit"), cli_text(move, "from"), cli_text(move, "to"));
        if (json_array_size(moves) == 0)
                printf("The units are spread evenly, as far as they may be\n");
        (void)fflush(stdout);
}

static int wait_moved(FleetGroup *group) {
        for (;;) {
                _cleanup_cli_answer_ CliAnswer answer = {0};
                int code = fleet_request(group, "GET", "/faering/v1/moves", NULL, &answer);

                if (code != 0 || json_array_size(json_object_get(answer.json, "moves")) == 0)
                        return code;
                (void)usleep(LOOK_MSEC * 1000);
        }
}

/* Those that are not where they were to go. */
static int check_moved(FleetGroup *group, json_t *moves) {
        json_t *move;
        size_t i;
        int result = CLI_OK;

        json_array_foreach(moves, i, move) {
                json_t *unit = NULL;
                int code = fleet_get_unit(group, cli_text(move, "unit"), &unit);

                if (code != 0)
                        return code;
                if (unit && !str_equals(cli_text(unit, "machineID"), cli_text(move, "to"))) {
                        fleet_complain(group, "Unit %s has not moved; \"%s explain %s\" may say why", cli_text(move, "unit"), group->program,
                                       cli_text(move, "unit"));
                        result = CLI_FAILED;
                }
                json_decref(unit);
        }
        return result;
}

int fleet_verb_rebalance(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        bool dry = false, no_block = false, as_json = false;
        json_t *moves;
        int code;
        const Option options[] = {{"dry-run", 0, OPTION_SWITCH, NULL, NULL, "only print the moves", &dry, NULL},
                                  {"no-block", 0, OPTION_SWITCH, NULL, NULL, "do not wait until the units have moved", &no_block, NULL},
                                  FLEET_FORM_OPTION(as_json),
                                  {0}};

        if (verb_parse(verb_find(fleet_verbs, "rebalance", false), group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        code = fleet_request(group, dry ? "GET" : "POST", "/faering/v1/rebalance", NULL, &answer);
        if (code != 0)
                return code;
        moves = json_object_get(answer.json, "moves");
        if (as_json)
                fleet_print_answer(&answer);
        else
                print_moves(moves);
        if (dry || no_block)
                return CLI_OK;
        code = wait_moved(group);
        return code != 0 ? code : check_moved(group, moves);
}
