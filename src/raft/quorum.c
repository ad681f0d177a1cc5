#include "raft/quorum.h"

uint64_t raft_quorum_committed(const RaftIds *voters, RaftQuorumIndex index, const void *userdata) {
        uint64_t sorted[RAFT_MEMBERS_MAX], value;
        size_t at;

        if (voters->length == 0)
                return RAFT_QUORUM_ANY;
        for (size_t i = 0; i < voters->length; i++) {
                if (!index(userdata, voters->items[i], &value))
                        value = 0;
                for (at = i; at > 0 && sorted[at - 1] > value; at--)
                        sorted[at] = sorted[at - 1];
                sorted[at] = value;
        }
        /* all from this place on have reached it, and they are the smallest majority */
        return sorted[voters->length - (voters->length / 2 + 1)];
}

uint64_t raft_quorum_committed_joint(const RaftIds *incoming, const RaftIds *outgoing, RaftQuorumIndex index,
                                     const void *userdata) {
        uint64_t a = raft_quorum_committed(incoming, index, userdata);
        uint64_t b = raft_quorum_committed(outgoing, index, userdata);

        return min_of(a, b);
}

RaftVoteResult raft_quorum_vote(const RaftIds *voters, const RaftIds *known, const RaftIds *granted) {
        size_t majority = voters->length / 2 + 1, yes = 0, missing = 0;

        if (voters->length == 0)
                return RAFT_VOTE_WON;
        for (size_t i = 0; i < voters->length; i++)
                if (!raft_ids_contain(known, voters->items[i]))
                        missing++;
                else if (raft_ids_contain(granted, voters->items[i]))
                        yes++;
        if (yes >= majority)
                return RAFT_VOTE_WON;
        return yes + missing >= majority ? RAFT_VOTE_PENDING : RAFT_VOTE_LOST;
}

RaftVoteResult raft_quorum_vote_joint(const RaftIds *incoming, const RaftIds *outgoing, const RaftIds *known,
                                      const RaftIds *granted) {
        RaftVoteResult a = raft_quorum_vote(incoming, known, granted);
        RaftVoteResult b = raft_quorum_vote(outgoing, known, granted);

        if (a == b)
                return a;
        return a == RAFT_VOTE_LOST || b == RAFT_VOTE_LOST ? RAFT_VOTE_LOST : RAFT_VOTE_PENDING;
}
