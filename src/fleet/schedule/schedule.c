#include "fleet/schedule/schedule.h"

#include <errno.h>

#include "fleet/schedule/picture-touch.h"

/* Whether all units of MachineOf= occupy the machine. */
static bool peers_are_here(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine) {
        for (size_t i = 0; i < unit->requirements->peers.length; i++) {
                const PictureUnit *peer = picture_unit(picture, unit->requirements->peers.items[i]);

                if (!peer || !picture_occupies(peer, machine))
                        return false;
        }
        return true;
}

static bool has_pattern(const PicturePatterns *list, const PicturePattern *pattern) {
        for (size_t i = 0; i < list->length; i++)
                if (list->items[i] == pattern)
                        return true;
        return false;
}

/* `here`: the unit is on the machine, and has been counted there. */
static bool conflicts_here(const PictureUnit *unit, const PictureMachine *machine, bool here) {
        for (size_t i = 0; i < unit->conflicts.length; i++) {
                const PicturePattern *pattern = unit->conflicts.items[i];
                uint32_t self = here && has_pattern(&unit->matched, pattern);

                if (pattern->counts[machine->slot].matching > self)
                        return true;
        }
        for (size_t i = 0; i < unit->matched.length; i++) {
                const PicturePattern *pattern = unit->matched.items[i];
                uint32_t self = here && has_pattern(&unit->conflicts, pattern);

                if (pattern->counts[machine->slot].conflicting > self)
                        return true;
        }
        return false;
}

/* The counters tell whether anyone there could; only then the occupants are looked through. */
static const PictureUnit *replacer_here(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine) {
        bool any = false;

        for (size_t i = 0; i < unit->matched.length; i++)
                any = any || unit->matched.items[i]->counts[machine->slot].replacing > 0;
        for (size_t i = 0; any && i < machine->occupants.length; i++)
                if (schedule_replaces(picture, machine->occupants.items[i], unit))
                        return machine->occupants.items[i];
        return NULL;
}

/* The rest of a machine's memory or CPUs, the unit left aside. */
static uint64_t left_of(uint64_t all, uint64_t used, uint64_t own) {
        used -= min_of(own, used);
        return all > used ? all - used : 0;
}

uint64_t schedule_memory_left(const PictureUnit *unit, const PictureMachine *machine) {
        uint64_t own = unit_resources_memory(&unit->resources, machine->memory);

        return left_of(machine->memory, machine->memory_used, picture_occupies(unit, machine) ? own : 0);
}

uint64_t schedule_cpu_left(const PictureUnit *unit, const PictureMachine *machine) {
        return left_of(machine->cpu, machine->cpu_used, picture_occupies(unit, machine) ? unit->resources.cpu : 0);
}

/* Of a machine that does not tell what it has, all is taken to be enough. */
static bool memory_is_short(const PictureUnit *unit, const PictureMachine *machine) {
        uint64_t wanted = unit_resources_memory(&unit->resources, machine->memory);

        return wanted > 0 && machine->memory > 0 && wanted > schedule_memory_left(unit, machine);
}

static bool cpu_is_short(const PictureUnit *unit, const PictureMachine *machine) {
        uint64_t wanted = unit->resources.cpu;

        return wanted > 0 && machine->cpu > 0 && wanted > schedule_cpu_left(unit, machine);
}

