#pragma once
/*
 * What the core reads of the log that was persisted. The owner of the storage writes it, in the order that each ready
 * asks for; the core only reads, and within any of its calls. raft/memory-storage.h is a complete one.
 */
#include "raft/types.h"

/* Expected outcomes of the slots below. Below zero is a failed storage: the core stops for good. */
enum {
        RAFT_STORAGE_COMPACTED = 1,   /* the index lies before the first that is kept */
        RAFT_STORAGE_UNAVAILABLE = 2, /* the index lies behind the last, or the snapshot is not ready yet: ask later */
};

typedef struct RaftStorageOps {
        /* Called once, by raft_new(): what was persisted last. ret_conf_state: the configuration as of the applied
         * index that raft_new() is told. Both are zeroed before. */
        int (*initial_state)(void *userdata, RaftHardState *ret_hard_state, RaftConfState *ret_conf_state);

        /* Appends the entries [low, high) to `entries`, stopping before `max_bytes` (raft_entry_size()) are passed but
         * never before the first. low < high, both within what first_index and last_index say. Outcomes COMPACTED,
         * UNAVAILABLE: `entries` is then as before. */
        int (*entries)(void *userdata, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries);

        /* The term of `index`, which is between first_index - 1 and last_index. COMPACTED, UNAVAILABLE. */
        int (*term)(void *userdata, uint64_t index, uint64_t *ret_term);

        /* The first index whose entry is kept; the one before it is the snapshot's. 1 in an empty storage. */
        uint64_t (*first_index)(void *userdata);

        /* first_index - 1 when there are no entries. */
        uint64_t (*last_index)(void *userdata);

        /* A reference to the newest snapshot, to be sent to a member that lags behind. It must be of a state in which
         * all configuration changes that are applied are in: a member ignores a snapshot whose configuration it is not
         * in, and would be sent it again and again. UNAVAILABLE: the core tries again when it next has a reason to. */
        int (*snapshot)(void *userdata, RaftSnapshot **ret_snapshot);
} RaftStorageOps;

typedef struct RaftStorage {
        const RaftStorageOps *ops;
        void *userdata;
} RaftStorage;
