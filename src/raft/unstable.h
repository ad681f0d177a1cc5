#pragma once
/*
 * The tail of the log that the storage may not have yet: entries from `offset` on, or a snapshot that replaces the log,
 * then possibly entries behind it. What a ready has handed out is "in progress" until the storage reports it stable.
 */
#include "raft/types.h"

typedef struct RaftUnstable {
        RaftSnapshot *snapshot; /* or NULL */
        bool snapshot_in_progress;
        RaftEntries entries;         /* items[i] has index offset + i */
        uint64_t offset;
        uint64_t offset_in_progress; /* entries before this were handed out; ≥ offset */
} RaftUnstable;

void raft_unstable_deinit(RaftUnstable *unstable);

/* False when it is not in here. */
bool raft_unstable_term(const RaftUnstable *unstable, uint64_t index, uint64_t *ret_term);
bool raft_unstable_first_index(const RaftUnstable *unstable, uint64_t *ret_index); /* behind the snapshot */
bool raft_unstable_last_index(const RaftUnstable *unstable, uint64_t *ret_index);

/* Entries not handed out yet: borrowed, possibly none. */
const RaftEntry *raft_unstable_next_entries(const RaftUnstable *unstable, size_t *ret_length);
RaftSnapshot *raft_unstable_next_snapshot(const RaftUnstable *unstable); /* borrowed, or NULL */

/* All there is was handed out. */
void raft_unstable_accept(RaftUnstable *unstable);

/* The storage has everything up to `index`, if the entry there is (still) of `term`: entries of a later term that took
 * their place are not meant. */
void raft_unstable_stable_to(RaftUnstable *unstable, uint64_t term, uint64_t index);
void raft_unstable_stable_snapshot(RaftUnstable *unstable, uint64_t index);

/* Drops everything for the snapshot, of which it takes a reference. */
void raft_unstable_restore(RaftUnstable *unstable, RaftSnapshot *snapshot);

/* Puts entries in place of all from the first one's index on. -ENOMEM: nothing changed. */
int raft_unstable_append(RaftUnstable *unstable, const RaftEntry *items, size_t length);
