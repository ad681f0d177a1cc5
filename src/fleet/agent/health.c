#include "fleet/agent/health.h"

#include <errno.h>

#include "base/heap.h"
#include "base/map.h"

typedef struct HealthUnit {
        Health *health;
        char *name;
        HealthCheck check;
        Usec interval, timeout;
        HeapNode due; /* in health->due; its key is USEC_INFINITY while it is being asked */
        HealthProbe *probe;
        HealthState state;
} HealthUnit;

struct Health {
        const HealthProbeOps *ops;
        void *prober;
        HealthChanged changed;
        void *userdata;
        Map units; /* name → HealthUnit */
        Heap due;  /* HealthUnit */
        Usec now;  /* of the last run */
};

const char *health_state_to_string(HealthState state) {
        static const char *const names[] = {[HEALTH_NONE] = "",
                                            [HEALTH_PENDING] = "pending",
                                            [HEALTH_PASSING] = "passing",
                                            [HEALTH_FAILING] = "failing"};

        return names[state];
}

Health *health_new(const HealthProbeOps *ops, void *prober, HealthChanged changed, void *userdata) {
        Health *health = calloc(1, sizeof(*health));

        if (health)
                *health = (Health){.ops = ops, .prober = prober, .changed = changed, .userdata = userdata};
        return health;
}

static void unit_free(HealthUnit *unit) {
        if (unit->probe)
                unit->health->ops->cancel(unit->probe);
        heap_remove(&unit->health->due, &unit->due);
        health_check_deinit(&unit->check);
        free(unit->name);
        free(unit);
}

Health *health_free(Health *health) {
        if (!health)
                return NULL;
        map_foreach (&health->units, entry)
                unit_free(entry->value);
        map_deinit(&health->units);
        heap_deinit(&health->due);
        free(health);
        return NULL;
}

/* Can fail only the first time: later there is the room that it had. */
static int unit_put_off(HealthUnit *unit, Usec due) {
        heap_remove(&unit->health->due, &unit->due);
        unit->due.key = due;
        return heap_insert(&unit->health->due, &unit->due);
}

int health_watch(Health *health, const char *name, HealthCheck *check, Usec interval, Usec timeout, Usec now) {
        HealthUnit *unit;

        health_forget(health, name);
        if (health->units.length >= HEALTH_UNITS_MAX)
                return -ENOSPC;
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return -ENOMEM;
        *unit = (HealthUnit){.health = health,
                             .name = strdup(name),
                             .interval = interval,
                             .timeout = timeout,
                             .due = HEAP_NODE_INIT,
                             .state = HEALTH_PENDING};
        if (!unit->name || unit_put_off(unit, now) < 0 || map_put(&health->units, slice_from(unit->name), unit, NULL) < 0) {
                unit_free(unit);
                return -ENOMEM;
        }
        unit->check = *check;
        *check = (HealthCheck){0};
        return 0;
}

void health_forget(Health *health, const char *name) {
        HealthUnit *unit = map_remove(&health->units, slice_from(name));

        if (unit)
                unit_free(unit);
}

/* Tells only what is news: the same fault in other words is none. */
static void unit_settle(HealthUnit *unit, const char *why) {
        Health *health = unit->health;
        HealthState state = *why ? HEALTH_FAILING : HEALTH_PASSING;

        (void)unit_put_off(unit, health->now + unit->interval);
        if (state == unit->state)
                return;
        unit->state = state;
        health->changed(health->userdata, unit->name, state, why);
}

static void on_probed(void *userdata, const char *why) {
        HealthUnit *unit = userdata;

        unit->probe = NULL;
        unit_settle(unit, why);
}

void health_run(Health *health, Usec now) {
        HeapNode *first;

        health->now = now;
        while ((first = heap_first(&health->due)) && first->key <= now) {
                HealthUnit *unit = container_of(first, HealthUnit, due);

                (void)unit_put_off(unit, USEC_INFINITY);
                if (health->ops->start(health->prober, &unit->check, unit->timeout, on_probed, unit, &unit->probe) < 0)
                        unit_settle(unit, "the check cannot be carried out");
        }
}

Usec health_next(const Health *health) {
        const HeapNode *first = heap_first(&health->due);

        return first ? first->key : USEC_INFINITY;
}
