#pragma once
/* What the agent's files share. */
#include "fleet/agent/agent.h"
#include "fleet/agent/failures.h"
#include "fleet/agent/touched.h"
#include "host/kept-state.h"

typedef struct AgentUnit {
        Agent *agent;
        char *name;
        UnitHash hash;
        bool loaded;          /* the supervisor has it */
        bool start_asked;
        bool start_known;     /* false: see agent_recall_start() */
        bool held;            /* what failed is tried again at agent->held_until */
        TaskKind in_flight;
        unsigned cut_short;   /* starts that a stop or an unload came after, and whose ends are not heard yet */
        KeptState state;
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
        Map units;       /* name → AgentUnit */
        Words words;     /* of their states */
        Touched touched; /* units that agent_run() has to look at */
        bool listed;
        bool met; /* what the supervisor has and what the store says of it have come together */
        bool leaving;
        bool retrying;   /* a state was not taken: `retry` is to be set */
        Usec retry;      /* when to write such states again; 0: there is none */
        Usec held_until; /* 0: no unit is held */
        Usec forget;     /* when to look for old failures; 0: there are none */
        Usec now;        /* of the last run */
        Health *health;  /* NULL: nothing is asked */
        void (*left)(void *userdata);
        size_t tasks; /* under way */
};

/* NULL when the agent has none of that name. */
AgentUnit *agent_unit(Agent *agent, const char *name);

/* The unit, which is made when there is none. NULL without memory. */
AgentUnit *agent_unit_make(Agent *agent, const char *name);

/* Frees a unit of which nothing is left here or in the registry. */
void agent_unit_settle(AgentUnit *unit);

/* A line for the program's log. */
void agent_note(Agent *agent, const char *format, ...) _printf_(2, 3);

/* agent-tasks.c: gives a task to the supervisor; its end touches the unit. */
void agent_do(Agent *agent, const ReconcileTask *task);

/* Units that were held may have tasks again, once their time has come. */
void agent_release_held(Agent *agent);

/* agent-states.c: writes the unit's state if it is dirty and differs from what was told last. One write at a time for
 * each unit, so that the newest wins. */
void agent_write_state(AgentUnit *unit);

/* The state has changed: marks it as dirty, and writes it. */
void agent_touch_state(AgentUnit *unit);

/* Writes it also if it is what was told last: the store may have something else. */
void agent_tell_anew(AgentUnit *unit);

/* Everything was read anew: writes the state if the store has another one. */
void agent_meet_state(AgentUnit *unit);

/* States that the store did not take are written again, once their time has come. */
void agent_retry_states(Agent *agent);

/* Puts right what the mirror shows of the touched units. */
void agent_correct_states(Agent *agent, const Touched *touched);

/* agent-health.c: begins or ends the unit's check, as the unit is active or not. */
void agent_follow_health(AgentUnit *unit);

/* Remembers a failure if the unit asks for it (MoveAfterFailures=). */
void agent_count_failure(AgentUnit *unit);

/* Forgets failures that are too old to count, once their time has come. */
void agent_forget_failures(Agent *agent);
