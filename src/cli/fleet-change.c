/* load, start, stop, unload, restart, destroy: what is wanted changes, and is waited for. */
#include <errno.h>

#include "cli/fleet-look.h"

typedef struct ChangeVerb {
        const char *name;
        const char *desired;
        bool submits;
        const char *what; /* in front of a refusal */
        const char *done; /* printed on stderr at the end, or NULL */
} ChangeVerb;

static const ChangeVerb change_load = {"load", "loaded", true, "Error loading units", NULL};
static const ChangeVerb change_start = {"start", "launched", true, "Error starting units", NULL};
static const ChangeVerb change_stop = {"stop", "loaded", false, "Error stopping units", "Successfully stopped units"};
static const ChangeVerb change_unload = {"unload", "inactive", false, "Error unloading units",
                                         "Successfully unloaded units"};

/* The units that are to be changed, by names that need not be files: of each its state as it is, in `units`. With one that is not
 * known, *ret_missing is the exit code for the end; it is that of this as well if none is known. */
static int known_units(FleetLook *look, const StringList *arguments, StringList *names, json_t *units, int *ret_missing) {
        _cleanup_buffer_ Buffer unknown = BUFFER_INIT;

        for (size_t i = 0; i < arguments->length; i++) {
                _cleanup_free_ char *name = NULL;
                Error error = ERROR_NONE;
                json_t *unit = NULL;
                int code;

                if (unit_name_mangle(arguments->items[i], &name, &error) < 0) {
                        fleet_complain(look->group, "%s", error.text);
                        return CLI_USAGE;
                }
                if (string_list_contains(names, name)) /* named twice */
                        continue;
                code = fleet_look_unit(look, name, &unit);
                if (code != 0)
                        return code;
                if (!unit)
                        (void)buffer_printf(&unknown, " %s", name);
                else if (string_list_add(names, name) < 0 || json_array_append_new(units, unit) < 0)
                        return CLI_FAILED;
        }
        if (buffer_length(&unknown) == 0)
                return 0;
        fleet_complain(look->group, "Units not found in registry:%s", buffer_string(&unknown) ?: "");
        *ret_missing = CLI_FAILED;
        return names->length > 0 ? 0 : CLI_FAILED;
}

static int parse_change(FleetGroup *group, const char *name, const Option *options, int argc, char **argv,
                        StringList *arguments) {
        int code;

        if (verb_parse(verb_find(fleet_verbs, name, false), group->program, options, OPTIONS_GNU, argc, argv, arguments,
                       &code) < 0)
                return code == CLI_OK ? -1 : code;
        if (arguments->length == 0) {
                fleet_complain(group, "%s needs at least one unit", name);
                return CLI_USAGE;
        }
        return 0;
}

static bool is_wanted(json_t *unit, const char *desired) {
        return str_equals(cli_text(unit, "desiredState"), desired);
}

/* What need be neither asked nor waited for. Global units have no state of their own; of these start and load are said once. */
static bool has_reached(const ChangeVerb *change, json_t *unit, const FleetWaiting *waiting) {
        const char *current = json_string_value(json_object_get(unit, "currentState"));

        if (!is_wanted(unit, change->desired))
                return false;
        return current && !(change->submits && waiting->no_block) ? str_equals(current, change->desired) : change->submits;
}

/* Asks for `desired` of each unit that has not reached it, then waits for these; their names remain in `names`. */
static int change_units(FleetLook *look, const ChangeVerb *change, StringList *names, const FleetWaiting *waiting) {
        _cleanup_string_list_ StringList changed = {0}, global = {0};
        _cleanup_fleet_batch_ FleetBatch *batch = fleet_batch_new(look->group, change->what, "PUT");
        _cleanup_free_ char *body = fleet_desired_body(change->desired);
        int code = batch && body ? 0 : CLI_FAILED;

        for (size_t i = 0; code == 0 && i < names->length; i++) {
                json_t *unit = NULL;

                code = fleet_look_unit(look, names->items[i], &unit);
                if (code == 0 && !(unit && has_reached(change, unit, waiting))) {
                        if (string_list_add(&changed, names->items[i]) < 0 ||
                            (unit && fleet_unit_is_global(unit) && string_list_add(&global, names->items[i]) < 0))
                                code = CLI_FAILED;
                        else
                                code = fleet_batch_add(batch, names->items[i], body);
                }
                json_decref(unit);
        }
        if (code == 0)
                code = fleet_batch_run(batch);
        fleet_look_again(look);
        for (size_t i = 0; code == 0 && waiting->no_block && i < changed.length; i++)
                printf("Triggered %sunit %s %s\n", string_list_contains(&global, changed.items[i]) ? "global " : "", changed.items[i],
                       change->name);
        for (size_t i = 0; code == 0 && !waiting->no_block && i < changed.length; i++)
                code = fleet_wait_state(look, changed.items[i], change->desired, change->name, waiting);
        string_list_deinit(names);
        *names = changed;
        changed = (StringList){0};
        return code;
}

