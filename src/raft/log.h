#pragma once
/*
 * The log as one: what the storage has, then the unstable tail; and how far it is committed, handed out to be applied,
 * and applied. applied ≤ applying ≤ committed ≤ last index.
 */
#include "raft/storage.h"
#include "raft/unstable.h"

typedef struct RaftLog {
        RaftStorage storage;
        RaftUnstable unstable;
        uint64_t committed;
        uint64_t applying;
        uint64_t applied;
        uint64_t max_applying_size; /* bytes that may be out to be applied */
        uint64_t applying_size;
        bool applying_paused;
} RaftLog;

void raft_log_init(RaftLog *log, RaftStorage storage, uint64_t max_applying_size);
void raft_log_deinit(RaftLog *log);

uint64_t raft_log_first_index(const RaftLog *log);
uint64_t raft_log_last_index(const RaftLog *log);

/* RAFT_STORAGE_COMPACTED (before first - 1), RAFT_STORAGE_UNAVAILABLE (behind the last), or the storage's error. */
int raft_log_term(const RaftLog *log, uint64_t index, uint64_t *ret_term);
int raft_log_last_term(const RaftLog *log, uint64_t *ret_term);

/* > 0 (true) if the entry at `index` is of `term`, 0 if not or not known; the storage's error. */
int raft_log_matches(const RaftLog *log, uint64_t term, uint64_t index);

/* The paper, section 3.6.1: a log with the later last term, then the longer one, is more up to date. > 0: at least as
 * much as ours. */
int raft_log_is_up_to_date(const RaftLog *log, uint64_t term, uint64_t index);

/* Appends entries [low, high) up to `max_bytes`, at least one. COMPACTED. */
int raft_log_slice(const RaftLog *log, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries);

/* From `first` to the end. COMPACTED. */
int raft_log_entries(const RaftLog *log, uint64_t first, uint64_t max_bytes, RaftEntries *entries);

/* The last index up to `index` whose term is at most `term`: behind it the logs cannot agree (the paper, section 3.5,
 * on skipping back by terms). ret_term is 0 where the log does not know. */
int raft_log_find_conflict_by_term(const RaftLog *log, uint64_t index, uint64_t term, uint64_t *ret_index,
                                   uint64_t *ret_term);

/* Behind the last index, or in place of what is there; never at or below the committed. */
int raft_log_append(RaftLog *log, const RaftEntry *items, size_t length);

/* An append as a follower takes it (the paper, Figure 3.1, AppendEntries). 1 with the last index covered, 0 if the
 * entry before is not ours; -EPROTO: it contradicts what is committed. */
int raft_log_maybe_append(RaftLog *log, const RaftMessage *append, uint64_t *ret_last);

/* -EPROTO: behind the end of the log. */
int raft_log_commit_to(RaftLog *log, uint64_t index);

/* Commits up to `index` if it is news and that entry is of `term`. 1 if so. */
int raft_log_maybe_commit(RaftLog *log, uint64_t term, uint64_t index);

/* Takes the place of everything. */
void raft_log_restore(RaftLog *log, RaftSnapshot *snapshot);

/* The newest snapshot: a reference. RAFT_STORAGE_UNAVAILABLE. */
int raft_log_snapshot(const RaftLog *log, RaftSnapshot **ret_snapshot);

/* Committed entries to apply now. `allow_unstable`: also those the storage may not have. */
bool raft_log_has_committed(const RaftLog *log, bool allow_unstable);
int raft_log_next_committed(const RaftLog *log, bool allow_unstable, RaftEntries *entries);
void raft_log_accept_applying(RaftLog *log, uint64_t index, uint64_t size, bool allow_unstable);
void raft_log_applied_to(RaftLog *log, uint64_t index, uint64_t size);
