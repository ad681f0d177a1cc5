#pragma once
/* What the engine's files share. */
#include "fleet/engine.h"

enum {
        WRITES_AT_ONCE = 64,
        LEASE_MARGIN_MSEC = 200, /* what may pass between a check and the store's taking of a write */
};

struct Engine {
        EngineConfig config;
        Registry *registry;
        Cluster *cluster;
        const EngineEvents *events;
        void *userdata;
        Usec now;
        bool dirty;

        uint64_t lease_index;  /* 0: not ours */
        Usec lease_until;      /* ours for certain up to then */
        Usec lease_sent;       /* when the request under way was sent */
        Usec lease_next;       /* when to ask again */
        bool lease_asking;
        bool lease_shown;      /* the request under way can be seen in the mirror, and nothing was lost since */
        uint64_t lease_refused; /* index of the store when it last refused us */

        Usec sweep_next;       /* when to look for texts that no unit has */

        Plan plan;
        size_t next_step;
        size_t writing;        /* steps under way */
        uint64_t written;      /* index of the last that was taken: what the mirror said before it is old */
        bool blind;            /* a write was not answered: see engine_lose_sight() */
        bool failed;           /* a write of this plan: the picture is to be built anew */
        bool closing;

        Usec hold_until;       /* machines that seem gone are not judged before: the store was away */
        bool troubled;         /* the last renewal of the lease failed */

        char *moving;          /* the unit that moves now, or NULL */
        Usec moving_until;     /* its time is over then */
        StringList suspects;   /* units whose states have changed, to be looked at for failures */
        bool suspect_all;      /* an engine that has just taken the lease knows of no change */
};

/* What is written of a step or beside them: one of engine->writing. */
void engine_step_done(void *userdata, const StoreReply *reply);

/* engine-move.c: what has become of the move under way, and the next one. Appends to the plan. -ENOMEM. */
int engine_plan_moves(Engine *engine, Picture *picture);

/* engine-failures.c: keeps units off machines that they have failed on. */
void engine_ban_failing(Engine *engine, Picture *picture);
int engine_ban(Engine *engine, Picture *picture, const RegistryUnit *unit, const char *machine, const char *reason);
