#pragma once
/*
 * The engine: holds the lease if no other machine's engine does, and while it holds it carries out what the scheduler
 * plans. It acts when something has changed, and sleeps otherwise but for renewing the lease.
 *
 * It writes only while its lease certainly stands: counted from before the request that took or renewed it.
 */
#include "fleet/cluster.h"
#include "fleet/schedule/schedule.h"

typedef struct Engine Engine;

typedef struct EngineConfig {
        const char *machine; /* this machine's ID; borrowed */
        Usec lease_ttl;
        bool disabled;       /* never take the lease */
        Usec grace;          /* after the store was away: how long machines have to say that they live */
        Usec text_age;   /* a unit file's text that no unit has for so long is removed */
} EngineConfig;

typedef struct EngineEvents {
        /* What it did, for the program's log. */
        void (*note)(void *userdata, const char *text);
        /* A write has ended, or the lease is ours: call engine_run() soon. */
        void (*wake)(void *userdata);
} EngineEvents;

/* All is borrowed. -ENOMEM. */
int engine_new(const EngineConfig *config, Registry *registry, Cluster *cluster, const EngineEvents *events, void *userdata,
               Engine **ret_engine);
Engine *engine_free(Engine *engine);

/* The time has come that engine_next() named, or something has changed: does what is due. */
void engine_run(Engine *engine, Usec now);

/* Something that the scheduler looks at has changed. */
void engine_touch(Engine *engine);

/* When engine_run() is to be called at the latest. */
Usec engine_next(const Engine *engine);

bool engine_leads(const Engine *engine, Usec now);

/* Gives the lease back at the end. */
void engine_release(Engine *engine);

/* The state of a unit on a machine has changed. */
void engine_state_changed(Engine *engine, const char *unit);

/* The store does not answer, or did not until now: what it says of dead machines is not believed for a while. */
void engine_doubt(Engine *engine, Usec now);
