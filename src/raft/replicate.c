/* The leader's side of replication: the paper, sections 3.5, 3.6.2, 3.10 and 10.2. */
#include <assert.h>
#include <errno.h>

#include "raft/internal.h"

int raft_append_own(Raft *raft, RaftEntry entry) {
        entry.term = raft->term;
        entry.index = raft_log_last_index(&raft->log) + 1;
        return raft_log_append(&raft->log, &entry, 1);
}

/* The paper, section 10.2.1: the leader may send before its own disk has the entries, and counts itself only when it
 * has. So it acknowledges to itself as a follower does, behind the disk. */
int raft_acknowledge_own(Raft *raft) {
        RaftMessage message = {
                .type = RAFT_MESSAGE_APPEND_RESPONSE,
                .to = raft->config.id,
                .index = raft_log_last_index(&raft->log),
        };

        return raft_send(raft, &message);
}

static int maybe_send_snapshot(Raft *raft, RaftProgress *progress) {
        _cleanup_raft_snapshot_ RaftSnapshot *snapshot = NULL;
        RaftMessage message = {.type = RAFT_MESSAGE_SNAPSHOT, .to = progress->id};
        int r;

        /* who is not heard of would not take it either */
        if (!progress->active)
                return 0;
        r = raft_log_snapshot(&raft->log, &snapshot);
        if (r != 0)
                return r < 0 ? r : 0;
        if (snapshot->index == 0)
                return 0;
        raft_progress_become_snapshot(progress, snapshot->index);
        message.snapshot = take_ptr(snapshot);
        r = raft_send(raft, &message);
        return r < 0 ? r : 1;
}

int raft_maybe_send_append(Raft *raft, RaftProgress *progress, bool even_empty) {
        _cleanup_raft_message_ RaftMessage message = {.type = RAFT_MESSAGE_APPEND, .to = progress->id};
        uint64_t bytes;
        size_t count;
        int r = 0;

        if (raft_progress_is_paused(progress))
                return 0;
        message.index = progress->next - 1;
        r = raft_log_term(&raft->log, message.index, &message.log_term);
        if (r < 0)
                return r;
        if (r > 0)
                return maybe_send_snapshot(raft, progress);
        /* A full window lets empty appends through: they find out whether the follower still agrees. */
        if (progress->state != RAFT_PROGRESS_REPLICATE || !raft_inflights_is_full(&progress->inflights)) {
                r = raft_log_entries(&raft->log, progress->next, raft->config.max_message_size, &message.entries);
                if (r < 0)
                        return r;
        }
        count = message.entries.length;
        if (count == 0 && !even_empty)
                return 0;
        if (r > 0)
                return maybe_send_snapshot(raft, progress);
        bytes = raft_entries_payload_size(&message.entries);
        message.commit = raft->log.committed;
        r = raft_send(raft, &message);
        if (r < 0)
                return r;
        r = raft_progress_sent_entries(progress, count, bytes);
        if (r < 0)
                return r;
        raft_progress_sent_commit(progress, raft->log.committed);
        return 1;
}

int raft_send_append(Raft *raft, RaftProgress *progress) {
        int r;

        r = raft_maybe_send_append(raft, progress, true);
        return r < 0 ? r : 0;
}

