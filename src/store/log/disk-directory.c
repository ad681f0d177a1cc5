#include "store/log/disk-directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

typedef struct Directory {
        Disk disk;
        int fd;
        int log_fd; /* of the log's files; -1: they are in `fd`, too */
        Histogram log_syncs, snapshot_syncs;
        void (*progress)(void *userdata); /* may be NULL */
        void *progress_data;
} Directory;

typedef struct DirectoryFile {
        DiskFile file;
        int fd;
        Histogram *syncs; /* of the directory */
} DirectoryFile;

/* A segment begins as "spare", and may end as it. */
static bool is_of_log(const char *name) {
        return str_starts_with(name, "log-") || str_equals(name, "spare");
}

/* The directory that a file belongs in. */
static int directory_fd(Disk *disk, const char *name) {
        const Directory *directory = container_of(disk, Directory, disk);

        return directory->log_fd >= 0 && is_of_log(name) ? directory->log_fd : directory->fd;
}

static int file_fd(DiskFile *file) {
        return container_of(file, DirectoryFile, file)->fd;
}

static int list_one(int directory, StringList *ret_names) {
        int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        struct dirent *entry;
        DIR *stream;

        if (fd < 0)
                return -errno;
        stream = fdopendir(fd);
        if (!stream) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        for (errno = 0; r >= 0 && (entry = readdir(stream)); errno = 0)
                if (entry->d_name[0] != '.')
                        r = string_list_add(ret_names, entry->d_name);
        if (r >= 0 && errno)
                r = -errno;
        (void)closedir(stream);
        return r;
}

static int directory_list(Disk *disk, StringList *ret_names) {
        const Directory *directory = container_of(disk, Directory, disk);
        int r = list_one(directory->fd, ret_names);

        return r < 0 || directory->log_fd < 0 ? r : list_one(directory->log_fd, ret_names);
}

static int directory_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        DirectoryFile *file = malloc(sizeof(*file));
        int r;

        if (!file)
                return -ENOMEM;
        file->file.disk = disk;
        file->syncs = is_of_log(name)
                              ? &container_of(disk, Directory, disk)->log_syncs
                              : &container_of(disk, Directory, disk)->snapshot_syncs;
        file->fd = openat(directory_fd(disk, name), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
        if (file->fd < 0) {
                r = -errno;
                free(file);
                return r;
        }
        *ret_file = &file->file;
        return 0;
}

static void directory_close(DiskFile *file) {
        (void)close(file_fd(file));
        free(container_of(file, DirectoryFile, file));
}

static int directory_size(DiskFile *file, uint64_t *ret_size) {
        struct stat status;

        if (fstat(file_fd(file), &status) < 0)
                return -errno;
        *ret_size = (uint64_t)status.st_size;
        return 0;
}

static int directory_read(DiskFile *file, uint64_t offset, void *bytes, size_t length, size_t *ret_read) {
        const Directory *directory = container_of(file->disk, Directory, disk);
        size_t done = 0;

        if (directory->progress)
                directory->progress(directory->progress_data);
        while (done < length) {
                ssize_t got = pread(file_fd(file), (char *)bytes + done, length - done, (off_t)(offset + done));

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0)
                        break;
                done += (size_t)got;
        }
        *ret_read = done;
        return 0;
}

static int directory_write(DiskFile *file, uint64_t offset, const void *bytes, size_t length) {
        size_t done = 0;

        while (done < length) {
                ssize_t put = pwrite(file_fd(file), (const char *)bytes + done, length - done, (off_t)(offset + done));

                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        return -errno;
                if (put == 0)
                        return -EIO;
                done += (size_t)put;
        }
        return 0;
}

static int directory_sync(DiskFile *file) {
        Usec begun = clock_monotonic();

        if (fdatasync(file_fd(file)) < 0)
                return -errno;
        histogram_add(container_of(file, DirectoryFile, file)->syncs, clock_monotonic() - begun);
        return 0;
}

static int directory_truncate(DiskFile *file, uint64_t size) {
        return ftruncate(file_fd(file), (off_t)size) < 0 ? -errno : 0;
}

static int directory_rename(Disk *disk, const char *from, const char *to) {
        return renameat(directory_fd(disk, from), from, directory_fd(disk, to), to) < 0 ? -errno : 0;
}

static int directory_unlink(Disk *disk, const char *name) {
        return unlinkat(directory_fd(disk, name), name, 0) < 0 ? -errno : 0;
}

static int directory_sync_names(Disk *disk) {
        const Directory *directory = container_of(disk, Directory, disk);

        return fsync(directory->fd) < 0 || (directory->log_fd >= 0 && fsync(directory->log_fd) < 0) ? -errno : 0;
}

static const DiskOps directory_ops = {
        .list = directory_list,
        .open = directory_open,
        .close = directory_close,
        .size = directory_size,
        .read = directory_read,
        .write = directory_write,
        .sync = directory_sync,
        .truncate = directory_truncate,
        .rename = directory_rename,
        .unlink = directory_unlink,
        .sync_names = directory_sync_names,
};

