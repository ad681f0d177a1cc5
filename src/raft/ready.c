/* What the core hands out, and what it learns when that is done: the paper, section 3.8 (persist before answering) and
 * 10.2 (in parallel, in batches). */
#include <assert.h>
#include <errno.h>

#include "raft/internal.h"

RaftSoftState raft_soft_state(const Raft *raft) {
        return (RaftSoftState){.leader = raft->leader, .state = raft->state};
}

RaftHardState raft_hard_state(const Raft *raft) {
        return (RaftHardState){.term = raft->term, .vote = raft->vote, .commit = raft->log.committed};
}

static bool soft_state_changed(const Raft *raft) {
        return raft->leader != raft->previous_soft_state.leader || raft->state != raft->previous_soft_state.state;
}

static bool hard_state_changed(const Raft *raft) {
        RaftHardState state = raft_hard_state(raft);

        return !raft_hard_state_is_empty(&state) && !raft_hard_state_equals(&state, &raft->previous_hard_state);
}

bool raft_has_ready(const Raft *raft) {
        size_t length;

        if (raft->failure)
                return false;
        (void)raft_unstable_next_entries(&raft->log.unstable, &length);
        return soft_state_changed(raft) || hard_state_changed(raft) || length > 0 ||
               raft_unstable_next_snapshot(&raft->log.unstable) || raft->messages.length > 0 ||
               raft->messages_after_append.length > 0 || raft->read_states.length > 0 ||
               raft_log_has_committed(&raft->log, !raft->config.async_storage_writes);
}

static void ready_clear(RaftReady *ready) {
        raft_entries_clear(&ready->entries);
        raft_entries_clear(&ready->committed_entries);
        raft_messages_clear(&ready->messages);
        ready->read_states.length = 0;
        ready->snapshot = raft_snapshot_unref(ready->snapshot);
        ready->hard_state = (RaftHardState){0};
        ready->soft_state = (RaftSoftState){0};
        ready->must_sync = ready->soft_state_changed = false;
}

void raft_ready_deinit(RaftReady *ready) {
        raft_entries_deinit(&ready->entries);
        raft_entries_deinit(&ready->committed_entries);
        raft_messages_deinit(&ready->messages);
        free(ready->read_states.items);
        (void)raft_snapshot_unref(ready->snapshot);
        *ready = (RaftReady){0};
}

/* The states, entries and messages that may leave at once. Messages and read states trade places with the (cleared)
 * ones of the ready, so that the memory goes round. */
static int fill_ready(Raft *raft, RaftReady *ready) {
        const RaftEntry *entries;
        size_t length;
        int r;

        entries = raft_unstable_next_entries(&raft->log.unstable, &length);
        r = raft_entries_append_all(&ready->entries, entries, length);
        if (r < 0)
                return r;
        r = raft_log_next_committed(&raft->log, !raft->config.async_storage_writes, &ready->committed_entries);
        if (r < 0)
                return r;
        ready->snapshot = raft_snapshot_ref(raft_unstable_next_snapshot(&raft->log.unstable));

        ready->soft_state_changed = soft_state_changed(raft);
        if (ready->soft_state_changed)
                ready->soft_state = raft_soft_state(raft);
        if (hard_state_changed(raft))
                ready->hard_state = raft_hard_state(raft);
        /* a commit index or a snapshot alone may be lost: the one is learnt again, the other comes again */
        ready->must_sync = length > 0 || raft->vote != raft->previous_hard_state.vote ||
                           raft->term != raft->previous_hard_state.term;

        {
                RaftMessages messages = ready->messages;
                RaftReadStates states = ready->read_states;

                ready->messages = raft->messages;
                raft->messages = messages;
                ready->read_states = raft->read_states;
                raft->read_states = states;
        }
        return 0;
}

/* Whether the core has to hear when the storage is done: with entries that are out already, since their earlier
 * acknowledgement may come too late to count (in another term). */
static bool needs_append_response(const Raft *raft, const RaftReady *ready) {
        return raft->log.unstable.entries.length > 0 || ready->snapshot;
}

/* What of the log is stable when this ready is persisted. The term names the log that was meant: see
 * raft_unstable_stable_to(). */
