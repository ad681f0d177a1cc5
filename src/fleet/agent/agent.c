#include <errno.h>
#include <stdarg.h>

#include "fleet/agent/agent-internal.h"

/* ---- units ---- */

AgentUnit *agent_unit(Agent *agent, const char *name) {
        return map_get(&agent->units, slice_from(name));
}

AgentUnit *agent_unit_make(Agent *agent, const char *name) {
        AgentUnit *unit = agent_unit(agent, name);

        if (unit)
                return unit;
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return NULL;
        unit->agent = agent;
        unit->in_flight = TASK_NONE;
        unit->state = (KeptState){.load = "", .active = "", .sub = "", .result = ""};
        unit->name = strdup(name);
        if (!unit->name || map_put(&agent->units, slice_from(unit->name), unit, NULL) < 0) {
                free(unit->name);
                free(unit);
                return NULL;
        }
        return unit;
}

static void agent_unit_free(AgentUnit *unit) {
        free(unit->name);
        kept_state_deinit(&unit->state);
        free(unit->told);
        free(unit->failure);
        free(unit->health_text);
        failures_deinit(&unit->failures);
        free(unit);
}

void agent_unit_settle(AgentUnit *unit) {
        if (unit->loaded || unit->held || unit->in_flight != TASK_NONE || unit->state_writing || unit->state_written)
                return;
        (void)map_remove(&unit->agent->units, slice_from(unit->name));
        agent_unit_free(unit);
}

void agent_note(Agent *agent, const char *format, ...) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        va_list args;

        va_start(args, format);
        (void)buffer_vprintf(&text, format, args);
        va_end(args);
        if (buffer_string(&text))
                agent->events->note(agent->userdata, buffer_string(&text));
}

/* ---- what the supervisor tells ---- */

static void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        Agent *agent = userdata;
        AgentUnit *unit = agent_unit(agent, name);
        SupervisorState before;

        if (!unit)
                return;
        kept_state_fill(&unit->state, &before);
        if (failures_are_more(&before, state))
                agent_count_failure(unit);
        (void)kept_state_set(&unit->state, &agent->words, state);
        agent_follow_health(unit);
        touched_add(&agent->touched, name);
        if (str_equals(state->load, "not-found"))
                return;
        agent_touch_state(unit);
}

static void on_lost(void *userdata, int r, const Error *error) {
        Agent *agent = userdata;

        (void)r;
        agent_note(agent, "%s", error->text);
}

const SupervisorEvents agent_supervisor_events = {.changed = on_changed, .lost = on_lost};

/* ---- comparing ---- */

static bool agent_wants(Agent *agent, const RegistryUnit *unit) {
        const AgentUnit *here = agent_unit(agent, unit->name);

        if (agent->leaving || !registry_unit_is_complete(unit) || unit->desired == UNIT_INACTIVE)
                return false;
        return (unit->machine && str_equals(unit->machine, agent->machine)) ||
               (unit->source && str_equals(unit->source, agent->machine)) ||
               agent->runs_global(agent->userdata, unit->name, here && here->loaded);
}

