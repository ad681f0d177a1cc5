#include "fleet/schedule/schedule.h"

#include <errno.h>

/* Whether all units of MachineOf= occupy the machine. */
static bool peers_are_here(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine) {
        for (size_t i = 0; i < unit->requirements.peers.length; i++) {
                const PictureUnit *peer = picture_unit(picture, unit->requirements.peers.items[i]);

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

/* Whether `by` replaces the unit: the other way round as well, it counts as neither. */
static bool replaces(const PictureUnit *by, const PictureUnit *unit) {
        bool forth = false, back = false;

        for (size_t i = 0; i < by->replaces.length; i++)
                forth = forth || has_pattern(&unit->matched, by->replaces.items[i]);
        for (size_t i = 0; forth && i < unit->replaces.length; i++)
                back = back || has_pattern(&by->matched, unit->replaces.items[i]);
        return forth && !back && by != unit;
}

/* The counters tell whether anyone there could; only then the occupants are looked through. */
static const PictureUnit *replacer_here(const PictureUnit *unit, const PictureMachine *machine) {
        bool any = false;

        for (size_t i = 0; i < unit->matched.length; i++)
                any = any || unit->matched.items[i]->counts[machine->slot].replacing > 0;
        for (size_t i = 0; any && i < machine->occupants.length; i++)
                if (replaces(machine->occupants.items[i], unit))
                        return machine->occupants.items[i];
        return NULL;
}

bool schedule_is_able(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine,
                      ObstacleKind *ret_kind) {
        const UnitRequirements *requirements = &unit->requirements;
        ObstacleKind kind;

        if (!machine->present)
                kind = OBSTACLE_GONE;
        else if (requirements->machine_id && !machine_id_matches(machine->id, requirements->machine_id))
                kind = OBSTACLE_MACHINE;
        else if (!picture_admits(machine, requirements))
                kind = OBSTACLE_METADATA;
        else if (!peers_are_here(picture, unit, machine))
                kind = OBSTACLE_PEER;
        else if (conflicts_here(unit, machine, picture_occupies(unit, machine)))
                kind = OBSTACLE_CONFLICT;
        else if (replacer_here(unit, machine))
                kind = OBSTACLE_REPLACED;
        else
                return true;
        if (ret_kind)
                *ret_kind = kind;
        return false;
}

static size_t load_without(const PictureMachine *machine, const PictureUnit *unit) {
        return picture_machine_load(machine) - (picture_occupies(unit, machine) ? 1 : 0);
}

Decision schedule_decide(const Picture *picture, const PictureUnit *unit) {
        Decision decision = {0};

        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                PictureMachine *machine = picture->slots[slot];
                ObstacleKind kind;
                size_t load;

                if (!machine)
                        continue;
                decision.machines++;
                if (!schedule_is_able(picture, unit, machine, &kind)) {
                        Refusal *refusal = &decision.refusals[kind];

                        refusal->count++;
                        if (!refusal->example || strcmp(machine->id, refusal->example->id) < 0)
                                refusal->example = machine;
                        continue;
                }
                decision.eligible++;
                load = load_without(machine, unit);
                if (decision.machine &&
                    (load > decision.load || (load == decision.load && strcmp(machine->id, decision.machine->id) > 0)))
                        continue;
                decision.machine = machine;
                decision.load = load;
        }
        return decision;
}

int schedule_describe(const Decision *decision, Buffer *to) {
        static const char *const words[OBSTACLE_KINDS] = {
                [OBSTACLE_GONE] = "left the cluster",
                [OBSTACLE_MACHINE] = "excluded by MachineID",
                [OBSTACLE_METADATA] = "excluded by MachineMetadata",
                [OBSTACLE_PEER] = "without a unit that it must join",
                [OBSTACLE_CONFLICT] = "with a unit in conflict",
                [OBSTACLE_REPLACED] = "with a unit that replaces it",
        };
        const char *separator;

        if (decision->machine)
                (void)buffer_printf(to, "least loaded of %zu eligible machine%s (%zu unit%s)", decision->eligible,
                                    decision->eligible == 1 ? "" : "s", decision->load,
                                    decision->load == 1 ? "" : "s");
        else
                (void)buffer_append_string(to, decision->machines ? "no machine may run it" : "there is no machine");
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