/* The first in the order of the kinds, or OBSTACLE_KINDS. `staying`: those only that drive a unit away. */
static ObstacleKind first_obstacle(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine, bool staying) {
        const UnitRequirements *requirements = unit->requirements;

        if (!machine->present)
                return OBSTACLE_GONE;
        if (requirements->machine_id && !machine_id_matches(machine->id, requirements->machine_id))
                return OBSTACLE_MACHINE;
        if (!picture_admits(machine, requirements))
                return OBSTACLE_METADATA;
        if (!staying && machine->cordon != CORDON_NONE)
                return OBSTACLE_CORDONED;
        if (!staying && picture_ban(unit, machine))
                return OBSTACLE_FAILED;
        if (!peers_are_here(picture, unit, machine))
                return OBSTACLE_PEER;
        if (conflicts_here(unit, machine, picture_occupies(unit, machine)))
                return OBSTACLE_CONFLICT;
        if (replacer_here(picture, unit, machine))
                return OBSTACLE_REPLACED;
        if (!staying && memory_is_short(unit, machine))
                return OBSTACLE_MEMORY;
        if (!staying && cpu_is_short(unit, machine))
                return OBSTACLE_CPU;
        return OBSTACLE_KINDS;
}

bool schedule_is_able(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine,
                      ObstacleKind *ret_kind) {
        ObstacleKind kind = first_obstacle(picture, unit, machine, false);

        if (ret_kind && kind != OBSTACLE_KINDS)
                *ret_kind = kind;
        return kind == OBSTACLE_KINDS;
}

bool schedule_may_stay(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine,
                       ObstacleKind *ret_kind) {
        ObstacleKind kind = first_obstacle(picture, unit, machine, true);

        if (ret_kind && kind != OBSTACLE_KINDS)
                *ret_kind = kind;
        return kind == OBSTACLE_KINDS;
}

static size_t load_without(const PictureMachine *machine, const PictureUnit *unit) {
        return picture_machine_load(machine) - (picture_occupies(unit, machine) ? 1 : 0);
}

/* Units on the machine that the unit avoids. One that two of its globs match counts twice: it is only a wish. */
static size_t avoided_here(const PictureUnit *unit, const PictureMachine *machine) {
        size_t count = 0;

        for (size_t i = 0; i < unit->avoids.length; i++) {
                const PicturePattern *pattern = unit->avoids.items[i];

                count += pattern->counts[machine->slot].matching;
                if (picture_occupies(unit, machine) && has_pattern(&unit->matched, pattern))
                        count--;
        }
        return count;
}

/* Others of the unit's group on machines that have the same value as this one. */
static size_t spread_here(const PictureUnit *unit, const PictureMachine *machine) {
        const char *key = unit->requirements->spread, *value;
        size_t count = 0;

        if (!unit->group)
                return 0;
        value = picture_machine_metadata(machine, key);
        if (!value)
                return SPREAD_NO_VALUE;
        for (size_t i = 0; i < unit->group->members.length; i++) {
                const PictureUnit *other = unit->group->members.items[i];
                const char *theirs = other != unit && other->counted ? picture_machine_metadata(other->target, key) : NULL;

                count += theirs && str_equals(theirs, value);
        }
        return count;
}

bool schedule_is_no_worse(const PictureUnit *unit, const PictureMachine *here, const PictureMachine *there) {
        return avoided_here(unit, here) <= avoided_here(unit, there) && spread_here(unit, here) <= spread_here(unit, there);
}

typedef struct Score {
        size_t avoided, spread, load;
} Score;

static bool score_is_better(const Score *a, const char *a_id, const Score *b, const char *b_id) {
        if (a->avoided != b->avoided)
                return a->avoided < b->avoided;
        if (a->spread != b->spread)
                return a->spread < b->spread;
        if (a->load != b->load)
                return a->load < b->load;
        return strcmp(a_id, b_id) < 0;
}

static void note_refusal(Decision *decision, ObstacleKind kind, const PictureMachine *machine) {
        Refusal *refusal = &decision->refusals[kind];

        refusal->count++;
        if (!refusal->example || strcmp(machine->id, refusal->example->id) < 0)
                refusal->example = machine;
}

