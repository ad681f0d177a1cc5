#include "host/trigger-state.h"

#include <assert.h>

enum { CLOCK_LOOK_SEC = 60 };

const char *trigger_state_to_string(TriggerKind kind, TriggerState state) {
        static const char *const words[TRIGGER_STATES] = {
                [TRIGGER_DEAD] = "dead",       [TRIGGER_WAITING] = "waiting", [TRIGGER_RUNNING] = "running",
                [TRIGGER_ELAPSED] = "elapsed", [TRIGGER_FAILED] = "failed",
        };

        return kind == TRIGGER_SOCKET && state == TRIGGER_WAITING ? "listening" : words[state];
}

const char *trigger_state_to_active(TriggerState state) {
        return state == TRIGGER_DEAD ? "inactive" : state == TRIGGER_FAILED ? "failed" : "active";
}

const char *trigger_result_to_string(TriggerKind kind, TriggerResult result) {
        switch (result) {
        case TRIGGER_RESULT_SUCCESS:
                return "success";
        case TRIGGER_RESULT_RESOURCES:
                return "resources";
        case TRIGGER_RESULT_LIMIT_HIT:
                return "trigger-limit-hit";
        case TRIGGER_RESULT_START_LIMIT_HIT:
                return kind == TRIGGER_SOCKET ? "service-start-limit-hit" : "unit-start-limit-hit";
        }
        return "resources";
}

static void act(TriggerMachine *m, TriggerAction action) {
        if (m->next_action > 0) {
                m->n_actions -= m->next_action;
                memmove(m->actions, m->actions + m->next_action, m->n_actions * sizeof(*m->actions));
                m->next_action = 0;
        }
        assert(m->n_actions < TRIGGER_ACTIONS_MAX);
        m->actions[m->n_actions++] = action;
}

bool trigger_next_action(TriggerMachine *m, TriggerAction *ret) {
        if (m->next_action == m->n_actions) {
                m->next_action = m->n_actions = 0;
                return false;
        }
        *ret = m->actions[m->next_action++];
        return true;
}

void trigger_machine_init(TriggerMachine *m, const TriggerOptions *options) {
        *m = (TriggerMachine){.options = options, .next = USEC_INFINITY};
}

static Usec after(Usec base, Usec span) {
        return span >= USEC_INFINITY - base ? USEC_INFINITY : base + span;
}

static void rest(TriggerMachine *m, TriggerResult result) {
        m->result = result;
        m->state = result == TRIGGER_RESULT_SUCCESS ? TRIGGER_DEAD : TRIGGER_FAILED;
        m->next = USEC_INFINITY;
        m->next_wall = 0;
        act(m, TRIGGER_ACTION_CLOSE);
}

/* ---- when a timer elapses next ---- */

/* Where a span is counted from; false: nowhere yet. */
static bool base_of(const TriggerMachine *m, TimerBase base, const TriggerFacts *facts, Usec *ret) {
        switch (base) {
        case TIMER_ON_ACTIVE:
                *ret = m->activated;
                return true;
        case TIMER_ON_BOOT:
                *ret = 0;
                return true;
        case TIMER_ON_STARTUP:
                *ret = facts->startup;
                return true;
        case TIMER_ON_UNIT_ACTIVE:
                *ret = max_of(facts->unit_active, m->last);
                return *ret > 0;
        case TIMER_ON_UNIT_INACTIVE:
                *ret = max_of(facts->unit_inactive, m->last);
                return *ret > 0;
        case TIMER_ON_CALENDAR:
                break;
        }
        return false;
}

static bool is_once(TimerBase base) {
        return base == TIMER_ON_ACTIVE || base == TIMER_ON_BOOT || base == TIMER_ON_STARTUP;
}

static void look_at_span(TriggerMachine *m, size_t i, const TriggerFacts *facts) {
        const TimerValue *value = &m->options->timers[i];
        Usec base, next;

        if (!base_of(m, value->base, facts, &base))
                return;
        next = after(base, value->span);
        if (is_once(value->base) && m->last > 0 && next <= m->last) { /* it had its time */
                m->done |= UINT64_C(1) << i;
                return;
        }
        next = after(next, m->delay);
        m->next = min_of(m->next, next);
}

static void look_at_calendar(TriggerMachine *m, const TimerValue *value, const TriggerFacts *facts) {
        WallUsec next, from = m->last_wall > 0 ? m->last_wall : m->activated_wall - 1;

        if (calendar_next(&value->calendar, facts->zone, from, &next) < 0)
                return;
        next += (WallUsec)m->delay;
        if (m->next_wall == 0 || next < m->next_wall)
                m->next_wall = next;
}

static void wait_for_time(TriggerMachine *m, const TriggerFacts *facts) {
        bool repeats = false;

        m->next = USEC_INFINITY;
        m->next_wall = 0;
        for (size_t i = 0; i < m->options->n_timers; i++) {
                const TimerValue *value = &m->options->timers[i];

                if (value->base == TIMER_ON_CALENDAR)
                        look_at_calendar(m, value, facts);
                else if (!(m->done >> i & 1))
                        look_at_span(m, i, facts);
                repeats |= value->base == TIMER_ON_UNIT_ACTIVE || value->base == TIMER_ON_UNIT_INACTIVE;
        }
        if (m->next != USEC_INFINITY || m->next_wall != 0)
                m->state = TRIGGER_WAITING;
        else if (m->options->remain_after_elapse || repeats)
                m->state = TRIGGER_ELAPSED;
        else
                rest(m, TRIGGER_RESULT_SUCCESS);
}

