#include "boot/root-files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEMPORARY_NAME ".faering-boot.new~"

static int open_below(int root, const char *path, int flags) {
        const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                                     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

int root_files_read(const RootFiles *files, const char *path, size_t max, Buffer *to, Error *error) {
        _cleanup_close_ int fd = open_below(files->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        size_t before = buffer_length(to);

        if (fd < 0)
                return error_set_errno(error, fd, "cannot open %s", path);
        for (;;) {
                void *room = buffer_reserve(to, 4096);
                ssize_t n = room ? read(fd, room, 4096) : -1;

                if (!room || n < 0) {
                        int r = room ? -errno : -ENOMEM;

                        buffer_truncate(to, before);
                        return error_set_errno(error, r, "cannot read %s", path);
                }
                if (n == 0)
                        return 0;
                buffer_commit(to, (size_t)n);
                if (buffer_length(to) - before > max) {
                        buffer_truncate(to, before);
                        return error_set(error, -EMSGSIZE, "%s has more than %zu bytes", path, max);
                }
        }
}

/* ---- folders ---- */

/* Opens the folder `path` for what lies in it; one that is missing is made, its parent is there. */
static int open_or_make(int root, const char *path, int parent, const char *name) {
        int fd = open_below(root, path, O_PATH | O_DIRECTORY);

        if (fd != -ENOENT)
                return fd;
        if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        return open_below(root, path, O_PATH | O_DIRECTORY);
}

/* The folder that `path` lies in, made with all above it, and the last part of the path. */
static int open_parent(int root, const char *path, int *ret_fd, const char **ret_name, Error *error) {
        _cleanup_free_ char *folder = strdup(path);
        _cleanup_close_ int fd = open_below(root, "/", O_PATH | O_DIRECTORY);
        const char *last = strrchr(path, '/');

        if (!folder)
                return -ENOMEM;
        if (fd < 0)
                return error_set_errno(error, fd, "cannot open the root");
        for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
                const char *name;
                int next;

                *at = '\0';
                name = strrchr(folder, '/') + 1;
                next = open_or_make(root, folder, fd, name);
                if (next < 0)
                        return error_set_errno(error, next, "cannot make the folder %s", folder);
                (void)close(fd);
                fd = next;
                *at = '/';
        }
        *ret_fd = take_fd(fd);
        *ret_name = last + 1;
        return 0;
}

/* ---- writing ---- */

static int write_all(int fd, Slice text) {
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

/* The owner before the mode: a change of owner may drop bits of the mode. */
static int fill(int fd, Slice text, mode_t mode, FileOwner owner) {
        int r = write_all(fd, text);

        if (r >= 0 && (owner.user != BOOT_FILE_KEEP || owner.group != (gid_t)BOOT_FILE_KEEP) &&
            fchown(fd, owner.user, owner.group) < 0)
                r = -errno;
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        return r;
}

static int files_write(BootFiles *base, const char *path, Slice text, mode_t mode, FileOwner owner, Error *error) {
        RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_close_ int folder = -1, fd = -1;
        const char *name;
        int r = open_parent(files->fd, path, &folder, &name, error);

        if (r < 0)
                return r;
        (void)unlinkat(folder, TEMPORARY_NAME, 0); /* of a run that was cut off */
        fd = openat(folder, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot make a file beside %s", path);
        r = fill(fd, text, mode, owner);
        if (r >= 0 && renameat(folder, TEMPORARY_NAME, folder, name) < 0)
                r = -errno;
        if (r >= 0)
                return 0;
        (void)unlinkat(folder, TEMPORARY_NAME, 0);
        return error_set_errno(error, r, "cannot write %s", path);
}

int root_files_link(const RootFiles *files, const char *path, const char *target, Error *error) {
        _cleanup_close_ int folder = -1;
        const char *name;
        int r = open_parent(files->fd, path, &folder, &name, error);

        if (r < 0)
                return r;
        (void)unlinkat(folder, TEMPORARY_NAME, 0);
        if (symlinkat(target, folder, TEMPORARY_NAME) < 0)
                return error_set_errno(error, -errno, "cannot make a link beside %s", path);
        if (renameat(folder, TEMPORARY_NAME, folder, name) < 0) {
                r = -errno;
                (void)unlinkat(folder, TEMPORARY_NAME, 0);
                return error_set_errno(error, r, "cannot make the link %s", path);
        }
        return 0;
}

/* ---- masks ---- */

static int files_mask(BootFiles *base, const char *path, Error *error) {
        return root_files_link(container_of(base, RootFiles, base), path, "/dev/null", error);
}

static bool is_mask(int folder, const char *name, const struct stat *status) {
        char target[16] = "";

        if (S_ISREG(status->st_mode))
                return status->st_size == 0;
        return S_ISLNK(status->st_mode) && readlinkat(folder, name, target, sizeof(target) - 1) > 0 &&
               str_equals(target, "/dev/null");
}

static int files_unmask(BootFiles *base, const char *path, Error *error) {
        RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_free_ char *above = strndup(path, (size_t)(strrchr(path, '/') - path));
        const char *name = strrchr(path, '/') + 1;
        _cleanup_close_ int folder = -1;
        struct stat status;

        if (!above)
                return -ENOMEM;
        folder = open_below(files->fd, *above ? above : "/", O_PATH | O_DIRECTORY);
        if (folder == -ENOENT)
                return 0;
        if (folder < 0)
                return error_set_errno(error, folder, "cannot open %s", above);
        if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : error_set_errno(error, -errno, "cannot look at %s", path);
        if (!is_mask(folder, name, &status))
                return BOOT_NOT_MASKED;
        return unlinkat(folder, name, 0) < 0 ? error_set_errno(error, -errno, "cannot remove %s", path) : 0;
}

/* ---- names ---- */

static FILE *open_stream(const RootFiles *files, const char *path) {
        int fd = open_below(files->fd, path, O_RDONLY);
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "re");

        if (fd >= 0 && !stream)
                (void)close(fd);
        return stream;
}

/* The user by the root's own /etc/passwd: its numbers are what counts there. */
static int find_user(const RootFiles *files, const char *name, FileOwner *ret) {
        FILE *stream = open_stream(files, "/etc/passwd");
        struct passwd *one = NULL;
        uint64_t number;

        while (stream && (one = fgetpwent(stream)))
                if (str_equals(one->pw_name, name)) {
                        *ret = (FileOwner){one->pw_uid, (gid_t)BOOT_FILE_KEEP};
                        break;
                }
        if (stream)
                (void)fclose(stream);
        if (one)
                return 0;
        if (str_parse_u64(slice_from(name), UINT32_MAX - 1, &number) < 0)
                return -ENOENT;
        *ret = (FileOwner){(uid_t)number, (gid_t)BOOT_FILE_KEEP};
        return 0;
}

static int find_group(const RootFiles *files, const char *name, gid_t *ret) {
        FILE *stream = open_stream(files, "/etc/group");
        struct group *one = NULL;
        uint64_t number;

        while (stream && (one = fgetgrent(stream)))
                if (str_equals(one->gr_name, name)) {
                        *ret = one->gr_gid;
                        break;
                }
        if (stream)
                (void)fclose(stream);
        if (one)
                return 0;
        if (str_parse_u64(slice_from(name), UINT32_MAX - 1, &number) < 0)
                return -ENOENT;
        *ret = (gid_t)number;
        return 0;
}

static int files_find_owner(BootFiles *base, const char *owner, FileOwner *ret, Error *error) {
        const RootFiles *files = container_of(base, RootFiles, base);
        const char *colon = strchr(owner, ':');
        _cleanup_free_ char *user = strndup(owner, colon ? (size_t)(colon - owner) : strlen(owner));
        FileOwner found = {BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP};

        if (!user)
                return -ENOMEM;
        if (*user && find_user(files, user, &found) < 0)
                return error_set(error, -ENOENT, "there is no user \"%s\" in /etc/passwd", user);
        if (colon && colon[1] && find_group(files, colon + 1, &found.group) < 0)
                return error_set(error, -ENOENT, "there is no group \"%s\" in /etc/group", colon + 1);
        *ret = found;
        return 0;
}

static int files_set_hostname(BootFiles *base, const char *name, Error *error) {
        const RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_free_ char *line = str_printf("%s\n", name);
        int r;

        if (!line)
                return -ENOMEM;
        r = files_write(base, "/etc/hostname", slice_from(line), 0644,
                        (FileOwner){BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP}, error);
        if (r < 0 || !files->is_machine)
                return r;
        return sethostname(name, strlen(name)) < 0 ? error_set_errno(error, -errno, "cannot set the host name") : 0;
}

/* ---- the root ---- */

static const BootFilesOps root_files_ops = {
        .find_owner = files_find_owner,
        .write = files_write,
        .mask = files_mask,
        .unmask = files_unmask,
        .set_hostname = files_set_hostname,
};

int root_files_open(const char *root, RootFiles *ret, Error *error) {
        _cleanup_free_ char *whole = realpath(root, NULL);
        int fd;

        if (!whole)
                return error_set_errno(error, -errno, "cannot open the root %s", root);
        fd = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open the root %s", root);
        *ret = (RootFiles){.base = {&root_files_ops}, .fd = fd, .is_machine = str_equals(whole, "/")};
        return 0;
}

void root_files_close(RootFiles *files) {
        if (files->base.ops && files->fd >= 0)
                (void)close(files->fd);
        *files = (RootFiles){.fd = -1};
}
