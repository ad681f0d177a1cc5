/*
 * A backup: the tree as it is after all of one member's log, written as the first snapshot of a member that is a cluster of its own.
 * It is not a copy of the log, so nothing of the old cluster's term, votes and members comes along.
 */
#include <errno.h>
#include <inttypes.h>

#include "store/replica/internal.h"

/* Where the new member's peers would reach it, until "member update" says it: etcd's value. */
#define BACKUP_ATTRIBUTES "{\"peerURLs\":[\"http://localhost:2380\"]}"

/* ---- the tree ---- */

/* 0 also when there is none. */
static int drop_directory(Tree *tree, const char *path) {
        Command command = {.kind = COMMAND_DELETE, .path = slice_from(path), .dir = true, .recursive = true};
        int r = tree_apply(tree, &command, NULL, NULL);

        return r == TREE_KEY_NOT_FOUND ? 0 : r;
}

/* Other members go, and with them the memory of who was removed: ids of another cluster. The one that there is comes. */
static int replace_members(Tree *tree, uint64_t id) {
        _cleanup_free_ char *path = str_printf(TREE_SYSTEM "/members/%" PRIx64 "/raftAttributes", id);
        Command command = {.kind = COMMAND_SET, .value = slice_from(BACKUP_ATTRIBUTES)};
        int r;

        if (!path)
                return -ENOMEM;
        command.path = slice_from(path);
        r = drop_directory(tree, TREE_SYSTEM "/members");
        if (r == 0)
                r = drop_directory(tree, TREE_SYSTEM "/removed_members");
        if (r == 0)
                r = tree_apply(tree, &command, NULL, NULL);
        return r > 0 ? -EBADMSG : r;
}

static size_t count_keys(const Tree *tree) {
        const Node *top = NULL;
        size_t count = 0;

        if (tree_find(tree, slice_from(TREE_KEYS), &top, NULL) == 0)
                for (const Node *node = node_next(top, top); node; node = node_next(node, top))
                        count++;
        return count;
}

/* ---- writing ---- */

static int write_piece(SnapshotWriter *writer, bool last) {
        DiskJob *job;
        int r = snapshot_writer_begin(writer, last, &job);

        return r < 0 ? r : snapshot_writer_end(writer, job->run(job));
}

static int write_snapshot(Tree *tree, Disk *to, const SnapshotMeta *meta) {
        _cleanup_(snapshot_writer_freep) SnapshotWriter *writer = NULL;
        _cleanup_(snapshot_freep) TreeSnapshot *snapshot = NULL;
        int r = snapshot_writer_new(to, meta, &writer), more = 1;

        if (r >= 0)
                r = snapshot_begin(tree, &snapshot);
        while (r >= 0 && more > 0) {
                Buffer *output;

                more = snapshot_step(snapshot, REPLICA_SNAPSHOT_STEP);
                if (more < 0)
                        return more;
                output = snapshot_output(snapshot);
                r = snapshot_writer_add(writer, (Slice){buffer_data(output), buffer_length(output)});
                buffer_clear(output);
                if (r >= 0 && (more == 0 || snapshot_writer_pending(writer) >= REPLICA_SNAPSHOT_QUEUE))
                        r = write_piece(writer, more == 0);
        }
        return r;
}

/* Behind the snapshot: a log that begins with it. */
static int write_log(const ReplicaConfig *config, Disk *to, const SnapshotMeta *meta) {
        LogOptions options = {.segment_size = config->segment_size, .random = config->random};
        _cleanup_(log_freep) Log *log = NULL;
        DiskJob *job;
        int r = log_create(to, &(LogIdentity){config->cluster, config->id}, &options, &log);

        if (r >= 0)
                r = log_append_snapshot(log, meta->index, meta->term);
        if (r >= 0)
                r = log_append_hard_state(log, &(RaftHardState){.term = meta->term, .commit = meta->index});
        if (r >= 0)
                r = log_begin_write(log, &job);
        return r < 0 ? r : log_end_write(log, job->run(job));
}

static void remove_all(Disk *to) {
        _cleanup_string_list_ StringList names = {0};

        (void)to->ops->list(to, &names);
        for (size_t i = 0; i < names.length; i++)
                (void)to->ops->unlink(to, names.items[i]);
}

static int check_empty(Disk *to, Error *error) {
        _cleanup_string_list_ StringList names = {0};
        int r = to->ops->list(to, &names);

        if (r < 0)
                return error_set_errno(error, r, "cannot look into the folder for the backup");
        return names.length == 0
                       ? 0
                       : error_set(error, -EEXIST, "the folder for the backup is not empty (it has %s): name a new one",
                                   names.items[0]);
}

int replica_backup(const ReplicaConfig *config, Disk *from, Disk *to, ReplicaBackup *ret, Error *error) {
        _cleanup_(replica_alone_deinit) ReplicaAlone alone = {0};
        ReplicaConfig reading = *config;
        SnapshotMeta meta = {0};
        int r = check_empty(to, error);

        if (r < 0)
                return r;
        reading.id = reading.cluster = 0;
        reading.snapshot_entries = reading.snapshot_bytes = UINT64_MAX; /* none is to be made on `from` */
        r = replica_alone_open(&reading, from, &alone, error);
        if (r < 0)
                return r;
        meta.index = alone.replica->counts.applied_index;
        meta.term = alone.replica->counts.applied_term;
        if (meta.index == 0)
                return error_set(error, -ENOENT,
                                 "there is nothing to back up: this member has heard nothing of its cluster yet");
        *ret = (ReplicaBackup){.cut_bytes = alone.replica->recovery.cut_bytes,
                               .keys = count_keys(&alone.replica->tree)};
        r = raft_ids_add(&meta.conf_state.voters, config->id);
        if (r >= 0)
                r = replace_members(&alone.replica->tree, config->id);
        if (r >= 0)
                r = write_snapshot(&alone.replica->tree, to, &meta);
        if (r >= 0)
                r = write_log(config, to, &meta);
        if (r < 0) {
                remove_all(to);
                return error_set_errno(error, r, "cannot write the backup");
        }
        ret->index = alone.replica->tree.index;
        return 0;
}
