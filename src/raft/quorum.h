#pragma once
/* Majorities of one set of voters, and of both sets of a joint configuration. Pure functions. */
#include "raft/types.h"

/* The commit index of no voters at all: any other set's is lower. */
#define RAFT_QUORUM_ANY UINT64_MAX

typedef enum RaftVoteResult {
        RAFT_VOTE_PENDING, /* depends on votes that are not in */
        RAFT_VOTE_LOST,
        RAFT_VOTE_WON,
} RaftVoteResult;

/* What is known of a voter's index: false when nothing is (it counts as 0). */
typedef bool (*RaftQuorumIndex)(const void *userdata, uint64_t id, uint64_t *ret_index);

/* The highest index that more than half of the voters have reached: the paper, section 3.5.
 * RAFT_QUORUM_ANY without voters. */
uint64_t raft_quorum_committed(const RaftIds *voters, RaftQuorumIndex index, const void *userdata);

/* Of both halves: the paper, section 4.3. `outgoing` may be empty. */
uint64_t raft_quorum_committed_joint(const RaftIds *incoming, const RaftIds *outgoing, RaftQuorumIndex index,
                                     const void *userdata);

/* Won with more than half of the voters; no voters: won. `granted` is a subset of `known`. */
RaftVoteResult raft_quorum_vote(const RaftIds *voters, const RaftIds *known, const RaftIds *granted);
RaftVoteResult raft_quorum_vote_joint(const RaftIds *incoming, const RaftIds *outgoing, const RaftIds *known,
                                      const RaftIds *granted);
