/* Waiting until units are where they are wanted: by looking again and again, as the API has no other way. */
#include <errno.h>
#include <unistd.h>

#include "cli/fleet-look.h"

enum { LOOK_MSEC = 50, WINDOW_MSEC = 2000, ACTIVE_MSEC = 2000, SETTLE_MSEC = 100 };

/* Sleeps until the next look. False when all attempts are used up. */
static bool wait_more(const FleetWaiting *waiting, FleetLook *look, uint64_t *looks) {
        (*looks)++;
        if (waiting->attempts && *looks / (WINDOW_MSEC / LOOK_MSEC) >= waiting->attempts)
                return false;
        (void)usleep(LOOK_MSEC * 1000);
        fleet_look_again(look);
        return true;
}

static bool unit_is_there(json_t *unit, const char *desired, const char *action) {
        const char *current = json_string_value(json_object_get(unit, "currentState"));

        /* global units have no state of their own: their being wanted is all there is to wait for */
        if (!current || str_equals(current, desired))
                return true;
        /* one that no machine can take does not run */
        return str_equals(action, "stop") && str_equals(current, "inactive") && !*cli_text(unit, "machineID");
}

/* "Unit U loaded on 12345678.../1.2.3.4" */
static int print_reached(FleetLook *look, const char *name, json_t *unit, const char *desired, const char *action) {
        const char *machine = cli_text(unit, "machineID");
        _cleanup_buffer_ Buffer where = BUFFER_INIT;
        json_t *machines;
        int code;

        if (!json_object_get(unit, "currentState")) {
                if (!str_equals(action, "submit"))
                        printf("Triggered global unit %s %s\n", name, action);
                else /* fleetctl knew no word for it */
                        printf("Unit %s %s\n", name, look->group->old ? "" : desired);
                return CLI_OK;
        }
        if (!*machine || str_equals(desired, "inactive")) {
                printf("Unit %s %s\n", name, cli_text(unit, "currentState"));
                return CLI_OK;
        }
        code = fleet_look_machines(look, &machines);
        if (code != 0)
                return code;
        fleet_format_machine(machines, machine, false, &where);
        printf("Unit %s %s on %.*s\n", name, desired, (int)buffer_length(&where), buffer_data(&where));
        return CLI_OK;
}

/* Scripts read what fleetctl wrote; people are told where to look. */
static void hint_for_people(const FleetGroup *group, const char *verb, const char *name, const char *what) {
        if (isatty(STDERR_FILENO))
                (void)fprintf(stderr, "\"%s %s %s\" says %s\n", group->program, verb, name, what);
}

static void complain_late(FleetGroup *group, const char *name, const char *desired, const char *action) {
        static const char late[] = "timed out waiting for unit";

        if (!group->old) {
                fleet_complain(group, "Error waiting for units: %s %s to report state %s; \"%s explain %s\" says why", late, name, desired,
                               group->program, name);
                return;
        }
        fleet_complain(group, "Error waiting for units: %s %s to report state %s", late, name, desired);
        if (str_equals(action, "start") || str_equals(action, "load"))
                fleet_complain(group, "Error waiting for unit states, exit status: %s %s to report state %s", late, name, desired);
        hint_for_people(group, "explain", name, "why");
}

int fleet_wait_state(FleetLook *look, const char *name, const char *desired, const char *action,
                     const FleetWaiting *waiting) {
        FleetGroup *group = look->group;
        uint64_t looks = 0;

        do {
                json_t *unit = NULL;
                int code = fleet_look_unit(look, name, &unit);
                bool there = unit && unit_is_there(unit, desired, action);

                if (code != 0)
                        return code;
                if (!unit) {
                        fleet_complain(group, "Error waiting for units: unit %s is gone", name);
                        return CLI_FAILED;
                }
                if (there)
                        code = print_reached(look, name, unit, desired, action);
                json_decref(unit);
                if (there)
                        return code;
        } while (wait_more(waiting, look, &looks));
        complain_late(group, name, desired, action);
        return CLI_FAILED;
}

