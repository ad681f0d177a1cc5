#include "raft/tracker.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { INFLIGHTS_CAPACITY_FIRST = 16 };

void raft_inflights_deinit(RaftInflights *inflights) {
        free(inflights->ring);
        *inflights = (RaftInflights){.max = inflights->max, .max_bytes = inflights->max_bytes};
}

void raft_inflights_clear(RaftInflights *inflights) {
        inflights->start = inflights->length = 0;
        inflights->bytes = 0;
}

static RaftInflight *inflights_at(const RaftInflights *inflights, size_t i) {
        size_t at = inflights->start + i;

        return &inflights->ring[at >= inflights->capacity ? at - inflights->capacity : at];
}

static int inflights_grow(RaftInflights *inflights) {
        size_t capacity = INFLIGHTS_CAPACITY_FIRST, size;
        RaftInflight *ring;

        if (inflights->capacity > 0 && size_mul_overflows(inflights->capacity, 2, &capacity))
                return -ENOMEM;
        capacity = min_of(capacity, inflights->max);
        if (size_mul_overflows(capacity, sizeof(RaftInflight), &size))
                return -ENOMEM;
        ring = malloc(size);
        if (!ring)
                return -ENOMEM;
        for (size_t i = 0; i < inflights->length; i++)
                ring[i] = *inflights_at(inflights, i);
        free(inflights->ring);
        inflights->ring = ring;
        inflights->capacity = capacity;
        inflights->start = 0;
        return 0;
}

int raft_inflights_add(RaftInflights *inflights, uint64_t index, uint64_t bytes) {
        int r;

        assert(!raft_inflights_is_full(inflights));
        if (inflights->length == inflights->capacity) {
                r = inflights_grow(inflights);
                if (r < 0)
                        return r;
        }
        *inflights_at(inflights, inflights->length) = (RaftInflight){index, bytes};
        inflights->length++;
        inflights->bytes += bytes;
        return 0;
}

void raft_inflights_free_up_to(RaftInflights *inflights, uint64_t index) {
        while (inflights->length > 0 && inflights_at(inflights, 0)->index <= index) {
                inflights->bytes -= inflights_at(inflights, 0)->bytes;
                inflights->length--;
                if (++inflights->start == inflights->capacity)
                        inflights->start = 0;
        }
        if (inflights->length == 0)
                inflights->start = 0;
}

static void progress_enter(RaftProgress *progress, RaftProgressState state) {
        progress->state = state;
        progress->paused = false;
        progress->pending_snapshot = 0;
        raft_inflights_clear(&progress->inflights);
}

static void progress_cap_sent_commit(RaftProgress *progress) {
        progress->sent_commit = min_of(progress->sent_commit, progress->next - 1);
}

void raft_progress_become_probe(RaftProgress *progress) {
        /* a snapshot that was sent may have arrived although nothing has said so: go on behind it */
        uint64_t snapshot = progress->state == RAFT_PROGRESS_SNAPSHOT ? progress->pending_snapshot : 0;

        progress_enter(progress, RAFT_PROGRESS_PROBE);
        progress->next = max_of(progress->match, snapshot) + 1;
        progress_cap_sent_commit(progress);
}

void raft_progress_become_replicate(RaftProgress *progress) {
        progress_enter(progress, RAFT_PROGRESS_REPLICATE);
        progress->next = progress->match + 1;
}

void raft_progress_become_snapshot(RaftProgress *progress, uint64_t index) {
        progress_enter(progress, RAFT_PROGRESS_SNAPSHOT);
        progress->pending_snapshot = index;
        progress->next = index + 1;
        progress->sent_commit = index;
}

int raft_progress_sent_entries(RaftProgress *progress, size_t count, uint64_t bytes) {
        int r;

        if (progress->state == RAFT_PROGRESS_PROBE) {
                if (count > 0)
                        progress->paused = true;
                return 0;
        }
        assert(progress->state == RAFT_PROGRESS_REPLICATE);
        if (count > 0) {
                r = raft_inflights_add(&progress->inflights, progress->next + count - 1, bytes);
                if (r < 0)
                        return r;
                progress->next += count;
        }
        progress->paused = raft_inflights_is_full(&progress->inflights);
        return 0;
}

void raft_progress_sent_commit(RaftProgress *progress, uint64_t commit) {
        progress->sent_commit = commit;
}

bool raft_progress_can_bump_commit(const RaftProgress *progress, uint64_t commit) {
        return commit > progress->sent_commit && progress->sent_commit < progress->next - 1;
}

