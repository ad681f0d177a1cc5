/* What must hold when the faults are over: all that is wanted and can be placed runs, and nothing else is left. */
#include "fleet/registry/roll.h"
#include <stdio.h>

#include "fleet/schedule/move.h"
#include "world.h"

#define SAY(...) ((void)snprintf(ret, size, __VA_ARGS__), false)

static const RegistryUnit *complete_unit(const World *world, size_t unit) {
        const RegistryUnit *known = registry_unit(world->seen, world->units[unit].name);

        return known && registry_unit_is_complete(known) ? known : NULL;
}

/* ---- the store against itself ---- */

static bool machines_are_there(const World *world, char *ret, size_t size) {
        for (size_t i = 0; i < world->plan.machines; i++) {
                const RegistryMachine *known = registry_machine(world->seen, world->machines[i].id);

                if (world->machines[i].lost) {
                        if (known && (known->present || known->states.length > 0))
                                return SAY("machine %.4s is lost, and %s is left of it", world->machines[i].id, known->present ? "its key" : "a state");
                } else if (world->machines[i].leaving || !world->machines[i].alive)
                        return SAY("the daemon of machine %.4s is about to end or to start", world->machines[i].id);
                else if (!known || !known->present)
                        return SAY("machine %.4s is well, and not registered", world->machines[i].id);
        }
        return registry_leader(world->seen) ? true : SAY("no engine has the lease");
}

static bool unit_is_placed(World *world, size_t unit, char *ret, size_t size) {
        const RegistryUnit *known = registry_unit(world->seen, world->units[unit].name);
        Picture *picture = cluster_picture(&world->cluster);
        const PictureUnit *pictured = picture ? picture_unit(picture, world->units[unit].name) : NULL;
        ObstacleKind kind;

        if (!known)
                return true;
        if (!known->hash)
                return SAY("of %s, which is destroyed, %s is left", known->name, known->n_placements ? "a placement" : "a part");
        if (known->desired == UNIT_INACTIVE || !known->text || !pictured || pictured->requirements->global)
                return known->n_placements == 0 ? true : SAY("%s is placed, and not to be", known->name);
        if (known->n_placements > 1)
                return SAY("%s has two places: it moves, or something was left over", known->name);
        if (!pictured->target) {
                Decision decision = schedule_decide(picture, pictured);

                return !decision.machine ? true : SAY("%s is wanted, and not placed, and could be on %.4s", known->name, decision.machine->id);
        }
        if (!schedule_may_stay(picture, pictured, pictured->target, &kind))
                return SAY("%s is on machine %.4s, where it may not stay (obstacle %d)", known->name, pictured->target->id, (int)kind);
        return true;
}

static bool conflicts_are_apart(const World *world, char *ret, size_t size) {
        for (size_t i = 0; i < world->plan.units; i++)
                for (size_t j = i + 1; j < world->plan.units; j++) {
                        const Spec *a = watch_spec(world, i), *b = watch_spec(world, j);

                        if (a && b && world->units[i].place != NOBODY && world->units[i].place == world->units[j].place &&
                            specs_conflict(a, i, b, j))
                                return SAY("%s and %s conflict, and are placed on one machine", world->units[i].name, world->units[j].name);
                }
        return true;
}

static bool orders_are_done(World *world, char *ret, size_t size) {
        Picture *picture = cluster_picture(&world->cluster);
        const PictureUnit *unit;
        Decision decision;

        if (registry_moves(world->seen)->length > 0)
                return SAY("%zu moves were ordered, and are not over", registry_moves(world->seen)->length);
        unit = picture ? schedule_next_drained(picture, &decision) : NULL;
        return !unit ? true : SAY("%s is on a machine that is drained, and could be on %.4s", picture_unit_name(unit), decision.machine->id);
}

/* ---- the machines against the store ---- */

