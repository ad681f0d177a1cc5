/* Snapshots made here: the tree is walked in small steps between other work, then the log behind it may go. */
#include <errno.h>

#include "store/replica/internal.h"

enum { SNAPSHOT_WRITE_MIN = 256 << 10 };

static uint64_t last_snapshot_index(const Replica *replica) {
        return replica->storage.snapshot ? replica->storage.snapshot->index : 0;
}

/* A large tree is worth a longer log: the cost of snapshots stays in proportion to the writes. */
static bool compact_is_due(const Replica *replica) {
        uint64_t entries = max_of(replica->config.snapshot_entries, (uint64_t)replica->tree.count / 4);

        return (replica->snapshot_wanted && replica->counts.applied_index > last_snapshot_index(replica)) ||
               replica->counts.applied_index - last_snapshot_index(replica) >= entries ||
               replica->bytes_since_snapshot >= max_of(replica->config.snapshot_bytes, (uint64_t)replica->tree.bytes);
}

static int compact_begin(Replica *replica) {
        int r;

        replica->snapshot_meta = (SnapshotMeta){
                .index = replica->counts.applied_index,
                .term = replica->counts.applied_term,
                .conf_state = replica->configuration,
        };
        r = snapshot_begin(&replica->tree, &replica->snapshot);
        if (r < 0)
                return r;
        r = snapshot_writer_new(replica->disk, &replica->snapshot_meta, &replica->snapshot_writer);
        if (r < 0) {
                replica->snapshot = snapshot_free(replica->snapshot);
                return r;
        }
        replica->snapshot_walked = replica->snapshot_last = false;
        replica->bytes_since_snapshot = 0;
        replica->snapshot_wanted = false;
        return 0;
}

void compact_consider(Replica *replica) {
        if (replica->snapshot_writer || replica->install.snapshot || replica->receiving.writer ||
            replica->counts.applied_term == 0 || replica->now < replica->snapshot_retry || !compact_is_due(replica))
                return;
        (void)compact_begin(replica); /* without memory now: it is tried again */
}

void compact_abandon(Replica *replica) {
        replica->snapshot = snapshot_free(replica->snapshot);
        if (replica->snapshot_writer && !replica->snapshot_job)
                replica->snapshot_writer = snapshot_writer_free(replica->snapshot_writer);
}

static int compact_walk(Replica *replica) {
        Buffer *output;
        int r;

        r = snapshot_step(replica->snapshot, REPLICA_SNAPSHOT_STEP);
        if (r < 0)
                return r;
        output = snapshot_output(replica->snapshot);
        if (r == 0)
                replica->snapshot_walked = true;
        r = snapshot_writer_add(replica->snapshot_writer, (Slice){buffer_data(output), buffer_length(output)});
        buffer_clear(output);
        if (replica->snapshot_walked)
                replica->snapshot = snapshot_free(replica->snapshot);
        return r;
}

static int compact_write(Replica *replica) {
        size_t pending = snapshot_writer_pending(replica->snapshot_writer);
        int r;

        if (replica->snapshot_job || replica->snapshot_last || (!replica->snapshot_walked && pending < SNAPSHOT_WRITE_MIN))
                return 0;
        r = snapshot_writer_begin(replica->snapshot_writer, replica->snapshot_walked, &replica->snapshot_job);
        if (r < 0)
                return r;
        replica->snapshot_last = replica->snapshot_walked;
        replica->ops->run_job(replica->userdata, replica->snapshot_job);
        return 0;
}

/* Entries in memory go in steps, too: a snapshot may be of a million. True: there are more to let go of. */
static bool compact_entries(Replica *replica) {
        uint64_t base = replica->storage.base_index;

        if (replica->compact_up_to > base)
                (void)raft_memory_storage_compact(&replica->storage, min_of(replica->compact_up_to, base + REPLICA_COMPACT_STEP));
        return replica->compact_up_to > replica->storage.base_index;
}

/* True: there is more to walk, and room for it. */
static bool compact_snapshot(Replica *replica) {
        bool room;
        int r = 0;

        if (!replica->snapshot_writer || (!replica->snapshot && !replica->snapshot_walked))
                return false;
        room = snapshot_writer_pending(replica->snapshot_writer) < REPLICA_SNAPSHOT_QUEUE;
        if (replica->snapshot && room)
                r = compact_walk(replica);
        if (r >= 0)
                r = compact_write(replica);
        if (r < 0) {
                compact_abandon(replica);
                return false;
        }
        return replica->snapshot && snapshot_writer_pending(replica->snapshot_writer) < REPLICA_SNAPSHOT_QUEUE;
}

bool compact_run(Replica *replica) {
        bool more = compact_entries(replica);

        return compact_snapshot(replica) || more;
}

/* Not while one is read to be sent: it may be an old one. */
void compact_purge(Replica *replica) {
        if (replica->purging || replica->failure || last_snapshot_index(replica) == 0 || transfer_is_sending(replica))
                return;
        snapshot_purge_init(&replica->purge, replica->disk, last_snapshot_index(replica), REPLICA_SNAPSHOTS_KEPT);
        replica->purging = true;
        replica->ops->run_job(replica->userdata, &replica->purge.job);
}

/* The snapshot is safe. The log keeps what follows the one before it too, should this one ever turn out damaged. */
static void compact_complete(Replica *replica) {
        const SnapshotMeta *meta = &replica->snapshot_meta;
        _cleanup_raft_snapshot_ RaftSnapshot *snapshot = NULL;
        uint64_t keep = replica->config.keep_entries;
        int r;

        r = raft_snapshot_new(meta->index, meta->term, &meta->conf_state, NULL, &snapshot);
        if (r < 0) {
                replica_fail(replica, r, "no memory for a finished snapshot");
                return;
        }
        if (raft_memory_storage_set_snapshot(&replica->storage, snapshot) != 0)
                return; /* one from the leader came in between */
        if (meta->index > keep)
                replica->compact_up_to = meta->index - keep;
        log_release(replica->log, replica->previous_snapshot_index);
        replica->previous_snapshot_index = meta->index;
        replica->counts.snapshots_made++;
        compact_purge(replica);
}

bool compact_job_done(Replica *replica, DiskJob *job, int r) {
        if (replica->purging && job == &replica->purge.job) {
                replica->purging = false; /* files that could not be removed are found by the next purge */
                return true;
        }
        if (!replica->snapshot_job || job != replica->snapshot_job)
                return false;
        replica->snapshot_job = NULL;
        r = snapshot_writer_end(replica->snapshot_writer, r);
        if (r < 0)
                replica->snapshot_retry = replica->now + REPLICA_HOUSEKEEPING_RETRY;
        if (r < 0 || (!replica->snapshot && !replica->snapshot_walked)) { /* failed, or abandoned meanwhile */
                compact_abandon(replica);
                replica->snapshot_writer = snapshot_writer_free(replica->snapshot_writer);
        } else if (replica->snapshot_last) {
                replica->snapshot_writer = snapshot_writer_free(replica->snapshot_writer);
                if (!replica->failure)
                        compact_complete(replica);
        }
        return true;
}
