/* Terms, votes and time: who may lead. */
#include <assert.h>
#include <errno.h>

#include "raft/internal.h"

/* Bytes of entries looked at at once when searching for configuration changes. */
#define ELECTION_SCAN_BYTES ((uint64_t)1 << 20)

/* The paper, section 3.4: timeouts are random, so that split votes are rare and soon over. */
static void reset_election_timeout(Raft *raft) {
        unsigned ticks = raft->config.election_ticks;

        raft->election_timeout = ticks + (unsigned)random_below(&raft->config.random, ticks);
}

void raft_set_election_timeout(Raft *raft, unsigned ticks) {
        raft->election_timeout = ticks;
}

static void reset(Raft *raft, uint64_t term) {
        uint64_t last = raft_log_last_index(&raft->log);

        if (raft->term != term) {
                raft->term = term;
                raft->vote = RAFT_ID_NONE;
        }
        raft->leader = RAFT_ID_NONE;
        raft->election_elapsed = raft->heartbeat_elapsed = 0;
        reset_election_timeout(raft);
        raft->transferee = RAFT_ID_NONE;
        raft_tracker_reset_votes(&raft->tracker);
        for (size_t i = 0; i < raft->tracker.length; i++) {
                RaftProgress *progress = &raft->tracker.members[i];

                raft_progress_reset(progress, progress->id == raft->config.id ? last : 0, last + 1);
        }
        raft->pending_conf_index = 0;
        raft->uncommitted_size = 0;
        raft_reads_clear(&raft->reads);
        raft_reads_clear(&raft->early_reads);
        raft->read_round_unsent = false;
}

void raft_become_follower(Raft *raft, uint64_t term, uint64_t leader) {
        reset(raft, term);
        raft->leader = leader;
        raft->state = RAFT_FOLLOWER;
}

/* Also a sole voter raises its term and votes for itself (in send_vote_requests): a term never has two leaders,
 * whatever the configuration was when the earlier one led. */
static void become_candidate(Raft *raft) {
        assert(raft->state != RAFT_LEADER);
        reset(raft, raft->term + 1);
        raft->vote = raft->config.id;
        raft->state = RAFT_CANDIDATE;
}

/* The paper, section 9.6: neither term nor vote change, so that a member that was cut off disturbs nobody. */
static void become_pre_candidate(Raft *raft) {
        assert(raft->state != RAFT_LEADER);
        raft_tracker_reset_votes(&raft->tracker);
        raft->leader = RAFT_ID_NONE;
        raft->state = RAFT_PRE_CANDIDATE;
}

/* The paper, section 3.6.2: a new leader cannot know which entries of former terms are committed until one of its own
 * is, so it appends an empty one at once (section 6.4). */
static int become_leader(Raft *raft) {
        RaftProgress *self;
        int r;

        assert(raft->state != RAFT_FOLLOWER);
        reset(raft, raft->term);
        raft->leader = raft->config.id;
        raft->state = RAFT_LEADER;
        self = raft_tracker_get(&raft->tracker, raft->config.id);
        if (self) {
                raft_progress_become_replicate(self);
                self->active = true;
        }
        /* The last entry may be a configuration change of a former term: until all that is applied, no other is taken.
         * A change comes behind the empty entry and takes force when it is applied, so none does before an entry of the
         * own term is committed (Ongaro's correction of 2015 to the paper's section 4.1). */
        raft->pending_conf_index = raft_log_last_index(&raft->log);
        r = raft_append_own(raft, (RaftEntry){.type = RAFT_ENTRY_NORMAL});
        return r < 0 ? r : raft_acknowledge_own(raft);
}

/* Learners, members outside their own configuration and those in the middle of a snapshot do not stand. A member
 * outside still votes: the paper, section 4.1, on servers accepting requests from those who are not in their
 * configuration. */
bool raft_is_promotable(const Raft *raft) {
        const RaftProgress *self = raft_tracker_get(&raft->tracker, raft->config.id);

        return self && !self->learner && !raft->log.unstable.snapshot;
}

/* A member that has not applied a committed change yet may count the wrong majority. 1 if there is one. */
static int has_unapplied_conf_change(const Raft *raft) {
        uint64_t next = raft->log.applied + 1;

        while (next <= raft->log.committed) {
                _cleanup_raft_entries_ RaftEntries page = {0};
                int r;

                r = raft_log_slice(&raft->log, next, raft->log.committed + 1, ELECTION_SCAN_BYTES, &page);
                if (r != 0)
                        return r < 0 ? r : -EPROTO;
                for (size_t i = 0; i < page.length; i++)
                        if (raft_entry_is_conf_change(&page.items[i]))
                                return 1;
                next += page.length;
        }
        return 0;
}

