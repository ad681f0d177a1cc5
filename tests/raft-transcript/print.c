#include "print.h"

static const struct {
        RaftMessageType type;
        const char *name;
} type_names[] = {
        {RAFT_MESSAGE_PROPOSE, "MsgProp"},
        {RAFT_MESSAGE_APPEND, "MsgApp"},
        {RAFT_MESSAGE_APPEND_RESPONSE, "MsgAppResp"},
        {RAFT_MESSAGE_VOTE, "MsgVote"},
        {RAFT_MESSAGE_VOTE_RESPONSE, "MsgVoteResp"},
        {RAFT_MESSAGE_PRE_VOTE, "MsgPreVote"},
        {RAFT_MESSAGE_PRE_VOTE_RESPONSE, "MsgPreVoteResp"},
        {RAFT_MESSAGE_SNAPSHOT, "MsgSnap"},
        {RAFT_MESSAGE_HEARTBEAT, "MsgHeartbeat"},
        {RAFT_MESSAGE_HEARTBEAT_RESPONSE, "MsgHeartbeatResp"},
        {RAFT_MESSAGE_TRANSFER_LEADER, "MsgTransferLeader"},
        {RAFT_MESSAGE_TIMEOUT_NOW, "MsgTimeoutNow"},
        {RAFT_MESSAGE_READ_INDEX, "MsgReadIndex"},
        {RAFT_MESSAGE_READ_INDEX_RESPONSE, "MsgReadIndexResp"},
        {RAFT_MESSAGE_STORAGE_APPEND, "MsgStorageAppend"},
        {RAFT_MESSAGE_STORAGE_APPEND_RESPONSE, "MsgStorageAppendResp"},
        {RAFT_MESSAGE_STORAGE_APPLY, "MsgStorageApply"},
        {RAFT_MESSAGE_STORAGE_APPLY_RESPONSE, "MsgStorageApplyResp"},
};

const char *message_type_name(RaftMessageType type) {
        for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
                if (type_names[i].type == type)
                        return type_names[i].name;
        return "MsgUnknown";
}

bool message_type_from_name(Slice name, RaftMessageType *ret_type) {
        for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
                if (slice_equals(name, slice_from(type_names[i].name))) {
                        *ret_type = type_names[i].type;
                        return true;
                }
        return false;
}

const char *state_name(RaftState state) {
        static const char *const names[] = {
                [RAFT_FOLLOWER] = "StateFollower",
                [RAFT_CANDIDATE] = "StateCandidate",
                [RAFT_LEADER] = "StateLeader",
                [RAFT_PRE_CANDIDATE] = "StatePreCandidate",
        };

        return names[state];
}

void print_go_string(Buffer *out, Slice text) {
        buffer_append_byte(out, '"');
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if (c == '"' || c == '\\')
                        buffer_printf(out, "\\%c", c);
                else if (c < 0x20 || c == 0x7f)
                        buffer_printf(out, "\\x%02x", c);
                else
                        buffer_append_byte(out, (char)c);
        }
        buffer_append_byte(out, '"');
}

void print_ids(Buffer *out, const RaftIds *ids) {
        for (size_t i = 0; i < ids->length; i++) {
                if (i > 0)
                        buffer_append_byte(out, ' ');
                buffer_append_u64(out, ids->items[i]);
        }
}

static void print_changes(Buffer *out, const RaftEntry *entry) {
        static const char letters[] = {
                [RAFT_CONF_ADD_VOTER] = 'v',
                [RAFT_CONF_REMOVE] = 'r',
                [RAFT_CONF_UPDATE] = 'u',
                [RAFT_CONF_ADD_LEARNER] = 'l',
        };
        RaftConfChange change;

        if (raft_conf_change_decode(entry, &change) < 0) {
                buffer_append_string(out, " (undecodable)");
                return;
        }
        for (size_t i = 0; i < change.length; i++) {
                buffer_printf(out, " %c", letters[change.changes[i].operation]);
                buffer_append_u64(out, change.changes[i].id);
        }
}