/* Makes the name of `path` safe in the directory above it. */
static int sync_parent(const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        _cleanup_close_ int fd = -1;

        if (!copy)
                return -ENOMEM;
        fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Makes the directory and its parents. Each new name is made safe in the directory above it. */
static int make_directories(const char *path) {
        _cleanup_free_ char *part = strdup(path);
        int r = 0;

        if (!part)
                return -ENOMEM;
        for (char *slash = part + 1;; slash++) {
                char kept = *slash;

                if (kept != '/' && kept != '\0')
                        continue;
                *slash = '\0';
                if (mkdir(part, 0700) < 0 ? errno != EEXIST : (r = sync_parent(part)) < 0)
                        return r < 0 ? r : -errno;
                *slash = kept;
                if (kept == '\0')
                        return 0;
        }
}

/* Made if need be, and locked. */
static int open_directory(const char *path, int *ret_fd, Error *error) {
        _cleanup_close_ int fd = -1;
        int r;

        if (path[0] == '\0')
                return error_set(error, -EINVAL, "the data directory's name is empty");
        r = make_directories(path);
        if (r < 0)
                return error_set_errno(error, r, "cannot make the data directory %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open the data directory %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                r = errno == EWOULDBLOCK ? -EBUSY : -errno;
                if (r == -EBUSY)
                        return error_set(error, r, "the data directory %s is in use by another server", path);
                return error_set_errno(error, r, "cannot lock the data directory %s", path);
        }
        *ret_fd = take_fd(fd);
        return 0;
}

/* Takes the files. */
static int directory_make(const DiskOps *ops, int fd, int log_fd, Disk **ret_disk) {
        Directory *directory = malloc(sizeof(*directory));

        if (!directory) {
                (void)close(fd);
                if (log_fd >= 0)
                        (void)close(log_fd);
                return -ENOMEM;
        }
        *directory = (Directory){
                .disk = {ops},
                .fd = fd,
                .log_fd = log_fd,
                .log_syncs = HISTOGRAM_INIT(USEC_PER_MSEC, 14),
                .snapshot_syncs = HISTOGRAM_INIT(USEC_PER_MSEC, 14),
        };
        *ret_disk = &directory->disk;
        return 0;
}

int disk_directory_new(const char *path, const char *log_path, Disk **ret_disk, Error *error) {
        _cleanup_close_ int fd = -1, log_fd = -1;
        int r = open_directory(path, &fd, error);

        if (r >= 0 && log_path)
                r = open_directory(log_path, &log_fd, error);
        return r < 0 ? r : directory_make(&directory_ops, take_fd(fd), take_fd(log_fd), ret_disk);
}

/* ---- a directory that is only read ---- */

static int reading_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        DirectoryFile *file = malloc(sizeof(*file));
        int r;

        if (!file)
                return -ENOMEM;
        file->file.disk = disk;
        file->fd = openat(directory_fd(disk, name), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (file->fd < 0 && create)
                file->fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* size 0, and nothing to read */
        if (file->fd < 0) {
                r = -errno;
                free(file);
                return r;
        }
        *ret_file = &file->file;
        return 0;
}

static int reading_write(DiskFile *file, uint64_t offset, const void *bytes, size_t length) {
        (void)file;
        (void)offset;
        (void)bytes;
        (void)length;
        return 0;
}

static int reading_sync(DiskFile *file) {
        (void)file;
        return 0;
}

static int reading_truncate(DiskFile *file, uint64_t size) {
        (void)file;
        (void)size;
        return 0;
}

static int reading_rename(Disk *disk, const char *from, const char *to) {
        (void)disk;
        (void)from;
        (void)to;
        return 0;
}

static int reading_unlink(Disk *disk, const char *name) {
        (void)disk;
        (void)name;
        return 0;
}

static int reading_sync_names(Disk *disk) {
        (void)disk;
        return 0;
}

static const DiskOps reading_ops = {
        .list = directory_list,
        .open = reading_open,
        .close = directory_close,
        .size = directory_size,
        .read = directory_read,
        .write = reading_write,
        .sync = reading_sync,
        .truncate = reading_truncate,
        .rename = reading_rename,
        .unlink = reading_unlink,
        .sync_names = reading_sync_names,
};

int disk_directory_read(const char *path, const char *log_path, Disk **ret_disk, Error *error) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), log_fd = -1;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open the data directory %s", path);
        if (log_path) {
                log_fd = open(log_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (log_fd < 0)
                        return error_set_errno(error, -errno, "cannot open the folder of the log, %s", log_path);
        }
        return directory_make(&reading_ops, take_fd(fd), take_fd(log_fd), ret_disk);
}

void disk_directory_set_progress(Disk *disk, void (*progress)(void *userdata), void *userdata) {
        Directory *directory = container_of(disk, Directory, disk);

        directory->progress = progress;
        directory->progress_data = userdata;
}

Disk *disk_directory_free(Disk *disk) {
        if (!disk)
                return NULL;
        (void)close(container_of(disk, Directory, disk)->fd);
        if (container_of(disk, Directory, disk)->log_fd >= 0)
                (void)close(container_of(disk, Directory, disk)->log_fd);
        free(container_of(disk, Directory, disk));
        return NULL;
}

const Histogram *disk_directory_log_syncs(const Disk *disk) {
        return &container_of(disk, const Directory, disk)->log_syncs;
}

const Histogram *disk_directory_snapshot_syncs(const Disk *disk) {
        return &container_of(disk, const Directory, disk)->snapshot_syncs;
}
