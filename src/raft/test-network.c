#include "raft/test-network.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/siphash.h"

RaftConfig network_defaults(void) {
        return (RaftConfig){
                .election_ticks = 10,
                .heartbeat_ticks = 1,
                .max_message_size = 256,
                .max_committed_size = 4096,
                .max_inflight_messages = 16,
                .check_quorum = true,
                .pre_vote = true,
                .votes_tell_commit = true,
        };
}

TestNode *network_node(TestNetwork *network, uint64_t id) {
        assert(id > 0 && id <= network->length);
        return &network->nodes[id - 1];
}

void network_start(TestNetwork *network, uint64_t id) {
        TestNode *node = network_node(network, id);
        Error error = ERROR_NONE;

        assert(!node->raft);
        node->applied = node->saved_applied;
        node->state = node->saved_state;
        node->conf_state = node->storage.conf_state = node->saved_conf_state;
        node->config.applied = node->applied;
        node->config.storage = raft_memory_storage_ops(&node->storage);
        random_seed(&node->config.random, random_u64(&network->random));
        assert(raft_new(&node->config, &node->raft, &error) == 0);
}

void network_crash(TestNetwork *network, uint64_t id) {
        TestNode *node = network_node(network, id);

        node->raft = raft_free(node->raft);
        raft_messages_clear(&node->append_work);
        raft_messages_clear(&node->apply_work);
}

/* The first configuration lies in a snapshot that all founders have: who joins later gets it from there. */
static void found(TestNode *node, size_t voters) {
        _cleanup_raft_snapshot_ RaftSnapshot *snapshot = NULL;
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftConfState state = {0};

        for (uint64_t id = 1; id <= voters; id++)
                assert(raft_ids_add(&state.voters, id) == 0);
        node->saved_applied = node->saved_state = 1;
        node->saved_conf_state = state;
        assert(raft_payload_new(&node->saved_state, sizeof(node->saved_state), &payload) == 0);
        assert(raft_snapshot_new(1, 1, &state, payload, &snapshot) == 0);
        assert(raft_memory_storage_apply_snapshot(&node->storage, snapshot) == 0);
        node->storage.hard_state = (RaftHardState){.term = 1, .commit = 1};
}

void network_init(TestNetwork *network, size_t length, size_t voters, uint64_t seed, const RaftConfig *defaults) {
        *network = (TestNetwork){.length = length, .defaults = defaults ? *defaults : network_defaults()};
        random_seed(&network->random, seed);
        for (size_t i = 0; i < length; i++) {
                TestNode *node = &network->nodes[i];

                node->id = i + 1;
                node->config = network->defaults;
                node->config.id = node->id;
                if (i < voters)
                        found(node, voters);
                network_start(network, node->id);
        }
}

void network_deinit(TestNetwork *network) {
        for (size_t i = 0; i < network->length; i++) {
                network_crash(network, i + 1);
                raft_memory_storage_deinit(&network->nodes[i].storage);
                raft_messages_deinit(&network->nodes[i].append_work);
                raft_messages_deinit(&network->nodes[i].apply_work);
        }
        raft_messages_deinit(&network->queue);
}

void network_isolate(TestNetwork *network, uint64_t id, bool isolate) {
        for (size_t i = 0; i < network->length; i++)
                network->cut[id - 1][i] = network->cut[i][id - 1] = isolate;
}

static uint64_t chain(uint64_t state, const RaftEntry *entry) {
        uint64_t hash = siphash24(entry->data ? entry->data : "", entry->length, (SipKey){state, entry->index});

        return hash ^ entry->term << 1 ^ entry->type;
}

/* State machine safety: the paper, Figure 3.2. */
static void record_applied(TestNetwork *network, TestNode *node, uint64_t term) {
        uint64_t index = node->applied;

        assert(index < TEST_INDEX_MAX);
        if (network->states[index] == 0) {
                network->states[index] = node->state;
                network->terms[index] = term;
        }
        assert(network->states[index] == node->state);
        network->max_applied = max_of(network->max_applied, index);
}

