#include "cli/fleet-look.h"

/* One request for all of a large cluster costs about as much as a hundred for one each. */
enum { MANY = 50 };

FleetLook fleet_look(FleetGroup *group, size_t count) {
        return (FleetLook){.group = group, .many = count >= MANY};
}

void fleet_look_again(FleetLook *look) {
        json_decref(look->units);
        json_decref(look->states);
        look->units = look->states = NULL;
}

void fleet_look_deinit(FleetLook *look) {
        fleet_look_again(look);
        json_decref(look->machines);
        look->machines = NULL;
}

/* The entries of a collection by name, the first of each. */
static int list_by_name(FleetGroup *group, const char *resource, const char *key, json_t **ret_object) {
        json_t *list, *entry, *object;
        size_t i;
        int code = fleet_list(group, resource, key, &list);

        if (code != 0)
                return code;
        object = json_object();
        json_array_foreach (list, i, entry)
                if (!json_object_get(object, cli_text(entry, "name")))
                        (void)json_object_set(object, cli_text(entry, "name"), entry);
        json_decref(list);
        *ret_object = object;
        return object ? 0 : CLI_FAILED;
}

/* From the list of all, which is asked for once. */
static int find_in(FleetGroup *group, const char *resource, const char *key, const char *name, json_t **list, json_t **ret) {
        int code = *list ? 0 : list_by_name(group, resource, key, list);

        *ret = code == 0 ? json_incref(json_object_get(*list, name)) : NULL;
        return code;
}

int fleet_look_unit(FleetLook *look, const char *name, json_t **ret_unit) {
        return look->many ? find_in(look->group, "units", "units", name, &look->units, ret_unit)
                          : fleet_get_unit(look->group, name, ret_unit);
}

static int get_state(FleetGroup *group, const char *name, json_t **ret_state) {
        _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/state", name);
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = target ? fleet_request(group, "GET", target, NULL, &answer) : CLI_FAILED;

        if (code == 0)
                *ret_state = json_object_size(answer.json) > 0 ? json_incref(answer.json) : NULL;
        return code;
}

int fleet_look_state(FleetLook *look, const char *name, json_t **ret_state) {
        return look->many ? find_in(look->group, "state", "states", name, &look->states, ret_state)
                          : get_state(look->group, name, ret_state);
}

int fleet_look_machines(FleetLook *look, json_t **ret_machines) {
        int code = look->machines ? 0 : fleet_list(look->group, "machines", "machines", &look->machines);

        *ret_machines = look->machines;
        return code;
}
