/* What must hold at every moment: units run where they may, stop and move only for a reason that can be named. */
#include <stdio.h>

#include "world.h"

/* Until what has happened is judged: what belongs together has been written by then. */
#define JUDGE_AFTER (6 * USEC_PER_SEC)
/* With something wrong on the way, news come as late as faults last. */
#define REASON_AGE_TROUBLED (150 * USEC_PER_SEC)
/* For a unit that may run on two machines while a fault lasts: to end on one of them when it is over. */
#define DOUBLE_MOST (40 * USEC_PER_SEC)
/* A daemon that came back needs that to see and stop what it is not to run any more. */
#define SIGHT_TIME (20 * USEC_PER_SEC)

enum { TURNS_IN_A_SECOND = 600 };

static bool is_recent(const World *world, Usec at, Usec age) {
        return at != 0 && at + age > world->now;
}

static Usec reason_age(const World *world, const Machine *machine) {
        bool troubled = is_recent(world, world->store_troubled, REASON_AGE) || (machine && machine_is_troubled(machine, REASON_AGE));

        return troubled ? REASON_AGE_TROUBLED : REASON_AGE;
}

/* Of whoever may have led in the last while. */
static Usec engine_reason_age(const World *world) {
        Usec age = REASON_AGE;

        for (size_t i = 0; i < world->plan.machines; i++)
                age = max_of(age, reason_age(world, &world->machines[i]));
        return age;
}

static const RegistryUnit *seen_unit(const World *world, size_t unit) {
        const RegistryUnit *known = registry_unit(world->seen, world->units[unit].name);

        return known && registry_unit_is_complete(known) ? known : NULL;
}

const Spec *watch_spec(const World *world, size_t unit) {
        const RegistryUnit *known = seen_unit(world, unit);

        return known ? spec_find(world, known->hash) : NULL;
}

const Spec *watch_spec_on(const World *world, const Machine *machine, const RegistryUnit *known) {
        return spec_find(world, registry_unit_hash_on(world->seen, known, machine->id));
}

bool watch_wants(World *world, const Machine *machine, size_t unit) {
        const RegistryUnit *known = seen_unit(world, unit);
        const PictureUnit *pictured;
        const PictureMachine *here;

        if (!known || known->desired == UNIT_INACTIVE)
                return false;
        if ((known->machine && str_equals(known->machine, machine->id)) || (known->source && str_equals(known->source, machine->id)))
                return true;
        pictured = picture_unit(&world->cluster.picture, known->name);
        here = picture_machine(&world->cluster.picture, machine->id);
        if (!pictured || !pictured->requirements->global)
                return false;
        if (!here || !here->present) /* that its key ran out is no reason to stop what runs there */
                return machine->loaded[unit] == watch_spec_on(world, machine, known);
        return picture_occupies(pictured, here);
}

/* ---- what the store says ---- */

/* That it is to run there, with the text that was loaded there. */
static bool wants_running(World *world, const Machine *machine, size_t unit) {
        const RegistryUnit *known = seen_unit(world, unit);

        return known && known->desired == UNIT_LAUNCHED && watch_wants(world, machine, unit) &&
               machine->loaded[unit] == watch_spec_on(world, machine, known);
}

static void note_unwanted(World *world, size_t unit) {
        for (size_t i = 0; i < world->plan.machines; i++)
                if (!wants_running(world, &world->machines[i], unit))
                        world->machines[i].unwanted[unit] = world->now;
}

static uint32_t read_placements(World *world, size_t unit) {
        const RegistryUnit *known = registry_unit(world->seen, world->units[unit].name);
        uint32_t bits = 0;

        for (size_t i = 0; known && i < known->n_placements; i++) {
                int machine = world_machine(world, known->placements[i].machine);

                if (machine != NOBODY)
                        bits |= (uint32_t)1 << machine;
        }
        return bits;
}

