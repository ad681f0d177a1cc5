#include "environment.h"

#include <errno.h>
#include <stdio.h>

#include "print.h"

void check_memory(int r) {
        if (r >= 0)
                return;
        fprintf(stderr, "raft-transcript: %s\n", strerror(-r));
        exit(2);
}

const char *outcome_text(int r) {
        switch (r) {
        case 0:
                return NULL;
        case RAFT_PROPOSAL_DROPPED:
                return "raft proposal dropped";
        case RAFT_PEER_UNKNOWN:
                return "raft: cannot step as peer not found";
        case RAFT_MESSAGE_LOCAL:
                return "raft: cannot step raft local message";
        default:
                return "the core has failed";
        }
}

/* ---- a node's storage: the one in memory, but the snapshot it offers is the newest of the history ---- */

static int node_initial_state(void *userdata, RaftHardState *ret_hard_state, RaftConfState *ret_conf_state) {
        Node *node = userdata;
        RaftStorage storage = raft_memory_storage_ops(&node->storage);

        return storage.ops->initial_state(storage.userdata, ret_hard_state, ret_conf_state);
}

static int node_entries(void *userdata, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries) {
        Node *node = userdata;
        RaftStorage storage = raft_memory_storage_ops(&node->storage);

        return storage.ops->entries(storage.userdata, low, high, max_bytes, entries);
}

static int node_term(void *userdata, uint64_t index, uint64_t *ret_term) {
        Node *node = userdata;

        return raft_memory_storage_term(&node->storage, index, ret_term);
}

static uint64_t node_first_index(void *userdata) {
        Node *node = userdata;

        return raft_memory_storage_first_index(&node->storage);
}

static uint64_t node_last_index(void *userdata) {
        Node *node = userdata;

        return raft_memory_storage_last_index(&node->storage);
}

static int node_snapshot(void *userdata, RaftSnapshot **ret_snapshot) {
        Node *node = userdata;

        *ret_snapshot = raft_snapshot_ref(node_last_snapshot(node));
        return 0;
}

static const RaftStorageOps node_storage_ops = {
        .initial_state = node_initial_state,
        .entries = node_entries,
        .term = node_term,
        .first_index = node_first_index,
        .last_index = node_last_index,
        .snapshot = node_snapshot,
};

static void node_free(Node *node) {
        raft_free(node->raft);
        raft_memory_storage_deinit(&node->storage);
        raft_messages_deinit(&node->append_work);
        raft_messages_deinit(&node->apply_work);
        for (size_t i = 0; i < node->history_length; i++)
                raft_snapshot_unref(node->history[i]);
        free(node->history);
        free(node);
}

void environment_deinit(Environment *environment) {
        for (size_t i = 0; i < environment->length; i++)
                node_free(environment->nodes[i]);
        raft_messages_deinit(&environment->messages);
        *environment = (Environment){0};
}

Node *environment_node(Environment *environment, uint64_t id) {
        return id > 0 && id <= environment->length ? environment->nodes[id - 1] : NULL;
}

/* Takes over the reference. */
static void node_add_history(Node *node, RaftSnapshot *snapshot) {
        if (node->history_length == node->history_capacity) {
                size_t capacity = node->history_capacity ? node->history_capacity * 2 : 16;
                RaftSnapshot **history = realloc(node->history, capacity * sizeof(RaftSnapshot *));

                if (!history)
                        check_memory(-ENOMEM);
                node->history = history;
                node->history_capacity = capacity;
        }
        node->history[node->history_length++] = snapshot;
}

int environment_add_node(Environment *environment, const NodeOptions *options) {
        RaftConfig config = options->config;
        RaftSnapshot *snapshot = NULL;
        Node *node;
        int r;

        if (environment->length == ENVIRONMENT_NODES_MAX)
                return error_set(&environment->failure, 1, "more than %d nodes", ENVIRONMENT_NODES_MAX);
        node = calloc(1, sizeof(Node));
        if (!node)
                check_memory(-ENOMEM);
        node->id = environment->length + 1;
        node->async = config.async_storage_writes;
        check_memory(raft_snapshot_new(options->bootstrap ? options->index : 0, options->bootstrap ? 1 : 0,
                                       &options->conf_state, NULL, &snapshot));
        node_add_history(node, snapshot);
        if (options->bootstrap) {
                check_memory(raft_memory_storage_apply_snapshot(&node->storage, snapshot));
                config.applied = options->index;
        }
        config.id = node->id;
        config.storage = (RaftStorage){.ops = &node_storage_ops, .userdata = node};
        random_seed(&config.random, node->id);
        r = raft_new(&config, &node->raft, &environment->failure);
        if (r < 0) {
                node_free(node);
                return 1;
        }
        environment->nodes[environment->length++] = node;
        return 0;
}

