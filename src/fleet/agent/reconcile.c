#include "fleet/agent/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

void reconcile_plan_deinit(ReconcilePlan *plan) {
        free(plan->tasks);
        *plan = (ReconcilePlan){0};
}

const char *task_kind_to_string(TaskKind kind) {
        static const char *const names[] = {"unload", "load", "reload", "stop", "start", "none"};

        return names[kind];
}

static int add_task(ReconcilePlan *plan, TaskKind kind, const char *unit, const char *reason) {
        if (plan->length == plan->capacity) {
                size_t capacity = plan->capacity ? plan->capacity * 2 : 16;
                ReconcileTask *larger = reallocarray(plan->tasks, capacity, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                plan->tasks = larger;
                plan->capacity = capacity;
        }
        plan->tasks[plan->length++] = (ReconcileTask){kind, unit, reason, RECONCILE_INDEPENDENT};
        return 0;
}

static bool is_started(const ReconcileCurrent *current) {
        return current->start_asked || current->active == ACTIVE_ACTIVE || current->active == ACTIVE_ACTIVATING ||
               current->active == ACTIVE_RELOADING;
}

static bool is_starter(const char *name) {
        return str_ends_with(name, ".timer") || str_ends_with(name, ".socket") || str_ends_with(name, ".path");
}

bool reconcile_is_started_by(const char *starter, const char *service) {
        size_t stem = strlen(service) - min_of(strlen(service), strlen(".service"));

        return is_starter(starter) && str_ends_with(service, ".service") && strncmp(starter, service, stem) == 0 &&
               starter + stem == strrchr(starter, '.');
}

/* Whether the service that the unit starts is to be here and is not yet: the end of its load brings the next reconcile. */
static bool lacks_service(const char *name, const Map *wanted, const Map *loaded) {
        char service[UNIT_NAME_MAX + sizeof(".service")];
        const ReconcileCurrent *current;

        if (!is_starter(name) || strlen(name) > UNIT_NAME_MAX)
                return false;
        (void)snprintf(service, sizeof(service), "%.*s.service", (int)(strrchr(name, '.') - name), name);
        if (!map_get(wanted, slice_from(service)))
                return false;
        current = map_get(loaded, slice_from(service));
        return !current || current->in_flight == TASK_LOAD || current->in_flight == TASK_UNLOAD;
}

/* Takes out starts whose time has not come. */
static void put_off_starts(ReconcilePlan *plan, const Map *wanted, const Map *loaded) {
        size_t kept = 0;

        for (size_t i = 0; i < plan->length; i++)
                if (plan->tasks[i].kind != TASK_START || !lacks_service(plan->tasks[i].unit, wanted, loaded))
                        plan->tasks[kept++] = plan->tasks[i];
        plan->length = kept;
}

static int load(const ReconcileDesired *desired, const char *reason, ReconcilePlan *plan) {
        int r;

        r = add_task(plan, TASK_LOAD, desired->name, reason);
        if (r < 0 || desired->state != UNIT_LAUNCHED)
                return r;
        return add_task(plan, TASK_START, desired->name, "it is to be launched");
}

/* `desired` is NULL, or wants the unit here. */
static int reconcile_loaded(const ReconcileDesired *desired, const ReconcileCurrent *current, ReconcilePlan *plan) {
        bool starting = current->in_flight == TASK_START;
        int r;

        if (current->in_flight != TASK_NONE && !starting)
                return 0;
        if (!desired)
                return add_task(plan, TASK_UNLOAD, current->name, "it is not wanted here");
        if (!unit_hash_equals(&desired->hash, &current->hash)) {
                r = add_task(plan, TASK_UNLOAD, current->name, "its text has changed");
                return r < 0 ? r : load(desired, "its text has changed", plan);
        }
        if (desired->state == UNIT_LAUNCHED && !is_started(current) && !starting)
                return add_task(plan, TASK_START, current->name, "it is to be launched");
        /* what its socket, timer or path has started runs on */
        if (desired->state == UNIT_LOADED && (current->start_asked || starting))
                return add_task(plan, TASK_STOP, current->name, "it is to be loaded only");
        return 0;
}

static int compare_tasks(const void *a, const void *b) {
        const ReconcileTask *x = a, *y = b;

        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        if (x->kind == TASK_START && is_starter(x->unit) != is_starter(y->unit))
                return is_starter(x->unit) ? 1 : -1;
        return x->unit && y->unit ? strcmp(x->unit, y->unit) : 0;
}

/* A load builds on the unload of the same unit, a start on its load. */
static int link_tasks(ReconcilePlan *plan) {
        _cleanup_map_ Map previous = {0};
        int r;

        for (size_t i = 0; i < plan->length; i++) {
                ReconcileTask *task = &plan->tasks[i];
                void *before;

                if (!task->unit)
                        continue;
                r = map_put(&previous, slice_from(task->unit), task, &before);
                if (r < 0)
                        return r;
                if (before)
                        task->after = (size_t)((ReconcileTask *)before - plan->tasks);
        }
        return 0;
}

static int finish(ReconcilePlan *plan) {
        bool changed = false;
        int r;

        for (size_t i = 0; i < plan->length; i++)
                changed = changed || plan->tasks[i].kind == TASK_LOAD || plan->tasks[i].kind == TASK_UNLOAD;
        if (changed) {
                r = add_task(plan, TASK_RELOAD, NULL, "units were loaded or unloaded");
                if (r < 0)
                        return r;
        }
        if (plan->length > 1)
                qsort(plan->tasks, plan->length, sizeof(*plan->tasks), compare_tasks);
        return link_tasks(plan);
}

int reconcile(const ReconcileDesired *desired, size_t n_desired, const ReconcileCurrent *current, size_t n_current,
              ReconcilePlan *ret) {
        _cleanup_reconcile_plan_ ReconcilePlan plan = {0};
        _cleanup_map_ Map wanted = {0}, loaded = {0};
        int r;

        for (size_t i = 0; i < n_desired; i++) {
                if (desired[i].state == UNIT_INACTIVE)
                        continue;
                r = map_put(&wanted, slice_from(desired[i].name), (void *)(uintptr_t)&desired[i], NULL);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n_current; i++) {
                r = map_put(&loaded, slice_from(current[i].name), (void *)(uintptr_t)&current[i], NULL);
                if (r < 0)
                        return r;
                r = reconcile_loaded(map_get(&wanted, slice_from(current[i].name)), &current[i], &plan);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n_desired; i++) {
                if (desired[i].state == UNIT_INACTIVE || map_get(&loaded, slice_from(desired[i].name)))
                        continue;
                r = load(&desired[i], "it is not loaded", &plan);
                if (r < 0)
                        return r;
        }
        put_off_starts(&plan, &wanted, &loaded);
        r = finish(&plan);
        if (r < 0)
                return r;
        *ret = plan;
        plan = (ReconcilePlan){0};
        return 0;
}
