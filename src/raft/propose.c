/* Proposals: what the leader takes into its log, and the calls that make them. */
#include <errno.h>

#include "raft/internal.h"

/* Whether the leader has to refuse a change. The paper, section 4.1: one at a time; the next only when the last is
 * applied. Since a leader cannot tell which changes of former terms will be committed, all of those count as pending
 * too (see become_leader()). */
static bool is_refused(const Raft *raft, const RaftEntry *entry, uint64_t pending) {
        RaftConfChange change;
        bool leave;

        if (raft->config.disable_conf_change_validation)
                return false;
        if (pending > raft->log.applied || raft_conf_change_decode(entry, &change) < 0)
                return true;
        leave = change.length == 0;
        return raft_conf_state_is_joint(&raft->tracker.config) != leave;
}

/* The empty entry that takes a refused change's place. */
static const RaftEntry entry_empty = {.type = RAFT_ENTRY_NORMAL};

/* What `entry` becomes in the log at `index`. */
static const RaftEntry *judge_entry(const Raft *raft, const RaftEntry *entry, uint64_t index, uint64_t *pending) {
        if (!raft_entry_is_conf_change(entry))
                return entry;
        if (is_refused(raft, entry, *pending))
                return &entry_empty;
        *pending = index;
        return entry;
}

/* Nothing is bounded by a single large entry: it is taken when nothing else is on the way. */
static bool exceeds_uncommitted(const Raft *raft, uint64_t bytes) {
        uint64_t max = raft->config.max_uncommitted_size;

        return raft->uncommitted_size > 0 && bytes > 0 &&
               (bytes > max || raft->uncommitted_size > max - bytes);
}

int raft_lead_proposal(Raft *raft, const RaftMessage *message) {
        const RaftEntries *entries = &message->entries;
        uint64_t next = raft_log_last_index(&raft->log) + 1, pending = raft->pending_conf_index, bytes = 0;
        int r;

        /* a leader that was removed still replicates that change, but takes nothing new */
        if (!raft_tracker_get(&raft->tracker, raft->config.id) || raft->transferee != RAFT_ID_NONE)
                return RAFT_PROPOSAL_DROPPED;
        for (size_t i = 0; i < entries->length; i++)
                bytes += judge_entry(raft, &entries->items[i], next + i, &pending)->length;
        if (exceeds_uncommitted(raft, bytes))
                return RAFT_PROPOSAL_DROPPED;

        for (size_t i = 0; i < entries->length; i++) {
                r = raft_append_own(raft, *judge_entry(raft, &entries->items[i], next + i, &raft->pending_conf_index));
                if (r < 0)
                        return r;
        }
        raft->uncommitted_size += bytes;
        r = raft_acknowledge_own(raft);
        return r < 0 ? r : raft_broadcast_append(raft);
}

static int propose_entries(Raft *raft, RaftMessage *message) {
        message->type = RAFT_MESSAGE_PROPOSE;
        message->from = raft->config.id;
        return raft_step(raft, message);
}

int raft_propose_batch(Raft *raft, RaftPayload *const *payloads, size_t length) {
        _cleanup_raft_message_ RaftMessage message = {0};
        int r;

        if (length == 0)
                return -EINVAL;
        for (size_t i = 0; i < length; i++)
                if (payloads[i]->length > RAFT_ENTRY_DATA_MAX)
                        return -EINVAL;
        r = raft_entries_reserve(&message.entries, length);
        if (r < 0)
                return r;
        for (size_t i = 0; i < length; i++) {
                RaftEntry entry = {
                        .type = RAFT_ENTRY_NORMAL,
                        .payload = payloads[i],
                        .data = payloads[i]->data,
                        .length = (uint32_t)payloads[i]->length,
                };

                r = raft_entries_append(&message.entries, &entry);
                if (r < 0)
                        return r;
        }
        return propose_entries(raft, &message);
}

int raft_propose(Raft *raft, RaftPayload *payload) {
        return raft_propose_batch(raft, &payload, 1);
}

int raft_propose_conf_change(Raft *raft, const RaftConfChange *change, bool single) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        _cleanup_raft_message_ RaftMessage message = {0};
        RaftEntry entry = {.type = single ? RAFT_ENTRY_CONF_CHANGE : RAFT_ENTRY_CONF_CHANGE_V2};
        int r;

        r = raft_conf_change_encode(change, single, &payload);
        if (r < 0)
                return r;
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        r = raft_entries_append(&message.entries, &entry);
        if (r < 0)
                return r;
        return propose_entries(raft, &message);
}
