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

/* What the API has by name: all of it, or of one. */
typedef struct Collection {
        const char *resource, *key, *path;
} Collection;

/* The first of each name. */
static int list_by_name(FleetGroup *group, const Collection *from, json_t **ret_object) {
        json_t *list, *entry, *object;
        size_t i;
        int code = fleet_list(group, from->resource, from->key, &list);

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

static int ask_one(FleetGroup *group, const Collection *from, const char *name, json_t **known) {
        json_t *one = NULL;
        int code = fleet_get_of(group, from->path, name, &one);

        if (code != 0)
                return code;
        if (!*known)
                *known = json_object();
        return json_object_set_new(*known, name, one ?: json_null()) < 0 ? CLI_FAILED : 0;
}

/* Asks for what is not known yet. */
static int look_up(const FleetLook *look, const Collection *from, const char *name, json_t **known, json_t **ret) {
        json_t *one;
        int code = 0;

        if (look->many && !*known)
                code = list_by_name(look->group, from, known);
        else if (!look->many && !json_object_get(*known, name))
                code = ask_one(look->group, from, name, known);
        one = code == 0 ? json_object_get(*known, name) : NULL;
        *ret = json_is_null(one) ? NULL : json_incref(one);
        return code;
}

int fleet_look_unit(FleetLook *look, const char *name, json_t **ret_unit) {
        static const Collection units = {"units", "units", "/fleet/v1/units"};

        return look_up(look, &units, name, &look->units, ret_unit);
}

int fleet_look_state(FleetLook *look, const char *name, json_t **ret_state) {
        static const Collection states = {"state", "states", "/fleet/v1/state"};

        return look_up(look, &states, name, &look->states, ret_state);
}

int fleet_look_machines(FleetLook *look, json_t **ret_machines) {
        int code = look->machines ? 0 : fleet_list(look->group, "machines", "machines", &look->machines);

        *ret_machines = look->machines;
        return code;
}