Decision schedule_decide(const Picture *picture, const PictureUnit *unit) {
        Decision decision = {0};
        Score best = {0};

        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                PictureMachine *machine = picture->slots[slot];
                ObstacleKind kind;
                Score score;

                if (!machine)
                        continue;
                decision.machines++;
                if (!schedule_is_able(picture, unit, machine, &kind)) {
                        note_refusal(&decision, kind, machine);
                        continue;
                }
                decision.eligible++;
                score = (Score){avoided_here(unit, machine), spread_here(unit, machine), load_without(machine, unit)};
                if (decision.machine && !score_is_better(&score, machine->id, &best, decision.machine->id))
                        continue;
                decision.machine = machine;
                best = score;
        }
        decision.load = best.load;
        decision.avoided = best.avoided;
        decision.spread = best.spread;
        decision.spreads = unit->group ? unit->requirements->spread : NULL;
        return decision;
}

static bool is_able(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine) {
        return first_obstacle(picture, unit, machine, false) == OBSTACLE_KINDS;
}

Decision schedule_decide_quickly(Picture *picture, const PictureUnit *unit) {
        Decision decision = {.quick = true};

        if (picture->machines.length < SCHEDULE_QUICK_MACHINES || unit->counted || unit->group || unit->avoids.length > 0)
                return schedule_decide(picture, unit);
        decision.machine = picture_least_loaded(picture, unit, is_able, &decision.eligible);
        if (!decision.machine && !picture->index.valid) /* there was no memory for it */
                return schedule_decide(picture, unit);
        decision.machines = picture->machines.length;
        decision.load = decision.machine ? picture_machine_load(decision.machine) : 0;
        return decision;
}

static void describe_wishes(const Decision *decision, Buffer *to) {
        if (decision->avoided > 0)
                (void)buffer_printf(to, ", though with %zu that it avoids", decision->avoided);
        if (!decision->spreads)
                return;
        if (decision->spread == SPREAD_NO_VALUE)
                (void)buffer_printf(to, ", though it has no %s to spread over", decision->spreads);
        else
                (void)buffer_printf(to, " with %s=%s, which has the fewest of its group (%zu)", decision->spreads,
                                    picture_machine_metadata(decision->machine, decision->spreads), decision->spread);
}

int schedule_describe(const Decision *decision, Buffer *to) {
        static const char *const words[OBSTACLE_KINDS] = {
                [OBSTACLE_GONE] = "left the cluster",
                [OBSTACLE_MACHINE] = "excluded by MachineID",
                [OBSTACLE_METADATA] = "excluded by MachineMetadata",
                [OBSTACLE_CORDONED] = "cordoned",
                [OBSTACLE_FAILED] = "on which it has failed",
                [OBSTACLE_PEER] = "without a unit that it must join",
                [OBSTACLE_CONFLICT] = "with a unit in conflict",
                [OBSTACLE_REPLACED] = "with a unit that replaces it",
                [OBSTACLE_MEMORY] = "with too little memory left",
                [OBSTACLE_CPU] = "with too little CPU left",
        };
        const char *separator;

        if (decision->quick && decision->machine)
                (void)buffer_printf(to, "least loaded that may run it, of %zu machine%s that its requirements admit (%zu unit%s)",
                                    decision->eligible, decision->eligible == 1 ? "" : "s", decision->load,
                                    decision->load == 1 ? "" : "s");
        else if (decision->machine)
                (void)buffer_printf(to, "least loaded of %zu eligible machine%s (%zu unit%s)", decision->eligible,
                                    decision->eligible == 1 ? "" : "s", decision->load, decision->load == 1 ? "" : "s");
        else
                (void)buffer_append_string(to, decision->machines ? "no machine may run it" : "there is no machine");
        if (decision->machine)
                describe_wishes(decision, to);
        separator = decision->machine ? "; not " : ": ";
        for (size_t i = 0; i < OBSTACLE_KINDS; i++) {
                const Refusal *refusal = &decision->refusals[i];

                if (refusal->count == 0)
                        continue;
                (void)buffer_printf(to, "%s%zu %s (such as %s)", separator, refusal->count, words[i],
                                    refusal->example->id);
                separator = ", ";
        }
        return buffer_failed(to);
}
