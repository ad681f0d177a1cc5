/*
 * --force-new-cluster: a survivor of a lost majority goes on alone. All that its log holds counts as committed, whether it
 * was or not (what was acknowledged may be among it), and the other members are removed by entries behind it.
 */
#include <errno.h>
#include <inttypes.h>

#include "store/replica/internal.h"

static void on_run_job(void *userdata, DiskJob *job) {
        ReplicaAlone *alone = userdata;

        if (alone->count < REPLICA_ALONE_JOBS_MAX)
                alone->jobs[alone->count++] = job;
        else
                alone->overflow = true;
}

static void on_send(void *userdata, uint64_t to, bool bulk, Slice frame) {
        (void)userdata; /* nobody is there to hear it */
        (void)to;
        (void)bulk;
        (void)frame;
}

static const ReplicaOps alone_ops = {.run_job = on_run_job, .send = on_send};

/* Applies all that the log holds; no tick comes, so nothing else happens. */
static int apply_all(ReplicaAlone *alone, Error *error) {
        Replica *replica = alone->replica;
        uint64_t last = raft_last_index(replica_raft(replica));
        bool more = true;

        while (more || alone->count > 0 || replica->counts.applied_index < last) {
                uint64_t before = replica->counts.applied_index;
                bool worked = alone->count > 0;

                while (alone->count > 0) {
                        DiskJob *job = alone->jobs[--alone->count];

                        replica_job_done(replica, job, job->run(job));
                }
                more = replica_run(replica);
                if (replica_failure(replica, error) < 0)
                        return replica_failure(replica, NULL);
                if (alone->overflow ||
                    (!more && !worked && alone->count == 0 && before == replica->counts.applied_index && before < last))
                        return error_set(error, -EPROTO, "the log's entries behind %" PRIu64 " cannot be applied", before);
        }
        return 0;
}

int replica_alone_open(const ReplicaConfig *config, Disk *disk, ReplicaAlone *alone, Error *error) {
        ReplicaConfig all = *config;
        int r;

        *alone = (ReplicaAlone){0};
        all.all_is_committed = true;
        r = replica_open(&all, disk, &alone_ops, alone, &alone->replica, error);
        return r < 0 ? r : apply_all(alone, error);
}

void replica_alone_deinit(ReplicaAlone *alone) {
        alone->replica = replica_free(alone->replica, true);
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
        _cleanup_(replica_alone_deinit) ReplicaAlone alone = {0};
        int r = replica_alone_open(config, disk, &alone, error);

        return r < 0 ? r : force_write(alone.replica, error);
}
