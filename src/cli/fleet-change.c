/* load, start, stop, unload, destroy: what is wanted changes, and is waited for. */
#include <errno.h>
#include <unistd.h>

#include "cli/fleet.h"
#include "fleet/unit/unit.h"

enum { LOOK_MSEC = 100, ACTIVE_MSEC = 2000 };

static bool unit_is_there(json_t *unit, const char *desired) {
        const char *current = json_string_value(json_object_get(unit, "currentState"));

        /* global units have no state of their own: their being wanted is all there is to wait for */
        return !current || str_equals(current, desired);
}

/* "loaded on 12345678.../1.2.3.4" */
static int print_reached(FleetGroup *group, const char *name, json_t *unit, const char *desired) {
        const char *machine = cli_text(unit, "machineID");
        _cleanup_buffer_ Buffer where = BUFFER_INIT;
        json_t *machines;
        int code;

        if (!json_object_get(unit, "currentState")) {
                printf("Triggered global unit %s %s\n", name, str_equals(desired, "launched") ? "start" : "load");
                return CLI_OK;
        }
        if (!*machine) {
                printf("Unit %s %s\n", name, desired);
                return CLI_OK;
        }
        code = fleet_list(group, "machines", "machines", &machines);
        if (code != 0)
                return code;
        fleet_format_machine(machines, machine, false, &where);
        printf("Unit %s %s on %.*s\n", name, desired, (int)buffer_length(&where), buffer_data(&where));
        json_decref(machines);
        return CLI_OK;
}

/* Looks again and again: the API has no other way to wait. */
static int wait_for(FleetGroup *group, const char *name, const char *desired, const FleetWaiting *waiting) {
        for (uint64_t attempt = 0;; attempt++) {
                json_t *unit = NULL;
                int code = fleet_get_unit(group, name, &unit);

                if (code != 0)
                        return code;
                if (!unit) {
                        cli_complain(group->program, "unit %s is gone", name);
                        return CLI_FAILED;
                }
                if (unit_is_there(unit, desired)) {
                        code = print_reached(group, name, unit, desired);
                        json_decref(unit);
                        return code;
                }
                json_decref(unit);
                if (waiting->attempts && attempt + 1 >= waiting->attempts) {
                        cli_complain(group->program, "unit %s is not %s yet; \"%s explain %s\" says why", name, desired, group->program, name);
                        return CLI_FAILED;
                }
                (void)usleep(LOOK_MSEC * 1000);
        }
}

/* A unit that was started should be active soon; a failure is better told now than never. */
static int check_active(FleetGroup *group, const char *name) {
        _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/state", name);

        for (int waited = 0; target; waited += LOOK_MSEC) {
                _cleanup_cli_answer_ CliAnswer answer = {0};
                int code = fleet_request(group, "GET", target, NULL, &answer);
                const char *active = cli_text(answer.json, "systemdActiveState");

                if (code != 0 || str_equals(active, "active"))
                        return code;
                if (str_equals(active, "failed") || waited >= ACTIVE_MSEC) {
                        cli_complain(group->program, "unit %s is %s; \"%s status %s\" says more", name, *active ? active : "not there yet",
                                     group->program, name);
                        return str_equals(active, "activating") || str_equals(cli_text(answer.json, "systemdSubState"), "dead") ? CLI_OK
                                                                                                                                  : CLI_FAILED;
                }
                (void)usleep(LOOK_MSEC * 1000);
        }
        return CLI_FAILED;
}

int fleet_change(FleetGroup *group, const StringList *names, const char *desired, const FleetWaiting *waiting) {
        int code = 0;

        for (size_t i = 0; code == 0 && i < names->length; i++)
                code = fleet_set_desired(group, names->items[i], desired);
        if (waiting->no_block)
                return code;
        for (size_t i = 0; code == 0 && i < names->length; i++)
                code = wait_for(group, names->items[i], desired, waiting);
        return code;
}

/* The units that are to be changed, by names that need not be files. Exit code 1 when one is not known. */
static int known_names(FleetGroup *group, const StringList *arguments, StringList *names) {
        int result = 0;

        for (size_t i = 0; i < arguments->length; i++) {
                Error error = ERROR_NONE;
                json_t *unit = NULL;
                char *name;
                int code;

                if (unit_name_mangle(arguments->items[i], &name, &error) < 0) {
                        cli_complain(group->program, "%s", error.text);
                        return CLI_USAGE;
                }
                code = fleet_get_unit(group, name, &unit);
                if (code != 0 || !unit) {
                        if (code == 0)
                                cli_complain(group->program, "unit %s does not exist", name);
                        free(name);
                        result = CLI_FAILED;
                        if (code != 0)
                                return code;
                        continue;
                }
                json_decref(unit);
                if (string_list_take(names, name) < 0)
                        return CLI_FAILED;
        }
        return result;
}

