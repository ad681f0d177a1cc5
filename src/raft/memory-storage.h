#pragma once
/*
 * A RaftStorage in memory: all of it in tests, the recent entries in a server (which writes its disk besides). Behind a
 * base (index and term of what was compacted) it keeps a run of entries. Owns entries, snapshot and states.
 */
#include "raft/storage.h"

typedef struct RaftMemoryStorage {
        RaftHardState hard_state;
        RaftConfState conf_state; /* as of the applied index: what initial_state gives */
        RaftSnapshot *snapshot;   /* newest, or NULL */
        uint64_t base_index;
        uint64_t base_term;
        RaftEntries entries;
        uint64_t bytes; /* data of the entries: what a server bounds its cache by */
} RaftMemoryStorage;

/* Expected outcomes */
enum {
        RAFT_MEMORY_STORAGE_OLD = 3, /* the snapshot is not newer than the one that is there */
        RAFT_MEMORY_STORAGE_GAP = 4, /* the entries do not follow on what is there */
};

/* Zeroed is an empty storage. */
void raft_memory_storage_deinit(RaftMemoryStorage *storage);

/* Borrows `storage`. */
RaftStorage raft_memory_storage_ops(RaftMemoryStorage *storage);

static inline uint64_t raft_memory_storage_first_index(const RaftMemoryStorage *storage) {
        return storage->base_index + 1;
}

static inline uint64_t raft_memory_storage_last_index(const RaftMemoryStorage *storage) {
        return storage->base_index + storage->entries.length;
}

/* RAFT_STORAGE_COMPACTED, RAFT_STORAGE_UNAVAILABLE. */
int raft_memory_storage_term(const RaftMemoryStorage *storage, uint64_t index, uint64_t *ret_term);

/* Puts `length` entries behind what is there, in place of all from their first index on; those at or below the base are
 * skipped. Takes references. RAFT_MEMORY_STORAGE_GAP, -ENOMEM: nothing changed. */
int raft_memory_storage_append(RaftMemoryStorage *storage, const RaftEntry *items, size_t length);

/* Replaces everything by the snapshot, which must be newer than the stored one; takes a reference. Outcome
 * RAFT_MEMORY_STORAGE_OLD. */
int raft_memory_storage_apply_snapshot(RaftMemoryStorage *storage, RaftSnapshot *snapshot);

/* Offers `snapshot` (of something applied) from now on, keeps the entries. Takes a reference.
 * RAFT_MEMORY_STORAGE_OLD. */
int raft_memory_storage_set_snapshot(RaftMemoryStorage *storage, RaftSnapshot *snapshot);

/* Drops the entries up to `index`, which becomes the base. RAFT_STORAGE_COMPACTED: it was already;
 * RAFT_STORAGE_UNAVAILABLE: behind the last. */
int raft_memory_storage_compact(RaftMemoryStorage *storage, uint64_t index);
