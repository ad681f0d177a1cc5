#pragma once
/* What the API says of units: of a few one after the other, of many by one request for all. What was said once is not asked again. */
#include "cli/fleet.h"

struct FleetLook {
        FleetGroup *group;
        bool many;
        json_t *units, *states; /* by name, null: there is none of it; NULL: not asked yet */
        json_t *machines;       /* of fleet_list(); NULL: not asked yet */
};

/* `count`: how many units will be looked at. */
FleetLook fleet_look(FleetGroup *group, size_t count);
void fleet_look_deinit(FleetLook *look);
#define _cleanup_fleet_look_ _cleanup_(fleet_look_deinit)

/* What was said of units is forgotten: for whoever has changed them, or waits until they are otherwise. */
void fleet_look_again(FleetLook *look);

/* One unit: *ret_unit NULL when there is none, otherwise the caller's. 0 or the exit code. */
int fleet_look_unit(FleetLook *look, const char *name, json_t **ret_unit);

/* How it does on the first of its machines. */
int fleet_look_state(FleetLook *look, const char *name, json_t **ret_state);

/* Borrowed. */
int fleet_look_machines(FleetLook *look, json_t **ret_machines);
