/* Configurations taking force: the paper, chapter 4. */
#include <errno.h>

#include "raft/internal.h"

static int tell_new_members(Raft *raft) {
        int r;

        for (size_t i = 0; i < raft->tracker.length; i++) {
                if (raft->tracker.members[i].id == raft->config.id)
                        continue;
                r = raft_maybe_send_append(raft, &raft->tracker.members[i], false);
                if (r < 0)
                        return r;
        }
        return 0;
}

int raft_switch_config(Raft *raft) {
        const RaftProgress *self = raft_tracker_get(&raft->tracker, raft->config.id);
        int r;

        if (raft->state != RAFT_LEADER)
                return 0;
        if (!self || self->learner) {
                /* The paper, section 4.2.2: a leader that is removed leads until the change is committed, without
                 * counting itself; that is now. Unless told to step down it goes on until others elect. */
                if (raft->config.step_down_on_removal)
                        raft_become_follower(raft, raft->term, RAFT_ID_NONE);
                return 0;
        }
        /* fewer voters may be a smaller majority */
        r = raft_maybe_commit(raft);
        if (r < 0)
                return r;
        if (r > 0) {
                r = raft_release_early_reads(raft);
                if (r < 0)
                        return r;
                r = raft_broadcast_append(raft);
        } else
                r = tell_new_members(raft);
        if (r < 0)
                return r;
        if (raft->transferee != RAFT_ID_NONE && !raft_tracker_is_voter(&raft->tracker, raft->transferee))
                raft->transferee = RAFT_ID_NONE;
        return raft_confirm_reads(raft);
}

int raft_apply_conf_change(Raft *raft, const RaftConfChange *change, RaftConfState *ret_state, Error *error) {
        int r;

        if (raft->failure)
                return raft->failure;
        r = raft_conf_apply(&raft->tracker, change, raft_log_last_index(&raft->log), error);
        if (r == -EINVAL || r == -E2BIG) {
                r = RAFT_CHANGE_REFUSED;
        } else {
                if (r >= 0)
                        r = raft_switch_config(raft);
                if (r < 0)
                        return raft_settle(raft, r);
        }
        if (ret_state)
                *ret_state = raft->tracker.config;
        return r;
}