static void note_placements(World *world, size_t index) {
        Unit *unit = &world->units[index];
        uint32_t placed = read_placements(world, index);

        for (size_t i = 0; i < world->plan.machines; i++) {
                Machine *machine = &world->machines[i];
                const RegistryMachine *known = registry_machine(world->seen, machine->id);
                uint32_t bit = (uint32_t)1 << i;

                if ((unit->placed & bit) && !(placed & bit)) {
                        world_tell(world, NULL, "%s is not placed on %.4s any more", unit->name, machine->id);
                        if (known && known->present)
                                unit->moved_from[i] = world->now;
                        if (unit->place == (int)i)
                                machine->left[index] = world->now;
                }
                if (!(unit->placed & bit) && (placed & bit)) {
                        if (machine->banned[index] && !is_recent(world, machine->banned[index], 5 * USEC_PER_SEC))
                                world_violate(world, "%s is placed on machine %.4s, where it has failed", unit->name, machine->id);
                        world_count(world, COUNT_PLACEMENTS);
                        world_tell(world, NULL, "%s is placed on %.4s", unit->name, machine->id);
                }
                if ((unit->placed | placed) & bit)
                        machine->held[index] = world->now;
        }
        if (unit->placed != placed)
                unit->moved = world->now;
        unit->placed = placed;
}

/* Of the text that it has. */
static void note_bans(World *world, size_t index, const RegistryUnit *known) {
        for (size_t i = 0; i < world->plan.machines; i++) {
                Machine *machine = &world->machines[i];
                _cleanup_free_ char *key = str_printf("%s/%s", world->units[index].name, machine->id);
                const RegistryBan *ban = key ? map_get(registry_bans(world->seen), slice_from(key)) : NULL;
                bool banned = ban && known && known->hash && str_equals(ban->record.hash, known->hash);

                if (!banned)
                        machine->banned[index] = 0;
                else if (!machine->banned[index])
                        machine->banned[index] = world->now;
        }
}

static void note_unit(World *world, size_t index) {
        const RegistryUnit *known = registry_unit(world->seen, world->units[index].name);
        Unit *unit = &world->units[index];
        const char *hash = known && known->hash ? known->hash : "";
        UnitState desired = known ? known->desired : UNIT_INACTIVE;

        note_placements(world, index);
        note_bans(world, index, known);
        if (!str_equals(unit->hash, hash) || unit->desired != desired) {
                unit->changed = world->now;
                world_tell(world, NULL, "%s is to be %s (%.6s)", unit->name, unit_state_to_string(desired), hash);
        }
        (void)snprintf(unit->hash, sizeof(unit->hash), "%s", hash);
        unit->desired = desired;
        unit->place = known && known->machine ? world_machine(world, known->machine) : NOBODY;
        if (known && known->source && !unit->hands_over)
                world_count(world, COUNT_HAND_OVERS);
        if (unit->hands_over || (known && known->source))
                unit->handed_over = world->now;
        unit->hands_over = known && known->source;
        if (known && known->n_placements > (unit->hands_over ? 2 : 1))
                world_violate(world, "%s is placed on %zu machines, and is not handed over", unit->name, known->n_placements);
        if (map_get(registry_moves(world->seen), slice_from(unit->name)))
                unit->ordered = world->now;
        note_unwanted(world, index);
}

static void note_machine(World *world, Machine *machine) {
        const RegistryMachine *known = registry_machine(world->seen, machine->id);

        if (!known || !known->present)
                machine->absent = world->now;
        if (known && known->cordon == CORDON_DRAINING)
                machine->drained = world->now;
}

static void note_globals(World *world) {
        for (size_t i = 0; i < world->plan.units; i++) {
                const Spec *spec = watch_spec(world, i);

                if (spec && spec->global)
                        note_unwanted(world, i);
        }
}

