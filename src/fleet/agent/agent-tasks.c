/* The agent's tasks for the supervisor, and what comes of them. */
#include <errno.h>

#include "fleet/agent/agent-internal.h"

enum { HOLD_SEC = 1 };

/* A timer, socket or path that could not start without its service is tried again now that the service is here. */
static void agent_retry_starters(Agent *agent, const char *service) {
        static const char *const suffixes[] = {".timer", ".socket", ".path"};

        for (size_t i = 0; str_ends_with(service, ".service") && i < ARRAY_SIZE(suffixes); i++) {
                int length = (int)(strlen(service) - strlen(".service"));
                _cleanup_free_ char *name = str_printf("%.*s%s", length, service, suffixes[i]);
                AgentUnit *unit = name ? agent_unit(agent, name) : NULL;
                bool refused = unit && unit->failure && str_equals(unit->state.active, "inactive");

                if (unit && unit->in_flight == TASK_NONE && unit->start_asked &&
                    (refused || str_equals(unit->state.active, "failed")))
                        unit->start_asked = false;
        }
}

/* The supervisor is out of reach, or could not take a unit away: not at once again, it would end likewise. */
static void agent_hold(AgentUnit *unit) {
        Agent *agent = unit->agent;

        unit->held = true;
        if (agent->held_until == 0)
                agent->held_until = agent->now + HOLD_SEC * USEC_PER_SEC;
}

void agent_release_held(Agent *agent) {
        if (agent->held_until == 0 || agent->now < agent->held_until)
                return;
        agent->held_until = 0;
        map_foreach(&agent->units, entry) {
                AgentUnit *unit = entry->value;

                if (unit->held)
                        touched_add(&agent->touched, unit->name);
                unit->held = false;
        }
}

static void agent_note_failure(AgentUnit *unit, TaskKind kind, int r, const Error *error) {
        bool away = r == -ENOTCONN;

        unit->failure = strdup(error->text);
        agent_note(unit->agent, "cannot %s %s: %s", task_kind_to_string(kind), unit->name, error->text);
        if (kind == TASK_LOAD && r != -ECANCELED && !away) {
                /* it is kept as loaded, with the reason, until another text comes: trying again would not help */
                unit->state.load = "error";
                unit->state.active = "inactive";
                unit->state.sub = "dead";
                unit->start_asked = true;
        }
        if (away && kind == TASK_LOAD)
                unit->loaded = false;
        if (away && kind == TASK_START)
                unit->start_asked = false;
        if (away || ((kind == TASK_STOP || kind == TASK_UNLOAD) && r != -ECANCELED))
                agent_hold(unit);
}

static void on_task_done(void *userdata, int r, const Error *error) {
        AgentUnit *unit = userdata;
        Agent *agent = unit->agent;
        TaskKind kind = unit->in_flight;

        agent->tasks--;
        if (unit->cut_short > 0) { /* the supervisor ends it before what has cut it short, and that tells the outcome */
                unit->cut_short--;
                return;
        }
        unit->in_flight = TASK_NONE;
        free(unit->failure);
        unit->failure = NULL;
        if (r < 0)
                agent_note_failure(unit, kind, r, error);
        if (kind == TASK_LOAD && r >= 0)
                agent_retry_starters(agent, unit->name);
        if (kind == TASK_UNLOAD && (r >= 0 || r == -ENOENT || agent->leaving)) /* who leaves does not try for ever */
                unit->loaded = unit->start_asked = false;
        agent_follow_health(unit);
        if (kind == TASK_STOP && r >= 0)
                unit->start_asked = false;
        touched_add(&agent->touched, unit->name);
        unit->state_dirty = true;
        if (kind != TASK_LOAD) /* its start may follow at once: see agent_settle_unit() */
                agent_write_state(unit);
        agent_unit_settle(unit);
        agent->events->wake(agent->userdata);
}

static void on_reread(void *userdata, int r, const Error *error) {
        Agent *agent = userdata;

        agent->tasks--;
        if (r < 0)
                agent_note(agent, "the supervisor cannot read its units anew: %s", error->text);
}

static void agent_load(Agent *agent, AgentUnit *unit, const RegistryUnit *wanted) {
        const char *hash = registry_unit_hash_on(agent->registry, wanted, agent->machine);
        const char *text = registry_text(agent->registry, hash);

        if (!text || unit_hash_from_hex(slice_from(hash), &unit->hash) < 0)
                return;
        unit->loaded = unit->start_known = true;
        unit->start_asked = false;
        failures_deinit(&unit->failures);
        unit->in_flight = TASK_LOAD;
        agent->tasks++;
        supervisor_load(agent->supervisor, unit->name, slice_from(text), hash, on_task_done, unit);
}

void agent_do(Agent *agent, const ReconcileTask *task) {
        AgentUnit *unit;
        const RegistryUnit *wanted;

        if (task->kind == TASK_RELOAD) {
                agent->tasks++;
                supervisor_reread(agent->supervisor, on_reread, agent);
                return;
        }
        unit = agent_unit_make(agent, task->unit);
        wanted = registry_unit(agent->registry, task->unit);
        if (!unit) {
                touched_add(&agent->touched, NULL); /* without memory: with the next run */
                return;
        }
        switch (task->kind) {
        case TASK_LOAD:
                if (wanted && registry_unit_is_complete(wanted))
                        agent_load(agent, unit, wanted);
                return;
        case TASK_UNLOAD:
                unit->cut_short += unit->in_flight == TASK_START;
                unit->in_flight = TASK_UNLOAD;
                agent->tasks++;
                supervisor_unload(agent->supervisor, unit->name, on_task_done, unit);
                return;
        case TASK_STOP:
                unit->cut_short += unit->in_flight == TASK_START;
                unit->in_flight = TASK_STOP;
                agent->tasks++;
                supervisor_stop(agent->supervisor, unit->name, on_task_done, unit);
                return;
        case TASK_START:
                unit->in_flight = TASK_START;
                unit->start_asked = true;
                agent->tasks++;
                supervisor_start(agent->supervisor, unit->name, on_task_done, unit);
                return;
        default:
                return;
        }
}
