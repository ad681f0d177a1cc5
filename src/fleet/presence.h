#pragma once
/*
 * This machine's key in the registry: made at the start, renewed at half its time to live, made anew when it was lost,
 * removed at a leave. While another daemon holds the same machine ID it waits.
 */
#include "fleet/partition.h"
#include "fleet/registry/registry.h"

typedef struct Presence Presence;

typedef struct PresenceEvents {
        void (*note)(void *userdata, const char *text);
        /* presence_is_partitioned() is another. */
        void (*wake)(void *userdata);
} PresenceEvents;

/* All is borrowed. -ENOMEM. */
int presence_new(const MachineRecord *record, const PartitionRule *rule, Registry *registry, const PresenceEvents *events, void *userdata,
                 Presence **ret_presence);
Presence *presence_free(Presence *presence);

/* Does what is due; call it at presence_next() at the latest, and when the registry was loaded. */
void presence_run(Presence *presence, Usec now);
Usec presence_next(const Presence *presence);

/* The key certainly stands, as far as this machine can know. */
bool presence_is_registered(const Presence *presence);

/* The machine has lost the store for so long that others may soon take it for dead; and after that until it knows again what
 * has become of its units. */
bool presence_is_partitioned(const Presence *presence, Usec now);

/* The store has not taken the last renewal. */
bool presence_is_troubled(const Presence *presence, Usec now);

/* Removes the key; `done` gets the store's reply. < 0: there is none to remove, `done` is not called. */
int presence_leave(Presence *presence, RegistryDone done, void *userdata);