int raft_broadcast_append(Raft *raft) {
        int r;

        for (size_t i = 0; i < raft->tracker.length; i++) {
                if (raft->tracker.members[i].id == raft->config.id)
                        continue;
                r = raft_send_append(raft, &raft->tracker.members[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int raft_broadcast_heartbeat(Raft *raft, uint64_t read_round) {
        int r;

        for (size_t i = 0; i < raft->tracker.length; i++) {
                RaftProgress *progress = &raft->tracker.members[i];
                RaftMessage message = {
                        .type = RAFT_MESSAGE_HEARTBEAT,
                        .to = progress->id,
                        /* never more than what the follower is known to have: its tail may be another leader's */
                        .commit = min_of(progress->match, raft->log.committed),
                        .context = read_round,
                };

                if (progress->id == raft->config.id)
                        continue;
                raft_progress_sent_commit(progress, message.commit);
                r = raft_send(raft, &message);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The paper, section 3.6.2 and Figure 3.7: only entries of the own term are committed by counting; those before them
 * follow. */
int raft_maybe_commit(Raft *raft) {
        return raft_log_maybe_commit(&raft->log, raft->term, raft_tracker_committed(&raft->tracker));
}

/* The paper, section 3.10. */
int raft_send_timeout_now(Raft *raft, uint64_t to) {
        RaftMessage message = {.type = RAFT_MESSAGE_TIMEOUT_NOW, .to = to};

        return raft_send(raft, &message);
}

/* The paper, section 3.5: step back to where the logs agree. Both sides skip whole terms: the follower's hint is the
 * last place where its term is not above the refused one's, and here all of higher terms than the hint's is skipped
 * too. */
static int handle_rejection(Raft *raft, RaftProgress *progress, const RaftMessage *message) {
        uint64_t hint = message->reject_hint, term;
        int r;

        if (message->log_term > 0) {
                r = raft_log_find_conflict_by_term(&raft->log, hint, message->log_term, &hint, &term);
                if (r < 0)
                        return r;
        }
        if (!raft_progress_maybe_decrease(progress, message->index, hint))
                return 0;
        if (progress->state == RAFT_PROGRESS_REPLICATE)
                raft_progress_become_probe(progress);
        return raft_send_append(raft, progress);
}

static void progress_accepted(Raft *raft, RaftProgress *progress, uint64_t index) {
        switch (progress->state) {
        case RAFT_PROGRESS_PROBE:
                raft_progress_become_replicate(progress);
                break;
        case RAFT_PROGRESS_SNAPSHOT:
                /* whatever snapshot it got, appends can go on from there */
                if (progress->match + 1 >= raft_log_first_index(&raft->log)) {
                        raft_progress_become_probe(progress);
                        raft_progress_become_replicate(progress);
                }
                break;
        case RAFT_PROGRESS_REPLICATE:
                raft_inflights_free_up_to(&progress->inflights, index);
                break;
        }
}

static int handle_acceptance(Raft *raft, RaftProgress *progress, const RaftMessage *message) {
        bool self = progress->id == raft->config.id;
        int r;

        if (message->index > raft_log_last_index(&raft->log))
                return 0; /* nothing that this leader sent */
        if (!raft_progress_maybe_update(progress, message->index) &&
            !(progress->match == message->index && progress->state == RAFT_PROGRESS_PROBE))
                return 0;
        progress_accepted(raft, progress, message->index);

        r = raft_maybe_commit(raft);
        if (r < 0)
                return r;
        if (r > 0) {
                r = raft_release_early_reads(raft);
                if (r < 0)
                        return r;
                r = raft_broadcast_append(raft);
        } else if (!self && raft_progress_can_bump_commit(progress, raft->log.committed))
                r = raft_send_append(raft, progress);
        if (r < 0 || self)
                return r;

        /* the window has room again: fill it */
        do {
                r = raft_maybe_send_append(raft, progress, false);
                if (r < 0)
                        return r;
        } while (r > 0);
        if (progress->id == raft->transferee && progress->match == raft_log_last_index(&raft->log))
                return raft_send_timeout_now(raft, progress->id);
        return 0;
}

int raft_handle_append_response(Raft *raft, RaftProgress *progress, const RaftMessage *message) {
        progress->active = true;
        if (message->reject)
                return handle_rejection(raft, progress, message);
        return handle_acceptance(raft, progress, message);
}

int raft_handle_heartbeat_response(Raft *raft, RaftProgress *progress, const RaftMessage *message) {
        int r;

        progress->active = true;
        progress->paused = false;
        /* an append may have been lost: an empty one, or the next, shows where it stands */
        if (progress->match < raft_log_last_index(&raft->log) || progress->state == RAFT_PROGRESS_PROBE) {
                r = raft_send_append(raft, progress);
                if (r < 0)
                        return r;
        }
        if (raft->config.read_only != RAFT_READ_ONLY_SAFE || message->context == 0 ||
            message->context > raft->read_round)
                return 0;
        progress->read_ack = max_of(progress->read_ack, message->context);
        return raft_confirm_reads(raft);
}

/* The paper, section 3.10: bring the target's log up to date, take no proposals meanwhile, then tell it to stand for
 * election at once. */
int raft_handle_transfer(Raft *raft, RaftProgress *progress, uint64_t transferee) {
        if (progress->learner)
                return 0;
        if (raft->transferee != RAFT_ID_NONE) {
                if (raft->transferee == transferee)
                        return 0;
                raft->transferee = RAFT_ID_NONE;
        }
        if (transferee == raft->config.id)
                return 0;
        /* it has one election timeout to do it */
        raft->election_elapsed = 0;
        raft->transferee = transferee;
        if (progress->match == raft_log_last_index(&raft->log))
                return raft_send_timeout_now(raft, transferee);
        return raft_send_append(raft, progress);
}

int raft_report_unreachable(Raft *raft, uint64_t id) {
        RaftProgress *progress;

        if (raft->failure)
                return raft->failure;
        progress = raft_tracker_get(&raft->tracker, id);
        /* appends on the way are likely lost too: find the point of agreement anew */
        if (raft->state == RAFT_LEADER && progress && progress->state == RAFT_PROGRESS_REPLICATE)
                raft_progress_become_probe(progress);
        return 0;
}

int raft_report_snapshot(Raft *raft, uint64_t id, bool success) {
        RaftProgress *progress;

        if (raft->failure)
                return raft->failure;
        progress = raft_tracker_get(&raft->tracker, id);
        if (raft->state != RAFT_LEADER || !progress || progress->state != RAFT_PROGRESS_SNAPSHOT)
                return 0;
        if (!success)
                progress->pending_snapshot = 0;
        raft_progress_become_probe(progress);
        /* If it arrived, wait for the follower's acknowledgement before the next append; if not, for a heartbeat's
         * time before the next attempt. */
        progress->paused = true;
        return 0;
}
