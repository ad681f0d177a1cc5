#pragma once
/* How a member begins: as a founder, by joining a running cluster, from its data, or alone after a majority was lost. */
#include <uv.h>

#include "store/cluster-view.h"
#include "store/replica/replica.h"
#include "store/settings.h"

typedef struct Beginning {
        Replica *replica;
        bool has_data;    /* its log knows the other members */
        ClusterView view; /* of the cluster that it joins; else empty */
} Beginning;

/* Blocks, and may run the loop. `tls` (may be NULL): to ask others at https. `disk`, `ops` and `userdata` are borrowed by the replica. */
int beginning_open(uv_loop_t *loop, const Settings *settings, TlsContext *tls, Disk *disk, const ReplicaOps *ops, void *userdata,
                   Beginning *ret_beginning, Error *error);
