#pragma once
/* A real directory as a Disk, or two: the log may have one of its own. */
#include "base/histogram.h"
#include "store/log/disk.h"

/* Opens the directory, making it (mode 0700, and missing parents) if need be, and locks it against another server: -EBUSY with
 * `error`. `log_path`: where the log's files are; NULL: there, too. */
int disk_directory_new(const char *path, const char *log_path, Disk **ret_disk, Error *error);

/* Opens a directory that is only read, also while a server uses it: what is written goes nowhere, and a file that would be made is
 * empty. For looking at a member's data. -ENOENT, -ENOTDIR with `error`. */
int disk_directory_read(const char *path, const char *log_path, Disk **ret_disk, Error *error);

/* `progress` (NULL: nothing) is called at each read of a file, by whoever reads: a long recovery can say that it goes on. */
void disk_directory_set_progress(Disk *disk, void (*progress)(void *userdata), void *userdata);

/* All files must be closed. NULL is allowed; returns NULL. */
Disk *disk_directory_free(Disk *disk);
CLEANUP_DEFINE(Disk, disk_directory_free)

/* How long it took to make the log's bytes safe, and those of snapshots: what a sync of a file took. */
const Histogram *disk_directory_log_syncs(const Disk *disk);
const Histogram *disk_directory_snapshot_syncs(const Disk *disk);
