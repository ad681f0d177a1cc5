#pragma once
/*
 * A disk in front of another that stops dead at a chosen call, as a process that is killed within a job: for tests. Calls
 * from then on fail and change nothing. Borrows the disk behind it.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/log/disk.h"

typedef struct TestDisk {
        Disk disk;
        Disk *behind;
        uint64_t calls; /* that change something */
        uint64_t stop;  /* the call that is not made any more; 0: never */
} TestDisk;

typedef struct TestFile {
        DiskFile file;
        DiskFile *behind;
} TestFile;

static inline TestDisk *test_disk(Disk *disk) {
        return container_of(disk, TestDisk, disk);
}

static inline DiskFile *test_file(DiskFile *file) {
        return container_of(file, TestFile, file)->behind;
}

static inline bool test_disk_stops(Disk *disk) {
        TestDisk *test = test_disk(disk);

        return ++test->calls >= test->stop && test->stop > 0;
}

static inline int test_disk_list(Disk *disk, StringList *ret_names) {
        Disk *behind = test_disk(disk)->behind;

        return behind->ops->list(behind, ret_names);
}

static inline int test_disk_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        TestFile *file;
        int r;

        if (create && test_disk_stops(disk))
                return -EIO;
        file = calloc(1, sizeof(*file));
        if (!file)
                return -ENOMEM;
        file->file.disk = disk;
        r = disk_open(test_disk(disk)->behind, name, create, &file->behind);
        if (r < 0)
                free(file);
        else
                *ret_file = &file->file;
        return r;
}

static inline void test_disk_close(DiskFile *file) {
        disk_close(test_file(file));
        free(container_of(file, TestFile, file));
}

static inline int test_disk_size(DiskFile *file, uint64_t *ret_size) {
        return test_disk(file->disk)->behind->ops->size(test_file(file), ret_size);
}

static inline int test_disk_read(DiskFile *file, uint64_t offset, void *bytes, size_t length, size_t *ret_read) {
        return test_disk(file->disk)->behind->ops->read(test_file(file), offset, bytes, length, ret_read);
}

static inline int test_disk_write(DiskFile *file, uint64_t offset, const void *bytes, size_t length) {
        if (test_disk_stops(file->disk))
                return -EIO;
        return test_disk(file->disk)->behind->ops->write(test_file(file), offset, bytes, length);
}

static inline int test_disk_sync(DiskFile *file) {
        return test_disk_stops(file->disk) ? -EIO : test_disk(file->disk)->behind->ops->sync(test_file(file));
}

static inline int test_disk_truncate(DiskFile *file, uint64_t size) {
        return test_disk_stops(file->disk) ? -EIO : test_disk(file->disk)->behind->ops->truncate(test_file(file), size);
}

static inline int test_disk_rename(Disk *disk, const char *from, const char *to) {
        Disk *behind = test_disk(disk)->behind;

        return test_disk_stops(disk) ? -EIO : behind->ops->rename(behind, from, to);
}

static inline int test_disk_unlink(Disk *disk, const char *name) {
        Disk *behind = test_disk(disk)->behind;

        return test_disk_stops(disk) ? -EIO : behind->ops->unlink(behind, name);
}

static inline int test_disk_sync_names(Disk *disk) {
        Disk *behind = test_disk(disk)->behind;

        return test_disk_stops(disk) ? -EIO : behind->ops->sync_names(behind);
}

static const DiskOps test_disk_ops = {
        .list = test_disk_list,
        .open = test_disk_open,
        .close = test_disk_close,
        .size = test_disk_size,
        .read = test_disk_read,
        .write = test_disk_write,
        .sync = test_disk_sync,
        .truncate = test_disk_truncate,
        .rename = test_disk_rename,
        .unlink = test_disk_unlink,
        .sync_names = test_disk_sync_names,
};
