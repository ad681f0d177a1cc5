#pragma once
/* Carries out health checks on a loop: HTTP requests, TCP connections, commands. */
#include <uv.h>

#include "fleet/agent/health.h"

typedef struct HealthProber HealthProber;

/* NULL without memory. */
HealthProber *health_prober_new(uv_loop_t *loop);

/* Once no probe is under way (health_free()); memory goes when the loop has run. */
void health_prober_close(HealthProber *prober);

/* For a Health whose prober this is. */
extern const HealthProbeOps health_prober_ops;