static void complain_not_active(FleetGroup *group, const char *name, const char *active) {
        if (!group->old) {
                fleet_complain(group, "Error waiting for units: Failed to find an active unit %s: unit %s is %s; \"%s status %s\" says more",
                               name, name, *active ? active : "not there yet", group->program, name);
                return;
        }
        for (int i = 0; i < 2; i++)
                fleet_complain(group, "Error waiting for %s Failed to find an active unit %s within 2s, err: Failed to fetch states within 2s",
                               i == 0 ? "units:" : "systemd unit states, err:", name);
        hint_for_people(group, "status", name, "more");
}

static bool unit_is_oneshot(json_t *unit) {
        _cleanup_unitfile_ UnitFile file = {0};
        const UnitOption *type = NULL;
        bool oneshot = false;

        if (fleet_read_options(unit, &file) >= 0)
                while ((type = unitfile_next(&file, "Service", "Type", type)))
                        oneshot = str_equals(type->value, "oneshot");
        return oneshot;
}

/* A oneshot that is over is fine; fleetctl did not think so. */
static bool may_be_over(FleetLook *look, const char *name, json_t *state) {
        json_auto_t *unit = NULL;

        return !look->group->old && str_equals(cli_text(state, "systemdActiveState"), "inactive") &&
               fleet_look_unit(look, name, &unit) == 0 && unit && unit_is_oneshot(unit);
}

/* A unit that was started should be active soon; a failure is better told now than never. */
int fleet_wait_active(FleetLook *look, const char *name) {
        for (int waited = 0;; waited += LOOK_MSEC) {
                json_auto_t *state = NULL;
                int code = fleet_look_state(look, name, &state);
                const char *active = cli_text(state, "systemdActiveState");

                if (code != 0 || str_equals(active, "active"))
                        return code;
                if (str_equals(active, "failed") || waited >= ACTIVE_MSEC) {
                        if (may_be_over(look, name, state))
                                return CLI_OK;
                        complain_not_active(look->group, name, active);
                        return CLI_FAILED;
                }
                (void)usleep(LOOK_MSEC * 1000);
                fleet_look_again(look);
        }
}

int fleet_check_settled(FleetLook *look, const StringList *names) {
        (void)usleep(SETTLE_MSEC * 1000);
        fleet_look_again(look);
        for (size_t i = 0; i < names->length; i++) {
                json_auto_t *state = NULL;
                int code = fleet_look_state(look, names->items[i], &state);

                if (code == 0 && str_equals(cli_text(state, "systemdActiveState"), "failed")) {
                        complain_not_active(look->group, names->items[i], "failed");
                        code = CLI_FAILED;
                }
                if (code != 0)
                        return code;
        }
        return 0;
}

static bool state_is_active(json_t *state) {
        const char *active = cli_text(state, "systemdActiveState");

        return !str_equals(active, "inactive") && !str_equals(active, "failed");
}

int fleet_wait_stopped(FleetGroup *group, const char *name, const FleetWaiting *waiting) {
        _cleanup_fleet_look_ FleetLook look = fleet_look(group, 1);
        uint64_t looks = 0;

        do {
                json_t *states = NULL, *state;
                int code = fleet_list(group, "state", "states", &states);
                bool active = false;
                size_t i;

                if (code != 0)
                        return code;
                json_array_foreach (states, i, state)
                        active = active || (str_equals(cli_text(state, "name"), name) && state_is_active(state));
                json_decref(states);
                if (!active)
                        return 0;
        } while (wait_more(waiting, &look, &looks));
        fleet_complain(group, "Error waiting for units: timed out waiting for global unit %s to stop on all machines",
                       name);
        return CLI_FAILED;
}

int fleet_wait_destroyed(FleetLook *look, const char *name, const FleetWaiting *waiting) {
        uint64_t looks = 0;

        do {
                json_auto_t *unit = NULL, *state = NULL;
                int code = fleet_look_unit(look, name, &unit);

                if (code == 0)
                        code = fleet_look_state(look, name, &state);
                if (code != 0)
                        return code;
                if (!unit && !state)
                        return 0;
        } while (wait_more(waiting, look, &looks));
        fleet_complain(look->group, "Error waiting for units: timed out waiting for unit %s to be gone", name);
        return CLI_FAILED;
}
