/* What starts after, with and because of what, and what stops with it. */
#include <errno.h>

#include "host/embedded-internal.h"

enum { ORDER_DEPTH_MAX = 64 };

static bool is_coming_up(const Unit *unit) {
        return unit->start_queued || unit->machine.state == SERVICE_START_PRE || unit->machine.state == SERVICE_START ||
               unit->machine.state == SERVICE_START_POST;
}

/* Whether `unit` waits, over units that wait for others, for `target`: a ring. */
static bool waits_for(Embedded *e, const Unit *unit, const Unit *target, unsigned depth) {
        const StringList *after = &unit->definition.options.after;

        if (!unit->start_queued || depth > ORDER_DEPTH_MAX)
                return depth > ORDER_DEPTH_MAX;
        for (size_t i = 0; i < after->length; i++) {
                const Unit *other = embedded_find(e, after->items[i]);

                if (other && (other == target || (other != unit && waits_for(e, other, target, depth + 1))))
                        return true;
        }
        return false;
}

/* After= of this unit and Before= of others, as far as they are loaded here. */
static bool must_wait(Embedded *e, const Unit *unit) {
        const StringList *after = &unit->definition.options.after;

        for (size_t i = 0; i < after->length; i++) {
                const Unit *other = embedded_find(e, after->items[i]);

                if (other && other != unit && is_coming_up(other) && !waits_for(e, other, unit, 0))
                        return true;
        }
        list_foreach(&e->units, node) {
                const Unit *other = container_of(node, Unit, link);

                if (other != unit && is_coming_up(other) &&
                    string_list_contains(&other->definition.options.before, unit->name) &&
                    !string_list_contains(&unit->definition.options.before, other->name))
                        return true;
        }
        return false;
}

/* A required unit that it is ordered after and that has failed; NULL: none. */
static const Unit *failed_requirement(Embedded *e, const Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        const StringList *lists[] = {&o->requires, &o->requisite, &o->binds_to};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->length; k++) {
                        const Unit *other = embedded_find(e, lists[i]->items[k]);

                        if (other && other != unit && string_list_contains(&o->after, other->name) &&
                            unit_has_failed(other))
                                return other;
                }
        return NULL;
}

static void begin(Unit *unit) {
        if (unit->next && (unit_at_rest(unit) || unit->machine.state == SERVICE_AUTO_RESTART))
                unit_take_next(unit);
        if (unit_kind(unit) == UNIT_TRIGGER) {
                trigger_begin(unit);
                return;
        }
        service_start(&unit->machine, clock_monotonic());
        unit_drive(unit);
}

void embedded_start_queued(Embedded *e) {
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);
                const Unit *failed;

                if (!unit->start_queued || must_wait(e, unit))
                        continue;
                unit->start_queued = false;
                unit->tell_triggers = true; /* even if it ends at once, in the state it had */
                failed = failed_requirement(e, unit);
                if (failed) {
                        unit_fail_starts(unit, "%s was not started: it requires %s, which has failed", unit->name, failed->name);
                        unit_mark_dirty(unit);
                        continue;
                }
                begin(unit);
        }
}

/* What a start pulls in: Requires=, BindsTo= and Wants=, as far as loaded here and at rest. */
void unit_queue_start(Unit *unit, unsigned depth) {
        Embedded *e = unit->owner;
        const ServiceOptions *o = &unit->definition.options;
        const StringList *lists[] = {&o->requires, &o->binds_to, &o->wants};

        if (unit->start_queued || depth > ORDER_DEPTH_MAX)
                return;
        unit->start_queued = true;
        unit_mark_dirty(unit);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->length; k++) {
                        Unit *other = embedded_find(e, lists[i]->items[k]);

                        if (other && unit_at_rest(other))
                                unit_queue_start(other, depth + 1);
                }
}

/* Those that may not go on without `unit`. `asked`: it was stopped by hand, which Requires= and PartOf= follow, too. */
void unit_stop_dependents(const Unit *unit, bool asked) {
        Embedded *e = unit->owner;

        list_foreach(&e->units, node) {
                Unit *other = container_of(node, Unit, link);
                const ServiceOptions *o = &other->definition.options;

                if (other == unit || (unit_at_rest(other) && !other->start_queued))
                        continue;
                if (string_list_contains(&o->binds_to, unit->name) ||
                    (asked && (string_list_contains(&o->requires, unit->name) ||
                               string_list_contains(&o->part_of, unit->name)))) {
                        if (!other->machine.forbid_restart || other->start_queued) {
                                unit_note(other, "stops with %s", unit->name);
                                unit_stop(other, "stopped with a unit that it depends on");
                        }
                }
        }
}

void unit_stop(Unit *unit, const char *why) {
        unit->start_queued = false;
        unit_cancel_jobs(unit, JOB_START, why);
        if (unit_kind(unit) == UNIT_TRIGGER) {
                trigger_stop(&unit->trigger);
                trigger_drive(unit);
        } else {
                service_stop(&unit->machine, clock_monotonic());
                unit_drive(unit);
        }
        unit_stop_dependents(unit, true);
}

