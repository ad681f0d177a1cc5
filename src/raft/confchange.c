#include "raft/confchange.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A configuration being changed. Members that were taken out on the way start anew if they come back in it. */
typedef struct Change {
        RaftConfState config;
        RaftIds members; /* whose progress is kept or begins */
        RaftIds fresh;   /* of these: whose progress begins */
} Change;

static void change_begin(const RaftTracker *tracker, Change *ret_change) {
        *ret_change = (Change){.config = tracker->config};
        for (size_t i = 0; i < tracker->length; i++)
                (void)raft_ids_add(&ret_change->members, tracker->members[i].id);
}

static int change_add_member(Change *change, uint64_t id) {
        int r;

        r = raft_ids_add(&change->members, id);
        if (r < 0)
                return r;
        return raft_ids_add(&change->fresh, id);
}

static void change_remove_member(Change *change, uint64_t id) {
        raft_ids_remove(&change->members, id);
        raft_ids_remove(&change->fresh, id);
}

static int change_make_voter(Change *change, uint64_t id) {
        int r;

        if (!raft_ids_contain(&change->members, id)) {
                r = change_add_member(change, id);
                if (r < 0)
                        return r;
        }
        raft_ids_remove(&change->config.learners, id);
        raft_ids_remove(&change->config.learners_next, id);
        return raft_ids_add(&change->config.voters, id);
}

/* A voter of the outgoing half cannot be a learner at the same time: it becomes one when the joint configuration is
 * left. */
static int change_make_learner(Change *change, uint64_t id) {
        int r;

        if (!raft_ids_contain(&change->members, id)) {
                r = change_add_member(change, id);
                if (r < 0)
                        return r;
        }
        raft_ids_remove(&change->config.voters, id);
        if (raft_ids_contain(&change->config.voters_outgoing, id))
                return raft_ids_add(&change->config.learners_next, id);
        return raft_ids_add(&change->config.learners, id);
}

static void change_remove(Change *change, uint64_t id) {
        raft_ids_remove(&change->config.voters, id);
        raft_ids_remove(&change->config.learners, id);
        raft_ids_remove(&change->config.learners_next, id);
        if (!raft_ids_contain(&change->config.voters_outgoing, id))
                change_remove_member(change, id);
}

static int change_apply(Change *change, const RaftConfSingle *changes, size_t length, Error *error) {
        int r = 0;

        for (size_t i = 0; i < length; i++) {
                if (changes[i].id == RAFT_ID_NONE)
                        continue;
                if (raft_id_is_local(changes[i].id))
                        return error_set(error, -EINVAL, "%llu cannot be the id of a member",
                                         (unsigned long long)changes[i].id);
                switch (changes[i].operation) {
                case RAFT_CONF_ADD_VOTER:
                        r = change_make_voter(change, changes[i].id);
                        break;
                case RAFT_CONF_ADD_LEARNER:
                        r = change_make_learner(change, changes[i].id);
                        break;
                case RAFT_CONF_REMOVE:
                        change_remove(change, changes[i].id);
                        break;
                case RAFT_CONF_UPDATE:
                        break;
                default:
                        return error_set(error, -EINVAL, "unknown operation %d", (int)changes[i].operation);
                }
                if (r < 0)
                        return error_set(error, r, "more than %d members", RAFT_MEMBERS_MAX);
        }
        if (change->config.voters.length == 0)
                return error_set(error, -EINVAL, "removed all voters");
        return 0;
}

/* Puts the outcome in force: progress of those who stay moves over, of the new begins. */
static int change_finish(const Change *change, RaftTracker *tracker, uint64_t last_index) {
        RaftProgress *members;
        size_t kept = 0;

        members = calloc(max_of(change->members.length, (size_t)1), sizeof(RaftProgress));
        if (!members)
                return -ENOMEM;
        for (size_t i = 0; i < change->members.length; i++) {
                uint64_t id = change->members.items[i];
                RaftProgress *old = raft_tracker_get(tracker, id);

                if (old && !raft_ids_contain(&change->fresh, id)) {
                        members[i] = *old;
                        old->inflights.ring = NULL;
                        kept++;
                } else
                        /* counts as active until the next quorum check: it had no chance to be heard yet */
                        members[i] = (RaftProgress){
                                .id = id,
                                .next = max_of(last_index, (uint64_t)1),
                                .active = true,
                                .inflights = {.max = tracker->max_inflight_messages,
                                              .max_bytes = tracker->max_inflight_bytes},
                        };
                members[i].learner = raft_ids_contain(&change->config.learners, id);
        }
        assert(kept + change->fresh.length == change->members.length);
        for (size_t i = 0; i < tracker->length; i++)
                raft_inflights_deinit(&tracker->members[i].inflights);
        free(tracker->members);
        tracker->members = members;
        tracker->length = change->members.length;
        tracker->config = change->config;
        return 0;
}