void print_entry(Buffer *out, const RaftEntry *entry) {
        static const char *const names[] = {
                [RAFT_ENTRY_NORMAL] = "EntryNormal",
                [RAFT_ENTRY_CONF_CHANGE] = "EntryConfChange",
                [RAFT_ENTRY_CONF_CHANGE_V2] = "EntryConfChangeV2",
        };

        buffer_append_u64(out, entry->term);
        buffer_append_byte(out, '/');
        buffer_append_u64(out, entry->index);
        buffer_printf(out, " %s", names[entry->type]);
        if (raft_entry_is_conf_change(entry))
                print_changes(out, entry);
        else {
                buffer_append_byte(out, ' ');
                print_go_string(out, (Slice){entry->data, entry->length});
        }
}

void print_entries(Buffer *out, const RaftEntries *entries) {
        for (size_t i = 0; i < entries->length; i++) {
                print_entry(out, &entries->items[i]);
                buffer_append_byte(out, '\n');
        }
}

static void print_snapshot(Buffer *out, const RaftSnapshot *snapshot) {
        const RaftConfState *state = &snapshot->conf_state;

        buffer_append_string(out, "Index:");
        buffer_append_u64(out, snapshot->index);
        buffer_append_string(out, " Term:");
        buffer_append_u64(out, snapshot->term);
        buffer_append_string(out, " ConfState:Voters:[");
        print_ids(out, &state->voters);
        buffer_append_string(out, "] VotersOutgoing:[");
        print_ids(out, &state->voters_outgoing);
        buffer_append_string(out, "] Learners:[");
        print_ids(out, &state->learners);
        buffer_append_string(out, "] LearnersNext:[");
        print_ids(out, &state->learners_next);
        buffer_printf(out, "] AutoLeave:%s", state->auto_leave ? "true" : "false");
}

static void print_address(Buffer *out, uint64_t id) {
        if (id == RAFT_ID_NONE)
                buffer_append_string(out, "None");
        else if (id == RAFT_ID_APPEND_THREAD)
                buffer_append_string(out, "AppendThread");
        else if (id == RAFT_ID_APPLY_THREAD)
                buffer_append_string(out, "ApplyThread");
        else
                buffer_printf(out, "%llx", (unsigned long long)id);
}

static void print_indent(Buffer *out, size_t indent) {
        buffer_printf(out, "%*s", (int)indent, "");
}

static void print_message_entries(Buffer *out, const RaftEntries *entries, size_t indent) {
        if (entries->length == 0)
                return;
        buffer_append_string(out, " Entries:[");
        if (entries->length == 1)
                print_entry(out, &entries->items[0]);
        else {
                for (size_t i = 0; i < entries->length; i++) {
                        buffer_append_byte(out, '\n');
                        print_indent(out, indent + 2);
                        print_entry(out, &entries->items[i]);
                }
                buffer_append_byte(out, '\n');
                print_indent(out, indent);
        }
        buffer_append_byte(out, ']');
}

static void print_field(Buffer *out, const char *name, uint64_t value) {
        buffer_printf(out, " %s:", name);
        buffer_append_u64(out, value);
}

