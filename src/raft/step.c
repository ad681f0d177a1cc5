/* What each message does: first the term's rules, then those of the state. */
#include <assert.h>
#include <errno.h>

#include "raft/internal.h"

int raft_settle(Raft *raft, int r) {
        if (r < 0)
                raft->failure = r;
        return r;
}

int raft_send(Raft *raft, RaftMessage *message) {
        if (message->from == RAFT_ID_NONE)
                message->from = raft->config.id;
        switch (message->type) {
        case RAFT_MESSAGE_VOTE:
                assert(message->term > 0);
                /* the paper, section 3.8: the term is persisted before anyone hears of it */
                return raft_messages_take(raft->config.campaign_after_append ? &raft->messages_after_append : &raft->messages,
                                          message);
        case RAFT_MESSAGE_PRE_VOTE:
                /* for the campaign's term, not the own */
                assert(message->term > 0);
                return raft_messages_take(&raft->messages, message);
        case RAFT_MESSAGE_VOTE_RESPONSE:
        case RAFT_MESSAGE_PRE_VOTE_RESPONSE:
                return raft_messages_take(&raft->messages_after_append, message);
        case RAFT_MESSAGE_APPEND_RESPONSE:
                /* The paper, section 3.8: answers speak of what is persisted. Refusals come behind, in order: a later
                 * term or an entry that they speak of may be in memory only. */
                message->term = raft->term;
                return raft_messages_take(&raft->messages_after_append, message);
        case RAFT_MESSAGE_PROPOSE:
        case RAFT_MESSAGE_READ_INDEX:
                /* good in any term: whoever leads takes them */
                message->term = 0;
                return raft_messages_take(&raft->messages, message);
        default:
                message->term = raft->term;
                return raft_messages_take(&raft->messages, message);
        }
}

/* Without memory it is as if the network had lost it: nothing here depends on its arrival. */
static int forward_to_leader(Raft *raft, const RaftMessage *message) {
        int dropped = message->type == RAFT_MESSAGE_PROPOSE ? RAFT_PROPOSAL_DROPPED : 0;
        _cleanup_raft_message_ RaftMessage copy = {0};

        if (raft_message_copy(message, &copy) < 0)
                return dropped;
        copy.to = raft->leader;
        return raft_send(raft, &copy) < 0 ? dropped : 0;
}

static int step_leader(Raft *raft, const RaftMessage *message) {
        RaftProgress *progress;

        if (message->type == RAFT_MESSAGE_PROPOSE)
                return raft_lead_proposal(raft, message);
        if (message->type == RAFT_MESSAGE_READ_INDEX)
                return raft_lead_read(raft, message->from, message->context);

        progress = raft_tracker_get(&raft->tracker, message->from);
        if (!progress)
                return 0;
        switch (message->type) {
        case RAFT_MESSAGE_APPEND_RESPONSE:
                return raft_handle_append_response(raft, progress, message);
        case RAFT_MESSAGE_HEARTBEAT_RESPONSE:
                return raft_handle_heartbeat_response(raft, progress, message);
        case RAFT_MESSAGE_TRANSFER_LEADER:
                return raft_handle_transfer(raft, progress, message->from);
        default:
                return 0;
        }
}

/* Append, heartbeat and snapshot: words of the leader of this term. */
static int hear_leader(Raft *raft, const RaftMessage *message) {
        raft->election_elapsed = 0;
        raft->leader = message->from;
        switch (message->type) {
        case RAFT_MESSAGE_APPEND:
                return raft_handle_append(raft, message);
        case RAFT_MESSAGE_HEARTBEAT:
                return raft_handle_heartbeat(raft, message);
        default:
                return raft_handle_snapshot(raft, message);
        }
}

static int step_candidate(Raft *raft, const RaftMessage *message) {
        RaftMessageType mine =
                raft->state == RAFT_PRE_CANDIDATE ? RAFT_MESSAGE_PRE_VOTE_RESPONSE : RAFT_MESSAGE_VOTE_RESPONSE;

        switch (message->type) {
        case RAFT_MESSAGE_PROPOSE:
                return RAFT_PROPOSAL_DROPPED;
        case RAFT_MESSAGE_APPEND:
        case RAFT_MESSAGE_HEARTBEAT:
        case RAFT_MESSAGE_SNAPSHOT:
                /* The paper, section 3.4: someone else has won this term. The message is of this very term; of term 0
                 * are only those that scripts make up (raft_message_decode() refuses them), and what becomes of those
                 * is pinned by recorded transcripts. */
                raft_become_follower(raft, message->term, message->from);
                return hear_leader(raft, message);
        default:
                return message->type == mine ? raft_handle_vote_response(raft, message) : 0;
        }
}

static int step_follower(Raft *raft, const RaftMessage *message) {
        switch (message->type) {
        case RAFT_MESSAGE_PROPOSE:
                if (raft->leader == RAFT_ID_NONE || raft->config.disable_proposal_forwarding)
                        return RAFT_PROPOSAL_DROPPED;
                return forward_to_leader(raft, message);
        case RAFT_MESSAGE_APPEND:
        case RAFT_MESSAGE_HEARTBEAT:
        case RAFT_MESSAGE_SNAPSHOT:
                return hear_leader(raft, message);
        case RAFT_MESSAGE_TRANSFER_LEADER:
        case RAFT_MESSAGE_READ_INDEX:
                return raft->leader == RAFT_ID_NONE ? 0 : forward_to_leader(raft, message);
        case RAFT_MESSAGE_TIMEOUT_NOW:
                /* no pre-vote: the leader itself wants it */
                return raft_hup(raft, CAMPAIGN_TRANSFER);
        case RAFT_MESSAGE_READ_INDEX_RESPONSE:
                return raft_add_read_state(raft, message->index, message->context);
        default:
                return 0;
        }
}