static bool unit_is_here(World *world, Machine *machine, size_t unit, char *ret, size_t size) {
        const RegistryUnit *known = complete_unit(world, unit);
        const char *name = world->units[unit].name;
        const RegistryState *told = registry_state(world->seen, machine->id, name);
        bool wanted = watch_wants(world, machine, unit);
        SupervisorState state;
        bool loaded = supervisor_state(fake_supervisor_base(machine->fake), name, &state) >= 0;

        if (!wanted)
                return loaded ? SAY("machine %.4s has %s, and is not to", machine->id, name)
                       : told ? SAY("machine %.4s has a state of %s in the store, and not the unit", machine->id, name)
                              : true;
        if (!loaded)
                return SAY("machine %.4s is to have %s, and has not", machine->id, name);
        if (machine->loaded[unit] != watch_spec_on(world, machine, known))
                return SAY("machine %.4s has another text of %s", machine->id, name);
        if (!told)
                return SAY("machine %.4s has %s, and does not say so", machine->id, name);
        if (!str_equals(told->record.active, state.active) || !str_equals(told->record.sub, state.sub) ||
            !str_equals(told->record.hash, registry_unit_hash_on(world->seen, known, machine->id)))
                return SAY("machine %.4s says of %s that it is %s (%s), and it is %s (%s)", machine->id, name, told->record.active,
                           told->record.sub, state.active, state.sub);
        if (known->desired == UNIT_LAUNCHED && !told->record.launched)
                return SAY("machine %.4s has %s, and has not started it", machine->id, name);
        if (known->desired == UNIT_LOADED && machine->running[unit])
                return SAY("machine %.4s runs %s, which is to be loaded only", machine->id, name);
        return true;
}

/* ---- what is left in the store ---- */

typedef struct Reading {
        World *world;
        char *ret;
        size_t size;
        bool good;
} Reading;

static bool is_used(const World *world, const char *hash) {
        map_foreach(registry_units(world->seen), entry) {
                const RegistryUnit *unit = entry->value;

                if (unit->hash && str_equals(unit->hash, hash))
                        return true;
        }
        map_foreach(registry_rolls(world->seen), entry) {
                const RollRecord *record = &((const RegistryRoll *)entry->value)->record;

                if (str_equals(record->from, hash) || str_equals(record->to, hash))
                        return true;
        }
        return false;
}

/* A lost update stays until its unit goes. */
static bool updates_have_units(World *world, char *ret, size_t size) {
        map_foreach(registry_rolls(world->seen), entry) {
                const RegistryRoll *roll = entry->value;

                if (!registry_unit(world->seen, roll->unit))
                        return SAY("an update of %s is in the store, and no such unit", roll->unit);
        }
        return true;
}

static void on_texts(void *userdata, const StoreReply *reply) {
        Reading *reading = userdata;

        for (size_t i = 0; reply->node && i < reply->node->node_count; i++) {
                const char *hash = store_node_name(&reply->node->nodes[i]);

                if (is_used(reading->world, hash))
                        continue;
                (void)snprintf(reading->ret, reading->size, "the text %.6s is in the store, and no unit has it", hash);
                reading->good = false;
        }
}

static bool texts_are_used(World *world, char *ret, size_t size) {
        const StoreRequest request = {.verb = STORE_GET, .key = REGISTRY_PREFIX_DEFAULT "unit"};
        Reading reading = {world, ret, size, true};

        if (storeclient_send(fake_store_client(world->store), &request, on_texts, &reading, NULL) < 0)
                abort();
        store_run(world);
        return reading.good;
}

bool end_is_reached(World *world, char *ret, size_t size) {
        store_run(world);
        if (!people_rest(world))
                return SAY("somebody's order is not over");
        if (!machines_are_there(world, ret, size))
                return false;
        for (size_t i = 0; i < world->plan.units; i++)
                if (!unit_is_placed(world, i, ret, size))
                        return false;
        if (!conflicts_are_apart(world, ret, size) || !orders_are_done(world, ret, size))
                return false;
        for (size_t i = 0; i < world->plan.machines; i++)
                for (size_t j = 0; !world->machines[i].lost && j < world->plan.units; j++)
                        if (!unit_is_here(world, &world->machines[i], j, ret, size))
                                return false;
        return updates_have_units(world, ret, size) && texts_are_used(world, ret, size);
}