static void note_leader(World *world) {
        const char *leader = registry_leader(world->seen);

        if (leader && !str_equals(world->leader, leader)) {
                world_count(world, COUNT_LEADERS);
                world_tell(world, NULL, "the engine of %.4s has the lease", leader);
        }
        (void)snprintf(world->leader, sizeof(world->leader), "%s", leader ?: "");
}

static void on_changed(void *userdata, RegistryChange change, const char *subject) {
        World *world = userdata;
        int index;

        (void)cluster_update(&world->cluster, change, subject);
        switch (change) {
        case REGISTRY_MACHINE:
                index = world_machine(world, subject);
                if (index == NOBODY)
                        return;
                note_machine(world, &world->machines[index]);
                world->machines[index].rezoned = world->now;
                note_globals(world);
                break;
        case REGISTRY_UNIT:
        case REGISTRY_PLACEMENT:
                index = world_unit(world, subject);
                if (index != NOBODY)
                        note_unit(world, (size_t)index);
                note_globals(world);
                break;
        case REGISTRY_LEASE:
                note_leader(world);
                break;
        default:
                break;
        }
}

static void on_reachable(void *userdata, int r, const Error *error) {
        (void)userdata; /* it always is */
        (void)r;
        (void)error;
}

const RegistryEvents watch_events = {on_changed, on_reachable};

/* ---- moves ---- */

/* Whether another unit there gives the reason. */
static bool other_is_reason(const World *world, const Machine *machine, size_t unit, size_t other, Usec age) {
        const Spec *mine = spec_find(world, world->units[unit].hash), *theirs = watch_spec(world, other);

        if (other == unit || !mine)
                return false;
        if (mine->peers >> other & 1)
                return is_recent(world, world->units[other].moved, age) || is_recent(world, world->units[other].changed, age) ||
                       world->units[other].place != machine->index;
        if (!is_recent(world, machine->held[other], age) && !(theirs && theirs->global))
                return false;
        if (!theirs || is_recent(world, world->units[other].changed, age)) /* with the text that it had */
                return true;
        return specs_conflict(mine, unit, theirs, other) || (theirs->replaces >> unit & 1) || (mine->replaces >> other & 1);
}

/* It has to be where another is, or another where it is. */
static bool is_bound(const World *world, size_t index) {
        for (size_t i = 0; i < world->plan.units; i++) {
                const Spec *spec = watch_spec(world, i);

                if (spec && ((i == index && spec->peers) || spec->peers >> index & 1))
                        return true;
        }
        return false;
}

static const char *why_left(const World *world, const Machine *machine, size_t index) {
        const Unit *unit = &world->units[index];
        const Spec *spec = spec_find(world, unit->hash);
        Usec age = engine_reason_age(world) + JUDGE_AFTER;

        if (!spec || unit->desired == UNIT_INACTIVE || spec->global || is_recent(world, unit->changed, age))
                return "it is another, or not wanted";
        if (is_recent(world, machine->absent, age) && is_recent(world, machine->at_fault, age + 3 * world->plan.ttl))
                return "the machine was gone";
        if (is_recent(world, machine->drained, age) && (spec->no_overlap || is_bound(world, index)))
                return "the machine is drained";
        if (is_recent(world, unit->ordered, age) || is_recent(world, unit->handed_over, age))
                return "it moves";
        if (spec->move_after > 0 && machine->failed[index])
                return "it has failed there";
        if ((spec->zone || spec->machine != NOBODY) && is_recent(world, machine->rezoned, age))
                return "the machine is another";
        for (size_t i = 0; i < world->plan.units; i++)
                if (other_is_reason(world, machine, index, i, age))
                        return "of another unit";
        return NULL;
}

static void judge_move(World *world, Machine *machine, size_t unit) {
        const RegistryMachine *known = registry_machine(world->seen, machine->id);

        if (machine->left[unit] == 0 || world->now < machine->left[unit] + JUDGE_AFTER)
                return;
        machine->left[unit] = 0;
        if (!why_left(world, machine, unit))
                world_violate(world, "%s was taken away from machine %.4s without a reason (%s)", world->units[unit].name, machine->id,
                              known && known->present ? "it is there and well" : "it was well, and its key ran out");
}

