#pragma once
/*
 * The life of a socket, timer or path as a pure state machine: systemd's states and rules (systemd.socket(5), systemd.timer(5),
 * systemd.path(5)), without files, clock or I/O. The shell around it (embedded-trigger.c) tells what happened, with the facts of
 * that moment, and carries out the actions that come of it, in their order, before it tells the next thing.
 *
 * A TriggerMachine borrows the options, which may be exchanged only at rest.
 */
#include "base/random.h"
#include "unitfile/trigger-options.h"

typedef enum TriggerState {
        TRIGGER_DEAD,
        TRIGGER_WAITING, /* sockets call it listening */
        TRIGGER_RUNNING, /* its unit was started, and has not ended */
        TRIGGER_ELAPSED, /* a timer that will not start its unit again */
        TRIGGER_FAILED,
        TRIGGER_STATES,
} TriggerState;

typedef enum TriggerResult {
        TRIGGER_RESULT_SUCCESS,
        TRIGGER_RESULT_RESOURCES,       /* it could not be opened, or its unit is not there */
        TRIGGER_RESULT_LIMIT_HIT,       /* TriggerLimitBurst= */
        TRIGGER_RESULT_START_LIMIT_HIT, /* its unit's StartLimitBurst= */
} TriggerResult;

typedef enum TriggerAction {
        TRIGGER_ACTION_OPEN,  /* bind the sockets, watch the paths; then trigger_opened() */
        TRIGGER_ACTION_CHECK, /* look whether a path's condition holds; trigger_fired() if so */
        TRIGGER_ACTION_START, /* the unit; trigger_cannot_start() if it is not there */
        TRIGGER_ACTION_CLOSE,
        TRIGGER_ACTION_STAMP, /* Persistent=: note that the timer elapsed now */
} TriggerAction;

#define TRIGGER_ACTIONS_MAX 8

/* What a decision hangs on. */
typedef struct TriggerFacts {
        Usec now; /* since boot */
        WallUsec wall;
        Usec startup;                    /* when the supervisor began, since boot */
        Usec unit_active, unit_inactive; /* when its unit last left rest and last came to rest; 0: never */
        const CalendarZone *zone;
        Random *random;
} TriggerFacts;

typedef struct TriggerMachine {
        const TriggerOptions *options;
        TriggerState state;
        TriggerResult result;
        Usec activated; /* when it was started */
        WallUsec activated_wall;
        Usec last; /* when it last started its unit; 0: not yet */
        WallUsec last_wall;
        Usec next;          /* of a timer; USEC_INFINITY: none */
        WallUsec next_wall; /* 0: none */
        uint64_t done;      /* bit n: timers[n] counts no more */
        Usec delay;         /* drawn for RandomizedDelaySec= */
        Usec limit_begin;
        uint64_t limit_count;
        TriggerAction actions[TRIGGER_ACTIONS_MAX];
        size_t n_actions, next_action;
} TriggerMachine;

void trigger_machine_init(TriggerMachine *machine, const TriggerOptions *options);

static inline bool trigger_at_rest(const TriggerMachine *machine) {
        return machine->state == TRIGGER_DEAD || machine->state == TRIGGER_FAILED;
}

/* Takes the next action; false: none is left. */
bool trigger_next_action(TriggerMachine *machine, TriggerAction *ret);

/* ---- what happened ---- */

/* `stamp`: when a timer with Persistent=yes last elapsed, in an earlier life; 0: never. Does nothing when it is not at rest. */
void trigger_start(TriggerMachine *machine, WallUsec stamp, const TriggerFacts *facts);
void trigger_stop(TriggerMachine *machine);
void trigger_opened(TriggerMachine *machine, bool well);

/* A socket can be read from, a path's condition holds. */
void trigger_fired(TriggerMachine *machine, const TriggerFacts *facts);

/* A connection was accepted (Accept=yes). False: too many within TriggerLimitIntervalSec=; it fails. */
bool trigger_connected(TriggerMachine *machine, const TriggerFacts *facts);

void trigger_cannot_start(TriggerMachine *machine);

/* It cannot do its work any more. */
void trigger_fail(TriggerMachine *machine);

/* The unit's state is another one. `limit_hit`: it was started too often. */
void trigger_unit_changed(TriggerMachine *machine, bool at_rest, bool limit_hit, const TriggerFacts *facts);

/* When trigger_deadline() is due; USEC_INFINITY: never. At most a minute away where it hangs on the wall's clock, which may jump. */
Usec trigger_due(const TriggerMachine *machine, const TriggerFacts *facts);
void trigger_deadline(TriggerMachine *machine, const TriggerFacts *facts);

/* ---- words ---- */

const char *trigger_state_to_string(TriggerKind kind, TriggerState state); /* the sub state */
const char *trigger_state_to_active(TriggerState state);
const char *trigger_result_to_string(TriggerKind kind, TriggerResult result);
