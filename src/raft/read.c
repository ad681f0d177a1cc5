/* Linearizable reads: the paper, section 6.4. */
#include <errno.h>

#include "raft/internal.h"

int raft_add_read_state(Raft *raft, uint64_t index, uint64_t context) {
        RaftReadStates *states = &raft->read_states;

        if (states->length == states->capacity) {
                size_t capacity = max_of(states->capacity, (size_t)8), size;
                RaftReadState *items = NULL;

                if (!size_mul_overflows(capacity, 2, &capacity) &&
                    !size_mul_overflows(capacity, sizeof(RaftReadState), &size))
                        items = realloc(states->items, size);
                if (!items)
                        return -ENOMEM;
                states->items = items;
                states->capacity = capacity;
        }
        states->items[states->length++] = (RaftReadState){index, context};
        return 0;
}

static int answer(Raft *raft, const RaftRead *read) {
        RaftMessage response = {
                .type = RAFT_MESSAGE_READ_INDEX_RESPONSE,
                .to = read->from,
                .index = read->index,
                .context = read->context,
        };

        if (read->from == raft->config.id)
                return raft_add_read_state(raft, read->index, read->context);
        return raft_send(raft, &response);
}

int raft_confirm_reads(Raft *raft) {
        uint64_t round = raft_tracker_read_confirmed(&raft->tracker);
        RaftRead read;
        int r;

        while (raft_reads_take(&raft->reads, round, &read)) {
                r = answer(raft, &read);
                if (r < 0)
                        return r;
        }
        return 0;
}

uint64_t raft_pending_read_round(const Raft *raft) {
        return raft->reads.length > 0 ? raft->read_round : 0;
}

/* Reads that come while the heartbeats of the last round are still here share it: those leave after the read came, and
 * that is all a proof has to be. */
static int begin_round(Raft *raft) {
        RaftProgress *self = raft_tracker_get(&raft->tracker, raft->config.id);

        if (raft->read_round_unsent)
                return 0;
        raft->read_round++;
        raft->read_round_unsent = true;
        if (self)
                self->read_ack = raft->read_round;
        return raft_broadcast_heartbeat(raft, raft->read_round);
}

static int confirm(Raft *raft, uint64_t from, uint64_t context) {
        RaftRead read = {.from = from, .context = context, .index = raft->log.committed};
        int r;

        if (raft->config.read_only == RAFT_READ_ONLY_LEASE)
                return answer(raft, &read);
        r = begin_round(raft);
        if (r < 0)
                return r;
        read.round = raft->read_round;
        r = raft_reads_add(&raft->reads, &read);
        if (r < 0)
                return r;
        /* a sole voter is its own majority */
        return raft_confirm_reads(raft);
}

/* 1 if an entry of the leader's term is committed: only then its commit index is that of the cluster. */
static int has_committed_own_term(const Raft *raft) {
        return raft_log_matches(&raft->log, raft->term, raft->log.committed);
}

int raft_lead_read(Raft *raft, uint64_t from, uint64_t context) {
        RaftRead read = {.from = from, .context = context};
        int r;

        r = has_committed_own_term(raft);
        if (r < 0)
                return r;
        if (r > 0)
                return confirm(raft, from, context);
        r = raft_reads_add(&raft->early_reads, &read);
        return r < 0 ? r : 0;
}

int raft_release_early_reads(Raft *raft) {
        RaftRead read;
        int r;

        if (raft->early_reads.length == 0)
                return 0;
        r = has_committed_own_term(raft);
        if (r <= 0)
                return r;
        while (raft_reads_take(&raft->early_reads, UINT64_MAX, &read)) {
                r = confirm(raft, read.from, read.context);
                if (r < 0)
                        return r;
        }
        return 0;
}

int raft_read_index(Raft *raft, uint64_t context) {
        RaftMessage message = {.type = RAFT_MESSAGE_READ_INDEX, .from = raft->config.id, .context = context};

        return raft_step(raft, &message);
}
