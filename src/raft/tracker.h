#pragma once
/*
 * What a leader knows of every member: how far its log agrees (match), what to send next, and how much is on the way
 * (the paper, section 3.3's nextIndex and matchIndex, and section 10.2.1 for the pipeline); the configuration in force;
 * and the votes of a candidate. Owned by the core.
 */
#include "raft/quorum.h"
#include "raft/types.h"

typedef enum RaftProgressState {
        RAFT_PROGRESS_PROBE,     /* looks for the point of agreement: one append at a time */
        RAFT_PROGRESS_REPLICATE, /* agreed: appends flow within the window */
        RAFT_PROGRESS_SNAPSHOT,  /* waits until a snapshot has arrived */
} RaftProgressState;

/* Appends on the way: a ring of (last index, bytes), that grows up to `max` messages. */
typedef struct RaftInflight {
        uint64_t index;
        uint64_t bytes;
} RaftInflight;

typedef struct RaftInflights {
        RaftInflight *ring;
        size_t start;
        size_t length;
        size_t capacity;
        uint64_t bytes; /* sum */
        size_t max;
        uint64_t max_bytes; /* 0: no limit */
} RaftInflights;

void raft_inflights_deinit(RaftInflights *inflights);
void raft_inflights_clear(RaftInflights *inflights); /* keeps the memory */

static inline bool raft_inflights_is_full(const RaftInflights *inflights) {
        return inflights->length >= inflights->max ||
               (inflights->max_bytes > 0 && inflights->bytes >= inflights->max_bytes);
}

/* Must not be full. -ENOMEM. */
int raft_inflights_add(RaftInflights *inflights, uint64_t index, uint64_t bytes);

/* Takes out all up to `index`. */
void raft_inflights_free_up_to(RaftInflights *inflights, uint64_t index);

typedef struct RaftProgress {
        uint64_t id;
        RaftProgressState state;
        uint64_t match;            /* known to agree up to here */
        uint64_t next;             /* first index to send; > match */
        uint64_t sent_commit;      /* highest commit index that was sent since `next` last stepped back */
        uint64_t pending_snapshot; /* index of the snapshot on the way */
        uint64_t read_ack;         /* highest read round that the member has confirmed */
        bool active;               /* heard from since the last quorum check */
        bool paused;               /* nothing more until something is heard */
        bool learner;
        RaftInflights inflights;
} RaftProgress;

void raft_progress_become_probe(RaftProgress *progress);
void raft_progress_become_replicate(RaftProgress *progress);
void raft_progress_become_snapshot(RaftProgress *progress, uint64_t index);

/* An append with `count` entries of `bytes` left. -ENOMEM. */
int raft_progress_sent_entries(RaftProgress *progress, size_t count, uint64_t bytes);
void raft_progress_sent_commit(RaftProgress *progress, uint64_t commit);

/* Whether telling the member of `commit` could move its commit index. */
bool raft_progress_can_bump_commit(const RaftProgress *progress, uint64_t commit);

/* The member has accepted all up to `index`. True if that is news. */
bool raft_progress_maybe_update(RaftProgress *progress, uint64_t index);

/* The member has refused an append behind `rejected` and hints at where to try. False if the refusal is an old one;
 * never moves `next` to or below `match`. */
bool raft_progress_maybe_decrease(RaftProgress *progress, uint64_t rejected, uint64_t hint);

bool raft_progress_is_paused(const RaftProgress *progress);

/* Everything forgotten but id, learner and the window's limits. */
void raft_progress_reset(RaftProgress *progress, uint64_t match, uint64_t next);

typedef struct RaftTracker {
        RaftConfState config;
        RaftProgress *members; /* ascending ids: the union of the configuration's sets */
        size_t length;
        RaftIds votes_known;
        RaftIds votes_granted;
        size_t max_inflight_messages;
        uint64_t max_inflight_bytes; /* 0: no limit */
} RaftTracker;

void raft_tracker_deinit(RaftTracker *tracker);

/* NULL if it is not a member. */
RaftProgress *raft_tracker_get(const RaftTracker *tracker, uint64_t id);

/* The highest index that a quorum has accepted. */
uint64_t raft_tracker_committed(const RaftTracker *tracker);

/* The newest read round that a quorum has confirmed. */
uint64_t raft_tracker_read_confirmed(const RaftTracker *tracker);

bool raft_tracker_quorum_is_active(const RaftTracker *tracker);

bool raft_tracker_is_voter(const RaftTracker *tracker, uint64_t id); /* of either half */

void raft_tracker_reset_votes(RaftTracker *tracker);
void raft_tracker_record_vote(RaftTracker *tracker, uint64_t id, bool granted); /* the first of each member counts */
RaftVoteResult raft_tracker_tally(const RaftTracker *tracker);
