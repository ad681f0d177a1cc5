/* What starts after, with and because of what, and what stops with it. */
#include <errno.h>

#include "host/embedded-internal.h"

enum { ORDER_DEPTH_MAX = 64 };

static bool is_coming_up(const Unit *unit) {
        return unit->start_queued || unit->machine.state == SERVICE_START_PRE || unit->machine.state == SERVICE_START ||
               unit->machine.state == SERVICE_START_POST;
}

static bool is_being_stopped(const Unit *unit) {
        const ServiceMachine *m = &unit->machine;

        return m->forbid_restart && !m->start_pending && !unit_at_rest(unit) && !unit->start_queued;
}

/* ---- the queue ---- */

static void queue(Unit *unit) {
        unit->start_queued = true;
        list_unlink(&unit->queue_link);
        list_append(&unit->owner->queued, &unit->queue_link);
        unit_mark_dirty(unit);
}

static void leave_queue(Unit *unit) {
        unit->start_queued = false;
        list_unlink(&unit->queue_link);
}

/* Those that waited for this one look again what they must wait for. */
static void release_waiting(Unit *unit) {
        while (!list_is_empty(&unit->waiting))
                queue(container_of(unit->waiting.next, Unit, queue_link));
}

void unit_forget_order(Unit *unit) {
        release_waiting(unit);
        leave_queue(unit);
        list_unlink(&unit->linger_link);
        unit_forget_names(unit);
}

/* ---- order ---- */

static bool leads_to(Unit *unit, const Unit *target, unsigned depth);

/* One step of a search: whether `other`, which comes before what was looked at, is the target or waits for it. */
static bool is_way_to(Unit *other, const Unit *target, unsigned depth) {
        return other && (other == target || leads_to(other, target, depth + 1));
}

/* Whether `unit` waits, over units that wait for others, for `target`: a ring. Each unit is looked at once. */
static bool leads_to(Unit *unit, const Unit *target, unsigned depth) {
        Embedded *e = unit->owner;
        const StringList *after = &unit->definition.options.after;

        if (!unit->start_queued || unit->visited == e->searches)
                return false;
        if (depth > ORDER_DEPTH_MAX)
                return true;
        unit->visited = e->searches;
        for (size_t i = 0; i < after->length; i++)
                if (is_way_to(embedded_find_named(e, after->items[i]), target, depth))
                        return true;
        naming_foreach(unit, NAME_USE_BEFORE, naming)
                if (is_way_to(naming.unit, target, depth))
                        return true;
        return false;
}

/* Whether `unit` is to be started only after `other`, as it stands. */
static bool must_follow(const Unit *unit, Unit *other) {
        if (!other || other == unit || !is_coming_up(other))
                return false;
        unit->owner->searches++;
        return !leads_to(other, unit, 0);
}

static bool is_ordered_after(const Unit *unit, const Unit *other) {
        const StringList *after = &unit->definition.options.after;

        for (size_t i = 0; i < after->length; i++)
                if (embedded_find_named(unit->owner, after->items[i]) == other)
                        return true;
        return string_list_contains(&other->definition.options.before, unit->name);
}

/* Goes through the loaded units that conflict with this one, by its text or by theirs, to the first that is one: or NULL. */
static Unit *find_conflicting(const Unit *unit, bool (*is_one)(const Unit *unit, Unit *other)) {
        const StringList *conflicts = &unit->definition.options.conflicts;

        for (size_t i = 0; i < conflicts->length; i++) {
                Unit *other = embedded_find_named(unit->owner, conflicts->items[i]);

                if (other && other != unit && is_one(unit, other))
                        return other;
        }
        naming_foreach(unit, NAME_USE_CONFLICTS, naming)
                if (is_one(unit, naming.unit))
                        return naming.unit;
        return NULL;
}

/* As systemd: if there is an order at all, a stop comes before a start. */
static bool must_be_gone(const Unit *unit, Unit *other) {
        return is_being_stopped(other) && (is_ordered_after(unit, other) || is_ordered_after(other, unit));
}