/* Offers the state as it is to members that lag behind. */
static void offer_snapshot(TestNode *node, uint64_t term) {
        _cleanup_raft_snapshot_ RaftSnapshot *snapshot = NULL;
        _cleanup_raft_payload_ RaftPayload *payload = NULL;

        assert(raft_payload_new(&node->state, sizeof(node->state), &payload) == 0);
        assert(raft_snapshot_new(node->applied, term, &node->conf_state, payload, &snapshot) == 0);
        assert(raft_memory_storage_set_snapshot(&node->storage, snapshot) >= 0);
}

static void node_apply(TestNetwork *network, TestNode *node, const RaftEntries *entries) {
        for (size_t i = 0; i < entries->length; i++) {
                const RaftEntry *entry = &entries->items[i];

                /* work that was waiting when a snapshot overtook it */
                if (entry->index <= node->applied)
                        continue;
                assert(entry->index == node->applied + 1);
                if (raft_entry_is_conf_change(entry)) {
                        RaftConfChange change;

                        assert(raft_conf_change_decode(entry, &change) == 0);
                        assert(raft_apply_conf_change(node->raft, &change, &node->conf_state, NULL) >= 0);
                        network->joint_changes += raft_conf_state_is_joint(&node->conf_state) ? 1 : 0;
                }
                node->state = chain(node->state, entry);
                node->applied = entry->index;
                record_applied(network, node, entry->term);
                /* whoever was added must find itself in it */
                if (raft_entry_is_conf_change(entry))
                        offer_snapshot(node, entry->term);
        }
}

static void node_persist(TestNetwork *network, TestNode *node, RaftHardState state, RaftSnapshot *snapshot,
                         const RaftEntries *entries) {
        if (!raft_hard_state_is_empty(&state))
                node->storage.hard_state = state;
        if (snapshot) {
                assert(raft_memory_storage_apply_snapshot(&node->storage, snapshot) == 0);
                assert(snapshot->payload->length == sizeof(node->state));
                memcpy(&node->state, snapshot->payload->data, sizeof(node->state));
                node->applied = node->saved_applied = snapshot->index;
                node->saved_state = node->state;
                node->conf_state = node->saved_conf_state = snapshot->conf_state;
                network->restores++;
                if (node->storage.hard_state.commit < snapshot->index)
                        node->storage.hard_state.commit = snapshot->index;
                record_applied(network, node, snapshot->term);
        }
        assert(raft_memory_storage_append(&node->storage, entries->items, entries->length) == 0);
}

static void send_all(TestNetwork *network, TestNode *node, RaftMessages *messages) {
        for (size_t i = 0; i < messages->length; i++) {
                RaftMessage *message = &messages->items[i];
                RaftMessages *queue = message->to == RAFT_ID_APPEND_THREAD  ? &node->append_work
                                      : message->to == RAFT_ID_APPLY_THREAD ? &node->apply_work
                                                                            : &network->queue;

                if (message->to == node->id) {
                        assert(raft_step(node->raft, message) >= 0);
                        raft_message_deinit(message);
                        continue;
                }
                assert(raft_messages_take(queue, message) == 0);
        }
        messages->length = 0;
}

/* Election safety and leader completeness: the paper, Figure 3.2. */
static void check_leader(TestNetwork *network, TestNode *node) {
        RaftBasicStatus status = raft_basic_status(node->raft);
        uint64_t term = status.hard_state.term, mine;

        if (status.soft_state.state != RAFT_LEADER)
                return;
        assert(term < TEST_TERM_MAX);
        if (network->leaders[term] == node->id)
                return;
        assert(network->leaders[term] == 0);
        network->leaders[term] = node->id;
        network->elections++;
        for (uint64_t index = 1; index <= network->max_applied; index++) {
                if (raft_memory_storage_term(&node->storage, index, &mine) == RAFT_STORAGE_COMPACTED)
                        continue;
                assert(raft_memory_storage_term(&node->storage, index, &mine) == 0);
                assert(network->terms[index] == 0 || network->terms[index] == mine);
        }
}

