#pragma once
/*
 * The agent: makes this machine run what is scheduled for it, and tells the registry how its units do.
 *
 * It compares what should be here with what the supervisor has, gives the difference to the supervisor as tasks, and
 * does so again whenever either side changes. No unit waits for another.
 */
#include "fleet/agent/health.h"
#include "fleet/agent/reconcile.h"
#include "fleet/registry/registry.h"
#include "host/supervisor.h"

typedef struct Agent Agent;

typedef struct AgentEvents {
        /* What it did or could not do, for the program's log. */
        void (*note)(void *userdata, const char *text);
        /* Something has changed: call agent_run() soon. */
        void (*wake)(void *userdata);
        /* May be NULL. Whether a unit that is to run here must rest now, as this machine has lost the store and the
         * unit does not want to run on two machines (OnPartition=stop). */
        bool (*rests)(void *userdata, const RegistryUnit *unit);
} AgentEvents;

/* Failures of one unit that are remembered; MoveAfterFailures= counts no further. */
#define AGENT_FAILURES_MAX 32

/* Whether a global unit runs on this machine, where it is or not: the program asks its picture. */
typedef bool (*AgentRunsGlobal)(void *userdata, const char *unit, bool is_here);

/* All is borrowed. The supervisor's events must be agent_supervisor_events with the agent as userdata. -ENOMEM. */
int agent_new(const char *machine, Registry *registry, const AgentEvents *events, AgentRunsGlobal runs_global,
              void *userdata, Agent **ret_agent);
Agent *agent_free(Agent *agent);

/* Carries out the checks that units ask for (HealthCheck=) from now on; without it there are none. -ENOMEM. */
int agent_enable_health(Agent *agent, const HealthProbeOps *ops, void *prober);

/* Cancels those under way: no more are begun. */
void agent_disable_health(Agent *agent);

extern const SupervisorEvents agent_supervisor_events;

/* Takes over what the supervisor has from an earlier run, and begins. */
void agent_start(Agent *agent, Supervisor *supervisor);

/* Compares and acts. Does nothing until the registry is loaded. */
void agent_run(Agent *agent, Usec now);

/* When agent_run() is to be called at the latest: something that the store did not take is to be written again, or a
 * check is due. */
Usec agent_next(const Agent *agent);

/* A change of the registry (RegistryEvents). The picture that AgentRunsGlobal asks must have taken it over before. */
void agent_registry_changed(Agent *agent, RegistryChange change, const char *subject);

/* Something else has changed that units depend on: what AgentEvents.rests or AgentRunsGlobal say. */
void agent_touch_all(Agent *agent);

/* A leave for good: unloads everything. `left` is called when nothing runs any more. */
void agent_leave(Agent *agent, void (*left)(void *userdata));

/* Units that the supervisor has now. */
size_t agent_units(const Agent *agent);

/* No unit is loaded, and nothing is under way with the supervisor. */
bool agent_is_idle(const Agent *agent);
