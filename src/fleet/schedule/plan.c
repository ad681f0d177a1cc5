/* One pass of the engine over the picture. */
#include <errno.h>
#include <stdlib.h>

#include "fleet/schedule/picture-internal.h"
#include "fleet/schedule/picture-touch.h"
#include "fleet/schedule/schedule.h"

/* Marks of a unit during a pass. */
enum {
        MARK_QUEUED = 1,  /* waits for its turn to be placed */
        MARK_REPLACED = 2, /* has been made to leave by another; once in a pass, so that no ring of them turns for ever */
};

typedef struct Planner {
        Picture *picture;
        Plan *plan;
        PictureUnit **queue; /* to be placed; each unit is in it once at a time */
        size_t first, length, capacity;
} Planner;

void plan_deinit(Plan *plan) {
        for (size_t i = 0; i < plan->length; i++) {
                free(plan->steps[i].unit);
                free(plan->steps[i].machine_id);
                free(plan->steps[i].reason);
                free(plan->steps[i].from);
        }
        free(plan->steps);
        string_list_deinit(&plan->waiting);
        *plan = (Plan){0};
}

int plan_add_step(Plan *plan, PlanKind kind, const PictureUnit *unit, const PictureMachine *machine, char *reason) {
        PlanStep step = {.kind = kind, .unit = strdup(picture_unit_name(unit)), .machine_id = strdup(machine->id), .reason = reason};

        if (plan->length == plan->capacity) {
                size_t capacity = plan->capacity ? plan->capacity * 2 : 16;
                PlanStep *larger = reallocarray(plan->steps, capacity, sizeof(*larger));

                if (!larger)
                        goto failed;
                plan->steps = larger;
                plan->capacity = capacity;
        }
        if (!step.unit || !step.machine_id || !step.reason)
                goto failed;
        plan->steps[plan->length++] = step;
        return 0;

failed:
        free(step.unit);
        free(step.machine_id);
        free(step.reason);
        return -ENOMEM;
}

