#include "fleet/agent/agent.h"

#include <errno.h>
#include <stdarg.h>

#include "fleet/agent/failures.h"
#include "fleet/agent/touched.h"

enum { STATE_RETRY_SEC = 1, FORGET_SEC = 1, HOLD_SEC = 1 };

typedef struct AgentUnit {
        Agent *agent;
        char *name;
        UnitHash hash;
        bool loaded;          /* the supervisor has it */
        bool start_asked;
        bool start_known;     /* false: see agent_meet() */
        bool held;            /* what failed is tried again at agent->held_until */
        TaskKind in_flight;
        unsigned cut_short;   /* starts that a stop or an unload came after, and whose ends are not heard yet */
        SupervisorState state;
        bool state_dirty;     /* to be written */
        bool state_writing;
        bool state_written;   /* the registry has one of ours */
        uint64_t state_index; /* of the last write that was taken */
        char *told;           /* what was written last */
        char *failure;        /* text of the last task that failed, or NULL */
        Failures failures;    /* since it was loaded */
        bool watched;         /* its health is */
        HealthState health;
        char *health_text;    /* why it is not well, or NULL */
} AgentUnit;

struct Agent {
        const char *machine;
        Registry *registry;
        const AgentEvents *events;
        AgentRunsGlobal runs_global;
        void *userdata;
        Supervisor *supervisor;
        Map units; /* name → AgentUnit */
        Touched touched; /* units that agent_run() has to look at */
        bool listed;
        bool met; /* what the supervisor has and what the store says of it have come together */
        bool leaving;
        bool retrying;   /* a state was not taken: `retry` is to be set */
        Usec retry;      /* when to write such states again; 0: there is none */
        Usec held_until; /* 0: no unit is held */
        Usec forget;     /* when to look for old failures; 0: there are none */
        Usec now; /* of the last run */
        Health *health; /* NULL: nothing is asked */
        void (*left)(void *userdata);
        size_t tasks; /* under way */
};

/* ---- units ---- */

static AgentUnit *agent_unit(Agent *agent, const char *name) {
        return map_get(&agent->units, slice_from(name));
}

static AgentUnit *agent_unit_make(Agent *agent, const char *name) {
        AgentUnit *unit = agent_unit(agent, name);

        if (unit)
                return unit;
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return NULL;
        unit->agent = agent;
        unit->in_flight = TASK_NONE;
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
        free(unit->told);
        free(unit->failure);
        free(unit->health_text);
        failures_deinit(&unit->failures);
        free(unit);
}

/* A unit of which nothing is left here or in the registry. */
static void agent_unit_settle(AgentUnit *unit) {
        if (unit->loaded || unit->held || unit->in_flight != TASK_NONE || unit->state_writing || unit->state_written)
                return;
        (void)map_remove(&unit->agent->units, slice_from(unit->name));
        agent_unit_free(unit);
}

static void agent_note(Agent *agent, const char *format, ...) _printf_(2, 3);

static void agent_note(Agent *agent, const char *format, ...) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        va_list args;

        va_start(args, format);
        (void)buffer_vprintf(&text, format, args);
        va_end(args);
        if (buffer_string(&text))
                agent->events->note(agent->userdata, buffer_string(&text));
}

/* ---- states ---- */

static void agent_write_state(AgentUnit *unit);

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
        return unit->failure && *unit->failure ? unit->failure : unit->state.text;
}

static StateRecord unit_record(const AgentUnit *unit, char hash[UNIT_HASH_HEX_SIZE]) {
        unit_hash_to_hex(&unit->hash, hash);
        return (StateRecord){
                .load = (char *)(uintptr_t)unit->state.load,
                .active = (char *)(uintptr_t)unit->state.active,
                .sub = (char *)(uintptr_t)unit->state.sub,
                .hash = hash,
                .text = (char *)(uintptr_t)unit_text(unit),
                .launched = unit->start_asked,
                .health = (char *)(uintptr_t)health_state_to_string(unit->health),
                .health_text = unit->health_text,
                .failures = unit->failures.length,
        };
}

