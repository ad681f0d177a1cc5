#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t max, Buffer *to, Error *error) {
        size_t before = buffer_length(to);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        int r = 0;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", path);
        for (;;) {
                void *room = buffer_reserve(to, 4096);
                ssize_t n;

                if (!room) {
                        r = -ENOMEM;
                        break;
                }
                n = read(fd, room, 4096);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        r = -errno;
                if (n <= 0)
                        break;
                buffer_commit(to, (size_t)n);
                if (buffer_length(to) - before > max) {
                        r = -EMSGSIZE;
                        break;
                }
        }
        if (r < 0) {
                buffer_truncate(to, before);
                return r == -EMSGSIZE ? error_set(error, r, "%s is longer than %zu bytes", path, max)
                                      : error_set_errno(error, r, "cannot read %s", path);
        }
        return 0;
}

int file_write_all(int fd, Slice text) {
        while (text.length > 0) {
                ssize_t n = write(fd, text.data, text.length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text.data += n;
                text.length -= (size_t)n;
        }
        return 0;
}

int file_write(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return file_write_all(fd, slice_from(text));
}

int file_replace(const char *path, mode_t mode, Slice text, bool sync, Error *error) {
        _cleanup_free_ char *beside = str_printf("%s.new~", path);
        _cleanup_close_ int fd = -1;
        int r;

        if (!beside)
                return error_set_errno(error, -ENOMEM, "cannot write %s", path);
        (void)unlink(beside); /* from a run that was cut off */
        fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot write %s", beside);
        r = file_write_all(fd, text);
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0 && sync && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && rename(beside, path) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlink(beside);
                return error_set_errno(error, r, "cannot write %s", path);
        }
        return 0;
}

int file_overwrite(const char *path, mode_t mode, Slice text, Error *error) {
        _cleanup_close_ int fd = -1;
        struct stat is;
        ssize_t n;

        if (text.length > FILE_PIECE)
                return file_replace(path, mode, text, false, error);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot write %s", path);
        do
                n = pwrite(fd, text.data, text.length, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 || (size_t)n < text.length)
                return error_set_errno(error, n < 0 ? -errno : -ENOSPC, "cannot write %s", path);
        if (fstat(fd, &is) < 0 || (is.st_size > n && ftruncate(fd, n) < 0))
                return error_set_errno(error, -errno, "cannot cut %s", path);
        return 0;
}

int file_make_folder(const char *path, mode_t mode, Error *error) {
        _cleanup_free_ char *part = strdup(path);

        if (!part)
                return error_set_errno(error, -ENOMEM, "cannot make %s", path);
        if (part[0] == '\0')
                return error_set(error, -EINVAL, "a folder needs a name");
        for (char *at = part + 1;; at++) {
                bool end = *at == '\0';

                if (!end && *at != '/')
                        continue;
                *at = '\0';
                if (mkdir(part, end ? mode : 0755) < 0 && errno != EEXIST)
                        return error_set_errno(error, -errno, "cannot make the folder %s", part);
                if (end)
                        break;
                *at = '/';
        }
        return 0;
}

int file_remove_tree(const char *path, Error *error) {
        char *const paths[] = {(char *)(uintptr_t)path, NULL};
        FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
        FTSENT *entry;
        int r = 0;

        if (!tree)
                return error_set_errno(error, -errno, "cannot remove %s", path);
        while ((entry = fts_read(tree))) {
                int failed = 0;

                if (entry->fts_info == FTS_D)
                        continue; /* comes again as FTS_DP, after what is in it */
                if (entry->fts_info == FTS_NS && entry->fts_errno == ENOENT)
                        continue;
                failed = entry->fts_info == FTS_DP || entry->fts_info == FTS_DNR ? rmdir(entry->fts_accpath)
                                                                                  : unlink(entry->fts_accpath);
                if (failed < 0 && errno != ENOENT && r == 0)
                        r = error_set_errno(error, -errno, "cannot remove %s", entry->fts_path);
        }
        (void)fts_close(tree);
        return r;
}

int file_give_tree(const char *path, uid_t uid, gid_t gid, Error *error) {
        char *const paths[] = {(char *)(uintptr_t)path, NULL};
        FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR | FTS_XDEV, NULL);
        FTSENT *entry;
        int r = 0;

        if (!tree)
                return error_set_errno(error, -errno, "cannot change the owner of %s", path);
        while (r == 0 && (entry = fts_read(tree))) {
                if (entry->fts_info == FTS_DP)
                        continue; /* was there as FTS_D */
                if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
                        r = error_set_errno(error, -entry->fts_errno, "cannot change the owner of %s", entry->fts_path);
                else if (fchownat(AT_FDCWD, entry->fts_accpath, uid, gid,
                                  entry->fts_level == FTS_ROOTLEVEL ? 0 : AT_SYMLINK_NOFOLLOW) < 0 &&
                         errno != ENOENT)
                        r = error_set_errno(error, -errno, "cannot change the owner of %s", entry->fts_path);
        }
        (void)fts_close(tree);
        return r;
}

char *file_own_program(void) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

        return n > 0 && (size_t)n < sizeof(path) ? strndup(path, (size_t)n) : NULL;
}

char *file_program_folder(void) {
        char *own = file_own_program(), *slash = own ? strrchr(own, '/') : NULL;

        if (slash)
                *slash = '\0';
        return own;
}

char *file_beside_program(const char *const *places, size_t n_places) {
        _cleanup_free_ char *own = file_program_folder();

        for (size_t i = 0; own && i < n_places; i++) {
                char *path = str_printf("%s/%s", own, places[i]);

                if (!path || access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return NULL;
}