/* ---- stops ---- */

/* What the agent can read in its own mirror says that it is to run, with the text that it has. */
static bool is_known_as_wanted(Machine *machine, size_t unit) {
        const char *name = machine->world->units[unit].name;
        const RegistryUnit *known = machine->alive ? registry_unit(machine->registry, name) : NULL;
        const Spec *spec = machine->loaded[unit];

        if (!known || !registry_unit_is_complete(known) || known->desired != UNIT_LAUNCHED || !spec ||
            !str_equals(spec->hash, registry_unit_hash_on(machine->registry, known, machine->id)))
                return false;
        return (known->machine && str_equals(known->machine, machine->id)) || (known->source && str_equals(known->source, machine->id)) ||
               cluster_runs_global(&machine->cluster, machine->id, name, true);
}

void watch_stop(Machine *machine, size_t unit) {
        World *world = machine->world;
        const Spec *spec = machine->loaded[unit];
        bool wanted = wants_running(world, machine, unit) && !is_recent(world, machine->unwanted[unit], reason_age(world, machine));

        if (machine->leaving || (!wanted && !is_known_as_wanted(machine, unit)))
                return;
        if (spec && spec->stop && machine->partitioned &&
            (machine_is_troubled(machine, 2 * world->plan.ttl) || is_recent(world, world->store_troubled, 2 * world->plan.ttl)))
                return;
        world_violate(world, "machine %.4s stops %s, which is to run there", machine->id, world->units[unit].name);
}

/* ---- two at once ---- */

static bool is_blind(const Machine *machine) {
        return machine->blind == USEC_INFINITY || is_recent(machine->world, machine->blind, SIGHT_TIME);
}

/* A unit that stops when its machine has lost the store never runs on two, but where someone had it moved. */
static void judge_double(Machine *machine, Machine *other, size_t index) {
        World *world = machine->world;
        const Unit *unit = &world->units[index];
        const Spec *spec = other->loaded[index];

        world_count(world, COUNT_DOUBLES);
        world_tell(world, machine, "%s runs on %.4s, too", unit->name, other->id);
        if (!spec || spec->global || !spec->stop || is_blind(other) || is_blind(machine))
                return;
        if (!spec->no_overlap && (unit->hands_over || is_recent(world, unit->handed_over, REASON_AGE_TROUBLED)))
                return;
        if (is_recent(world, unit->moved_from[other->index], REASON_AGE_TROUBLED) || is_recent(world, unit->moved_from[machine->index], REASON_AGE_TROUBLED) ||
            is_recent(world, unit->changed, REASON_AGE_TROUBLED))
                return;
        world_violate(world, "%s has OnPartition=stop and runs on the machines %.4s and %.4s at once", unit->name, other->id, machine->id);
}

void watch_unit_changed(Machine *machine, size_t unit, const SupervisorState *state) {
        World *world = machine->world;
        bool running = str_equals(state->active, "active") || str_equals(state->active, "activating") ||
                       str_equals(state->active, "deactivating");
        bool begins = running && !machine->running[unit];

        world_tell(world, machine, "%s is %s", world->units[unit].name, state->active);
        machine->running[unit] = running;
        if (str_equals(state->active, "failed"))
                machine->failed[unit] = world->now;
        for (size_t i = 0; begins && i < world->plan.machines; i++)
                if ((int)i != machine->index && world->machines[i].running[unit])
                        judge_double(machine, &world->machines[i], unit);
}

static bool any_trouble(const World *world, Usec age) {
        for (size_t i = 0; i < world->plan.machines; i++)
                if (machine_is_troubled(&world->machines[i], age))
                        return true;
        return world->store_state != STORE_WELL || is_recent(world, world->store_troubled, age);
}