/* The units that were asked; of `units` (called `names`) it is known which are global. */
static void print_done(const char *done, const StringList *names, json_t *units, const StringList *asked) {
        bool first = true;
        size_t next = 0;

        (void)fflush(stdout);
        (void)fprintf(stderr, "%s [", done);
        for (size_t i = 0; i < names->length && next < asked->length; i++) {
                if (!str_equals(names->items[i], asked->items[next])) /* they are in one order */
                        continue;
                next++;
                if (!fleet_unit_is_global(json_array_get(units, i))) {
                        (void)fprintf(stderr, "%s%s", first ? "" : " ", names->items[i]);
                        first = false;
                }
        }
        (void)fprintf(stderr, "].\n");
}

static int wait_active(FleetLook *look, const StringList *names) {
        int code = 0;

        for (size_t i = 0; code == 0 && i < names->length; i++)
                code = fleet_wait_active(look, names->items[i]);
        return code == 0 && names->length > 0 ? fleet_check_settled(look, names) : code;
}

/* load and start. */
static int run_submitting(FleetGroup *group, const ChangeVerb *change, int argc, char **argv) {
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        _cleanup_fleet_look_ FleetLook look = {0};
        FleetWaiting waiting = {0};
        bool replace = false, no_lint = false, unused = false;
        const Option options[] = {FLEET_WAITING_OPTIONS(waiting),
                                  {"replace", 0, OPTION_SWITCH, NULL, NULL,
                                   "put the files in place of what the cluster has", &replace, NULL},
                                  FLEET_LINT_OPTION(no_lint),
                                  {"sign", 0, OPTION_SWITCH, NULL, NULL, NULL, &unused, NULL},
                                  {0}};
        int code = parse_change(group, change->name, options, argc, argv, &arguments);

        if (code == 0 && !no_lint)
                code = fleet_lint_before(group, &arguments, replace);
        look = fleet_look(group, arguments.length);
        if (code == 0)
                code = fleet_submit_units(&look, change->name, replace, &arguments, &names);
        if (code == 0)
                code = change_units(&look, change, &names, &waiting);
        if (code == 0 && !waiting.no_block && change == &change_start)
                code = wait_active(&look, &names);
        return code < 0 ? CLI_OK : code;
}

/* As fleetctl: a unit that is on no machine and wanted on none cannot be stopped. */
static int check_stoppable(FleetGroup *group, const char *verb, json_t *units) {
        json_t *unit;
        size_t i;

        json_array_foreach (units, i, unit)
                if (str_equals(cli_text(unit, "desiredState"), "inactive")) {
                        fleet_complain(group, "Unable to %s unit %s in state inactive", verb, cli_text(unit, "name"));
                        return CLI_FAILED;
                }
        return 0;
}

/* stop and unload. */
static int run_known(FleetGroup *group, const ChangeVerb *change, int argc, char **argv) {
        _cleanup_string_list_ StringList arguments = {0}, names = {0}, asked = {0};
        _cleanup_fleet_look_ FleetLook look = {0};
        FleetWaiting waiting = {0};
        const Option options[] = {FLEET_WAITING_OPTIONS(waiting), {0}};
        json_t *units = json_array();
        int code = parse_change(group, change->name, options, argc, argv, &arguments), missing = 0;

        look = fleet_look(group, arguments.length);
        if (code == 0)
                code = known_units(&look, &arguments, &names, units, &missing);
        if (code == 0 && change == &change_stop)
                code = check_stoppable(group, change->name, units);
        for (size_t i = 0; code == 0 && i < names.length; i++)
                if (string_list_add(&asked, names.items[i]) < 0)
                        code = CLI_FAILED;
        if (code == 0)
                code = change_units(&look, change, &asked, &waiting);
        if (code == 0)
                print_done(change->done, &names, units, &asked);
        json_decref(units);
        return code < 0 ? CLI_OK : code ?: missing;
}

