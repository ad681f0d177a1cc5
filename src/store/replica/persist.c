/* The disk's side: what the core wants safe goes into the log as one batch at a time. */
#include <assert.h>
#include <errno.h>

#include "store/replica/internal.h"

static void work_deinit(PersistWork *work) {
        raft_entries_deinit(&work->entries);
        work->snapshot = raft_snapshot_unref(work->snapshot);
        raft_messages_deinit(&work->responses);
}

static void works_clear(PersistWorks *works) {
        for (size_t i = 0; i < works->length; i++)
                work_deinit(&works->items[i]);
        works->length = 0;
}

static int works_reserve(PersistWorks *works) {
        size_t capacity = works->capacity ? works->capacity * 2 : 8;
        PersistWork *items;

        if (works->length < works->capacity)
                return 0;
        items = reallocarray(works->items, capacity, sizeof(*items));
        if (!items)
                return -ENOMEM;
        works->items = items;
        works->capacity = capacity;
        return 0;
}

/* A commit index alone is not worth a write: after a crash the members find it again. It goes along with the next batch. Not
 * so when a change of the members is committed by it: who forgot that might need those who were removed. */
static int log_state(Replica *replica, const RaftMessage *message, uint64_t *ret_commit) {
        RaftHardState state = {message->term, message->vote, message->commit};
        RaftHardState *known = &replica->storage.hard_state;
        bool must = state.term != known->term || state.vote != known->vote || message->entries.length > 0 || message->snapshot ||
                    (state.commit > known->commit && known->commit < replica->change_index);

        *ret_commit = 0;
        if (raft_hard_state_is_empty(&state))
                return 0;
        *known = state;
        if (!must)
                return 0;
        *ret_commit = state.commit;
        return log_append_hard_state(replica->log, &state);
}

int persist_add(Replica *replica, RaftMessage *message) {
        PersistWorks *works = &replica->gathering;
        PersistWork *work;
        uint64_t commit;
        int r;

        r = works_reserve(works);
        if (r < 0)
                return r;
        if (message->snapshot) {
                r = log_append_snapshot(replica->log, message->snapshot->index, message->snapshot->term);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < message->entries.length; i++) {
                const RaftEntry *entry = &message->entries.items[i];

                r = log_append_entry(replica->log, entry);
                if (r < 0)
                        return r;
                if (raft_entry_is_conf_change(entry))
                        replica->change_index = max_of(replica->change_index, entry->index);
        }
        r = log_state(replica, message, &commit);
        if (r < 0)
                return r;
        work = &works->items[works->length++];
        *work = (PersistWork){.entries = message->entries, .snapshot = message->snapshot, .responses = message->responses,
                              .commit = commit};
        message->entries = (RaftEntries){0};
        message->snapshot = NULL;
        message->responses = (RaftMessages){0};
        return 0;
}

/* The batch is safe: the core may read its entries, and its answers may leave. A snapshot comes into the tree first; the
 * rest then waits for it. */
static void works_finish(Replica *replica) {
        PersistWorks *works = &replica->writing;
        size_t done = 0;
        int r = 0;

        while (done < works->length && !replica->failure) {
                PersistWork *work = &works->items[done];

                replica->durable_commit = max_of(replica->durable_commit, work->commit);
                if (work->snapshot) {
                        RaftSnapshot *snapshot = take_ptr(work->snapshot);

                        r = raft_memory_storage_apply_snapshot(&replica->storage, snapshot);
                        if (r >= 0)
                                r = install_begin(replica, snapshot);
                        else
                                raft_snapshot_unref(snapshot);
                        if (r < 0)
                                replica_fail(replica, r, "cannot install the snapshot of the leader");
                        break;
                }
                r = raft_memory_storage_append(&replica->storage, work->entries.items, work->entries.length);
                if (r != 0) {
                        replica_fail(replica, r < 0 ? r : -EPROTO, "entries do not follow on the log");
                        break;
                }
                replica_deliver(replica, &work->responses);
                done++;
        }
        for (size_t i = 0; i < done; i++)
                work_deinit(&works->items[i]);
        works->length -= done;
        memmove(works->items, works->items + done, works->length * sizeof(*works->items));
}

static void begin_maintenance(Replica *replica) {
        if (replica->maintenance_job || replica->now < replica->maintenance_retry ||
            log_begin_maintenance(replica->log, &replica->maintenance_job) < 0)
                return;
        if (replica->maintenance_job)
                replica->ops->run_job(replica->userdata, replica->maintenance_job);
}

bool persist_run(Replica *replica) {
        PersistWorks spare = replica->writing;
        int r;

        if (replica->failure || replica->write_job || replica->install.snapshot)
                return false;
        if (replica->writing.length > 0) { /* a snapshot is installed now */
                works_finish(replica);
                return true;
        }
        if (replica->gathering.length == 0) {
                begin_maintenance(replica);
                return false;
        }
        replica->writing = replica->gathering;
        replica->gathering = spare;
        if (log_pending(replica->log) == 0) {
                works_finish(replica);
                return true;
        }
        r = log_begin_write(replica->log, &replica->write_job);
        if (r < 0) {
                replica_fail(replica, r, "cannot write to the log");
                return false;
        }
        replica->ops->run_job(replica->userdata, replica->write_job);
        return true;
}

bool persist_job_done(Replica *replica, DiskJob *job, int r) {
        if (job == replica->maintenance_job) {
                replica->maintenance_job = NULL;
                log_end_maintenance(replica->log, r);
                if (r < 0)
                        replica->maintenance_retry = replica->now + REPLICA_HOUSEKEEPING_RETRY;
                return true;
        }
        if (job != replica->write_job)
                return false;
        replica->write_job = NULL;
        r = log_end_write(replica->log, r);
        if (r < 0)
                replica_fail(replica, r, "writing the log failed, so nothing more may be acknowledged: the server stops and "
                                         "recovers what is safe when it is started again");
        else
                works_finish(replica);
        return true;
}

void persist_deinit(Replica *replica, bool crash) {
        works_clear(&replica->gathering);
        works_clear(&replica->writing);
        free(replica->gathering.items);
        free(replica->writing.items);
        raft_messages_deinit(&replica->local);
        if (!replica->log)
                return;
        if (crash && replica->write_job)
                (void)log_end_write(replica->log, -ESHUTDOWN);
        if (crash && replica->maintenance_job)
                log_end_maintenance(replica->log, -ESHUTDOWN);
        replica->log = log_free(replica->log);
}