/* Also those that may run twice while a fault lasts run once in the end. */
static void look_for_doubles(World *world, size_t index) {
        Unit *unit = &world->units[index];
        const Spec *spec = watch_spec(world, index);
        size_t count = 0;

        for (size_t i = 0; i < world->plan.machines; i++)
                count += world->machines[i].running[index];
        if (count < 2 || !spec || spec->global || unit->hands_over || any_trouble(world, 0) || is_recent(world, unit->changed, REASON_AGE))
                unit->doubled = 0;
        else if (unit->doubled == 0)
                unit->doubled = world->now;
        else if (unit->doubled + DOUBLE_MOST < world->now)
                world_violate(world, "%s has run on %zu machines for %llu s, and nothing is wrong with any of them", unit->name, count,
                              (unsigned long long)(DOUBLE_MOST / USEC_PER_SEC));
}

static bool has_conflict(const World *world, const Machine *machine, size_t *ret_a, size_t *ret_b) {
        for (size_t i = 0; i < world->plan.units; i++)
                for (size_t j = i + 1; machine->running[i] && j < world->plan.units; j++)
                        if (machine->running[j] && machine->loaded[i] && machine->loaded[j] &&
                            specs_conflict(machine->loaded[i], i, machine->loaded[j], j)) {
                                *ret_a = i;
                                *ret_b = j;
                                return true;
                        }
        return false;
}

static void look_for_conflicts(World *world, Machine *machine) {
        size_t a, b;

        if (!has_conflict(world, machine, &a, &b) || any_trouble(world, 0))
                machine->conflict = 0;
        else if (machine->conflict == 0)
                machine->conflict = world->now;
        else if (machine->conflict + DOUBLE_MOST < world->now)
                world_violate(world, "%s and %s conflict, and run both on machine %.4s", world->units[a].name, world->units[b].name, machine->id);
}

/* No two engines believe to hold the lease. */
void watch_leaders(Machine *machine) {
        World *world = machine->world;

        if (!machine->alive || !engine_leads(machine->engine, machine_clock(machine)))
                return;
        for (size_t i = 0; i < world->plan.machines; i++) {
                Machine *other = &world->machines[i];

                if (other != machine && other->alive && engine_leads(other->engine, machine_clock(other)))
                        world_violate(world, "the engines of %.4s and %.4s both lead", machine->id, other->id);
        }
}

static void look_for_spinning(World *world, Machine *machine) {
        if (machine->all_turns - machine->turns_seen > TURNS_IN_A_SECOND)
                world_violate(world, "the daemon of %.4s wakes %llu times in a second", machine->id,
                              (unsigned long long)(machine->all_turns - machine->turns_seen));
        machine->turns_seen = machine->all_turns;
}

static void on_look(World *world, Timer *timer) {
        store_run(world);
        note_globals(world);
        for (size_t i = 0; i < world->plan.machines; i++) {
                Machine *machine = &world->machines[i];

                note_machine(world, machine);
                if (machine_is_troubled(machine, 0))
                        machine->troubled = machine->at_fault = world->now;
                look_for_spinning(world, machine);
                look_for_conflicts(world, machine);
                for (size_t j = 0; j < world->plan.units; j++) {
                        if (!wants_running(world, machine, j))
                                machine->unwanted[j] = world->now;
                        if (world->units[j].placed >> i & 1)
                                machine->held[j] = world->now;
                        judge_move(world, machine, j);
                }
        }
        for (size_t i = 0; i < world->plan.units; i++)
                look_for_doubles(world, i);
        if (world->store_state != STORE_WELL)
                world->store_troubled = world->now;
        world_schedule(world, timer, world->now + USEC_PER_SEC);
}

void watch_init(World *world) {
        world->look = TIMER_INIT(on_look);
        world_schedule(world, &world->look, world->now + USEC_PER_SEC);
}