static void draw_delay(TriggerMachine *m, const TriggerFacts *facts) {
        Usec most = m->options->randomized_delay;

        m->delay = most > 0 && most < USEC_INFINITY ? random_below(facts->random, most + 1) : 0;
}

Usec trigger_due(const TriggerMachine *m, const TriggerFacts *facts) {
        Usec due = m->next;

        if (m->state != TRIGGER_WAITING)
                return USEC_INFINITY;
        if (m->next_wall != 0) {
                Usec left = m->next_wall > facts->wall ? (Usec)(m->next_wall - facts->wall) : 0;
                Usec look = after(facts->now, min_of(left, CLOCK_LOOK_SEC * USEC_PER_SEC));

                due = min_of(due, look);
        }
        return due;
}

/* ---- what happened ---- */

void trigger_start(TriggerMachine *m, WallUsec stamp, const TriggerFacts *facts) {
        if (!trigger_at_rest(m))
                return;
        m->result = TRIGGER_RESULT_SUCCESS;
        m->activated = facts->now;
        m->activated_wall = facts->wall;
        m->done = 0;
        m->limit_count = 0;
        if (m->options->kind != TRIGGER_TIMER) {
                act(m, TRIGGER_ACTION_OPEN);
                return;
        }
        m->last = 0;
        m->last_wall = stamp;
        if (m->options->persistent && stamp == 0)
                act(m, TRIGGER_ACTION_STAMP); /* from now on it can be missed */
        draw_delay(m, facts);
        wait_for_time(m, facts);
}

void trigger_stop(TriggerMachine *m) {
        if (trigger_at_rest(m))
                return;
        rest(m, TRIGGER_RESULT_SUCCESS);
}

static void wait(TriggerMachine *m, const TriggerFacts *facts) {
        m->state = TRIGGER_WAITING;
        if (m->options->kind == TRIGGER_TIMER)
                wait_for_time(m, facts);
        else if (m->options->kind == TRIGGER_PATH)
                act(m, TRIGGER_ACTION_CHECK);
}

void trigger_opened(TriggerMachine *m, bool well) {
        if (!well)
                rest(m, TRIGGER_RESULT_RESOURCES);
        else
                wait(m, NULL);
}

/* False: too often. */
static bool count(TriggerMachine *m, const TriggerFacts *facts) {
        const TriggerOptions *o = m->options;

        if (o->kind == TRIGGER_TIMER || o->limit_interval == 0 || o->limit_burst == 0)
                return true;
        if (m->limit_count == 0 || facts->now - m->limit_begin > o->limit_interval) {
                m->limit_begin = facts->now;
                m->limit_count = 0;
        }
        if (++m->limit_count <= o->limit_burst)
                return true;
        rest(m, TRIGGER_RESULT_LIMIT_HIT);
        return false;
}

void trigger_fired(TriggerMachine *m, const TriggerFacts *facts) {
        if (m->state != TRIGGER_WAITING || !count(m, facts))
                return;
        m->state = TRIGGER_RUNNING;
        m->last = facts->now;
        m->last_wall = facts->wall;
        act(m, TRIGGER_ACTION_START);
        if (m->options->kind != TRIGGER_TIMER)
                return;
        draw_delay(m, facts);
        if (m->options->persistent)
                act(m, TRIGGER_ACTION_STAMP);
}

bool trigger_connected(TriggerMachine *m, const TriggerFacts *facts) {
        return m->state == TRIGGER_WAITING && count(m, facts);
}

void trigger_fail(TriggerMachine *m) {
        if (!trigger_at_rest(m))
                rest(m, TRIGGER_RESULT_RESOURCES);
}

void trigger_cannot_start(TriggerMachine *m) {
        if (m->state == TRIGGER_RUNNING)
                rest(m, TRIGGER_RESULT_RESOURCES);
}

void trigger_unit_changed(TriggerMachine *m, bool at_rest, bool limit_hit, const TriggerFacts *facts) {
        if (trigger_at_rest(m))
                return;
        if (limit_hit && at_rest && m->options->kind != TRIGGER_TIMER)
                rest(m, TRIGGER_RESULT_START_LIMIT_HIT);
        else if (m->state == TRIGGER_RUNNING && at_rest)
                wait(m, facts);
        else if (m->options->kind == TRIGGER_TIMER && (m->state == TRIGGER_WAITING || m->state == TRIGGER_ELAPSED))
                wait_for_time(m, facts);
        else if (m->options->kind == TRIGGER_SOCKET && m->state == TRIGGER_WAITING && !at_rest && !m->options->accept)
                m->state = TRIGGER_RUNNING; /* started by someone else: it has the socket now */
}

void trigger_deadline(TriggerMachine *m, const TriggerFacts *facts) {
        if (m->state != TRIGGER_WAITING || m->options->kind != TRIGGER_TIMER)
                return;
        if (m->next <= facts->now || (m->next_wall != 0 && m->next_wall <= facts->wall))
                trigger_fired(m, facts);
}