typedef struct ChangeVerb {
        const char *name;
        const char *desired;
        bool submits;
        const char *done; /* printed on stderr at the end, or NULL */
} ChangeVerb;

static int run_change(FleetGroup *group, const ChangeVerb *change, int argc, char **argv) {
        const Verb *verb = verb_find(fleet_verbs, change->name, false);
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        FleetWaiting waiting = {0};
        const Option options[] = {FLEET_WAITING_OPTIONS(waiting), {0}};
        int code, missing = 0;

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length == 0) {
                cli_complain(group->program, "%s needs at least one unit", change->name);
                return CLI_USAGE;
        }
        if (change->submits)
                code = fleet_submit_units(group, &arguments, &names);
        else
                code = missing = known_names(group, &arguments, &names);
        if (code != 0 && !(missing && names.length > 0))
                return code;
        code = fleet_change(group, &names, change->desired, &waiting);
        for (size_t i = 0; code == 0 && !waiting.no_block && str_equals(change->name, "start") && i < names.length; i++)
                code = check_active(group, names.items[i]);
        if (code == 0 && change->done && names.length > 0) {
                (void)fprintf(stderr, "%s [", change->done);
                for (size_t i = 0; i < names.length; i++)
                        (void)fprintf(stderr, "%s%s", i ? " " : "", names.items[i]);
                (void)fprintf(stderr, "].\n");
        }
        return code ?: missing;
}

int fleet_verb_load(void *group, int argc, char **argv) {
        return run_change(group, &(ChangeVerb){"load", "loaded", true, NULL}, argc, argv);
}

int fleet_verb_start(void *group, int argc, char **argv) {
        return run_change(group, &(ChangeVerb){"start", "launched", true, NULL}, argc, argv);
}

int fleet_verb_stop(void *group, int argc, char **argv) {
        return run_change(group, &(ChangeVerb){"stop", "loaded", false, "Successfully stopped units"}, argc, argv);
}

int fleet_verb_unload(void *group, int argc, char **argv) {
        return run_change(group, &(ChangeVerb){"unload", "inactive", false, "Successfully unloaded units"}, argc, argv);
}

/* Gone from the registry, and from the machine where it ran. */
static int wait_destroyed(FleetGroup *group, const char *name, const FleetWaiting *waiting) {
        _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/state", name);

        for (uint64_t attempt = 0; target; attempt++) {
                _cleanup_cli_answer_ CliAnswer answer = {0};
                json_t *unit = NULL;
                int code = fleet_get_unit(group, name, &unit);

                if (code == 0)
                        code = fleet_request(group, "GET", target, NULL, &answer);
                if (code != 0)
                        return code;
                if (!unit && json_object_size(answer.json) == 0)
                        return 0;
                json_decref(unit);
                if (waiting->attempts && attempt + 1 >= waiting->attempts) {
                        cli_complain(group->program, "unit %s is not gone yet", name);
                        return CLI_FAILED;
                }
                (void)usleep(LOOK_MSEC * 1000);
        }
        return CLI_FAILED;
}

int fleet_verb_destroy(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        FleetWaiting waiting = {0};
        const Option options[] = {FLEET_WAITING_OPTIONS(waiting), {0}};
        int code, missing;

        if (verb_parse(verb_find(fleet_verbs, "destroy", false), group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length == 0) {
                cli_complain(group->program, "destroy needs at least one unit");
                return CLI_USAGE;
        }
        code = missing = known_names(group, &arguments, &names);
        for (size_t i = 0; (code == 0 || missing) && i < names.length; i++) {
                _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/units", names.items[i]);
                _cleanup_cli_answer_ CliAnswer answer = {0};

                code = target ? fleet_request(group, "DELETE", target, NULL, &answer) : CLI_FAILED;
                if (code == 0 && !waiting.no_block)
                        code = wait_destroyed(group, names.items[i], &waiting);
                if (code != 0)
                        return code;
                printf("Destroyed %s\n", names.items[i]);
        }
        return code ?: missing;
}