/* A unit that comes first, as far as it is loaded here: by After= of this one, Before= of others, or because it has to go; NULL: none. */
static Unit *find_first(const Unit *unit) {
        const StringList *after = &unit->definition.options.after;

        for (size_t i = 0; i < after->length; i++) {
                Unit *other = embedded_find_named(unit->owner, after->items[i]);

                if (must_follow(unit, other))
                        return other;
        }
        naming_foreach(unit, NAME_USE_BEFORE, naming)
                if (must_follow(unit, naming.unit))
                        return naming.unit;
        return find_conflicting(unit, must_be_gone);
}

/* ---- requirements ---- */

typedef enum Demand {
        DEMAND_NOT_FAILED, /* Requires=: if it is ordered after it */
        DEMAND_RUNS,       /* BindsTo=: the same */
        DEMAND_RUNS_NOW,   /* Requisite=: in any case */
} Demand;

static bool is_missed(const Unit *unit, const Unit *other, Demand demand) {
        if (!other || other == unit || (demand != DEMAND_RUNS_NOW && !is_ordered_after(unit, other)))
                return false;
        return demand == DEMAND_NOT_FAILED ? unit_has_failed(other) : unit_is_idle(other);
}

/* A unit that this one cannot be started without, and that is not as it must be; NULL: none. */
static const Unit *find_missed(const Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        const struct {
                const StringList *names;
                Demand demand;
        } lists[] = {{&o->requires, DEMAND_NOT_FAILED}, {&o->binds_to, DEMAND_RUNS}, {&o->requisite, DEMAND_RUNS_NOW}};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i].names->length; k++) {
                        const Unit *other = embedded_find_named(unit->owner, lists[i].names->items[k]);

                        if (is_missed(unit, other, lists[i].demand))
                                return other;
                }
        naming_foreach(unit, NAME_USE_REQUIRED_BY, naming)
                if (is_missed(unit, naming.unit, DEMAND_NOT_FAILED))
                        return naming.unit;
        return NULL;
}

/* ---- starting ---- */

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

static void start_queued(Unit *unit) {
        Unit *first = find_first(unit);
        const Unit *missed;

        if (first) {
                list_append(&first->waiting, &unit->queue_link);
                return;
        }
        leave_queue(unit);
        unit->tell_triggers = true; /* even if it ends at once, in the state it had */
        missed = find_missed(unit);
        if (!missed) {
                begin(unit);
                return;
        }
        unit_fail_starts(unit, "%s was not started: it requires %s, which %s", unit->name, missed->name,
                         unit_has_failed(missed) ? "has failed" : "does not run");
        unit_mark_dirty(unit);
}

/* Those that are queued meanwhile are for the next turn. */
void embedded_start_queued(Embedded *e) {
        List queued;

        list_take_all(&e->queued, &queued);
        while (!list_is_empty(&queued)) {
                Unit *unit = container_of(queued.next, Unit, queue_link);

                list_unlink(&unit->queue_link);
                start_queued(unit);
        }
}

/* ---- stopping ---- */

/* It is not at rest, and not on the way there because it was asked to be. */
static bool can_be_stopped(const Unit *unit) {
        return !unit_is_idle(unit) && !is_being_stopped(unit);
}

static void stop_with(Unit *other, const Unit *unit) {
        if (!other || other == unit || !can_be_stopped(other))
                return;
        unit_note(other, "stops with %s", unit->name);
        unit_stop(other, "stopped with a unit that it depends on");
}

static void stop_naming(const Unit *unit, NameUse use) {
        naming_foreach(unit, use, naming)
                stop_with(naming.unit, unit);
}