void print_message(Buffer *out, const RaftMessage *message, size_t indent) {
        print_address(out, message->from);
        buffer_append_string(out, "->");
        print_address(out, message->to);
        buffer_printf(out, " %s", message_type_name(message->type));
        print_field(out, "Term", message->term);
        print_field(out, "Log", message->log_term);
        buffer_append_byte(out, '/');
        buffer_append_u64(out, message->index);
        if (message->reject) {
                buffer_append_string(out, " Rejected (Hint: ");
                buffer_append_u64(out, message->reject_hint);
                buffer_append_byte(out, ')');
        }
        if (message->commit > 0)
                print_field(out, "Commit", message->commit);
        if (message->vote > 0)
                print_field(out, "Vote", message->vote);
        print_message_entries(out, &message->entries, indent);
        if (message->snapshot && message->snapshot->index > 0) {
                buffer_append_byte(out, '\n');
                print_indent(out, indent + 2);
                buffer_append_string(out, "Snapshot: ");
                print_snapshot(out, message->snapshot);
        }
        if (message->responses.length == 0)
                return;
        buffer_append_string(out, " Responses:[\n");
        for (size_t i = 0; i < message->responses.length; i++) {
                print_indent(out, indent + 2);
                print_message(out, &message->responses.items[i], indent + 2);
                buffer_append_byte(out, '\n');
        }
        print_indent(out, indent);
        buffer_append_byte(out, ']');
}

static bool ready_is_empty(const RaftReady *ready) {
        return !ready->soft_state_changed && raft_hard_state_is_empty(&ready->hard_state) &&
               ready->entries.length == 0 && !ready->snapshot && ready->committed_entries.length == 0 &&
               ready->messages.length == 0;
}

void print_ready(Buffer *out, const RaftReady *ready) {
        if (ready_is_empty(ready)) {
                buffer_append_string(out, "<empty Ready>\n");
                return;
        }
        buffer_printf(out, "Ready MustSync=%s:\n", ready->must_sync ? "true" : "false");
        if (ready->soft_state_changed) {
                buffer_append_string(out, "Lead:");
                buffer_append_u64(out, ready->soft_state.leader);
                buffer_printf(out, " State:%s\n", state_name(ready->soft_state.state));
        }
        if (!raft_hard_state_is_empty(&ready->hard_state)) {
                buffer_append_string(out, "HardState");
                print_field(out, "Term", ready->hard_state.term);
                if (ready->hard_state.vote != RAFT_ID_NONE)
                        print_field(out, "Vote", ready->hard_state.vote);
                print_field(out, "Commit", ready->hard_state.commit);
                buffer_append_byte(out, '\n');
        }
        if (ready->entries.length > 0) {
                buffer_append_string(out, "Entries:\n");
                print_entries(out, &ready->entries);
        }
        if (ready->snapshot) {
                buffer_append_string(out, "Snapshot ");
                print_snapshot(out, ready->snapshot);
                buffer_append_byte(out, '\n');
        }
        if (ready->committed_entries.length > 0) {
                buffer_append_string(out, "CommittedEntries:\n");
                print_entries(out, &ready->committed_entries);
        }
        if (ready->messages.length > 0)
                buffer_append_string(out, "Messages:\n");
        for (size_t i = 0; i < ready->messages.length; i++) {
                print_message(out, &ready->messages.items[i], 0);
                buffer_append_byte(out, '\n');
        }
}

void print_peer(Buffer *out, const RaftPeerStatus *peer) {
        static const char *const states[] = {
                [RAFT_PROGRESS_PROBE] = "StateProbe",
                [RAFT_PROGRESS_REPLICATE] = "StateReplicate",
                [RAFT_PROGRESS_SNAPSHOT] = "StateSnapshot",
        };

        buffer_append_u64(out, peer->id);
        buffer_printf(out, ": %s match=", states[peer->state]);
        buffer_append_u64(out, peer->match);
        buffer_append_string(out, " next=");
        buffer_append_u64(out, peer->next);
        if (peer->learner)
                buffer_append_string(out, " learner");
        if (peer->paused)
                buffer_append_string(out, " paused");
        if (peer->pending_snapshot > 0) {
                buffer_append_string(out, " pendingSnap=");
                buffer_append_u64(out, peer->pending_snapshot);
        }
        if (!peer->active)
                buffer_append_string(out, " inactive");
        if (peer->inflight > 0)
                buffer_printf(out, " inflight=%zu%s", peer->inflight, peer->inflight_full ? "[full]" : "");
        buffer_append_byte(out, '\n');
}
