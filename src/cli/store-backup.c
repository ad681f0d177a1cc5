/* backup: a copy of a member's data directory that can begin a cluster of its own. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "cli/store.h"
#include "store/data-directory.h"
#include "store/log/disk-directory.h"
#include "store/replica/replica.h"

enum {
        TRIES_MAX = 5, /* a server that runs may change what is read */
        TICK_MSEC = 100,
        ELECTION_TICKS = 10,
};

static bool is_there(const char *directory, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, name);
        struct stat status;

        return path && stat(path, &status) == 0;
}

/* -ENOENT or -EINVAL when there is no data of ours; knows etcd's by its folders. */
static int check_source(const char *path, Disk *disk, Error *error) {
        int r = log_exists(disk);

        if (r > 0)
                return 0;
        if (r < 0)
                return error_set_errno(error, r, "cannot look into %s", path);
        if (is_there(path, "member/wal") || is_there(path, "member/snap"))
                return error_set(error, -EINVAL,
                                 "%s is a data directory of etcd (it has member/wal): its own etcdctl makes a backup "
                                 "of it. To move its "
                                 "keys here, start that etcd and copy them over its API",
                                 path);
        return error_set(error, -ENOENT,
                         "%s holds no log of a store: --data-dir must be what its server has as --data-dir", path);
}

static ReplicaConfig new_identity(void) {
        ReplicaConfig config = {
                .tick = TICK_MSEC * USEC_PER_MSEC, .election_ticks = ELECTION_TICKS, .request_timeout = USEC_PER_SEC};
        uint64_t seed;

        random_secret(&seed, sizeof(seed));
        random_seed(&config.random, seed);
        random_secret(&config.tree.seed, sizeof(config.tree.seed));
        while (config.id == 0)
                random_secret(&config.id, sizeof(config.id));
        while (config.cluster == 0)
                random_secret(&config.cluster, sizeof(config.cluster));
        return config;
}

static int copy(const ReplicaConfig *config, const StoreArguments *arguments, ReplicaBackup *ret, Error *error) {
        _cleanup_(disk_directory_freep) Disk *from = NULL, *to = NULL;
        int r = data_directory_read(arguments->data_dir, arguments->wal_dir, &from, error);

        if (r >= 0)
                r = check_source(arguments->data_dir, from, error);
        if (r >= 0)
                r = data_directory_open(arguments->backup_dir, arguments->backup_wal_dir, &to, error);
        if (r < 0)
                return r;
        for (int tries = 0; tries < TRIES_MAX; tries++) {
                *error = ERROR_NONE;
                r = replica_backup(config, from, to, ret, error);
                if (r != -EBADMSG && r != -ENOENT)
                        break;
        }
        return r;
}

static int complain(const StoreGroup *group, const char *text) {
        return store_complain(group, CLI_FAILED, text, text);
}

static void print_done(const ReplicaConfig *config, const StoreArguments *arguments, const ReplicaBackup *done) {
        printf("%zu keys and directories of %s, at index %" PRIu64 ", are in %s, as member %" PRIx64
               " of cluster %" PRIx64 ".\n",
               done->keys, arguments->data_dir, done->index, arguments->backup_dir, config->id, config->cluster);
        if (done->cut_bytes > 0)
                printf("%" PRIu64
                       " bytes of a write that was not finished are left out; nobody was told that it was done.\n",
                       done->cut_bytes);
        printf("Start it: faering-store --data-dir %s --force-new-cluster; then \"member update\" with its peer URL, "
               "and \"member add\" "
               "for the others.\n",
               arguments->backup_dir);
}

static int run(StoreGroup *group, const StoreArguments *arguments) {
        ReplicaConfig config = new_identity();
        Error error = ERROR_NONE;
        ReplicaBackup done;

        if (!arguments->data_dir || !*arguments->data_dir || !arguments->backup_dir || !*arguments->backup_dir)
                return complain(group, "--data-dir says what to back up, --backup-dir where to; both are needed");
        if (arguments->with_v3)
                return complain(group, "--with-v3: this store has no v3 keys; leave it out");
        if (copy(&config, arguments, &done, &error) < 0)
                return complain(group, error.text[0] ? error.text : "out of memory");
        if (!group->old)
                print_done(&config, arguments, &done);
        return CLI_OK;
}

static const StoreFlag flags[] = {
        {"data-dir", NULL, STORE_FLAG_TEXT, STORE_AT(data_dir), "DIR",
         "the member's data directory; its server may run", "Path to the etcd data dir", NULL, NULL},
        {"wal-dir", NULL, STORE_FLAG_TEXT, STORE_AT(wal_dir), "DIR",
         "where its log is, if apart and moved since it ran", "Path to the etcd wal dir", NULL, NULL},
        {"backup-dir", NULL, STORE_FLAG_TEXT, STORE_AT(backup_dir), "DIR", "where the copy goes; made if need be",
         "Path to the backup dir", NULL, NULL},
        {"backup-wal-dir", NULL, STORE_FLAG_TEXT, STORE_AT(backup_wal_dir), "DIR", "where the copy's log goes, if apart", "Path to the backup wal dir",
         NULL, NULL},
        {"with-v3", NULL, STORE_FLAG_SWITCH, STORE_AT(with_v3), NULL, NULL, "Backup v3 backend data", NULL, NULL},
        {0},
};

const StoreCommand store_verb_backup = {
        .name = "backup",
        .arguments = "--data-dir DIR --backup-dir DIR",
        .summary = "copy a data directory, for --force-new-cluster",
        .old_arguments = " ",
        .old_summary = "backup an etcd directory",
        .flags = flags,
        .run = run,
};
