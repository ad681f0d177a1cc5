#pragma once
/*
 * Asks units again and again whether they are well, by the checks of their texts. When a check is due follows from the time it
 * is given; how one is carried out is behind a seam.
 */
#include "base/clock.h"
#include "fleet/unit/health-check.h"

/* Units that are watched on one machine. */
#define HEALTH_UNITS_MAX 4096

typedef enum HealthState {
        HEALTH_NONE,    /* it has no check, or is not active */
        HEALTH_PENDING, /* not asked yet */
        HEALTH_PASSING,
        HEALTH_FAILING,
} HealthState;

/* "", "pending", "passing", "failing". */
const char *health_state_to_string(HealthState state);

typedef struct HealthProbe HealthProbe;

/* The end of a probe: `why` is "" when the unit is well. */
typedef void (*HealthProbed)(void *userdata, const char *why);

typedef struct HealthProbeOps {
        /* Asks once. `done` is called exactly once, never from within, unless the probe is cancelled. -errno: it could not even
         * be begun. `check` is borrowed until then. */
        int (*start)(void *prober, const HealthCheck *check, Usec timeout, HealthProbed done, void *userdata,
                     HealthProbe **ret);
        void (*cancel)(HealthProbe *probe);
} HealthProbeOps;

/* A unit is in another state of health than told before. `why` says what is wrong; "" when nothing is. */
typedef void (*HealthChanged)(void *userdata, const char *unit, HealthState state, const char *why);

typedef struct Health Health;

/* All is borrowed. NULL without memory. */
Health *health_new(const HealthProbeOps *ops, void *prober, HealthChanged changed, void *userdata);

/* Cancels what is under way. */
Health *health_free(Health *health);

/* Begins to watch a unit that has become active, its first check being due at once; one that is watched already begins anew. Takes
 * over `check`. The unit is pending from now on, without a call. -ENOMEM, -ENOSPC. */
int health_watch(Health *health, const char *unit, HealthCheck *check, Usec interval, Usec timeout, Usec now);

/* It is not watched any more; no call follows. */
void health_forget(Health *health, const char *unit);

/* Starts the checks that are due. */
void health_run(Health *health, Usec now);

/* When the next one is; USEC_INFINITY: when one ends, or never. */
Usec health_next(const Health *health);
