/*
 * Changes of the members on their way: one at a time goes into the log, the others wait here, at the leader. Learners that
 * have caught up become voters, and a member that was removed finds its end.
 *
 * Proposals that come when nobody can take them (leadership moves, or a change is under way) are held for a while: at the
 * other member a client waits for them.
 */
#include <errno.h>

#include "store/replica/internal.h"

enum {
        HELD_MAX = 4096,  /* messages */
        CHANGES_MAX = 64, /* of this member's clients */
};

#define HELD_BYTES_MAX ((size_t)64 << 20)

/* A proposal that waits for a leader that can take it. */
typedef struct Held {
        ListNode link;
        RaftMessage message;
        size_t bytes;
        Usec deadline;
        bool changes;     /* the configuration */
        uint64_t removes; /* the member that it removes, or none */
        bool handed_over; /* leadership was to move before this leader removes itself */
} Held;

void changes_init(Replica *replica) {
        list_init(&replica->changes);
        list_init(&replica->held);
}

/* ---- proposals that are held ---- */

static void held_free(Replica *replica, Held *held) {
        list_unlink(&held->link);
        replica->held_count--;
        replica->held_bytes -= held->bytes;
        raft_message_deinit(&held->message);
        free(held);
}

static void held_look_into(Held *held) {
        const RaftEntries *entries = &held->message.entries;
        RaftConfChange change;

        for (size_t i = 0; i < entries->length; i++) {
                held->bytes += entries->items[i].length;
                if (!raft_entry_is_conf_change(&entries->items[i]))
                        continue;
                held->changes = true;
                if (raft_conf_change_decode(&entries->items[i], &change) >= 0 && change.length == 1 &&
                    change.changes[0].operation == RAFT_CONF_REMOVE)
                        held->removes = change.changes[0].id;
        }
}

/* Moves the message in; with too much here, or without memory, it is as if it were lost on the way. */
static void hold(Replica *replica, RaftMessage *message) {
        Held *held = calloc(1, sizeof(*held));

        if (!held)
                return;
        *held = (Held){.message = *message, .deadline = replica->now + replica->config.request_timeout};
        *message = (RaftMessage){0};
        list_init(&held->link);
        held_look_into(held);
        list_append(&replica->held, &held->link);
        replica->held_count++;
        replica->held_bytes += held->bytes;
        if (replica->held_count > HELD_MAX || replica->held_bytes > HELD_BYTES_MAX)
                held_free(replica, held);
}

/* Whether nobody can take it now. The paper, section 4.1: one change at a time. */
static bool held_must_wait(Replica *replica, Held *held) {
        RaftBasicStatus status = raft_basic_status(replica->raft);

        if (status.soft_state.leader == RAFT_ID_NONE || status.transferee != RAFT_ID_NONE)
                return true;
        if (status.soft_state.state != RAFT_LEADER || !held->changes)
                return false;
        if (status.change_pending)
                return true;
        /* The paper, section 4.2.2, has a leader step down when its removal is committed. Moving leadership first spares
         * the others an election; when nobody takes it the removal goes on all the same. */
        if (held->removes != replica->config.id || held->handed_over)
                return false;
        held->handed_over = true;
        return replica_hand_over(replica);
}

static void held_step(Replica *replica, Held *held) {
        int r = raft_step(replica->raft, &held->message);

        if (r == RAFT_PROPOSAL_DROPPED)
                return;
        if (r < 0 && r != -ENOMEM && r != -EBADMSG)
                replica_fail(replica, r, "the consensus core failed at a proposal");
        held_free(replica, held);
}

/* Who was removed is sent nothing more, not even that it is so: it hears it from the others, and that is the answer. */
static void removal_answer(Replica *replica) {
        list_foreach (&replica->changes, node) {
                ReplicaRequest *request = container_of(node, ReplicaRequest, link);

                if (request->removes_self)
                        request_finish(request, &(ReplicaResult){.raft_index = replica->counts.applied_index});
        }
}