/* Only what differs from what was told last; one write at a time for each unit, so that the newest wins. */
static void agent_write_state(AgentUnit *unit) {
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
                if (unit->state_written && registry_drop_state(agent->registry, agent->machine, unit->name, on_state_written, unit) >= 0)
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

static void agent_touch_state(AgentUnit *unit) {
        unit->state_dirty = true;
        agent_write_state(unit);
}

/* ---- what the unit's text asks for while it runs: read only when it is needed, which is rare ---- */

/* Of the text that it was loaded from. */
static bool read_requirements(const AgentUnit *unit, UnitRequirements *ret) {
        _cleanup_unitfile_ UnitFile file = {0};
        char hash[UNIT_HASH_HEX_SIZE];
        const char *text;

        unit_hash_to_hex(&unit->hash, hash);
        text = registry_text(unit->agent->registry, hash);
        return text && unitfile_parse(&file, slice_from(text), NULL, NULL) >= 0 && unit_requirements_read(&file, unit->name, ret) >= 0;
}

static bool unit_failures_within(const AgentUnit *unit, Usec *ret) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};

        if (!read_requirements(unit, &requirements) || requirements.move_after == 0)
                return false;
        *ret = requirements.failures_within;
        return true;
}

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
                r = health_watch(agent->health, unit->name, &check, requirements.health_interval, requirements.health_timeout, agent->now);
        if (r >= 0)
                unit->health = HEALTH_PENDING;
        else
                unit->health_text = str_printf("HealthCheck=%s cannot be carried out: %s", requirements.health_check,
                                               error.text[0] ? error.text : strerror(-r));
}