static void serve_reads(TestNetwork *network, TestNode *node, const RaftReadStates *reads) {
        for (size_t i = 0; i < reads->length; i++) {
                assert(reads->items[i].context > 0 && reads->items[i].context <= network->reads_asked);
                assert(reads->items[i].index >= network->read_floor[reads->items[i].context]);
                node->reads_served++;
                node->last_read = reads->items[i].index;
        }
}

bool node_handle_ready(TestNetwork *network, TestNode *node) {
        _cleanup_raft_ready_ RaftReady ready = {0};

        if (!node->raft || !raft_has_ready(node->raft))
                return false;
        assert(raft_ready(node->raft, &ready) == 0);
        check_leader(network, node);
        serve_reads(network, node, &ready.read_states);
        if (node->config.async_storage_writes) {
                send_all(network, node, &ready.messages);
                return true;
        }
        node_persist(network, node, ready.hard_state, ready.snapshot, &ready.entries);
        send_all(network, node, &ready.messages);
        node_apply(network, node, &ready.committed_entries);
        assert(raft_advance(node->raft) == 0);
        check_leader(network, node);
        return true;
}

static bool pop(RaftMessages *queue, RaftMessage *ret_message) {
        if (queue->length == 0)
                return false;
        *ret_message = queue->items[0];
        queue->length--;
        memmove(queue->items, queue->items + 1, queue->length * sizeof(RaftMessage));
        return true;
}

bool node_do_append_work(TestNetwork *network, TestNode *node) {
        _cleanup_raft_message_ RaftMessage work = {0};

        if (!node->raft || !pop(&node->append_work, &work))
                return false;
        node_persist(network, node, (RaftHardState){work.term, work.vote, work.commit}, work.snapshot, &work.entries);
        send_all(network, node, &work.responses);
        check_leader(network, node);
        return true;
}

bool node_do_apply_work(TestNetwork *network, TestNode *node) {
        _cleanup_raft_message_ RaftMessage work = {0};

        if (!node->raft || !pop(&node->apply_work, &work))
                return false;
        node_apply(network, node, &work.entries);
        send_all(network, node, &work.responses);
        return true;
}

void node_checkpoint(TestNode *node, bool compact) {
        uint64_t term;

        /* with asynchronous storage the hard state may still be behind what is applied */
        if (!node->raft || node->applied == 0 || node->storage.hard_state.commit < node->applied)
                return;
        node->saved_applied = node->applied;
        node->saved_state = node->state;
        node->saved_conf_state = node->conf_state;
        if (!compact || node->applied <= node->storage.base_index ||
            node->applied > raft_memory_storage_last_index(&node->storage))
                return;
        assert(raft_memory_storage_term(&node->storage, node->applied, &term) == 0);
        offer_snapshot(node, term);
        assert(raft_memory_storage_compact(&node->storage, node->applied) == 0);
}

/* False: it did not arrive. */
static bool hand_over(TestNetwork *network, const RaftMessage *message, bool lose) {
        TestNode *to = message->to <= network->length ? network_node(network, message->to) : NULL;

        if (lose || !to || !to->raft || network->cut[message->from - 1][message->to - 1])
                return false;
        assert(raft_step(to->raft, message) >= 0);
        return true;
}

void network_deliver(TestNetwork *network, size_t i, bool lose) {
        _cleanup_raft_message_ RaftMessage message = network->queue.items[i];
        TestNode *from = network_node(network, message.from);
        bool arrived;

        network->queue.length--;
        memmove(network->queue.items + i, network->queue.items + i + 1,
                (network->queue.length - i) * sizeof(RaftMessage));
        arrived = hand_over(network, &message, lose);
        /* what became of a snapshot is always told; of others only sometimes */
        if (message.type == RAFT_MESSAGE_SNAPSHOT && from->raft)
                assert(raft_report_snapshot(from->raft, message.to, arrived) == 0);
        else if (!arrived && from->raft && random_chance(&network->random, 1, 2))
                assert(raft_report_unreachable(from->raft, message.to) == 0);
}