void changes_run(Replica *replica) {
        if (replica->removed)
                removal_answer(replica);
        list_foreach (&replica->held, node) {
                Held *held = container_of(node, Held, link);

                if (replica->failure)
                        return;
                if (!held_must_wait(replica, held))
                        held_step(replica, held);
        }
}

int changes_step_proposal(Replica *replica, RaftMessage *message) {
        Held look = {.message = *message};
        int r = RAFT_PROPOSAL_DROPPED;

        held_look_into(&look);
        if (!held_must_wait(replica, &look))
                r = raft_step(replica->raft, message);
        if (r == RAFT_PROPOSAL_DROPPED) {
                hold(replica, message);
                r = 0;
        }
        return r;
}

/* ---- requests of this member's clients ---- */

ReplicaRequest *changes_find(Replica *replica, uint64_t id) {
        list_foreach (&replica->changes, node) {
                ReplicaRequest *request = container_of(node, ReplicaRequest, link);

                if (request->id == id)
                        return request;
        }
        return NULL;
}

static RaftConfOperation change_operation(ReplicaChangeKind kind) {
        switch (kind) {
        case REPLICA_CHANGE_ADD:
                return RAFT_CONF_ADD_LEARNER; /* it votes when it has caught up: changes_tick() */
        case REPLICA_CHANGE_UPDATE:
                return RAFT_CONF_UPDATE;
        default:
                return RAFT_CONF_REMOVE;
        }
}

static int change_message(Replica *replica, const ReplicaChange *change, uint64_t request, RaftMessage *ret_message) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        _cleanup_raft_message_ RaftMessage message = {.type = RAFT_MESSAGE_PROPOSE, .from = replica->config.id};
        _cleanup_buffer_ Buffer context = BUFFER_INIT;
        RaftConfChange words = {.length = 1, .changes = {{change_operation(change->kind), change->id}}};
        RaftEntry entry = {.type = RAFT_ENTRY_CONF_CHANGE};
        int r;

        r = change_encode_context(replica->config.id, request, slice_from(change->attributes ?: ""), &context);
        if (r < 0)
                return r;
        words.context = (Slice){buffer_data(&context), buffer_length(&context)};
        if (change->id == RAFT_ID_NONE || raft_id_is_local(change->id) || words.context.length > RAFT_CONF_CONTEXT_MAX)
                return -EINVAL;
        r = raft_conf_change_encode(&words, true, &payload);
        if (r < 0)
                return r;
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        r = raft_entries_append(&message.entries, &entry);
        if (r < 0)
                return r;
        *ret_message = message;
        message = (RaftMessage){0};
        return 0;
}

int replica_change_members(Replica *replica, const ReplicaChange *change, ReplicaDone done, void *userdata) {
        _cleanup_raft_message_ RaftMessage message = {0};
        ReplicaRequest *request;
        int r;

        if (replica->failure)
                return -ESHUTDOWN;
        if (replica->change_count >= CHANGES_MAX)
                return -EBUSY;
        request = request_new(replica, REQUEST_CHANGE, done, userdata);
        if (!request)
                return -ENOMEM;
        r = change_message(replica, change, request->id, &message);
        if (r < 0) {
                free(request);
                return r;
        }
        request->removes_self = change->kind == REPLICA_CHANGE_REMOVE && change->id == replica->config.id;
        replica->change_count++;
        list_append(&replica->changes, &request->link);
        hold(replica, &message);
        return 0;
}

/* ---- learners ---- */

static Catching *catching_find(Replica *replica, uint64_t id) {
        for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
                if (replica->catching[i].id == id)
                        return &replica->catching[i];
        return NULL;
}

/* The paper, section 4.2.1: a learner is brought up to date in rounds, each up to where the log ended as it began. Once a
 * round took no longer than an election does, what is still missing costs no availability. */