static size_t ids_difference(const RaftIds *a, const RaftIds *b) {
        size_t count = 0;

        for (size_t i = 0; i < a->length; i++)
                if (!raft_ids_contain(b, a->items[i]))
                        count++;
        return count;
}

int raft_conf_apply_simple(RaftTracker *tracker, const RaftConfSingle *changes, size_t length, uint64_t last_index,
                           Error *error) {
        Change change;
        int r;

        if (raft_conf_state_is_joint(&tracker->config))
                return error_set(error, -EINVAL, "can't apply simple config change in joint config");
        change_begin(tracker, &change);
        r = change_apply(&change, changes, length, error);
        if (r < 0)
                return r;
        if (ids_difference(&tracker->config.voters, &change.config.voters) +
                    ids_difference(&change.config.voters, &tracker->config.voters) >
            1)
                return error_set(error, -EINVAL, "more than one voter changed without entering joint config");
        return change_finish(&change, tracker, last_index);
}

int raft_conf_enter_joint(RaftTracker *tracker, bool auto_leave, const RaftConfSingle *changes, size_t length,
                          uint64_t last_index, Error *error) {
        Change change;
        int r;

        if (raft_conf_state_is_joint(&tracker->config))
                return error_set(error, -EINVAL, "config is already joint");
        if (tracker->config.voters.length == 0)
                return error_set(error, -EINVAL, "can't make a zero-voter config joint");
        change_begin(tracker, &change);
        change.config.voters_outgoing = change.config.voters;
        r = change_apply(&change, changes, length, error);
        if (r < 0)
                return r;
        change.config.auto_leave = auto_leave;
        return change_finish(&change, tracker, last_index);
}

int raft_conf_leave_joint(RaftTracker *tracker, Error *error) {
        Change change;
        int r;

        if (!raft_conf_state_is_joint(&tracker->config))
                return error_set(error, -EINVAL, "can't leave a non-joint config");
        change_begin(tracker, &change);
        for (size_t i = 0; i < change.config.learners_next.length; i++) {
                r = raft_ids_add(&change.config.learners, change.config.learners_next.items[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < change.config.voters_outgoing.length; i++) {
                uint64_t id = change.config.voters_outgoing.items[i];

                if (!raft_ids_contain(&change.config.voters, id) && !raft_ids_contain(&change.config.learners, id))
                        change_remove_member(&change, id);
        }
        change.config.voters_outgoing.length = 0;
        change.config.learners_next.length = 0;
        change.config.auto_leave = false;
        return change_finish(&change, tracker, 0);
}

int raft_conf_apply(RaftTracker *tracker, const RaftConfChange *change, uint64_t last_index, Error *error) {
        bool auto_leave;

        if (raft_conf_change_is_leave(change))
                return raft_conf_leave_joint(tracker, error);
        if (raft_conf_change_is_joint(change, &auto_leave))
                return raft_conf_enter_joint(tracker, auto_leave, change->changes, change->length, last_index, error);
        return raft_conf_apply_simple(tracker, change->changes, change->length, last_index, error);
}

int raft_conf_restore(RaftTracker *tracker, const RaftConfState *state, uint64_t last_index) {
        const RaftIds *sets[] = {&state->voters, &state->voters_outgoing, &state->learners};
        Change change = {.config = *state};
        int r;

        r = raft_conf_state_validate(state);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                for (size_t j = 0; j < sets[i]->length; j++) {
                        r = change_add_member(&change, sets[i]->items[j]);
                        if (r < 0)
                                return r;
                }
        return change_finish(&change, tracker, last_index);
}