/* Those that follow a stop by hand: Requires= and its kin, and those that this one is installed for. */
static void stop_dependents(const Unit *unit) {
        const StringList *required_by = &unit->definition.options.required_by;

        stop_naming(unit, NAME_USE_BINDS_TO);
        stop_naming(unit, NAME_USE_REQUIRES);
        stop_naming(unit, NAME_USE_REQUISITE);
        stop_naming(unit, NAME_USE_PART_OF);
        for (size_t i = 0; unit->owner->enables && i < required_by->length; i++)
                stop_with(embedded_find_named(unit->owner, required_by->items[i]), unit);
}

void unit_stop(Unit *unit, const char *why) {
        leave_queue(unit);
        unit_cancel_jobs(unit, JOB_START, why);
        if (unit_kind(unit) == UNIT_TRIGGER) {
                trigger_stop(&unit->trigger);
                trigger_drive(unit);
        } else {
                service_stop(&unit->machine, clock_monotonic());
                unit_drive(unit);
        }
        stop_dependents(unit);
}

/* ---- pulling in ---- */

static void pull(Unit *other, unsigned depth) {
        if (other && unit_at_rest(other) && !unit_wants_unload(other) && unit_kind(other) != UNIT_TEMPLATE)
                unit_queue_start(other, depth + 1);
}

/* What a start pulls in, as far as loaded here and at rest: Requires=, BindsTo=, Wants= and Upholds=, and those that are installed for it. */
static void pull_all(Unit *unit, unsigned depth) {
        const ServiceOptions *o = &unit->definition.options;
        const StringList *lists[] = {&o->requires, &o->binds_to, &o->wants, &o->upholds};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->length; k++)
                        pull(embedded_find_named(unit->owner, lists[i]->items[k]), depth);
        naming_foreach(unit, NAME_USE_REQUIRED_BY, naming)
                pull(naming.unit, depth);
        naming_foreach(unit, NAME_USE_WANTED_BY, naming)
                pull(naming.unit, depth);
}

static bool is_of_this_start(const Unit *unit, Unit *other) {
        return other->start_queued && other->start == unit->owner->starts;
}

static bool stop_conflicting(const Unit *unit, Unit *other) {
        if (can_be_stopped(other)) {
                unit_note(other, "stops, as %s starts, which it conflicts with", unit->name);
                unit_stop(other, "it conflicts with a unit that is started");
        }
        return false; /* and so the next one */
}

/* What a start pulls in does not stop anything that is to be started with it. */
void unit_queue_start(Unit *unit, unsigned depth) {
        if (unit->start_queued || depth > ORDER_DEPTH_MAX)
                return;
        if (depth == 0)
                unit->owner->starts++;
        else if (find_conflicting(unit, is_of_this_start))
                return;
        (void)find_conflicting(unit, stop_conflicting);
        unit->start = unit->owner->starts;
        queue(unit);
        pull_all(unit, depth);
}

/* ---- what a new state means for others ---- */

static void restart_with(Unit *other, const Unit *unit) {
        if (unit_at_rest(other) || other->machine.forbid_restart)
                return;
        stop_with(other, unit);
        unit_queue_start(other, 0);
}

/* A service that starts again by itself takes others along as a restart by hand would. */
static void restart_dependents(Unit *unit) {
        static const NameUse uses[] = {NAME_USE_REQUIRES, NAME_USE_REQUISITE, NAME_USE_PART_OF};

        for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
                naming_foreach(unit, uses[i], naming)
                        restart_with(naming.unit, unit);
        pull_all(unit, 0);
}

/* As systemd, which lets a service that is to be started again pass through rest. */
void unit_settle_order(Unit *unit, ServiceState before) {
        const ServiceMachine *m = &unit->machine;

        if (m->state != before) {
                if ((service_at_rest(m) || m->state == SERVICE_AUTO_RESTART) && before != SERVICE_DEAD)
                        stop_naming(unit, NAME_USE_BINDS_TO);
                if (before == SERVICE_AUTO_RESTART && !service_at_rest(m) && !m->forbid_restart)
                        restart_dependents(unit);
        }
        if (!is_coming_up(unit) && !is_being_stopped(unit))
                release_waiting(unit);
}
