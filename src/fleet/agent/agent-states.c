/* What the agent tells the store of its units, and what the store has of them. */
#include "fleet/agent/agent-internal.h"

enum { STATE_RETRY_SEC = 1 };

/* ---- telling ---- */

static void on_state_written(void *userdata, const StoreReply *reply) {
        AgentUnit *unit = userdata;

        bool taken = reply->r >= 0 || reply->code == STORE_KEY_NOT_FOUND;

        unit->state_writing = false;
        if (reply->r >= 0 && reply->node)
                unit->state_index = reply->node->modified;
        if (!taken) { /* nobody else knows: it is written again, see agent_retry_states() */
                unit->state_dirty = unit->agent->retrying = true;
                free(unit->told);
                unit->told = NULL;
                unit->agent->events->wake(unit->agent->userdata);
        } else if (!unit->loaded && !unit->state_dirty) {
                unit->state_written = false;
        }
        touched_add(&unit->agent->touched, unit->name);
        if (taken)
                agent_write_state(unit);
        if (!unit->state_writing)
                agent_unit_settle(unit);
}

static const char *unit_text(const AgentUnit *unit) {
        return unit->failure && *unit->failure ? unit->failure : unit->state.text ?: "";
}

static StateRecord unit_record(const AgentUnit *unit, char hash[UNIT_HASH_HEX_SIZE]) {
        unit_hash_to_hex(&unit->hash, hash);
        return (StateRecord){
                .load = unit->state.load,
                .active = unit->state.active,
                .sub = unit->state.sub,
                .hash = hash,
                .text = unit_text(unit),
                .launched = unit->start_asked,
                .health = health_state_to_string(unit->health),
                .health_text = unit->health_text,
                .failures = unit->failures.length,
        };
}

void agent_write_state(AgentUnit *unit) {
        Agent *agent = unit->agent;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        char hash[UNIT_HASH_HEX_SIZE];
        StateRecord record;

        if (!unit->state_dirty || unit->state_writing || !agent->met)
                return;
        if (unit->loaded && !*unit->state.active) /* loaded a moment ago: the supervisor will tell how it is */
                return;
        unit->state_dirty = false;
        if (!unit->loaded) {
                if (unit->state_written &&
                    registry_drop_state(agent->registry, agent->machine, unit->name, on_state_written, unit) >= 0)
                        unit->state_writing = true;
                return;
        }
        record = unit_record(unit, hash);
        if (state_record_write(&record, &text) < 0 || !buffer_string(&text))
                return;
        if (unit->told && str_equals(unit->told, buffer_string(&text)))
                return;
        free(unit->told);
        unit->told = strdup(buffer_string(&text));
        if (registry_put_state(agent->registry, agent->machine, unit->name, &record, on_state_written, unit) >= 0) {
                unit->state_writing = true;
                unit->state_written = true;
        }
}

void agent_touch_state(AgentUnit *unit) {
        unit->state_dirty = true;
        agent_write_state(unit);
}

void agent_tell_anew(AgentUnit *unit) {
        free(unit->told);
        unit->told = NULL;
        agent_touch_state(unit);
}

/* ---- what the store has of us ---- */

void agent_retry_states(Agent *agent) {
        if (agent->retrying && agent->retry == 0)
                agent->retry = agent->now + STATE_RETRY_SEC * USEC_PER_SEC;
        agent->retrying = false;
        if (agent->retry == 0 || agent->now < agent->retry)
                return;
        agent->retry = 0;
        map_foreach(&agent->units, entry)
                agent_write_state(entry->value);
}

static bool state_is_told(const AgentUnit *unit, const RegistryState *told) {
        char hash[UNIT_HASH_HEX_SIZE];

        unit_hash_to_hex(&unit->hash, hash);
        return told && str_equals(told->record.active, unit->state.active) &&
               str_equals(told->record.sub, unit->state.sub) && str_equals(told->record.hash, hash) &&
               told->record.launched == unit->start_asked;
}

/* What the store has, word for word, is what would be told. */
static bool state_stands(const AgentUnit *unit, char **ret_text) {
        const RegistryState *told = registry_state(unit->agent->registry, unit->agent->machine, unit->name);
        _cleanup_buffer_ Buffer theirs = BUFFER_INIT, ours = BUFFER_INIT;
        char hash[UNIT_HASH_HEX_SIZE];
        StateRecord record = unit_record(unit, hash);

        if (!told || state_record_write(&told->record, &theirs) < 0 || state_record_write(&record, &ours) < 0 ||
            !str_equals(buffer_string(&theirs) ?: "", buffer_string(&ours) ?: ""))
                return false;
        *ret_text = buffer_steal_string(&ours, NULL);
        return *ret_text;
}

/* Where thousands of units are, telling them all again would be a burst for nothing. */
void agent_meet_state(AgentUnit *unit) {
        char *text;

        if (!unit->loaded || unit->state_writing || !state_stands(unit, &text)) {
                agent_tell_anew(unit);
                return;
        }
        free(unit->told);
        unit->told = text;
        unit->state_written = true;
        unit->state_dirty = false;
}

/* A unit that is not here, and has a state all the same. */
static void agent_disown_state(Agent *agent, const char *name) {
        AgentUnit *unit = agent_unit_make(agent, name);

        if (!unit || unit->loaded || unit->in_flight != TASK_NONE || unit->state_dirty || unit->state_writing)
                return; /* it is under way, or tried again in a while */
        unit->state_written = true;
        agent_touch_state(unit);
}

static void agent_correct_state(Agent *agent, AgentUnit *unit, const RegistryState *told) {
        if (!unit->loaded || unit->state_dirty || unit->state_writing ||
            !registry_has_reached(agent->registry, unit->state_index) || state_is_told(unit, told))
                return;
        agent_tell_anew(unit);
}

static void agent_correct_unit(Agent *agent, const char *name) {
        const RegistryState *told = registry_state(agent->registry, agent->machine, name);
        AgentUnit *unit = agent_unit(agent, name);

        if (unit)
                agent_correct_state(agent, unit, told);
        if (told && (!unit || (!unit->loaded && registry_has_reached(agent->registry, unit->state_index))))
                agent_disown_state(agent, name);
}

/* An engine that took this machine for dead has removed its states, and what an earlier daemon sent may come late: what
 * the mirror shows is put right. Not before the machine is a member again, or the two would go on for ever. */
void agent_correct_states(Agent *agent, const Touched *touched) {
        const RegistryMachine *machine = registry_machine(agent->registry, agent->machine);

        if (!machine || !machine->present)
                return;
        if (!touched->all) {
                map_foreach(&touched->names, entry)
                        agent_correct_unit(agent, entry->value);
                return;
        }
        map_foreach(&agent->units, entry)
                agent_correct_unit(agent, ((const AgentUnit *)entry->value)->name);
        map_foreach(&machine->states, entry)
                agent_correct_unit(agent, ((const RegistryState *)entry->value)->unit);
}
