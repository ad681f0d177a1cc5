/* The quorum files: commit indexes and vote results of majority and joint configurations. */
#include "commands.h"
#include "print.h"
#include "raft/quorum.h"

enum { VOTE_UNKNOWN = 0, VOTE_NO = 1, VOTE_YES = 2 };

typedef struct QuorumCase {
        RaftIds incoming;
        RaftIds outgoing;
        bool joint;
        uint64_t order[2 * RAFT_MEMBERS_MAX]; /* ids as they came, each once */
        size_t length;
        uint64_t values[2 * RAFT_MEMBERS_MAX]; /* in that order */
        bool known[2 * RAFT_MEMBERS_MAX];
        size_t values_length;
} QuorumCase;

static bool case_index(const void *userdata, uint64_t id, uint64_t *ret_index) {
        const QuorumCase *quorum = userdata;

        for (size_t i = 0; i < quorum->length; i++)
                if (quorum->order[i] == id) {
                        *ret_index = quorum->values[i];
                        return quorum->known[i];
                }
        return false;
}

static int add_ids(const Argument *argument, RaftIds *ids, QuorumCase *quorum) {
        for (size_t i = 0; i < argument->length; i++) {
                uint64_t id;
                size_t at = 0;

                if (str_parse_u64(argument->values[i], UINT64_MAX, &id) < 0 || raft_ids_add(ids, id) < 0)
                        return -1;
                while (at < quorum->length && quorum->order[at] != id)
                        at++;
                if (at == quorum->length)
                        quorum->order[quorum->length++] = id;
        }
        return 0;
}

static int add_values(const Argument *argument, QuorumCase *quorum) {
        for (size_t i = 0; i < argument->length; i++) {
                Slice value = argument->values[i];
                uint64_t number = VOTE_UNKNOWN;

                if (slice_is(value, "y"))
                        number = VOTE_YES;
                else if (slice_is(value, "n"))
                        number = VOTE_NO;
                else if (!slice_is(value, "_") && str_parse_u64(value, UINT64_MAX, &number) < 0)
                        return -1;
                quorum->known[quorum->values_length] = !slice_is(value, "_");
                quorum->values[quorum->values_length++] = number;
        }
        return 0;
}

static int parse(const Directive *directive, QuorumCase *quorum) {
        for (size_t i = 0; i < directive->length; i++) {
                const Argument *argument = &directive->arguments[i];
                int r = 0;

                if (slice_is(argument->key, "cfg"))
                        r = add_ids(argument, &quorum->incoming, quorum);
                else if (slice_is(argument->key, "cfgj")) {
                        quorum->joint = true;
                        if (argument->length != 1 || !slice_is(argument->values[0], "zero"))
                                r = add_ids(argument, &quorum->outgoing, quorum);
                } else if (slice_is(argument->key, "idx") || slice_is(argument->key, "votes"))
                        r = add_values(argument, quorum);
                else
                        r = -1;
                if (r < 0)
                        return r;
        }
        return 0;
}

static void print_mismatch(const QuorumCase *quorum, const RaftIds *all, Buffer *out) {
        buffer_append_string(out, "error: mismatched input (explicit or _) for voters map[");
        for (size_t i = 0; i < all->length; i++)
                buffer_printf(out, "%s%llu:{}", i ? " " : "", (unsigned long long)all->items[i]);
        buffer_append_string(out, "]: [");
        for (size_t i = 0; i < quorum->values_length; i++)
                buffer_printf(out, "%s%llu", i ? " " : "", (unsigned long long)quorum->values[i]);
        buffer_append_string(out, "]");
}

/* How many of the others come before member `id` with index `index`: by index, then by id. 0 when the one just before
 * has the same index. */
static size_t bar_length(const QuorumCase *quorum, const RaftIds *all, uint64_t id, uint64_t index) {
        size_t before = 0;
        bool tie = false;

        for (size_t i = 0; i < all->length; i++) {
                uint64_t other = 0, other_id = all->items[i];

                (void)case_index(quorum, other_id, &other);
                if (other_id == id || other > index || (other == index && other_id > id))
                        continue;
                before++;
                tie = tie || other == index;
        }
        return tie ? 0 : before;
}

static void print_table(const QuorumCase *quorum, const RaftIds *all, Buffer *out) {
        size_t n = all->length;

        if (n == 0) {
                buffer_append_string(out, "<empty majority quorum>");
                return;
        }
        buffer_printf(out, "%*s    idx\n", (int)n, "");
        for (size_t i = 0; i < n; i++) {
                uint64_t id = all->items[i], index = 0;

                if (case_index(quorum, id, &index)) {
                        size_t bar = bar_length(quorum, all, id, index);

                        for (size_t j = 0; j < bar; j++)
                                buffer_append_byte(out, 'x');
                        buffer_printf(out, ">%*s", (int)(n - bar), "");
                } else
                        buffer_printf(out, "?%*s", (int)n, "");
                buffer_printf(out, " %5llu    (id=%llu)\n", (unsigned long long)index, (unsigned long long)id);
        }
}

static void run_committed(const QuorumCase *quorum, const RaftIds *all, Buffer *out) {
        uint64_t index = raft_quorum_committed_joint(&quorum->incoming, &quorum->outgoing, case_index, quorum);

        print_table(quorum, all, out);
        if (index == RAFT_QUORUM_ANY)
                buffer_append_string(out, "∞");
        else
                buffer_append_u64(out, index);
}

static void run_vote(const QuorumCase *quorum, Buffer *out) {
        static const char *const names[] = {
                [RAFT_VOTE_PENDING] = "VotePending",
                [RAFT_VOTE_LOST] = "VoteLost",
                [RAFT_VOTE_WON] = "VoteWon",
        };
        RaftIds known = {0}, granted = {0};
        RaftVoteResult result;

        for (size_t i = 0; i < quorum->length; i++) {
                if (quorum->values[i] != VOTE_UNKNOWN)
                        raft_ids_add(&known, quorum->order[i]);
                if (quorum->values[i] == VOTE_YES)
                        raft_ids_add(&granted, quorum->order[i]);
        }
        result = raft_quorum_vote_joint(&quorum->incoming, &quorum->outgoing, &known, &granted);
        buffer_append_string(out, names[result]);
}

void quorum_run(const Directive *directive, Buffer *out) {
        QuorumCase quorum = {0};
        RaftIds all;

        if (parse(directive, &quorum) < 0) {
                buffer_append_string(out, "error: arguments cannot be read");
                return;
        }
        all = quorum.incoming;
        for (size_t i = 0; i < quorum.outgoing.length; i++)
                raft_ids_add(&all, quorum.outgoing.items[i]);
        if (quorum.values_length != quorum.length)
                print_mismatch(&quorum, &all, out);
        else if (slice_is(directive->command, "committed"))
                run_committed(&quorum, &all, out);
        else if (slice_is(directive->command, "vote"))
                run_vote(&quorum, out);
        else
                buffer_append_string(out, "unknown command");
}
