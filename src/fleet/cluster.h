#pragma once
/* The scheduler's picture, kept in step with the registry's mirror. */
#include "fleet/registry/registry.h"

typedef struct Cluster {
        Registry *registry; /* borrowed */
        Picture picture;
        bool stale;         /* a change could not be taken over: the next update builds the picture anew */
        uint64_t globals_seen; /* see cluster_globals_have_changed() */
} Cluster;

void cluster_init(Cluster *cluster, Registry *registry);
void cluster_deinit(Cluster *cluster);

/* Takes over one change of the registry. -ENOMEM: `stale`. */
int cluster_update(Cluster *cluster, RegistryChange change, const char *subject);

/* The picture, built anew if need be. NULL without memory. */
Picture *cluster_picture(Cluster *cluster);

/* Whether a global unit is to run on this daemon's own machine. While the store does not know the machine (its key has run out,
 * or is not written yet) nothing can be said: what is here stays, and nothing new comes. */
bool cluster_runs_global(Cluster *cluster, const char *machine, const char *unit, bool is_here);

/* Whether other global units may run on the machine than when this was last asked: also because of what else runs there. */
bool cluster_globals_have_changed(Cluster *cluster, const char *machine);

/* The unit's requirements from its text; -EBADMSG: it cannot be parsed. */
int cluster_read_requirements(const RegistryUnit *unit, UnitRequirements *ret);