static int enqueue(Planner *planner, PictureUnit *unit) {
        if (unit->planned & MARK_QUEUED || unit->target || unit->desired == UNIT_INACTIVE ||
            unit->requirements->global)
                return 0;
        if (planner->length == planner->capacity) {
                size_t capacity = planner->capacity ? planner->capacity * 2 : 64;
                PictureUnit **larger = reallocarray(planner->queue, capacity, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                planner->queue = larger;
                planner->capacity = capacity;
        }
        planner->queue[planner->length++] = unit;
        unit->planned |= MARK_QUEUED;
        return 0;
}

static char *why_unable(const PictureUnit *unit, ObstacleKind kind) {
        static const char *const words[OBSTACLE_KINDS] = {
                [OBSTACLE_GONE] = "has left the cluster",
                [OBSTACLE_MACHINE] = "is not the one of its MachineID",
                [OBSTACLE_METADATA] = "no longer has the metadata it needs",
                [OBSTACLE_CORDONED] = "is cordoned",
                [OBSTACLE_FAILED] = "is one that it has failed on",
                [OBSTACLE_PEER] = "no longer has a unit that it must join",
                [OBSTACLE_CONFLICT] = "has a unit in conflict with it",
                [OBSTACLE_REPLACED] = "has a unit that replaces it",
                [OBSTACLE_MEMORY] = "has too little memory left",
                [OBSTACLE_CPU] = "has too little CPU left",
        };

        return str_printf("machine %s %s", unit->target->id, words[kind]);
}

/* Takes a unit off its machine if it may not stay. 1: it left. */
static int leave_if_unable(Planner *planner, PictureUnit *unit) {
        ObstacleKind kind;
        char *reason;
        int r;

        if (!unit->target)
                return 0;
        if (unit->requirements->global)
                reason = strdup("it is global now: every machine decides for itself");
        else if (unit->desired == UNIT_INACTIVE)
                reason = strdup("its desired state is inactive");
        else if (!schedule_may_stay(planner->picture, unit, unit->target, &kind))
                reason = why_unable(unit, kind);
        else
                return 0;
        r = plan_add_step(planner->plan, PLAN_UNSCHEDULE, unit, unit->target, reason);
        if (r < 0)
                return r;
        if (unit->source) { /* it goes on where it still runs, and is looked at there */
                r = picture_set_target(planner->picture, picture_unit_name(unit), unit->source->id);
                return r < 0 ? r : leave_if_unable(planner, unit);
        }
        r = picture_set_target(planner->picture, picture_unit_name(unit), NULL);
        return r < 0 ? r : 1;
}

/* A move whose machine of origin is gone has nothing to hand over any more. */
static int leave_source_if_gone(Planner *planner, PictureUnit *unit) {
        int r;

        if (!unit->source || unit->source->present)
                return 0;
        r = plan_add_step(planner->plan, PLAN_UNSCHEDULE, unit, unit->source, str_printf("machine %s has left the cluster", unit->source->id));
        return r < 0 ? r : picture_set_target(planner->picture, picture_unit_name(unit), unit->target->id);
}

/* A unit left: so must those that have to be where it is, and those that have to be where they are. */
static int leave_with_followers(Planner *planner, PictureUnit *unit) {
        PictureUnits left = {0};
        int r;

        r = leave_if_unable(planner, unit);
        if (r <= 0)
                return r;
        r = picture_units_add(&left, unit);
        if (r < 0)
                goto out;
        for (size_t i = 0; i < left.length; i++) {
                const PictureUnits *followers = &left.items[i]->name->followers;

                for (size_t j = 0; j < followers->length; j++) {
                        r = leave_if_unable(planner, followers->items[j]);
                        if (r < 0)
                                goto out;
                        if (r > 0) /* a unit leaves once until it is placed again: this ends */
                                r = picture_units_add(&left, followers->items[j]);
                        if (r < 0)
                                goto out;
                }
        }
        for (size_t i = 0; i < left.length; i++) {
                r = enqueue(planner, left.items[i]);
                if (r < 0)
                        goto out;
        }
        r = 1;
out:
        free(left.items);
        return r;
}

static int compare_age(const void *a, const void *b) {
        const PictureUnit *x = *(PictureUnit *const *)a, *y = *(PictureUnit *const *)b;

        if (x->order != y->order)
                return x->order < y->order ? -1 : 1;
        return strcmp(picture_unit_name(x), picture_unit_name(y));
}

/* Those that the newcomer replaces leave its machine. */
static int push_replaced(Planner *planner, const PictureUnit *unit) {
        const PictureMachine *machine = unit->target;
        PictureUnits victims = {0};
        int r = 0;

        if (unit->replaces.length == 0)
                return 0;
        victims.items = calloc(machine->occupants.length, sizeof(*victims.items));
        if (!victims.items)
                return -ENOMEM;
        for (size_t i = 0; i < machine->occupants.length; i++) {
                PictureUnit *other = machine->occupants.items[i];
                ObstacleKind kind;

                if (other->requirements->global || other->planned & MARK_REPLACED ||
                    schedule_may_stay(planner->picture, other, machine, &kind))
                        continue;
                victims.items[victims.length++] = other;
        }
        qsort(victims.items, victims.length, sizeof(*victims.items), compare_age);
        for (size_t i = 0; r >= 0 && i < victims.length; i++) {
                victims.items[i]->planned |= MARK_REPLACED;
                r = leave_with_followers(planner, victims.items[i]);
        }
        free(victims.items);
        return r < 0 ? r : 0;
}

static int place(Planner *planner, PictureUnit *unit) {
        Decision decision = schedule_decide_quickly(planner->picture, unit);
        _cleanup_buffer_ Buffer reason = BUFFER_INIT;
        int r;

        if (!decision.machine)
                return 0;
        r = schedule_describe(&decision, &reason);
        if (r < 0)
                return r;
        r = plan_add_step(planner->plan, PLAN_SCHEDULE, unit, decision.machine, buffer_steal_string(&reason, NULL));
        if (r < 0)
                return r;
        r = picture_set_target(planner->picture, picture_unit_name(unit), decision.machine->id);
        if (r < 0)
                return r;
        r = push_replaced(planner, unit);
        for (size_t i = 0; r >= 0 && i < unit->name->followers.length; i++)
                r = enqueue(planner, unit->name->followers.items[i]);
        return r;
}

/* A unit that has failed where it is goes elsewhere if there is anywhere; what must be where it is goes along. */
static int move_if_failed(Planner *planner, PictureUnit *unit) {
        const PictureBan *ban = unit->target && !unit->source && !unit->requirements->global ? picture_ban(unit, unit->target) : NULL;
        int r;

        if (!ban || !schedule_decide(planner->picture, unit).machine)
                return 0;
        r = plan_add_step(planner->plan, PLAN_UNSCHEDULE, unit, unit->target, str_printf("it has failed there: %s", ban->reason));
        if (r >= 0)
                r = picture_set_target(planner->picture, picture_unit_name(unit), NULL);
        for (size_t i = 0; r >= 0 && i < unit->name->followers.length; i++)
                r = leave_with_followers(planner, unit->name->followers.items[i]);
        return r < 0 ? r : enqueue(planner, unit);
}

static int place_queued(Planner *planner) {
        while (planner->first < planner->length) {
                PictureUnit *unit = planner->queue[planner->first++];
                int r;

                unit->planned &= ~(size_t)MARK_QUEUED;
                r = place(planner, unit);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int plan_all(Planner *planner, PictureUnit **units, size_t n) {
        int r;

        for (size_t i = 0; i < n; i++)
                units[i]->planned = 0;
        for (size_t i = n; i > 0; i--) {
                r = leave_with_followers(planner, units[i - 1]);
                if (r >= 0)
                        r = leave_source_if_gone(planner, units[i - 1]);
                if (r < 0)
                        return r;
        }
        /* those that left are in the queue by now in the order of leaving: age counts instead */
        planner->length = 0;
        for (size_t i = 0; i < n; i++) {
                units[i]->planned = 0;
                r = enqueue(planner, units[i]);
                if (r < 0)
                        return r;
        }
        r = place_queued(planner);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = move_if_failed(planner, units[i]);
        if (r >= 0)
                r = place_queued(planner);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (units[i]->target || units[i]->desired == UNIT_INACTIVE || units[i]->requirements->global)
                        continue;
                r = string_list_add(&planner->plan->waiting, picture_unit_name(units[i]));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Those that wait, or are where they have failed, are looked at again in every pass: anything may have become free. */
static void keep_waiting(Picture *picture, PictureUnit **units, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!units[i]->requirements->global && units[i]->desired != UNIT_INACTIVE &&
                    (!units[i]->target || units[i]->n_bans > 0 || units[i]->source))
                        picture_keep_touched(picture, units[i]);
}

int schedule_plan(Picture *picture, Plan *ret) {
        Planner planner = {.picture = picture, .plan = ret};
        PictureUnit **units;
        size_t n;
        int r;

        *ret = (Plan){0};
        r = picture_take_touched(picture, &units, &n);
        if (r < 0)
                return r;
        if (n > 1)
                qsort(units, n, sizeof(*units), compare_age);
        r = plan_all(&planner, units, n);
        if (r < 0)
                picture->touched_all = true;
        keep_waiting(picture, units, n);
        free(planner.queue);
        free(units);
        return r;
}