static int send_vote_requests(Raft *raft, CampaignKind kind, uint64_t term) {
        bool pre = kind == CAMPAIGN_PRE_ELECTION;
        uint64_t last = raft_log_last_index(&raft->log), last_term;
        int r;

        r = raft_log_last_term(&raft->log, &last_term);
        if (r < 0)
                return r;
        for (size_t i = 0; i < raft->tracker.length; i++) {
                uint64_t id = raft->tracker.members[i].id;
                RaftMessage request = {.to = id, .term = term};

                if (!raft_tracker_is_voter(&raft->tracker, id))
                        continue;
                if (id == raft->config.id) {
                        /* the own vote counts when it is on disk, as anyone else's */
                        request.type = pre ? RAFT_MESSAGE_PRE_VOTE_RESPONSE : RAFT_MESSAGE_VOTE_RESPONSE;
                } else {
                        request.type = pre ? RAFT_MESSAGE_PRE_VOTE : RAFT_MESSAGE_VOTE;
                        request.index = last;
                        request.log_term = last_term;
                        request.transfer = kind == CAMPAIGN_TRANSFER;
                }
                r = raft_send(raft, &request);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The paper, section 3.4 (election), 9.6 (pre-vote) and 3.10 (transfer). */
static int campaign(Raft *raft, CampaignKind kind) {
        if (kind == CAMPAIGN_PRE_ELECTION) {
                become_pre_candidate(raft);
                return send_vote_requests(raft, kind, raft->term + 1);
        }
        become_candidate(raft);
        return send_vote_requests(raft, kind, raft->term);
}

int raft_hup(Raft *raft, CampaignKind kind) {
        int r;

        if (raft->state == RAFT_LEADER || !raft_is_promotable(raft))
                return 0;
        r = has_unapplied_conf_change(raft);
        if (r != 0)
                return r < 0 ? r : 0;
        return campaign(raft, kind);
}

static int tell_commit(const Raft *raft, RaftMessage *response) {
        uint64_t term;
        int r;

        r = raft_log_term(&raft->log, raft->log.committed, &term);
        if (r != 0)
                return r < 0 ? r : 0;
        response->commit = raft->log.committed;
        response->log_term = term;
        return 0;
}

/* The entry that is said to be committed, if this log has it, and all before it (the paper, section 3.5: logs that
 * agree in one entry agree in all before). */
static int hear_commit(Raft *raft, const RaftMessage *response) {
        int r;

        if (response->commit <= raft->log.committed)
                return 0;
        r = raft_log_matches(&raft->log, response->log_term, response->commit);
        return r > 0 ? raft_log_commit_to(&raft->log, response->commit) : r;
}

/* The paper, section 3.4: one vote per term, to the first who asks and (section 3.6.1) whose log is at least as up to
 * date. Learners vote too: whoever asks has a configuration in which this member is a voter, and may need the vote. */
int raft_handle_vote(Raft *raft, const RaftMessage *message) {
        bool pre = message->type == RAFT_MESSAGE_PRE_VOTE;
        RaftMessage response = {
                .type = pre ? RAFT_MESSAGE_PRE_VOTE_RESPONSE : RAFT_MESSAGE_VOTE_RESPONSE,
                .to = message->from,
        };
        bool can_vote = raft->vote == message->from ||
                        (raft->vote == RAFT_ID_NONE && raft->leader == RAFT_ID_NONE) ||
                        (pre && message->term > raft->term);
        int r;

        r = can_vote ? raft_log_is_up_to_date(&raft->log, message->log_term, message->index) : 0;
        if (r < 0)
                return r;
        if (r == 0) {
                /* The own term, not the asker's: someone behind must learn of it from a denied pre-vote too. */
                response.term = raft->term;
                response.reject = true;
                r = raft->config.votes_tell_commit ? tell_commit(raft, &response) : 0;
                return r < 0 ? r : raft_send(raft, &response);
        }
        /* A granted pre-vote is for the term that was asked for, which is not (yet) this member's. */
        response.term = message->term;
        if (!pre) {
                raft->election_elapsed = 0;
                raft->vote = message->from;
        }
        return raft_send(raft, &response);
}

int raft_handle_vote_response(Raft *raft, const RaftMessage *message) {
        int r;

        if (message->reject && raft->config.votes_tell_commit) {
                r = hear_commit(raft, message);
                if (r < 0)
                        return r;
        }
        raft_tracker_record_vote(&raft->tracker, message->from, !message->reject);
        switch (raft_tracker_tally(&raft->tracker)) {
        case RAFT_VOTE_WON:
                if (raft->state == RAFT_PRE_CANDIDATE)
                        return campaign(raft, CAMPAIGN_ELECTION);
                r = become_leader(raft);
                return r < 0 ? r : raft_broadcast_append(raft);
        case RAFT_VOTE_LOST:
                raft_become_follower(raft, raft->term, RAFT_ID_NONE);
                return 0;
        default:
                return 0;
        }
}

/* The paper, section 6.2: a leader that cannot reach a majority steps down, so that its clients go elsewhere. */
void raft_check_quorum(Raft *raft) {
        if (!raft_tracker_quorum_is_active(&raft->tracker))
                raft_become_follower(raft, raft->term, RAFT_ID_NONE);
        for (size_t i = 0; i < raft->tracker.length; i++)
                if (raft->tracker.members[i].id != raft->config.id)
                        raft->tracker.members[i].active = false;
}

static int tick_follower(Raft *raft) {
        raft->election_elapsed++;
        if (!raft_is_promotable(raft) || raft->election_elapsed < raft->election_timeout)
                return 0;
        raft->election_elapsed = 0;
        return raft_campaign(raft);
}

static int tick_leader(Raft *raft) {
        raft->heartbeat_elapsed++;
        raft->election_elapsed++;
        if (raft->election_elapsed >= raft->config.election_ticks) {
                raft->election_elapsed = 0;
                if (raft->config.check_quorum)
                        raft_check_quorum(raft);
                /* The paper, section 3.10: a transfer that takes longer than an election has failed. */
                raft->transferee = RAFT_ID_NONE;
        }
        if (raft->state != RAFT_LEADER || raft->heartbeat_elapsed < raft->config.heartbeat_ticks)
                return 0;
        raft->heartbeat_elapsed = 0;
        return raft_broadcast_heartbeat(raft, raft_pending_read_round(raft));
}

int raft_tick(Raft *raft) {
        if (raft->failure)
                return raft->failure;
        return raft_settle(raft, raft->state == RAFT_LEADER ? tick_leader(raft) : tick_follower(raft));
}

int raft_campaign(Raft *raft) {
        if (raft->failure)
                return raft->failure;
        return raft_settle(raft, raft_hup(raft, raft->config.pre_vote ? CAMPAIGN_PRE_ELECTION : CAMPAIGN_ELECTION));
}