void network_settle(TestNetwork *network) {
        bool busy = true;

        for (size_t rounds = 0; busy; rounds++) {
                assert(rounds < 10000);
                busy = false;
                for (size_t i = 0; i < network->length; i++) {
                        TestNode *node = &network->nodes[i];

                        while (node_handle_ready(network, node) || node_do_append_work(network, node) ||
                               node_do_apply_work(network, node))
                                busy = true;
                }
                while (network->queue.length > 0) {
                        network_deliver(network, 0, false);
                        busy = true;
                }
        }
}

void network_tick(TestNetwork *network, unsigned count) {
        for (unsigned i = 0; i < count; i++) {
                for (size_t j = 0; j < network->length; j++)
                        if (network->nodes[j].raft)
                                assert(raft_tick(network->nodes[j].raft) == 0);
                network_settle(network);
        }
}

uint64_t network_leader(const TestNetwork *network) {
        uint64_t leader = 0, term = 0;

        for (size_t i = 0; i < network->length; i++) {
                RaftBasicStatus status;

                if (!network->nodes[i].raft)
                        continue;
                status = raft_basic_status(network->nodes[i].raft);
                if (status.soft_state.state == RAFT_LEADER && status.hard_state.term > term) {
                        leader = status.id;
                        term = status.hard_state.term;
                }
        }
        return leader;
}

int network_propose(TestNetwork *network, uint64_t id, const char *data) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;

        network->proposals++;
        assert(raft_payload_new(data, strlen(data), &payload) == 0);
        return raft_propose(network_node(network, id)->raft, payload);
}

int network_change(TestNetwork *network, uint64_t id, RaftConfTransition transition, const char *changes) {
        RaftConfChange change = {.transition = transition};

        for (; *changes; changes += 2)
                change.changes[change.length++] = (RaftConfSingle){
                        .operation = changes[0] == 'v'   ? RAFT_CONF_ADD_VOTER
                                     : changes[0] == 'l' ? RAFT_CONF_ADD_LEARNER
                                                         : RAFT_CONF_REMOVE,
                        .id = (uint64_t)(changes[1] - '0'),
                };
        return raft_propose_conf_change(network_node(network, id)->raft, &change, false);
}

int network_read(TestNetwork *network, uint64_t id) {
        uint64_t context = ++network->reads_asked;

        assert(context < TEST_READS_MAX);
        network->read_floor[context] = network->max_applied;
        return raft_read_index(network_node(network, id)->raft, context);
}

/* Log matching: the paper, Figure 3.2. Walking down from the end, once two logs agree on a term they must go on to. */
void network_check_logs(TestNetwork *network) {
        for (size_t i = 0; i < network->length; i++)
                for (size_t j = i + 1; j < network->length; j++) {
                        const RaftMemoryStorage *a = &network->nodes[i].storage, *b = &network->nodes[j].storage;
                        uint64_t index = min_of(raft_memory_storage_last_index(a), raft_memory_storage_last_index(b));
                        uint64_t low = max_of(a->base_index, b->base_index), term_a, term_b;
                        bool agreed = false;

                        for (; index > low; index--) {
                                const RaftEntry *entry_a = &a->entries.items[index - a->base_index - 1];
                                const RaftEntry *entry_b = &b->entries.items[index - b->base_index - 1];

                                term_a = entry_a->term;
                                term_b = entry_b->term;
                                assert(!agreed || term_a == term_b);
                                agreed = agreed || term_a == term_b;
                                if (agreed)
                                        assert(chain(0, entry_a) == chain(0, entry_b));
                        }
                }
}
