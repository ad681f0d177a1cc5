#include "commands.h"

#include <errno.h>

#include "print.h"
#include "raft/internal.h"

/* A command returns 0, or 1 with the text in environment->failure. */
typedef int (*Command)(Environment *environment, const Directive *directive, Buffer *out);

static int fail(Environment *environment, const char *text) {
        (void)error_set(&environment->failure, 1, "%s", text);
        return 1;
}

/* The node that argument number `at` names. */
static int find_node(Environment *environment, const Directive *directive, size_t at, Node **ret_node) {
        uint64_t id;

        if (at >= directive->length || str_parse_u64(directive->arguments[at].key, UINT64_MAX, &id) < 0)
                return fail(environment, "a node's number is missing");
        *ret_node = environment_node(environment, id);
        if (!*ret_node)
                return fail(environment, "there is no such node");
        return 0;
}

static int report(Environment *environment, int r) {
        const char *text = outcome_text(r);

        return text ? fail(environment, text) : 0;
}

static int run_nothing(Environment *environment, const Directive *directive, Buffer *out) {
        (void)environment;
        (void)directive;
        (void)out;
        return 0;
}

static int parse_ids(const Argument *argument, RaftIds *ids) {
        uint64_t id;

        for (size_t i = 0; i < argument->length; i++)
                if (str_parse_u64(argument->values[i], UINT64_MAX, &id) < 0 || raft_ids_add(ids, id) < 0)
                        return -EINVAL;
        return 0;
}

static int parse_read_only(Environment *environment, const Argument *argument, RaftConfig *config) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (argument->length == 1 && slice_is(argument->values[0], "safe"))
                config->read_only = RAFT_READ_ONLY_SAFE;
        else if (argument->length == 1 && slice_is(argument->values[0], "lease-based"))
                config->read_only = RAFT_READ_ONLY_LEASE;
        else {
                print_go_string(&text, argument->length == 1 ? argument->values[0] : (Slice){"", 0});
                return error_set(&environment->failure, 1, "invalid read-only option %s", buffer_string(&text));
        }
        return 0;
}

