#include "raft/raft.h"

#include <errno.h>

#include "raft/internal.h"

static int config_check(const RaftConfig *config, Error *error) {
        if (config->id == RAFT_ID_NONE || raft_id_is_local(config->id))
                return error_set(error, -EINVAL, "the member's id must be a number from 1 to 2^64 - 3");
        if (config->heartbeat_ticks == 0)
                return error_set(error, -EINVAL, "the heartbeat interval must be at least one tick");
        if (config->election_ticks <= config->heartbeat_ticks)
                return error_set(error, -EINVAL,
                                 "the election timeout (%u ticks) must be longer than the heartbeat interval (%u)",
                                 config->election_ticks, config->heartbeat_ticks);
        if (config->max_inflight_messages == 0)
                return error_set(error, -EINVAL, "at least one append per follower must be allowed on the way");
        if (config->max_inflight_bytes > 0 && config->max_inflight_bytes < config->max_message_size)
                return error_set(error, -EINVAL, "the bytes on the way must allow for one message of the largest size");
        if (config->read_only == RAFT_READ_ONLY_LEASE && !config->check_quorum)
                return error_set(error, -EINVAL, "reads by lease need the quorum check");
        return 0;
}

/* What the storage says was there before: term, vote and how far it was committed and applied. */
static int load_state(Raft *raft, const RaftHardState *state, Error *error) {
        uint64_t last = raft_log_last_index(&raft->log), applied = raft->config.applied;

        if (!raft_hard_state_is_empty(state)) {
                if (state->commit < raft->log.committed || state->commit > last)
                        return error_set(error, -EINVAL,
                                         "the log ends at %llu and begins behind %llu, but %llu was committed: the log "
                                         "was damaged or cut",
                                         (unsigned long long)last, (unsigned long long)raft->log.committed,
                                         (unsigned long long)state->commit);
                raft->log.committed = state->commit;
                raft->term = state->term;
                raft->vote = state->vote;
        }
        if (applied == 0)
                return 0;
        if (applied < raft->log.applied || applied > raft->log.committed)
                return error_set(error, -EINVAL, "applied up to %llu, but the log has %llu to %llu committed",
                                 (unsigned long long)applied, (unsigned long long)raft->log.applied,
                                 (unsigned long long)raft->log.committed);
        raft_log_applied_to(&raft->log, applied, 0);
        return 0;
}

static int load(Raft *raft, Error *error) {
        RaftStorage storage = raft->config.storage;
        RaftHardState hard_state = {0};
        RaftConfState conf_state = {0};
        int r;

        r = storage.ops->initial_state(storage.userdata, &hard_state, &conf_state);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the state of the log");
        r = raft_conf_restore(&raft->tracker, &conf_state, raft_log_last_index(&raft->log));
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_set(error, -EINVAL, "the stored configuration makes no sense");
        return load_state(raft, &hard_state, error);
}

int raft_new(const RaftConfig *config, Raft **ret_raft, Error *error) {
        _cleanup_raft_ Raft *raft = NULL;
        int r;

        r = config_check(config, error);
        if (r < 0)
                return r;
        raft = calloc(1, sizeof(Raft));
        if (!raft)
                return -ENOMEM;
        raft->config = *config;
        if (raft->config.max_committed_size == 0)
                raft->config.max_committed_size = max_of(config->max_message_size, (uint64_t)1);
        if (raft->config.max_uncommitted_size == 0)
                raft->config.max_uncommitted_size = RAFT_NO_LIMIT;
        raft->tracker.max_inflight_messages = config->max_inflight_messages;
        raft->tracker.max_inflight_bytes = config->max_inflight_bytes;
        raft->reads.max = raft->early_reads.max = RAFT_READS_MAX;
        raft_log_init(&raft->log, config->storage, raft->config.max_committed_size);

        r = load(raft, error);
        if (r < 0)
                return r;
        raft_become_follower(raft, raft->term, RAFT_ID_NONE);
        raft->previous_soft_state = raft_soft_state(raft);
        raft->previous_hard_state = raft_hard_state(raft);
        *ret_raft = take_ptr(raft);
        return 0;
}

Raft *raft_free(Raft *raft) {
        if (!raft)
                return NULL;
        raft_log_deinit(&raft->log);
        raft_tracker_deinit(&raft->tracker);
        raft_reads_deinit(&raft->reads);
        raft_reads_deinit(&raft->early_reads);
        free(raft->read_states.items);
        raft_messages_deinit(&raft->messages);
        raft_messages_deinit(&raft->messages_after_append);
        raft_messages_deinit(&raft->outstanding.to_self);
        (void)raft_snapshot_unref(raft->outstanding.snapshot);
        free(raft);
        return NULL;
}

int raft_transfer_leader(Raft *raft, uint64_t id) {
        RaftMessage message = {.type = RAFT_MESSAGE_TRANSFER_LEADER, .from = id};

        return raft_step(raft, &message);
}

/* A lease that was given by lease reads must not be broken: those clients trust it. */
int raft_forget_leader(Raft *raft) {
        if (raft->failure)
                return raft->failure;
        if (raft->state == RAFT_FOLLOWER && raft->config.read_only != RAFT_READ_ONLY_LEASE)
                raft->leader = RAFT_ID_NONE;
        return 0;
}

RaftBasicStatus raft_basic_status(const Raft *raft) {
        return (RaftBasicStatus){
                .id = raft->config.id,
                .hard_state = raft_hard_state(raft),
                .soft_state = raft_soft_state(raft),
                .applied = raft->log.applied,
                .last_index = raft_log_last_index(&raft->log),
                .transferee = raft->transferee,
                .change_pending = raft->state == RAFT_LEADER && raft->pending_conf_index > raft->log.applied,
                .voter = raft_tracker_is_voter(&raft->tracker, raft->config.id),
                .learner = raft_ids_contain(&raft->tracker.config.learners, raft->config.id),
        };
}

void raft_status(const Raft *raft, RaftStatus *ret_status) {
        *ret_status = (RaftStatus){.basic = raft_basic_status(raft), .configuration = raft->tracker.config};
        if (raft->state != RAFT_LEADER)
                return;
        for (size_t i = 0; i < raft->tracker.length; i++) {
                const RaftProgress *progress = &raft->tracker.members[i];

                ret_status->peers[ret_status->length++] = (RaftPeerStatus){
                        .id = progress->id,
                        .state = progress->state,
                        .match = progress->match,
                        .next = progress->next,
                        .pending_snapshot = progress->pending_snapshot,
                        .inflight = progress->inflights.length,
                        .inflight_full = raft_inflights_is_full(&progress->inflights),
                        .learner = progress->learner,
                        .paused = raft_progress_is_paused(progress),
                        .active = progress->active,
                };
        }
}

uint64_t raft_last_index(const Raft *raft) {
        return raft_log_last_index(&raft->log);
}

const RaftConfState *raft_configuration(const Raft *raft) {
        return &raft->tracker.config;
}

int raft_failure(const Raft *raft) {
        return raft->failure;
}

const char *raft_state_name(RaftState state) {
        switch (state) {
        case RAFT_FOLLOWER:
                return "follower";
        case RAFT_CANDIDATE:
                return "candidate";
        case RAFT_LEADER:
                return "leader";
        case RAFT_PRE_CANDIDATE:
                return "pre-candidate";
        }
        return "unknown";
}
