/*
 * Preloaded into a server, this keeps beside its data directory (FORGET_DISK) a second one, FORGET_DISK.safe, that has
 * only what was synced: contents as of each file's last fdatasync, names as of the directory's last fsync. After a SIGKILL
 * the test puts the second in the place of the first: as if the machine had lost power, with a disk that forgets all the
 * rest. For tests only; errors of its own end the program.
 *
 * FORGET_DISK.safe/inodes/ID holds contents; FORGET_DISK.safe/names has a line "ID NAME" for each file.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 65536, FILES_MAX = 4096, RANGES_MAX = 4096, COPY_SIZE = 1 << 16, ID_MAX = 64, PATH_SIZE = 4096 };

typedef struct Range {
        off_t offset;
        size_t length;
} Range;

/* A file of the data directory, known by its inode for as long as that has a name. */
typedef struct File {
        ino_t inode;
        char id[ID_MAX];
        Range ranges[RANGES_MAX]; /* written since the last sync */
        size_t count;
} File;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static File *files[FILES_MAX];
static size_t files_count;
static File *by_fd[FDS_MAX];
static unsigned next_id;

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

static void die(const char *what) {
        fprintf(stderr, "forget-disk: %s: %s\n", what, strerror(errno));
        abort();
}

static const char *safe_path(char path[static PATH_SIZE], const char *format, const char *argument) {
        int n = snprintf(path, PATH_SIZE, "%s.safe", getenv("FORGET_DISK"));

        (void)snprintf(path + n, PATH_SIZE - (size_t)n, "/%s%s", format, argument);
        return path;
}

/* Whether `fd` is the data directory. */
static int is_data_directory(int fd) {
        const char *path = getenv("FORGET_DISK");
        struct stat a, b;

        return path && fd >= 0 && fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The id that a file of this name had when the names were last safe. */
static int known_id(const char *name, char id[static ID_MAX]) {
        char path[PATH_SIZE], line[512], *space;
        FILE *names = fopen(safe_path(path, "names", ""), "re");
        int found = 0;

        while (names && !found && fgets(line, sizeof(line), names)) {
                line[strcspn(line, "\n")] = '\0';
                space = strchr(line, ' ');
                if (!space || strcmp(space + 1, name) != 0)
                        continue;
                *space = '\0';
                (void)snprintf(id, ID_MAX, "%.63s", line);
                found = 1;
        }
        if (names)
                fclose(names);
        return found;
}

static File *file_find(ino_t inode) {
        for (size_t i = 0; i < files_count; i++)
                if (files[i]->inode == inode)
                        return files[i];
        return NULL;
}

static File *file_get(ino_t inode, const char *name, int is_new) {
        File *file = file_find(inode);

        if (!file) {
                if (files_count == FILES_MAX || !(file = calloc(1, sizeof(*file))))
                        die("too many files");
                file->inode = inode;
                files[files_count++] = file;
                if (!is_new && known_id(name, file->id))
                        return file;
                is_new = 1;
        }
        if (is_new) { /* the inode may have belonged to a file that is gone */
                (void)snprintf(file->id, sizeof(file->id), "%ld-%d-%u", (long)time(NULL), (int)getpid(), next_id++);
                file->count = 0;
        }
        return file;
}

static int open_data_file(int (*real)(int, const char *, int, ...), int directory, const char *name, int flags, mode_t mode) {
        struct stat status;
        int is_new, fd;

        if (!is_data_directory(directory) || strcmp(name, ".") == 0)
                return real(directory, name, flags, mode);
        pthread_mutex_lock(&lock);
        is_new = fstatat(directory, name, &status, 0) < 0;
        fd = real(directory, name, flags, mode);
        if (fd >= 0 && fd < FDS_MAX && fstat(fd, &status) == 0)
                by_fd[fd] = file_get(status.st_ino, name, is_new);
        pthread_mutex_unlock(&lock);
        return fd;
}

static mode_t mode_of(int flags, va_list args) {
        return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int openat(int directory, const char *name, int flags, ...) {
        va_list args;
        mode_t mode;

        va_start(args, flags);
        mode = mode_of(flags, args);
        va_end(args);
        return open_data_file(REAL(openat), directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...) {
        va_list args;
        mode_t mode;

        va_start(args, flags);
        mode = mode_of(flags, args);
        va_end(args);
        return open_data_file(REAL(openat), directory, name, flags, mode);
}

int close(int fd) {
        if (fd >= 0 && fd < FDS_MAX)
                by_fd[fd] = NULL;
        return REAL(close)(fd);
}

static void note_write(int fd, off_t offset, ssize_t length) {
        File *file = fd >= 0 && fd < FDS_MAX ? by_fd[fd] : NULL;

        if (!file || length <= 0)
                return;
        pthread_mutex_lock(&lock);
        if (file->count > 0 && file->ranges[file->count - 1].offset + (off_t)file->ranges[file->count - 1].length == offset)
                file->ranges[file->count - 1].length += (size_t)length;
        else if (file->count < RANGES_MAX)
                file->ranges[file->count++] = (Range){offset, (size_t)length};
        else
                die("too many writes without a sync");
        pthread_mutex_unlock(&lock);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
        ssize_t r = REAL(pwrite)(fd, bytes, length, offset);

        note_write(fd, offset, r);
        return r;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
        return pwrite(fd, bytes, length, offset);
}

static void copy_range(int from, int to, Range range) {
        char bytes[COPY_SIZE];

        while (range.length > 0) {
                ssize_t got = pread(from, bytes, range.length < COPY_SIZE ? range.length : COPY_SIZE, range.offset);

                if (got < 0)
                        die("reading back");
                if (got == 0)
                        return;
                if (REAL(pwrite)(to, bytes, (size_t)got, range.offset) != got)
                        die("writing what is safe");
                range.offset += got;
                range.length -= (size_t)got;
        }
}

int fdatasync(int fd) {
        File *file = fd >= 0 && fd < FDS_MAX ? by_fd[fd] : NULL;
        char path[PATH_SIZE];
        struct stat status;
        int safe;

        if (!file)
                return REAL(fdatasync)(fd);
        pthread_mutex_lock(&lock);
        safe = open(safe_path(path, "inodes/", file->id), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (safe < 0 || fstat(fd, &status) < 0 || ftruncate(safe, status.st_size) < 0)
                die(path);
        for (size_t i = 0; i < file->count; i++)
                copy_range(fd, safe, file->ranges[i]);
        file->count = 0;
        REAL(close)(safe);
        pthread_mutex_unlock(&lock);
        return 0;
}

int fsync(int fd) {
        char path[PATH_SIZE], fresh[PATH_SIZE];
        struct dirent *entry;
        struct stat status;
        FILE *names;
        DIR *stream;

        if (!is_data_directory(fd))
                return fd >= 0 && fd < FDS_MAX && by_fd[fd] ? fdatasync(fd) : REAL(fsync)(fd);
        pthread_mutex_lock(&lock);
        names = fopen(safe_path(fresh, "names.new", ""), "we");
        stream = opendir(getenv("FORGET_DISK"));
        if (!names || !stream)
                die(fresh);
        while ((entry = readdir(stream)))
                if (entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &status, 0) == 0)
                        fprintf(names, "%s %s\n", file_get(status.st_ino, entry->d_name, 0)->id, entry->d_name);
        closedir(stream);
        if (fclose(names) != 0 || rename(fresh, safe_path(path, "names", "")) < 0)
                die(path);
        pthread_mutex_unlock(&lock);
        return 0;
}