static ActiveState active_state(const char *word) {
        static const char *const words[] = {
                [ACTIVE_INACTIVE] = "inactive",   [ACTIVE_ACTIVATING] = "activating",     [ACTIVE_ACTIVE] = "active",
                [ACTIVE_RELOADING] = "reloading", [ACTIVE_DEACTIVATING] = "deactivating", [ACTIVE_FAILED] = "failed",
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (str_equals(word, words[i]))
                        return (ActiveState)i;
        return ACTIVE_INACTIVE;
}

/* What reconcile() is told; as much room as there can be units to look at. */
typedef struct Comparison {
        ReconcileDesired *desired;
        ReconcileCurrent *current;
        size_t n_desired, n_current;
} Comparison;

static void comparison_deinit(Comparison *comparison) {
        free(comparison->desired);
        free(comparison->current);
}

static void add_desired(Agent *agent, const RegistryUnit *unit, Comparison *comparison) {
        ReconcileDesired *one = &comparison->desired[comparison->n_desired];
        const char *hash;

        if (!agent_wants(agent, unit))
                return;
        hash = registry_unit_hash_on(agent->registry, unit, agent->machine);
        if (unit_hash_from_hex(slice_from(hash), &one->hash) < 0)
                return;
        one->name = unit->name;
        one->state = unit->desired;
        if (one->state == UNIT_LAUNCHED && agent->events->rests && agent->events->rests(agent->userdata, unit))
                one->state = UNIT_LOADED;
        comparison->n_desired++;
}

static void add_current(const AgentUnit *unit, Comparison *comparison) {
        if (!unit->loaded && !unit->held && unit->in_flight == TASK_NONE)
                return;
        comparison->current[comparison->n_current++] = (ReconcileCurrent){
                .name = unit->name,
                .hash = unit->hash,
                .active = active_state(unit->state.active),
                .start_asked = unit->start_asked,
                /* one that is held gets no task */
                .in_flight = unit->held && unit->in_flight == TASK_NONE ? TASK_RELOAD : unit->in_flight,
        };
}

static int compare_all(Agent *agent, Comparison *comparison) {
        comparison->desired = calloc(registry_units(agent->registry)->length + 1, sizeof(*comparison->desired));
        comparison->current = calloc(agent->units.length + 1, sizeof(*comparison->current));
        if (!comparison->desired || !comparison->current)
                return -ENOMEM;
        map_foreach(registry_units(agent->registry), entry)
                add_desired(agent, entry->value, comparison);
        map_foreach(&agent->units, entry)
                add_current(entry->value, comparison);
        return 0;
}

static int compare_touched(Agent *agent, const Map *names, Comparison *comparison) {
        comparison->desired = calloc(names->length + 1, sizeof(*comparison->desired));
        comparison->current = calloc(names->length + 1, sizeof(*comparison->current));
        if (!comparison->desired || !comparison->current)
                return -ENOMEM;
        map_foreach(names, entry) {
                const RegistryUnit *wanted = registry_unit(agent->registry, entry->value);
                const AgentUnit *here = agent_unit(agent, entry->value);

                if (wanted)
                        add_desired(agent, wanted, comparison);
                if (here)
                        add_current(here, comparison);
        }
        return 0;
}

/* Tasks go out together, except that one waits for the task that it builds on: the end of that one brings the next
 * run. */
static int agent_reconcile(Agent *agent, const Touched *touched) {
        _cleanup_(comparison_deinit) Comparison comparison = {0};
        _cleanup_reconcile_plan_ ReconcilePlan plan = {0};
        int r = touched->all ? compare_all(agent, &comparison) : compare_touched(agent, &touched->names, &comparison);

        if (r >= 0)
                r = reconcile(comparison.desired, comparison.n_desired, comparison.current, comparison.n_current,
                              &plan);
        if (r < 0)
                return r;
        for (size_t i = 0; i < plan.length; i++)
                if (plan.tasks[i].after == RECONCILE_INDEPENDENT)
                        agent_do(agent, &plan.tasks[i]);
        return 0;
}

/* ---- running and leaving ---- */

static void agent_settle_leave(Agent *agent) {
        void (*left)(void *userdata) = agent->left;

        if (!agent->leaving || !left)
                return;
        if (!agent_is_idle(agent))
                return;
        map_foreach(&agent->units, entry)
                if (((const AgentUnit *)entry->value)->state_writing)
                        return;
        agent->left = NULL;
        left(agent->userdata);
}

/* Those that an earlier run of the program has left are watched once their texts are known. That a unit is loaded is
 * told unless it is being started now: then what comes of that is. What the store does not take has its own time. */
static void agent_settle_unit(AgentUnit *unit) {
        const Agent *agent = unit->agent;

        agent_follow_health(unit);
        if (unit->in_flight == TASK_NONE && !agent->retrying && !agent->retry)
                agent_write_state(unit);
}

static void agent_settle_touched(Agent *agent, const Touched *touched) {
        if (touched->all) {
                map_foreach(&agent->units, entry)
                        agent_settle_unit(entry->value);
                return;
        }
        map_foreach(&touched->names, entry) {
                AgentUnit *unit = agent_unit(agent, entry->value);

                if (unit)
                        agent_settle_unit(unit);
        }
}

/* What is touched meanwhile is for the next run. */
static void agent_look(Agent *agent) {
        Touched touched = agent->touched;

        agent->touched = (Touched){0};
        agent_correct_states(agent, &touched);
        if (agent_reconcile(agent, &touched) < 0)
                touched_add(&agent->touched, NULL);
        agent_settle_touched(agent, &touched);
        touched_deinit(&touched);
}

void agent_run(Agent *agent, Usec now) {
        agent->now = now;
        agent_release_held(agent);
        agent_forget_failures(agent);
        /* who leaves need not know what is wanted */
        if (!agent->listed || (!agent->leaving && (!agent->met || !registry_is_loaded(agent->registry))))
                return;
        agent_retry_states(agent);
        if (touched_any(&agent->touched))
                agent_look(agent);
        if (agent->health)
                health_run(agent->health, now);
        agent_settle_leave(agent);
}

Usec agent_next(const Agent *agent) {
        Usec again = min_of(agent->retry ?: USEC_INFINITY, agent->held_until ?: USEC_INFINITY);

        if (!agent->met || !registry_is_loaded(agent->registry)) /* that wakes everyone */
                return USEC_INFINITY;
        return min_of(again, agent->health ? health_next(agent->health) : USEC_INFINITY);
}

void agent_leave(Agent *agent, void (*left)(void *userdata)) {
        agent->leaving = true;
        agent->left = left;
        agent_touch_all(agent);
        agent_run(agent, agent->now);
}

/* ---- the beginning ---- */

static void on_listed_unit(void *userdata, const SupervisorUnit *found) {
        Agent *agent = userdata;
        AgentUnit *unit = agent_unit_make(agent, found->name);

        if (!unit)
                return;
        unit->loaded = true;
        unit->start_asked = found->start_asked;
        unit->start_known = found->start_known;
        (void)kept_state_set(&unit->state, &agent->words, &found->state);
        (void)unit_hash_from_hex(slice_from(found->tag), &unit->hash); /* without one it differs from any text */
        unit->state_dirty = true;
}

/*
 * What a supervisor does not know of a unit's start is in the state that the earlier run of this program wrote. Without
 * that a unit counts as started by us if it is to be launched, and runs: what its socket or timer has started nobody
 * has to stop.
 */
static void agent_recall_start(AgentUnit *unit) {
        const RegistryState *state = registry_state(unit->agent->registry, unit->agent->machine, unit->name);
        const RegistryUnit *wanted = registry_unit(unit->agent->registry, unit->name);
        ActiveState active;

        if (unit->start_known)
                return;
        active = active_state(unit->state.active);
        unit->start_known = true;
        if (state)
                unit->start_asked = state->record.launched;
        else
                unit->start_asked = wanted && wanted->desired == UNIT_LAUNCHED && active != ACTIVE_INACTIVE &&
                                    active != ACTIVE_FAILED;
}

/* Once both the supervisor and the store have been heard, and whenever the store was read anew: the states that it has
 * of this machine may not be ours. */
static void agent_meet(Agent *agent) {
        if (!agent->listed || !registry_is_loaded(agent->registry))
                return;
        map_foreach(&agent->units, entry)
                agent_recall_start(entry->value);
        agent->met = true;
        map_foreach(&agent->units, entry)
                agent_meet_state(entry->value);
        agent_touch_all(agent);
}

static void on_listed(void *userdata, int r, const Error *error) {
        Agent *agent = userdata;

        agent->listed = true;
        if (r < 0)
                agent_note(agent, "cannot list the units that are there: %s", error->text);
        agent_meet(agent);
        agent->events->wake(agent->userdata);
}

void agent_start(Agent *agent, Supervisor *supervisor) {
        agent->supervisor = supervisor;
        supervisor_list(supervisor, on_listed_unit, on_listed, agent);
}

void agent_registry_changed(Agent *agent, RegistryChange change, const char *subject) {
        switch (change) {
        case REGISTRY_LOADED:
                agent_meet(agent);
                break;
        case REGISTRY_MACHINE: /* where global units run */
                agent_touch_all(agent);
                break;
        case REGISTRY_UNIT:
        case REGISTRY_PLACEMENT:
        case REGISTRY_STATE:
                touched_add(&agent->touched, subject);
                break;
        case REGISTRY_LEASE:
                break;
        }
}

void agent_touch_all(Agent *agent) {
        touched_add(&agent->touched, NULL);
}

int agent_new(const char *machine, Registry *registry, const AgentEvents *events, AgentRunsGlobal runs_global,
              void *userdata, Agent **ret_agent) {
        Agent *agent = calloc(1, sizeof(*agent));

        if (!agent)
                return -ENOMEM;
        *agent = (Agent){
                .machine = machine,
                .registry = registry,
                .events = events,
                .runs_global = runs_global,
                .userdata = userdata,
        };
        *ret_agent = agent;
        return 0;
}

Agent *agent_free(Agent *agent) {
        if (!agent)
                return NULL;
        map_foreach(&agent->units, entry)
                agent_unit_free(entry->value);
        map_deinit(&agent->units);
        words_deinit(&agent->words);
        health_free(agent->health);
        touched_deinit(&agent->touched);
        free(agent);
        return NULL;
}

bool agent_is_idle(const Agent *agent) {
        map_foreach(&agent->units, entry) {
                const AgentUnit *unit = entry->value;

                if (unit->loaded || unit->in_flight != TASK_NONE)
                        return false;
        }
        return true;
}

size_t agent_units(const Agent *agent) {
        size_t count = 0;

        map_foreach(&agent->units, entry)
                count += ((const AgentUnit *)entry->value)->loaded;
        return count;
}