static bool learner_has_caught_up(Replica *replica, const RaftPeerStatus *peer, uint64_t last) {
        Catching *catching = catching_find(replica, peer->id) ?: catching_find(replica, RAFT_ID_NONE);
        bool caught_up;

        if (!catching || !peer->active || peer->state != RAFT_PROGRESS_REPLICATE)
                return false;
        if (catching->id == RAFT_ID_NONE)
                *catching = (Catching){peer->id, last, replica->now};
        if (peer->match < catching->target)
                return false;
        caught_up = replica->now - catching->begun <= replica->config.tick * replica->config.election_ticks;
        *catching = (Catching){peer->id, last, replica->now};
        return caught_up;
}

static void learner_promote(Replica *replica, uint64_t id) {
        RaftConfChange change = {.length = 1, .changes = {{RAFT_CONF_ADD_VOTER, id}}};
        int r = raft_propose_conf_change(replica->raft, &change, true);

        if (r < 0 && r != -ENOMEM)
                replica_fail(replica, r, "the consensus core failed at a change of the members");
        *catching_find(replica, id) = (Catching){0};
}

/* Learners that were removed before they had caught up make room for others. */
static void catching_forget(Replica *replica) {
        for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
                if (!raft_ids_contain(&raft_configuration(replica->raft)->learners, replica->catching[i].id))
                        replica->catching[i] = (Catching){0};
}

static void learners_promote(Replica *replica) {
        RaftStatus status;

        raft_status(replica->raft, &status);
        if (status.basic.soft_state.state != RAFT_LEADER) {
                memset(replica->catching, 0, sizeof(replica->catching));
                return;
        }
        catching_forget(replica);
        if (status.basic.change_pending || status.basic.transferee != RAFT_ID_NONE)
                return;
        for (size_t i = 0; i < status.length; i++)
                if (status.peers[i].learner &&
                    learner_has_caught_up(replica, &status.peers[i], status.basic.last_index)) {
                        learner_promote(replica, status.peers[i].id);
                        return; /* one at a time */
                }
}

/* ---- a member that was removed ---- */

void removal_noticed(Replica *replica) {
        replica->removed = true;
}

bool replica_is_removed(const Replica *replica, uint64_t id) {
        return (replica->last_removal == 0 || replica->durable_commit >= replica->last_removal) &&
               members_find_removed(replica, id) > 0;
}

void replica_hear_removed(Replica *replica, uint64_t by) {
        removal_noticed(replica);
        (void)raft_ids_add(&replica->removed_by, by);
}

bool replica_may_leave(const Replica *replica) {
        const RaftIds *voters = &replica->configuration.voters;
        size_t others = 0, told = 0;

        if (!replica->removed)
                return false;
        for (size_t i = 0; i < voters->length; i++) {
                if (voters->items[i] == replica->config.id)
                        continue;
                others++;
                told += raft_ids_contain(&replica->removed_by, voters->items[i]);
        }
        if (told > others / 2)
                return true;
        return others != 1 && replica->removed_since != 0 &&
               replica->now - replica->removed_since >= REPLICA_REMOVED_LINGER;
}

/* ---- time ---- */

static void changes_expire(Replica *replica) {
        list_foreach (&replica->held, node) {
                Held *held = container_of(node, Held, link);

                if (held->deadline <= replica->now)
                        held_free(replica, held);
        }
        list_foreach (&replica->changes, node) {
                ReplicaRequest *request = container_of(node, ReplicaRequest, link);

                if (request->deadline <= replica->now)
                        request_finish(request, &(ReplicaResult){.r = -ETIMEDOUT});
        }
}

void changes_tick(Replica *replica) {
        changes_expire(replica);
        if (replica->failure)
                return;
        learners_promote(replica);
        if (replica->removed && replica->removed_since == 0)
                replica->removed_since = replica->now;
        /* it led when it was removed: the others need not wait until they miss it */
        if (replica->removed && raft_basic_status(replica->raft).soft_state.state == RAFT_LEADER)
                (void)replica_hand_over(replica);
}

void changes_deinit(Replica *replica) {
        list_foreach (&replica->held, node)
                held_free(replica, container_of(node, Held, link));
        while (!list_is_empty(&replica->changes))
                request_finish(container_of(replica->changes.next, ReplicaRequest, link),
                               &(ReplicaResult){.r = -ECANCELED});
}