/* As long as the unit is active; one that was started anew is asked anew. */
static void agent_follow_health(AgentUnit *unit) {
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

static void agent_count_failure(AgentUnit *unit) {
        Usec within;

        if (!unit_failures_within(unit, &within))
                return;
        failures_add(&unit->failures, unit->agent->now, within);
        if (unit->agent->forget == 0)
                unit->agent->forget = unit->agent->now + FORGET_SEC * USEC_PER_SEC;
}

static void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        Agent *agent = userdata;
        AgentUnit *unit = agent_unit(agent, name);

        if (!unit)
                return;
        if (failures_are_more(&unit->state, state))
                agent_count_failure(unit);
        unit->state = *state;
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

/* ---- tasks ---- */

/* A timer, socket or path that could not start without its service is tried again now that the service is here. */
static void agent_retry_starters(Agent *agent, const char *service) {
        static const char *const suffixes[] = {".timer", ".socket", ".path"};

        for (size_t i = 0; str_ends_with(service, ".service") && i < ARRAY_SIZE(suffixes); i++) {
                _cleanup_free_ char *name = str_printf("%.*s%s", (int)(strlen(service) - strlen(".service")), service, suffixes[i]);
                AgentUnit *unit = name ? agent_unit(agent, name) : NULL;
                bool refused = unit && unit->failure && str_equals(unit->state.active, "inactive");

                if (unit && unit->in_flight == TASK_NONE && unit->start_asked && (refused || str_equals(unit->state.active, "failed")))
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

static void agent_release_held(Agent *agent) {
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
                supervisor_set_word(unit->state.load, sizeof(unit->state.load), "error");
                supervisor_set_word(unit->state.active, sizeof(unit->state.active), "inactive");
                supervisor_set_word(unit->state.sub, sizeof(unit->state.sub), "dead");
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
        if (kind != TASK_LOAD) /* its start may follow at once: see agent_write_settled() */
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
        const char *hash = registry_unit_hash_on(agent->registry, wanted, agent->machine), *text = registry_text(agent->registry, hash);

        if (!text || unit_hash_from_hex(slice_from(hash), &unit->hash) < 0)
                return;
        unit->loaded = unit->start_known = true;
        unit->start_asked = false;
        failures_deinit(&unit->failures);
        unit->in_flight = TASK_LOAD;
        agent->tasks++;
        supervisor_load(agent->supervisor, unit->name, slice_from(text), hash, on_task_done, unit);
}

static void agent_do(Agent *agent, const ReconcileTask *task) {
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

        if (!agent_wants(agent, unit) ||
            unit_hash_from_hex(slice_from(registry_unit_hash_on(agent->registry, unit, agent->machine)), &one->hash) < 0)
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
                .in_flight = unit->held && unit->in_flight == TASK_NONE ? TASK_RELOAD : unit->in_flight, /* gets no task */
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

/* Tasks go out together, except that one waits for the task that it builds on: the end of that one brings the next run. */
static int agent_reconcile(Agent *agent, const Touched *touched) {
        _cleanup_(comparison_deinit) Comparison comparison = {0};
        _cleanup_reconcile_plan_ ReconcilePlan plan = {0};
        int r = touched->all ? compare_all(agent, &comparison) : compare_touched(agent, &touched->names, &comparison);

        if (r >= 0)
                r = reconcile(comparison.desired, comparison.n_desired, comparison.current, comparison.n_current, &plan);
        if (r < 0)
                return r;
        for (size_t i = 0; i < plan.length; i++)
                if (plan.tasks[i].after == RECONCILE_INDEPENDENT)
                        agent_do(agent, &plan.tasks[i]);
        return 0;
}

static void agent_settle_leave(Agent *agent) {
        void (*left)(void *userdata) = agent->left;

        if (!agent->leaving || !left)
                return;
        map_foreach(&agent->units, entry) {
                const AgentUnit *unit = entry->value;

                if (unit->loaded || unit->in_flight != TASK_NONE || unit->state_writing)
                        return;
        }
        agent->left = NULL;
        left(agent->userdata);
}

/* ---- what the store has of us ---- */

static void agent_retry_states(Agent *agent) {
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
        return told && str_equals(told->record.active, unit->state.active) && str_equals(told->record.sub, unit->state.sub) &&
               str_equals(told->record.hash, hash) && told->record.launched == unit->start_asked;
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
        if (!unit->loaded || unit->state_dirty || unit->state_writing || !registry_has_reached(agent->registry, unit->state_index) ||
            state_is_told(unit, told))
                return;
        free(unit->told);
        unit->told = NULL;
        agent_touch_state(unit);
}

static void agent_correct_unit(Agent *agent, const char *name) {
        const RegistryState *told = registry_state(agent->registry, agent->machine, name);
        AgentUnit *unit = agent_unit(agent, name);

        if (unit)
                agent_correct_state(agent, unit, told);
        if (told && (!unit || (!unit->loaded && registry_has_reached(agent->registry, unit->state_index))))
                agent_disown_state(agent, name);
}

/* An engine that took this machine for dead has removed its states, and what an earlier daemon sent may come late: what the
 * mirror shows is put right. Not before the machine is a member again, or the two would go on for ever. */
static void agent_correct_states(Agent *agent, const Touched *touched) {
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

/* Old failures are forgotten when there is something to do anyway. */
static void agent_forget_failures(Agent *agent) {
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

/* Those that an earlier run of the program has left are watched once their texts are known. That a unit is loaded is told
 * unless it is being started now: then what comes of that is. What the store does not take has its own time. */
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
        unit->state = found->state;
        (void)unit_hash_from_hex(slice_from(found->tag), &unit->hash); /* without one it differs from any text */
        unit->state_dirty = true;
}

/*
 * What a supervisor does not know of a unit's start is in the state that the earlier run of this program wrote. Without that a
 * unit counts as started by us if it is to be launched, and runs: what its socket or timer has started nobody has to stop.
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
                unit->start_asked = wanted && wanted->desired == UNIT_LAUNCHED && active != ACTIVE_INACTIVE && active != ACTIVE_FAILED;
}

/* Once both the supervisor and the store have been heard, and whenever the store was read anew: the states that it has of this
 * machine may not be ours. */
static void agent_meet(Agent *agent) {
        if (!agent->listed || !registry_is_loaded(agent->registry))
                return;
        map_foreach(&agent->units, entry)
                agent_recall_start(entry->value);
        agent->met = true;
        map_foreach(&agent->units, entry) {
                AgentUnit *unit = entry->value;

                free(unit->told);
                unit->told = NULL;
                agent_touch_state(unit);
        }
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

int agent_new(const char *machine, Registry *registry, const AgentEvents *events, AgentRunsGlobal runs_global, void *userdata,
              Agent **ret_agent) {
        Agent *agent = calloc(1, sizeof(*agent));

        if (!agent)
                return -ENOMEM;
        *agent = (Agent){.machine = machine, .registry = registry, .events = events, .runs_global = runs_global, .userdata = userdata};
        *ret_agent = agent;
        return 0;
}

Agent *agent_free(Agent *agent) {
        if (!agent)
                return NULL;
        map_foreach(&agent->units, entry)
                agent_unit_free(entry->value);
        map_deinit(&agent->units);
        health_free(agent->health);
        touched_deinit(&agent->touched);
        free(agent);
        return NULL;
}

size_t agent_units(const Agent *agent) {
        size_t count = 0;

        map_foreach(&agent->units, entry)
                count += ((const AgentUnit *)entry->value)->loaded;
        return count;
}
