#pragma once
/*
 * The seam between the log and a directory on a disk. All calls block: they are made at start-up, or by a job on a
 * worker thread, never by the loop. disk-directory.h is the real one; fake-disk.h one that forgets and fails on purpose.
 *
 * One file is used by one job at a time; jobs on different files may run side by side.
 */
#include "base/error.h"
#include "base/str.h"

typedef struct Disk Disk;
typedef struct DiskFile DiskFile;

typedef struct DiskOps {
        /* Names of all files in the directory, in any order. */
        int (*list)(Disk *disk, StringList *ret_names);

        /* `create`: made, empty, if it is not there. -ENOENT otherwise. The file's name is only safe after sync_names. */
        int (*open)(Disk *disk, const char *name, bool create, DiskFile **ret_file);
        void (*close)(DiskFile *file);
        int (*size)(DiskFile *file, uint64_t *ret_size);

        /* Reads up to `length` bytes; fewer only at the end of the file. */
        int (*read)(DiskFile *file, uint64_t offset, void *bytes, size_t length, size_t *ret_read);

        /* All of it or an error. What is not synced may be lost, in part and in any order, when the machine crashes. */
        int (*write)(DiskFile *file, uint64_t offset, const void *bytes, size_t length);

        /* Makes everything written to the file so far safe, and its size. After a failure nothing is known about what
         * was written since the last success: the caller must not go on with this file. */
        int (*sync)(DiskFile *file);
        int (*truncate)(DiskFile *file, uint64_t size);

        /* Replaces `to`. Safe after sync_names. */
        int (*rename)(Disk *disk, const char *from, const char *to);
        int (*unlink)(Disk *disk, const char *name);
        int (*sync_names)(Disk *disk);
} DiskOps;

struct Disk {
        const DiskOps *ops;
};

struct DiskFile {
        Disk *disk;
};

static inline int disk_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        return disk->ops->open(disk, name, create, ret_file);
}

/* NULL is allowed; returns NULL. */
static inline DiskFile *disk_close(DiskFile *file) {
        if (file)
                file->disk->ops->close(file);
        return NULL;
}
CLEANUP_DEFINE(DiskFile, disk_close)
#define _cleanup_disk_file_ _cleanup_(disk_closep)

/* A piece of blocking work for a worker thread. `run` may touch only what the job owns, and the disk. */
typedef struct DiskJob DiskJob;
struct DiskJob {
        int (*run)(DiskJob *job);
};
