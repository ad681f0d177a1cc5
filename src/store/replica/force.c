/*
 * --force-new-cluster: a survivor of a lost majority goes on alone. All that its log holds counts as committed, whether it
 * was or not (what was acknowledged may be among it), and the other members are removed by entries behind it.
 */
#include <errno.h>
#include <inttypes.h>

#include "store/replica/internal.h"

enum { FORCE_JOBS_MAX = 16 };

typedef struct Force {
        Replica *replica;
        DiskJob *jobs[FORCE_JOBS_MAX];
        size_t count;
        bool overflow;
} Force;

static void on_run_job(void *userdata, DiskJob *job) {
        Force *force = userdata;

        if (force->count < FORCE_JOBS_MAX)
                force->jobs[force->count++] = job;
        else
                force->overflow = true;
}

static void on_send(void *userdata, uint64_t to, bool bulk, Slice frame) {
        (void)userdata; /* nobody is there to hear it */
        (void)to;
        (void)bulk;
        (void)frame;
}

static const ReplicaOps force_ops = {.run_job = on_run_job, .send = on_send};

/* Applies all that the log holds; no tick comes, so nothing else happens. */
static int force_apply_all(Force *force, Error *error) {
        uint64_t last = raft_last_index(replica_raft(force->replica));
        bool more = true;

        while (more || force->count > 0 || force->replica->counts.applied_index < last) {
                uint64_t before = force->replica->counts.applied_index;
                bool worked = force->count > 0;

                while (force->count > 0) {
                        DiskJob *job = force->jobs[--force->count];

                        replica_job_done(force->replica, job, job->run(job));
                }
                more = replica_run(force->replica);
                if (replica_failure(force->replica, error) < 0)
                        return replica_failure(force->replica, NULL);
                if (force->overflow || (!more && !worked && force->count == 0 &&
                                        before == force->replica->counts.applied_index && before < last))
                        return error_set(error, -EPROTO, "the log's entries behind %" PRIu64 " cannot be applied",
                                         before);
        }
        return 0;
}

static int force_append(Replica *replica, RaftConfOperation operation, uint64_t id, RaftHardState *state) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftConfChange change = {.length = 1, .changes = {{operation, id}}};
        RaftEntry entry = {.term = state->term, .index = state->commit + 1, .type = RAFT_ENTRY_CONF_CHANGE};
        int r;

        r = raft_conf_change_encode(&change, true, &payload);
        if (r < 0)
                return r;
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        state->commit++;
        return log_append_entry(replica->log, &entry);
}

/* One batch: a crash leaves the old cluster's member, or the new one's. */
static int force_write(Replica *replica, Error *error) {
        RaftConfState state = *raft_configuration(replica->raft);
        RaftHardState hard = replica->storage.hard_state;
        uint64_t self = replica->config.id;
        DiskJob *job;
        int r = 0;

        hard.commit = raft_last_index(replica->raft);
        if (!raft_ids_contain(&state.voters, self) && !raft_ids_contain(&state.learners, self))
                return error_set(error, -EINVAL,
                                 "member %" PRIx64
                                 " is no member of its cluster any more, or was none yet: another member's data "
                                 "can go on alone, this one's cannot",
                                 self);
        if (raft_ids_contain(&state.learners, self))
                r = force_append(replica, RAFT_CONF_ADD_VOTER, self, &hard);
        for (size_t i = 0; r >= 0 && i < state.voters.length; i++)
                if (state.voters.items[i] != self)
                        r = force_append(replica, RAFT_CONF_REMOVE, state.voters.items[i], &hard);
        for (size_t i = 0; r >= 0 && i < state.learners.length; i++)
                if (state.learners.items[i] != self)
                        r = force_append(replica, RAFT_CONF_REMOVE, state.learners.items[i], &hard);
        if (r >= 0)
                r = log_append_hard_state(replica->log, &hard);
        if (r >= 0)
                r = log_begin_write(replica->log, &job);
        if (r >= 0)
                r = log_end_write(replica->log, job->run(job));
        return r < 0 ? error_set_errno(error, r, "cannot write the new cluster's beginning") : 0;
}

int replica_force_new_cluster(const ReplicaConfig *config, Disk *disk, Error *error) {
        ReplicaConfig alone = *config;
        Force force = {0};
        int r;

        alone.all_is_committed = true;
        r = replica_open(&alone, disk, &force_ops, &force, &force.replica, error);
        if (r < 0)
                return r;
        r = force_apply_all(&force, error);
        if (r >= 0)
                r = force_write(force.replica, error);
        replica_free(force.replica, true);
        return r;
}
