/* The follower's side of replication. */
#include <assert.h>
#include <errno.h>

#include "raft/internal.h"

/* The paper, section 3.5 and Figure 3.1 (AppendEntries). */
int raft_handle_append(Raft *raft, const RaftMessage *message) {
        RaftMessage response = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .to = message->from};
        uint64_t hint, hint_term;
        int r;

        if (message->index < raft->log.committed) {
                /* an old one: what is committed agrees anyway */
                response.index = raft->log.committed;
                return raft_send(raft, &response);
        }
        r = raft_log_maybe_append(&raft->log, message, &response.index);
        if (r < 0)
                return r;
        if (r > 0)
                return raft_send(raft, &response);

        /* Entries of terms above the leader's entry there cannot agree with it: hint behind them, so that a long
         * foreign tail costs one step for each term and not for each entry. */
        hint = min_of(message->index, raft_log_last_index(&raft->log));
        r = raft_log_find_conflict_by_term(&raft->log, hint, message->log_term, &hint, &hint_term);
        if (r < 0)
                return r;
        response.index = message->index;
        response.reject = true;
        response.reject_hint = hint;
        response.log_term = hint_term;
        return raft_send(raft, &response);
}

int raft_handle_heartbeat(Raft *raft, const RaftMessage *message) {
        RaftMessage response = {
                .type = RAFT_MESSAGE_HEARTBEAT_RESPONSE,
                .to = message->from,
                .context = message->context,
        };
        int r;

        r = raft_log_commit_to(&raft->log, message->commit);
        if (r < 0)
                return r;
        return raft_send(raft, &response);
}

static bool is_in(const RaftConfState *state, uint64_t id) {
        return raft_ids_contain(&state->voters, id) || raft_ids_contain(&state->voters_outgoing, id) ||
               raft_ids_contain(&state->learners, id);
}

/* The paper, section 5.3. 1: the snapshot takes the place of the log; 0: it brings nothing. */
static int restore(Raft *raft, RaftSnapshot *snapshot) {
        int r;

        if (snapshot->index <= raft->log.committed)
                return 0;
        assert(raft->state == RAFT_FOLLOWER);
        /* a configuration without this member is not meant for it */
        if (!is_in(&snapshot->conf_state, raft->config.id))
                return 0;
        r = raft_log_matches(&raft->log, snapshot->term, snapshot->index);
        if (r < 0)
                return r;
        if (r > 0) {
                /* the log has it all: what follows in it may be good too */
                r = raft_log_commit_to(&raft->log, snapshot->index);
                return r < 0 ? r : 0;
        }
        raft_log_restore(&raft->log, snapshot);
        r = raft_conf_restore(&raft->tracker, &snapshot->conf_state, raft_log_last_index(&raft->log));
        if (r < 0)
                return r;
        r = raft_switch_config(raft);
        return r < 0 ? r : 1;
}

int raft_handle_snapshot(Raft *raft, const RaftMessage *message) {
        RaftMessage response = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .to = message->from};
        int r;

        r = restore(raft, message->snapshot);
        if (r < 0)
                return r;
        response.index = r > 0 ? raft_log_last_index(&raft->log) : raft->log.committed;
        return raft_send(raft, &response);
}