int fleet_verb_load(void *group, int argc, char **argv) {
        return run_submitting(group, &change_load, argc, argv);
}

int fleet_verb_start(void *group, int argc, char **argv) {
        return run_submitting(group, &change_start, argc, argv);
}

int fleet_verb_stop(void *group, int argc, char **argv) {
        return run_known(group, &change_stop, argc, argv);
}

int fleet_verb_unload(void *group, int argc, char **argv) {
        return run_known(group, &change_unload, argc, argv);
}

/* ---- restart ---- */

/* Old fleet waited for "launched", which still held, and so restarted nothing: here the unit must have stopped first. */
static int restart_one(FleetGroup *group, json_t *unit, const FleetWaiting *waiting) {
        _cleanup_fleet_look_ FleetLook look = fleet_look(group, 1);
        const char *name = cli_text(unit, "name");
        int code = fleet_set_desired(group, "Error restarting units", name, "loaded");

        if (code == 0 && fleet_unit_is_global(unit))
                code = fleet_wait_stopped(group, name, waiting);
        else if (code == 0)
                code = fleet_wait_state(&look, name, "loaded", "stop", waiting);
        if (code == 0)
                code = fleet_set_desired(group, "Error restarting units", name, "launched");
        fleet_look_again(&look);
        if (code == 0)
                code = fleet_wait_state(&look, name, "launched", "start", waiting);
        return code != 0 || fleet_unit_is_global(unit) ? code : fleet_wait_active(&look, name);
}

int fleet_verb_restart(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        _cleanup_fleet_look_ FleetLook look = {0};
        FleetWaiting waiting = {0};
        const Option options[] = {{"block-attempts", 0, OPTION_U64, "N", NULL,
                                   "wait N times two seconds (0: without end)", &waiting.attempts, NULL},
                                  {0}};
        json_t *units = json_array(), *unit;
        size_t i;
        int code = parse_change(group, "restart", options, argc, argv, &arguments), missing = 0;

        look = fleet_look(group, arguments.length);
        if (code == 0)
                code = known_units(&look, &arguments, &names, units, &missing);
        if (code == 0)
                code = check_stoppable(group, "restart", units);
        json_array_foreach (units, i, unit)
                if (code == 0)
                        code = restart_one(group, unit, &waiting);
        if (code == 0 && names.length > 0)
                code = fleet_check_settled(&look, &names);
        json_decref(units);
        return code < 0 ? CLI_OK : code ?: missing;
}

/* ---- destroy ---- */

static int destroy_units(FleetGroup *group, const StringList *names) {
        _cleanup_fleet_batch_ FleetBatch *batch = fleet_batch_new(group, "Error destroying units", "DELETE");
        int code = batch ? 0 : CLI_FAILED;

        for (size_t i = 0; code == 0 && i < names->length; i++)
                code = fleet_batch_add(batch, names->items[i], NULL);
        return code == 0 ? fleet_batch_run(batch) : code;
}

/* Each once it is gone, unless nobody is to wait. */
static int tell_destroyed(FleetLook *look, const StringList *names, const FleetWaiting *waiting) {
        int code = 0;

        fleet_look_again(look);
        for (size_t i = 0; code == 0 && i < names->length; i++) {
                if (!waiting->no_block)
                        code = fleet_wait_destroyed(look, names->items[i], waiting);
                if (code == 0)
                        printf("Destroyed %s\n", names->items[i]);
        }
        return code;
}

int fleet_verb_destroy(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        _cleanup_fleet_look_ FleetLook look = {0};
        FleetWaiting waiting = {0};
        const Option options[] = {FLEET_WAITING_OPTIONS(waiting), {0}};
        json_t *units = json_array();
        int code = parse_change(group, "destroy", options, argc, argv, &arguments), missing = 0;

        look = fleet_look(group, arguments.length);
        if (code == 0)
                code = known_units(&look, &arguments, &names, units, &missing);
        if (code == 0)
                code = destroy_units(group, &names);
        if (code == 0)
                code = tell_destroyed(&look, &names, &waiting);
        json_decref(units);
        return code < 0 ? CLI_OK : code ?: missing;
}
