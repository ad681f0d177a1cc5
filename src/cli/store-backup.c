/* backup: a copy of a member's data directory that can begin a cluster of its own. */
#include "cli/store.h"

static int run(StoreGroup *group, const StoreArguments *arguments) {
        (void)arguments;
        return store_complain(group, CLI_FAILED, "not yet", "not yet");
}

static const StoreFlag flags[] = {
        {"data-dir", NULL, STORE_FLAG_TEXT, STORE_AT(data_dir), "DIR", "the member's data directory; its server may run", "Path to the etcd data dir",
         NULL, NULL},
        {"wal-dir", NULL, STORE_FLAG_TEXT, STORE_AT(wal_dir), "DIR", NULL, "Path to the etcd wal dir", NULL, NULL},
        {"backup-dir", NULL, STORE_FLAG_TEXT, STORE_AT(backup_dir), "DIR", "where the copy goes; made if need be", "Path to the backup dir",
         NULL, NULL},
        {"backup-wal-dir", NULL, STORE_FLAG_TEXT, STORE_AT(backup_wal_dir), "DIR", NULL, "Path to the backup wal dir", NULL, NULL},
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