static int parse_node_option(Environment *environment, const Argument *argument, NodeOptions *options) {
        RaftConfig *config = &options->config;
        const struct {
                const char *name;
                bool *target;
        } switches[] = {
                {"async-storage-writes", &config->async_storage_writes},
                {"prevote", &config->pre_vote},
                {"checkquorum", &config->check_quorum},
                {"disable-conf-change-validation", &config->disable_conf_change_validation},
                {"step-down-on-removal", &config->step_down_on_removal},
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
                if (slice_is(argument->key, switches[i].name))
                        return argument_bool(argument, switches[i].target) < 0
                                       ? error_set(&environment->failure, 1, "%s: not a boolean", switches[i].name)
                                       : 0;
        if (slice_is(argument->key, "read-only"))
                return parse_read_only(environment, argument, config);
        if (slice_is(argument->key, "voters")) {
                options->bootstrap = true;
                r = parse_ids(argument, &options->conf_state.voters);
        } else if (slice_is(argument->key, "learners")) {
                options->bootstrap = true;
                r = parse_ids(argument, &options->conf_state.learners);
        } else if (slice_is(argument->key, "index")) {
                options->bootstrap = true;
                r = argument_u64(argument, &options->index);
        } else if (slice_is(argument->key, "inflight")) {
                uint64_t value = 0;

                r = argument_u64(argument, &value);
                config->max_inflight_messages = (size_t)value;
        } else if (slice_is(argument->key, "max-committed-size-per-ready"))
                r = argument_u64(argument, &config->max_committed_size);
        return r < 0 ? fail(environment, "an argument's value cannot be read") : 0;
}

static int run_add_nodes(Environment *environment, const Directive *directive, Buffer *out) {
        NodeOptions options = {
                .config = {
                        .election_ticks = 3,
                        .heartbeat_ticks = 1,
                        .max_message_size = RAFT_NO_LIMIT,
                        .max_committed_size = RAFT_NO_LIMIT,
                        .max_inflight_messages = INT32_MAX,
                },
        };
        uint64_t count;
        int r;

        (void)out;
        if (directive->length == 0 || str_parse_u64(directive->arguments[0].key, ENVIRONMENT_NODES_MAX, &count) < 0)
                return fail(environment, "how many nodes is missing");
        for (size_t i = 1; i < directive->length; i++) {
                r = parse_node_option(environment, &directive->arguments[i], &options);
                if (r != 0)
                        return r;
        }
        if (options.bootstrap && options.index <= 1)
                return fail(environment, "index must be specified as > 1 due to bootstrap");
        for (uint64_t i = 0; i < count; i++) {
                r = environment_add_node(environment, &options);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int run_campaign(Environment *environment, const Directive *directive, Buffer *out) {
        Node *node;

        (void)out;
        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        return report(environment, raft_campaign(node->raft));
}

static int run_propose(Environment *environment, const Directive *directive, Buffer *out) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        Slice data;
        Node *node;

        (void)out;
        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        if (directive->length != 2)
                return fail(environment, "expected exactly one key with no vals");
        data = directive->arguments[1].key;
        check_memory(raft_payload_new(data.data, data.length, &payload));
        return report(environment, raft_propose(node->raft, payload));
}

int parse_changes(Slice input, RaftConfChange *change, Error *error) {
        Slice token;

        if (input.length == 0)
                return 0;
        while (slice_split(&input, ' ', &token)) {
                RaftConfSingle single = {0};
                Slice number;
                int r;

                if (token.length < 2)
                        return error_set(error, 1, "unknown token %.*s", (int)token.length, token.data);
                switch (token.data[0]) {
                case 'v':
                        single.operation = RAFT_CONF_ADD_VOTER;
                        break;
                case 'l':
                        single.operation = RAFT_CONF_ADD_LEARNER;
                        break;
                case 'r':
                        single.operation = RAFT_CONF_REMOVE;
                        break;
                case 'u':
                        single.operation = RAFT_CONF_UPDATE;
                        break;
                default:
                        return error_set(error, 1, "unknown input: %.*s", (int)token.length, token.data);
                }
                number = (Slice){token.data + 1, token.length - 1};
                r = str_parse_u64(number, UINT64_MAX, &single.id);
                if (r < 0)
                        return error_set(error, 1, "strconv.ParseUint: parsing \"%.*s\": %s", (int)number.length,
                                         number.data, r == -ERANGE ? "value out of range" : "invalid syntax");
                if (change->length == RAFT_CONF_CHANGES_MAX)
                        return error_set(error, 1, "more than %d changes", RAFT_CONF_CHANGES_MAX);
                change->changes[change->length++] = single;
        }
        return 0;
}

static int parse_transition(Environment *environment, Slice value, RaftConfTransition *ret_transition) {
        if (slice_is(value, "auto"))
                *ret_transition = RAFT_CONF_AUTO;
        else if (slice_is(value, "implicit"))
                *ret_transition = RAFT_CONF_JOINT_IMPLICIT;
        else if (slice_is(value, "explicit"))
                *ret_transition = RAFT_CONF_JOINT_EXPLICIT;
        else
                return error_set(&environment->failure, 1, "unknown transition %.*s", (int)value.length, value.data);
        return 0;
}

static int run_propose_conf_change(Environment *environment, const Directive *directive, Buffer *out) {
        RaftConfChange change = {0};
        bool single = false;
        Node *node;
        int r = 0;

        (void)out;
        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        for (size_t i = 1; i < directive->length && r == 0; i++) {
                const Argument *argument = &directive->arguments[i];

                for (size_t j = 0; j < argument->length && r == 0; j++)
                        if (slice_is(argument->key, "v1"))
                                r = str_parse_bool(argument->values[j], &single) < 0
                                            ? fail(environment, "v1: not a boolean")
                                            : 0;
                        else if (slice_is(argument->key, "transition"))
                                r = parse_transition(environment, argument->values[j], &change.transition);
                        else
                                r = error_set(&environment->failure, 1, "unknown command %.*s",
                                              (int)argument->key.length, argument->key.data);
        }
        if (r == 0)
                r = parse_changes(directive->input, &change, &environment->failure);
        if (r != 0)
                return r;
        if (single && (change.length > 1 || change.transition != RAFT_CONF_AUTO))
                return fail(environment, "v1 conf change can only have one operation and no transition");
        return report(environment, raft_propose_conf_change(node->raft, &change, single));
}

static int tick(Environment *environment, const Directive *directive, size_t count) {
        Node *node;

        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        for (size_t i = 0; i < count; i++)
                if (raft_tick(node->raft) < 0)
                        return fail(environment, "the core has failed");
        return 0;
}

static int run_tick_heartbeat(Environment *environment, const Directive *directive, Buffer *out) {
        (void)out;
        return tick(environment, directive, 1);
}

static int run_tick_election(Environment *environment, const Directive *directive, Buffer *out) {
        (void)out;
        return tick(environment, directive, 3);
}

static int run_set_timeout(Environment *environment, const Directive *directive, Buffer *out) {
        uint64_t ticks;
        Node *node;

        (void)out;
        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        if (directive->length != 2 || argument_u64(&directive->arguments[1], &ticks) < 0)
                return fail(environment, "timeout=TICKS is missing");
        raft_set_election_timeout(node->raft, (unsigned)ticks);
        return 0;
}

static int run_transfer(Environment *environment, const Directive *directive, Buffer *out) {
        uint64_t from = 0, to = 0;
        Node *node;

        (void)out;
        for (size_t i = 0; i < directive->length; i++) {
                const Argument *argument = &directive->arguments[i];

                if ((slice_is(argument->key, "from") && argument_u64(argument, &from) < 0) ||
                    (slice_is(argument->key, "to") && argument_u64(argument, &to) < 0))
                        return fail(environment, "from and to are numbers of nodes");
        }
        node = environment_node(environment, from);
        if (!node || to == 0)
                return fail(environment, "expected from=NODE to=NODE");
        return report(environment, raft_transfer_leader(node->raft, to));
}

static int run_forget_leader(Environment *environment, const Directive *directive, Buffer *out) {
        Node *node;

        (void)out;
        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        return report(environment, raft_forget_leader(node->raft));
}

static int run_report_unreachable(Environment *environment, const Directive *directive, Buffer *out) {
        Node *node, *other;

        (void)out;
        if (directive->length != 2)
                return fail(environment, "must specify exactly two node indexes: node on which to report, and reported "
                                         "node");
        if (find_node(environment, directive, 0, &node) != 0 || find_node(environment, directive, 1, &other) != 0)
                return 1;
        return report(environment, raft_report_unreachable(node->raft, other->id));
}

static void print_log(const Node *node, Buffer *out) {
        const RaftMemoryStorage *storage = &node->storage;

        if (storage->entries.length > 0) {
                print_entries(out, &storage->entries);
                return;
        }
        buffer_append_string(out, "log is empty: first index=");
        buffer_append_u64(out, raft_memory_storage_first_index(storage));
        buffer_append_string(out, ", last index=");
        buffer_append_u64(out, raft_memory_storage_last_index(storage));
        buffer_append_byte(out, '\n');
}

static int run_raft_log(Environment *environment, const Directive *directive, Buffer *out) {
        Node *node;

        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        print_log(node, out);
        return 0;
}

static int run_compact(Environment *environment, const Directive *directive, Buffer *out) {
        uint64_t index;
        Node *node;

        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        if (directive->length != 2 || str_parse_u64(directive->arguments[1].key, UINT64_MAX, &index) < 0)
                return fail(environment, "the index is missing");
        switch (raft_memory_storage_compact(&node->storage, index)) {
        case 0:
                print_log(node, out);
                return 0;
        case RAFT_STORAGE_COMPACTED:
                return fail(environment, "requested index is unavailable due to compaction");
        default:
                return fail(environment, "the index lies behind the end of the log");
        }
}

static int run_send_snapshot(Environment *environment, const Directive *directive, Buffer *out) {
        RaftMessage message = {.type = RAFT_MESSAGE_SNAPSHOT};
        Node *from, *to;

        if (find_node(environment, directive, 0, &from) != 0 || find_node(environment, directive, 1, &to) != 0)
                return 1;
        message.from = from->id;
        message.to = to->id;
        message.term = raft_basic_status(from->raft).hard_state.term;
        message.snapshot = raft_snapshot_ref(node_last_snapshot(from));
        print_message(out, &message, 0);
        buffer_append_byte(out, '\n');
        check_memory(raft_messages_take(&environment->messages, &message));
        return 0;
}

static int add_recipient(Environment *environment, Slice text, bool drop, Recipient *recipients, size_t *length) {
        if (*length == SCRIPT_VALUES_MAX || str_parse_u64(text, UINT64_MAX, &recipients[*length].id) < 0)
                return fail(environment, "a recipient is a node's number");
        recipients[(*length)++].drop = drop;
        return 0;
}

static int run_deliver(Environment *environment, const Directive *directive, Buffer *out) {
        Recipient recipients[SCRIPT_VALUES_MAX];
        RaftMessageType type = 0;
        size_t length = 0, taken = 0;
        int r = 0;

        for (size_t i = 0; i < directive->length && r == 0; i++) {
                const Argument *argument = &directive->arguments[i];

                if (argument->length == 0)
                        r = add_recipient(environment, argument->key, false, recipients, &length);
                else if (slice_is(argument->key, "drop"))
                        for (size_t j = 0; j < argument->length && r == 0; j++)
                                r = add_recipient(environment, argument->values[j], true, recipients, &length);
                else if (slice_is(argument->key, "type") && !message_type_from_name(argument->values[0], &type))
                        r = fail(environment, "unknown message type");
        }
        if (r != 0)
                return r;
        for (size_t i = 0; i < length; i++)
                taken += environment_deliver(environment, recipients[i], type, out);
        if (taken == 0)
                buffer_append_string(out, "no messages\n");
        return 0;
}

/* One node's output is plain; several have a header each. */
static int process_each(Environment *environment, const Directive *directive, const char *header, NodeWork work,
                        Buffer *out) {
        Node *node;
        int r;

        for (size_t i = 0; i < directive->length; i++) {
                if (find_node(environment, directive, i, &node) != 0)
                        return 1;
                r = directive->length == 1 ? work(environment, node, out)
                                           : work_under_header(environment, node, header, work, out);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int run_process_ready(Environment *environment, const Directive *directive, Buffer *out) {
        return process_each(environment, directive, "handling Ready", node_process_ready, out);
}

static int run_process_append(Environment *environment, const Directive *directive, Buffer *out) {
        return process_each(environment, directive, "processing append thread", node_process_append, out);
}

static int run_process_apply(Environment *environment, const Directive *directive, Buffer *out) {
        return process_each(environment, directive, "processing apply thread", node_process_apply, out);
}

static int run_stabilize(Environment *environment, const Directive *directive, Buffer *out) {
        Node *nodes[SCRIPT_ARGUMENTS_MAX];
        size_t length = 0;

        for (size_t i = 0; i < directive->length; i++)
                if (directive->arguments[i].length == 0 && find_node(environment, directive, i, &nodes[length++]) != 0)
                        return 1;
        if (length == 0)
                return environment_stabilize(environment, environment->nodes, environment->length, out);
        return environment_stabilize(environment, nodes, length, out);
}

static int run_raft_state(Environment *environment, const Directive *directive, Buffer *out) {
        (void)directive;
        for (size_t i = 0; i < environment->length; i++) {
                RaftBasicStatus status = raft_basic_status(environment->nodes[i]->raft);

                buffer_append_u64(out, status.id);
                buffer_printf(out, ": %s %s Term:", state_name(status.soft_state.state),
                              status.voter ? "(Voter)" : "(Non-Voter)");
                buffer_append_u64(out, status.hard_state.term);
                buffer_append_string(out, " Lead:");
                buffer_append_u64(out, status.soft_state.leader);
                buffer_append_byte(out, '\n');
        }
        return 0;
}

static int run_status(Environment *environment, const Directive *directive, Buffer *out) {
        RaftStatus status;
        Node *node;

        if (find_node(environment, directive, 0, &node) != 0)
                return 1;
        raft_status(node->raft, &status);
        for (size_t i = 0; i < status.length; i++)
                print_peer(out, &status.peers[i]);
        return 0;
}

static const struct {
        const char *name;
        Command run;
} commands[] = {
        {"_breakpoint", run_nothing},
        {"add-nodes", run_add_nodes},
        {"campaign", run_campaign},
        {"compact", run_compact},
        {"deliver-msgs", run_deliver},
        {"forget-leader", run_forget_leader},
        {"log-level", run_nothing},
        {"process-append-thread", run_process_append},
        {"process-apply-thread", run_process_apply},
        {"process-ready", run_process_ready},
        {"propose", run_propose},
        {"propose-conf-change", run_propose_conf_change},
        {"raft-log", run_raft_log},
        {"raft-state", run_raft_state},
        {"report-unreachable", run_report_unreachable},
        {"send-snapshot", run_send_snapshot},
        {"set-randomized-election-timeout", run_set_timeout},
        {"stabilize", run_stabilize},
        {"status", run_status},
        {"tick-election", run_tick_election},
        {"tick-heartbeat", run_tick_heartbeat},
        {"transfer-leadership", run_transfer},
};

void interaction_run(Environment *environment, const Directive *directive, Buffer *out) {
        int r;

        environment->failure = ERROR_NONE;
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                if (!slice_is(directive->command, commands[i].name))
                        continue;
                r = commands[i].run(environment, directive, out);
                if (r != 0)
                        buffer_append_string(out, environment->failure.text);
                else if (buffer_length(out) == 0)
                        buffer_append_string(out, "ok");
                return;
        }
        buffer_append_string(out, "unknown command");
}