/* Snapshots bring no new history: only what a node applies itself does. */
static void node_apply_entries(Node *node, const RaftEntries *entries) {
        for (size_t i = 0; i < entries->length; i++) {
                const RaftEntry *entry = &entries->items[i];
                RaftConfState state = node_last_snapshot(node)->conf_state;
                RaftSnapshot *snapshot;

                if (raft_entry_is_conf_change(entry)) {
                        RaftConfChange change;

                        check_memory(raft_conf_change_decode(entry, &change));
                        check_memory(raft_apply_conf_change(node->raft, &change, &state, NULL));
                }
                check_memory(raft_snapshot_new(entry->index, entry->term, &state, NULL, &snapshot));
                node_add_history(node, snapshot);
        }
}

static int node_persist(Environment *environment, Node *node, RaftHardState hard_state, RaftSnapshot *snapshot,
                        const RaftEntries *entries) {
        int r;

        if (!raft_hard_state_is_empty(&hard_state))
                node->storage.hard_state = hard_state;
        if (snapshot && entries->length > 0)
                return error_set(&environment->failure, 1, "can't apply snapshot and entries at the same time");
        if (snapshot) {
                r = raft_memory_storage_apply_snapshot(&node->storage, snapshot);
                if (r == RAFT_MEMORY_STORAGE_OLD)
                        return error_set(&environment->failure, 1,
                                         "requested index is older than the existing snapshot");
                check_memory(r);
                return 0;
        }
        r = raft_memory_storage_append(&node->storage, entries->items, entries->length);
        check_memory(r);
        if (r == RAFT_MEMORY_STORAGE_GAP)
                return error_set(&environment->failure, 1, "the entries to append do not follow on the log");
        return 0;
}

static void send_all(Environment *environment, RaftMessages *messages) {
        for (size_t i = 0; i < messages->length; i++)
                check_memory(raft_messages_take(&environment->messages, &messages->items[i]));
        messages->length = 0;
}

static void queue_work(Environment *environment, Node *node, RaftMessages *messages) {
        for (size_t i = 0; i < messages->length; i++) {
                RaftMessage *message = &messages->items[i];
                RaftMessages *queue = message->to == RAFT_ID_APPEND_THREAD  ? &node->append_work
                                      : message->to == RAFT_ID_APPLY_THREAD ? &node->apply_work
                                                                            : &environment->messages;

                check_memory(raft_messages_take(queue, message));
        }
        messages->length = 0;
}

int node_process_ready(Environment *environment, Node *node, Buffer *out) {
        _cleanup_raft_ready_ RaftReady ready = {0};
        int r;

        r = raft_ready(node->raft, &ready);
        if (r < 0)
                return error_set(&environment->failure, 1, "no ready: %s", strerror(-r));
        print_ready(out, &ready);
        if (node->async) {
                queue_work(environment, node, &ready.messages);
                return 0;
        }
        r = node_persist(environment, node, ready.hard_state, ready.snapshot, &ready.entries);
        if (r != 0)
                return r;
        node_apply_entries(node, &ready.committed_entries);
        send_all(environment, &ready.messages);
        check_memory(raft_advance(node->raft));
        return 0;
}

static void pop_work(RaftMessages *queue, RaftMessage *ret_message) {
        *ret_message = queue->items[0];
        queue->length--;
        memmove(queue->items, queue->items + 1, queue->length * sizeof(RaftMessage));
}

static void print_work(Buffer *out, const RaftMessage *work) {
        RaftMessage shown = *work;

        shown.responses = (RaftMessages){0};
        buffer_append_string(out, "Processing:\n");
        print_message(out, &shown, 0);
        buffer_append_byte(out, '\n');
}

static void respond(Environment *environment, RaftMessage *work, Buffer *out) {
        buffer_append_string(out, "Responses:\n");
        for (size_t i = 0; i < work->responses.length; i++) {
                print_message(out, &work->responses.items[i], 0);
                buffer_append_byte(out, '\n');
        }
        send_all(environment, &work->responses);
}

int node_process_append(Environment *environment, Node *node, Buffer *out) {
        _cleanup_raft_message_ RaftMessage work = {0};
        int r;

        if (node->append_work.length == 0) {
                buffer_append_string(out, "no append work to perform\n");
                return 0;
        }
        pop_work(&node->append_work, &work);
        print_work(out, &work);
        r = node_persist(environment, node, (RaftHardState){work.term, work.vote, work.commit}, work.snapshot,
                         &work.entries);
        if (r != 0)
                return r;
        respond(environment, &work, out);
        return 0;
}