static int stable_point(const Raft *raft, uint64_t *ret_term, uint64_t *ret_index) {
        if (raft->log.unstable.entries.length == 0)
                return 0;
        *ret_index = raft_log_last_index(&raft->log);
        return raft_log_last_term(&raft->log, ret_term);
}

static int add_append_work(Raft *raft, RaftReady *ready) {
        _cleanup_raft_message_ RaftMessage work = {
                .type = RAFT_MESSAGE_STORAGE_APPEND,
                .from = raft->config.id,
                .to = RAFT_ID_APPEND_THREAD,
                .term = ready->hard_state.term,
                .vote = ready->hard_state.vote,
                .commit = ready->hard_state.commit,
        };
        int r;

        if (ready->entries.length == 0 && raft_hard_state_is_empty(&ready->hard_state) && !ready->snapshot &&
            raft->messages_after_append.length == 0)
                return 0;
        r = raft_entries_append_all(&work.entries, ready->entries.items, ready->entries.length);
        if (r < 0)
                return r;
        work.snapshot = raft_snapshot_ref(ready->snapshot);
        work.responses = raft->messages_after_append;
        raft->messages_after_append = (RaftMessages){0};
        if (needs_append_response(raft, ready)) {
                RaftMessage done = {
                        .type = RAFT_MESSAGE_STORAGE_APPEND_RESPONSE,
                        .from = RAFT_ID_APPEND_THREAD,
                        .to = raft->config.id,
                        .term = raft->term,
                };

                r = stable_point(raft, &done.log_term, &done.index);
                if (r < 0)
                        return r;
                done.snapshot = raft_snapshot_ref(ready->snapshot);
                r = raft_messages_take(&work.responses, &done);
                if (r < 0)
                        return r;
        }
        return raft_messages_take(&ready->messages, &work);
}

static int add_apply_work(Raft *raft, RaftReady *ready) {
        const RaftEntries *entries = &ready->committed_entries;
        _cleanup_raft_message_ RaftMessage work = {
                .type = RAFT_MESSAGE_STORAGE_APPLY,
                .from = raft->config.id,
                .to = RAFT_ID_APPLY_THREAD,
        };
        _cleanup_raft_message_ RaftMessage done = {
                .type = RAFT_MESSAGE_STORAGE_APPLY_RESPONSE,
                .from = RAFT_ID_APPLY_THREAD,
                .to = raft->config.id,
        };
        int r;

        if (entries->length == 0)
                return 0;
        r = raft_entries_append_all(&work.entries, entries->items, entries->length);
        if (r < 0)
                return r;
        r = raft_entries_append_all(&done.entries, entries->items, entries->length);
        if (r < 0)
                return r;
        r = raft_messages_take(&work.responses, &done);
        if (r < 0)
                return r;
        return raft_messages_take(&ready->messages, &work);
}

/* Storage in step: messages behind the append go with the others, as the owner sends only after persisting; the rest is
 * kept for raft_advance(). */
static int add_outstanding(Raft *raft, RaftReady *ready) {
        RaftOutstanding *outstanding = &raft->outstanding;
        const RaftEntries *committed = &ready->committed_entries;
        int r;

        outstanding->active = true;
        outstanding->term = raft->term;
        for (size_t i = 0; i < raft->messages_after_append.length; i++) {
                RaftMessage *message = &raft->messages_after_append.items[i];

                r = raft_messages_take(message->to == raft->config.id ? &outstanding->to_self : &ready->messages,
                                       message);
                if (r < 0)
                        return r;
        }
        raft->messages_after_append.length = 0;
        outstanding->stable_index = outstanding->stable_term = 0;
        r = stable_point(raft, &outstanding->stable_term, &outstanding->stable_index);
        if (r < 0)
                return r;
        outstanding->snapshot = raft_snapshot_ref(ready->snapshot);
        outstanding->applied_index = committed->length > 0 ? committed->items[committed->length - 1].index : 0;
        outstanding->applied_size = raft_entries_size(committed);
        outstanding->applied_payload_size = raft_entries_payload_size(committed);
        return 0;
}