static int storage_responded(Raft *raft, const RaftMessage *message) {
        const RaftEntries *entries = &message->entries;

        if (message->type == RAFT_MESSAGE_STORAGE_APPEND_RESPONSE)
                return raft_storage_appended(raft, message->term, message->log_term, message->index, message->snapshot);
        if (entries->length == 0)
                return 0;
        return raft_storage_applied(raft, entries->items[entries->length - 1].index, raft_entries_size(entries),
                                    raft_entries_payload_size(entries));
}

/* The paper, section 3.3: whoever sees a later term takes it and follows. True: the message goes on. */
static bool meet_later_term(Raft *raft, const RaftMessage *message) {
        switch (message->type) {
        case RAFT_MESSAGE_VOTE:
        case RAFT_MESSAGE_PRE_VOTE:
                /* The paper, section 4.2.3: while a leader is heard, elections are not joined, so that removed members
                 * disturb nobody; but those that the leader itself asked for are. */
                if (raft->config.check_quorum && raft->leader != RAFT_ID_NONE &&
                    raft->election_elapsed < raft->config.election_ticks && !message->transfer)
                        return false;
                if (message->type == RAFT_MESSAGE_PRE_VOTE)
                        return true; /* nobody is in that term yet */
                raft_become_follower(raft, message->term, RAFT_ID_NONE);
                return true;
        case RAFT_MESSAGE_PRE_VOTE_RESPONSE:
                /* a grant is for the term that this member will have; a denial carries the term of one ahead */
                if (message->reject)
                        raft_become_follower(raft, message->term, RAFT_ID_NONE);
                return true;
        case RAFT_MESSAGE_APPEND:
        case RAFT_MESSAGE_HEARTBEAT:
        case RAFT_MESSAGE_SNAPSHOT:
                raft_become_follower(raft, message->term, message->from);
                return true;
        default:
                raft_become_follower(raft, message->term, RAFT_ID_NONE);
                return true;
        }
}

static int meet_earlier_term(Raft *raft, const RaftMessage *message) {
        RaftMessage response = {.to = message->from, .term = raft->term};

        switch (message->type) {
        case RAFT_MESSAGE_APPEND:
        case RAFT_MESSAGE_HEARTBEAT:
                /* With leases or pre-votes this member's later term may have reached nobody, and its own requests are
                 * not heard: the answer's term makes the leader step down, so that the member can come back. */
                if (!raft->config.check_quorum && !raft->config.pre_vote)
                        return 0;
                response.type = RAFT_MESSAGE_APPEND_RESPONSE;
                return raft_send(raft, &response);
        case RAFT_MESSAGE_PRE_VOTE:
                /* two that ask each other in different terms would else wait for ever */
                response.type = RAFT_MESSAGE_PRE_VOTE_RESPONSE;
                response.reject = true;
                return raft_send(raft, &response);
        case RAFT_MESSAGE_STORAGE_APPEND_RESPONSE:
                return storage_responded(raft, message);
        default:
                return 0;
        }
}

int raft_process(Raft *raft, const RaftMessage *message) {
        if (message->term > raft->term && !meet_later_term(raft, message))
                return 0;
        if (message->term > 0 && message->term < raft->term)
                return meet_earlier_term(raft, message);
        switch (message->type) {
        case RAFT_MESSAGE_STORAGE_APPEND_RESPONSE:
        case RAFT_MESSAGE_STORAGE_APPLY_RESPONSE:
                return storage_responded(raft, message);
        case RAFT_MESSAGE_VOTE:
        case RAFT_MESSAGE_PRE_VOTE:
                return raft_handle_vote(raft, message);
        default:
                break;
        }
        switch (raft->state) {
        case RAFT_LEADER:
                return step_leader(raft, message);
        case RAFT_FOLLOWER:
                return step_follower(raft, message);
        default:
                return step_candidate(raft, message);
        }
}

/* A change that nobody could apply must not get into the log. */
static bool changes_are_sound(const RaftEntries *entries) {
        RaftConfChange change;

        for (size_t i = 0; i < entries->length; i++)
                if (raft_entry_is_conf_change(&entries->items[i]) &&
                    raft_conf_change_decode(&entries->items[i], &change) < 0)
                        return false;
        return true;
}

int raft_step(Raft *raft, const RaftMessage *message) {
        int r;

        if (raft->failure)
                return raft->failure;
        r = raft_message_validate(message);
        if (r < 0)
                return r;
        /* one that went astray (a member was replaced at an address) must not be counted here */
        if (message->to != RAFT_ID_NONE && message->to != raft->config.id)
                return -EBADMSG;
        if (message->type == RAFT_MESSAGE_PROPOSE && !changes_are_sound(&message->entries))
                return -EBADMSG;
        if (raft_message_type_is_local(message->type) && !raft_id_is_local(message->from))
                return RAFT_MESSAGE_LOCAL;
        if (raft_message_type_is_response(message->type) && !raft_id_is_local(message->from) &&
            !raft_tracker_get(&raft->tracker, message->from))
                return RAFT_PEER_UNKNOWN;
        /* so that a proposal for which there is no memory changes nothing */
        if (message->type == RAFT_MESSAGE_PROPOSE && raft->state == RAFT_LEADER) {
                r = raft_entries_reserve(&raft->log.unstable.entries, message->entries.length);
                if (r < 0)
                        return r;
        }
        return raft_settle(raft, raft_process(raft, message));
}