bool raft_progress_maybe_update(RaftProgress *progress, uint64_t index) {
        if (index <= progress->match)
                return false;
        progress->match = index;
        progress->next = max_of(progress->next, index + 1);
        progress->paused = false;
        return true;
}

bool raft_progress_maybe_decrease(RaftProgress *progress, uint64_t rejected, uint64_t hint) {
        if (progress->state == RAFT_PROGRESS_REPLICATE) {
                /* what the member has accepted since stands */
                if (rejected <= progress->match)
                        return false;
                progress->next = progress->match + 1;
                progress_cap_sent_commit(progress);
                return true;
        }
        /* a probe is answered before the next is sent: a refusal of anything else is old */
        if (progress->next - 1 != rejected)
                return false;
        progress->next = max_of(min_of(rejected, hint + 1), progress->match + 1);
        progress_cap_sent_commit(progress);
        progress->paused = false;
        return true;
}

bool raft_progress_is_paused(const RaftProgress *progress) {
        return progress->state == RAFT_PROGRESS_SNAPSHOT || progress->paused;
}

void raft_progress_reset(RaftProgress *progress, uint64_t match, uint64_t next) {
        RaftInflights inflights = progress->inflights;

        raft_inflights_clear(&inflights);
        *progress = (RaftProgress){
                .id = progress->id,
                .state = RAFT_PROGRESS_PROBE,
                .match = match,
                .next = next,
                .learner = progress->learner,
                .inflights = inflights,
        };
}

void raft_tracker_deinit(RaftTracker *tracker) {
        for (size_t i = 0; i < tracker->length; i++)
                raft_inflights_deinit(&tracker->members[i].inflights);
        free(tracker->members);
        *tracker = (RaftTracker){
                .max_inflight_messages = tracker->max_inflight_messages,
                .max_inflight_bytes = tracker->max_inflight_bytes,
        };
}

RaftProgress *raft_tracker_get(const RaftTracker *tracker, uint64_t id) {
        for (size_t i = 0; i < tracker->length; i++)
                if (tracker->members[i].id == id)
                        return &tracker->members[i];
        return NULL;
}

static bool tracker_match(const void *userdata, uint64_t id, uint64_t *ret_index) {
        const RaftProgress *progress = raft_tracker_get(userdata, id);

        if (!progress)
                return false;
        *ret_index = progress->match;
        return true;
}

static bool tracker_read_ack(const void *userdata, uint64_t id, uint64_t *ret_index) {
        const RaftProgress *progress = raft_tracker_get(userdata, id);

        if (!progress)
                return false;
        *ret_index = progress->read_ack;
        return true;
}

uint64_t raft_tracker_committed(const RaftTracker *tracker) {
        return raft_quorum_committed_joint(&tracker->config.voters, &tracker->config.voters_outgoing, tracker_match,
                                           tracker);
}

uint64_t raft_tracker_read_confirmed(const RaftTracker *tracker) {
        return raft_quorum_committed_joint(&tracker->config.voters, &tracker->config.voters_outgoing, tracker_read_ack,
                                           tracker);
}

bool raft_tracker_quorum_is_active(const RaftTracker *tracker) {
        RaftIds known = {0}, active = {0};

        for (size_t i = 0; i < tracker->length; i++) {
                const RaftProgress *progress = &tracker->members[i];

                if (progress->learner)
                        continue;
                (void)raft_ids_add(&known, progress->id);
                if (progress->active)
                        (void)raft_ids_add(&active, progress->id);
        }
        return raft_quorum_vote_joint(&tracker->config.voters, &tracker->config.voters_outgoing, &known, &active) ==
               RAFT_VOTE_WON;
}

bool raft_tracker_is_voter(const RaftTracker *tracker, uint64_t id) {
        return raft_ids_contain(&tracker->config.voters, id) || raft_ids_contain(&tracker->config.voters_outgoing, id);
}

void raft_tracker_reset_votes(RaftTracker *tracker) {
        tracker->votes_known.length = 0;
        tracker->votes_granted.length = 0;
}

void raft_tracker_record_vote(RaftTracker *tracker, uint64_t id, bool granted) {
        if (raft_ids_contain(&tracker->votes_known, id))
                return;
        /* a full set is one of members that are no more: whoever does not fit has no vote */
        if (raft_ids_add(&tracker->votes_known, id) >= 0 && granted)
                (void)raft_ids_add(&tracker->votes_granted, id);
}

RaftVoteResult raft_tracker_tally(const RaftTracker *tracker) {
        return raft_quorum_vote_joint(&tracker->config.voters, &tracker->config.voters_outgoing, &tracker->votes_known,
                                      &tracker->votes_granted);
}