static void accept_ready(Raft *raft, const RaftReady *ready) {
        const RaftEntries *committed = &ready->committed_entries;

        if (ready->soft_state_changed)
                raft->previous_soft_state = ready->soft_state;
        if (!raft_hard_state_is_empty(&ready->hard_state))
                raft->previous_hard_state = ready->hard_state;
        raft->read_round_unsent = false;
        raft_unstable_accept(&raft->log.unstable);
        if (committed->length > 0)
                raft_log_accept_applying(&raft->log, committed->items[committed->length - 1].index,
                                         raft_entries_size(committed), !raft->config.async_storage_writes);
}

static int make_ready(Raft *raft, RaftReady *ready) {
        int r;

        r = fill_ready(raft, ready);
        if (r < 0)
                return r;
        if (raft->config.async_storage_writes) {
                r = add_append_work(raft, ready);
                if (r >= 0)
                        r = add_apply_work(raft, ready);
        } else
                r = add_outstanding(raft, ready);
        if (r < 0)
                return r;
        accept_ready(raft, ready);
        return 0;
}

int raft_ready(Raft *raft, RaftReady *ready) {
        int r;

        ready_clear(ready);
        if (raft->failure)
                return raft->failure;
        if (raft->outstanding.active)
                return -EBUSY;
        r = raft_settle(raft, make_ready(raft, ready));
        if (r < 0)
                ready_clear(ready);
        return r;
}

/* The paper, section 4.3: the leader leaves the joint configuration by a second entry, as soon as the first is
 * applied. */
static int leave_joint_automatically(Raft *raft) {
        _cleanup_raft_message_ RaftMessage message = {.type = RAFT_MESSAGE_PROPOSE, .from = raft->config.id};
        RaftEntry leave = {.type = RAFT_ENTRY_CONF_CHANGE_V2};
        int r;

        if (!raft->tracker.config.auto_leave || raft->state != RAFT_LEADER ||
            raft->log.applied < raft->pending_conf_index)
                return 0;
        r = raft_entries_append(&message.entries, &leave);
        if (r < 0)
                return r;
        /* dropped: the next entry that is applied brings another chance */
        r = raft_lead_proposal(raft, &message);
        return r < 0 ? r : 0;
}

static int applied_to(Raft *raft, uint64_t index, uint64_t size) {
        raft_log_applied_to(&raft->log, max_of(index, raft->log.applied), size);
        return leave_joint_automatically(raft);
}

int raft_storage_appended(Raft *raft, uint64_t term, uint64_t log_term, uint64_t index, const RaftSnapshot *snapshot) {
        /* An acknowledgement from an earlier term says nothing of the entries: since then others may have been written
         * in their place and taken out again, so that an entry of the same index and term is in memory but not on disk
         * (A, then B, then A again). A snapshot is of committed state and cannot be undone. */
        if (index > 0 && term >= raft->term)
                raft_unstable_stable_to(&raft->log.unstable, log_term, index);
        if (!snapshot)
                return 0;
        raft_unstable_stable_snapshot(&raft->log.unstable, snapshot->index);
        return applied_to(raft, snapshot->index, 0);
}

int raft_storage_applied(Raft *raft, uint64_t index, uint64_t size, uint64_t payload_size) {
        int r;

        r = applied_to(raft, index, size);
        if (r < 0)
                return r;
        raft->uncommitted_size -= min_of(raft->uncommitted_size, payload_size);
        return 0;
}

/* Acknowledges what was taken out of raft->outstanding, in the order that a storage thread would. */
static int acknowledge(Raft *raft, const RaftOutstanding *done) {
        int r;

        for (size_t i = 0; i < done->to_self.length; i++) {
                r = raft_process(raft, &done->to_self.items[i]);
                if (r < 0)
                        return r;
        }
        r = raft_storage_appended(raft, done->term, done->stable_term, done->stable_index, done->snapshot);
        if (r < 0 || done->applied_index == 0)
                return r;
        return raft_storage_applied(raft, done->applied_index, done->applied_size, done->applied_payload_size);
}

int raft_advance(Raft *raft) {
        RaftOutstanding done = raft->outstanding;
        int r;

        if (raft->failure)
                return raft->failure;
        if (!done.active)
                return -EINVAL;
        raft->outstanding = (RaftOutstanding){0};
        r = acknowledge(raft, &done);
        (void)raft_snapshot_unref(done.snapshot);
        raft_messages_clear(&done.to_self);
        /* the memory of the list serves the next ready */
        raft->outstanding.to_self = done.to_self;
        return raft_settle(raft, r);
}