int node_process_apply(Environment *environment, Node *node, Buffer *out) {
        _cleanup_raft_message_ RaftMessage work = {0};

        if (node->apply_work.length == 0) {
                buffer_append_string(out, "no apply work to perform\n");
                return 0;
        }
        pop_work(&node->apply_work, &work);
        print_work(out, &work);
        node_apply_entries(node, &work.entries);
        respond(environment, &work, out);
        return 0;
}

static bool is_local(const RaftMessage *message) {
        return message->from == message->to || raft_id_is_local(message->from);
}

size_t environment_deliver(Environment *environment, Recipient recipient, RaftMessageType type, Buffer *out) {
        Node *node = environment_node(environment, recipient.id);
        RaftMessages *messages = &environment->messages;
        _cleanup_raft_messages_ RaftMessages taken = {0};
        size_t kept = 0;

        for (size_t i = 0; i < messages->length; i++) {
                RaftMessage *message = &messages->items[i];

                if (message->to == recipient.id && (type == 0 || message->type == type) &&
                    !(recipient.drop && is_local(message)))
                        check_memory(raft_messages_take(&taken, message));
                else
                        messages->items[kept++] = *message;
        }
        messages->length = kept;
        for (size_t i = 0; i < taken.length; i++) {
                const char *failure;

                if (recipient.drop)
                        buffer_append_string(out, "dropped: ");
                print_message(out, &taken.items[i], 0);
                buffer_append_byte(out, '\n');
                if (recipient.drop || !node)
                        continue;
                failure = outcome_text(raft_step(node->raft, &taken.items[i]));
                if (failure)
                        buffer_printf(out, "%s\n", failure);
        }
        return taken.length;
}

bool environment_has_messages(const Environment *environment, uint64_t id) {
        for (size_t i = 0; i < environment->messages.length; i++)
                if (environment->messages.items[i].to == id)
                        return true;
        return false;
}

void append_indented(Buffer *out, Buffer *text) {
        Slice rest = {buffer_data(text), buffer_length(text)}, line;

        if (rest.length == 0)
                return;
        if (rest.data[rest.length - 1] == '\n')
                rest.length--;
        while (slice_split(&rest, '\n', &line)) {
                buffer_append_string(out, "  ");
                buffer_append(out, line.data, line.length);
                buffer_append_byte(out, '\n');
        }
}

int work_under_header(Environment *environment, Node *node, const char *header, NodeWork work, Buffer *out) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r;

        buffer_append_string(out, "> ");
        buffer_append_u64(out, node->id);
        buffer_printf(out, " %s\n", header);
        r = work(environment, node, &text);
        append_indented(out, &text);
        return r;
}

static int receive_all(Environment *environment, Node *node, Buffer *out) {
        (void)environment_deliver(environment, (Recipient){.id = node->id}, 0, out);
        return 0;
}

static int append_all(Environment *environment, Node *node, Buffer *out) {
        int r;

        while (node->append_work.length > 0) {
                r = node_process_append(environment, node, out);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int apply_all(Environment *environment, Node *node, Buffer *out) {
        int r;

        while (node->apply_work.length > 0) {
                r = node_process_apply(environment, node, out);
                if (r != 0)
                        return r;
        }
        return 0;
}

static bool has_ready(const Environment *environment, const Node *node) {
        (void)environment;
        return raft_has_ready(node->raft);
}

static bool has_messages(const Environment *environment, const Node *node) {
        return environment_has_messages(environment, node->id);
}

static bool has_append_work(const Environment *environment, const Node *node) {
        (void)environment;
        return node->append_work.length > 0;
}

static bool has_apply_work(const Environment *environment, const Node *node) {
        (void)environment;
        return node->apply_work.length > 0;
}

int environment_stabilize(Environment *environment, Node *const *nodes, size_t length, Buffer *out) {
        static const struct {
                bool (*is_due)(const Environment *environment, const Node *node);
                const char *header;
                NodeWork work;
        } steps[] = {
                {has_ready, "handling Ready", node_process_ready},
                {has_messages, "receiving messages", receive_all},
                {has_append_work, "processing append thread", append_all},
                {has_apply_work, "processing apply thread", apply_all},
        };
        bool busy = true;
        int r;

        for (size_t round = 0; busy; round++) {
                if (round == ENVIRONMENT_ROUNDS_MAX)
                        return error_set(&environment->failure, 1, "not stable after %d rounds",
                                         ENVIRONMENT_ROUNDS_MAX);
                busy = false;
                for (size_t step = 0; step < ARRAY_SIZE(steps); step++)
                        for (size_t i = 0; i < length; i++) {
                                if (!steps[step].is_due(environment, nodes[i]))
                                        continue;
                                busy = true;
                                r = work_under_header(environment, nodes[i], steps[step].header, steps[step].work, out);
                                if (r != 0)
                                        return r;
                        }
        }
        return 0;
}
