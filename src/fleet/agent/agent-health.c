/* How units do while they run, as far as their texts ask for it: their checks, and their failures. */
#include <errno.h>

#include "fleet/agent/agent-internal.h"

enum { FORGET_SEC = 1 };

/* Of the text that it was loaded from, which is read only when it is needed: that is rare. */
static bool read_requirements(const AgentUnit *unit, UnitRequirements *ret) {
        _cleanup_unitfile_ UnitFile file = {0};
        char hash[UNIT_HASH_HEX_SIZE];
        const char *text;

        unit_hash_to_hex(&unit->hash, hash);
        text = registry_text(unit->agent->registry, hash);
        return text && unitfile_parse(&file, slice_from(text), NULL, NULL) >= 0 &&
               unit_requirements_read(&file, unit->name, ret) >= 0;
}

/* ---- checks ---- */

static void agent_watch_health(AgentUnit *unit) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        _cleanup_health_check_ HealthCheck check = {0};
        Agent *agent = unit->agent;
        Error error = ERROR_NONE;
        int r;

        if (!read_requirements(unit, &requirements) || !requirements.health_check)
                return;
        unit->health = HEALTH_FAILING;
        r = health_check_parse(requirements.health_check, &check, &error);
        if (r >= 0)
                r = health_watch(agent->health, unit->name, &check, requirements.health_interval,
                                 requirements.health_timeout, agent->now);
        if (r >= 0)
                unit->health = HEALTH_PENDING;
        else
                unit->health_text = str_printf("HealthCheck=%s cannot be carried out: %s", requirements.health_check,
                                               error.text[0] ? error.text : strerror(-r));
}

/* As long as the unit is active; one that was started anew is asked anew. */
void agent_follow_health(AgentUnit *unit) {
        Agent *agent = unit->agent;
        bool active = unit->loaded && str_equals(unit->state.active, "active");

        if (!agent->health || active == unit->watched || !registry_is_loaded(agent->registry))
                return;
        unit->watched = active;
        health_forget(agent->health, unit->name);
        unit->health = HEALTH_NONE;
        free(unit->health_text);
        unit->health_text = NULL;
        if (active)
                agent_watch_health(unit);
}

static void on_health(void *userdata, const char *name, HealthState state, const char *why) {
        Agent *agent = userdata;
        AgentUnit *unit = agent_unit(agent, name);

        if (!unit)
                return;
        unit->health = state;
        free(unit->health_text);
        unit->health_text = *why ? strdup(why) : NULL;
        agent_touch_state(unit);
}

int agent_enable_health(Agent *agent, const HealthProbeOps *ops, void *prober) {
        agent->health = health_new(ops, prober, on_health, agent);
        return agent->health ? 0 : -ENOMEM;
}

void agent_disable_health(Agent *agent) {
        agent->health = health_free(agent->health);
}

/* ---- failures ---- */

static bool unit_failures_within(const AgentUnit *unit, Usec *ret) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};

        if (!read_requirements(unit, &requirements) || requirements.move_after == 0)
                return false;
        *ret = requirements.failures_within;
        return true;
}

void agent_count_failure(AgentUnit *unit) {
        Usec within;

        if (!unit_failures_within(unit, &within))
                return;
        failures_add(&unit->failures, unit->agent->now, within);
        if (unit->agent->forget == 0)
                unit->agent->forget = unit->agent->now + FORGET_SEC * USEC_PER_SEC;
}

/* Old failures are forgotten when there is something to do anyway. */
void agent_forget_failures(Agent *agent) {
        if (agent->forget == 0 || agent->now < agent->forget)
                return;
        agent->forget = 0;
        map_foreach(&agent->units, entry) {
                AgentUnit *unit = entry->value;

                if (failures_forget(&unit->failures, agent->now))
                        agent_touch_state(unit);
                if (unit->failures.length > 0)
                        agent->forget = agent->now + FORGET_SEC * USEC_PER_SEC;
        }
}
