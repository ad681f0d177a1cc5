#include "boot/root-files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/file.h"

#include "boot/run-program.h"

#define TEMPORARY_NAME ".faering-boot.new~"

static int open_below(int root, const char *path, int flags) {
        const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                                     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

int root_files_open_below(const RootFiles *files, const char *path, int flags) {
        return open_below(files->fd, path, flags);
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

/* The same, but nothing is made. -ENOENT: it is not there. */
static int find_parent(int root, const char *path, int *ret_fd, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
        int fd = folder ? open_below(root, folder, O_PATH | O_DIRECTORY) : -ENOMEM;

        if (fd < 0)
                return fd;
        *ret_fd = fd;
        *ret_name = slash + 1;
        return 0;
}

/* ---- what is there already ---- */

static bool has_owner(const struct stat *status, FileOwner owner) {
        return status->st_uid == (owner.user == BOOT_FILE_KEEP ? geteuid() : owner.user) &&
               status->st_gid == (owner.group == (gid_t)BOOT_FILE_KEEP ? getegid() : owner.group);
}

static bool has_text(int fd, Slice text) {
        char piece[4096];

        while (text.length > 0) {
                ssize_t n = read(fd, piece, min_of(sizeof(piece), text.length));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0 || memcmp(piece, text.data, (size_t)n) != 0)
                        return false;
                text.data += n;
                text.length -= (size_t)n;
        }
        return read(fd, piece, 1) == 0;
}

bool root_files_is_same(int folder, const char *name, Slice text, mode_t mode, FileOwner owner) {
        _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat status;

        return fd >= 0 && fstat(fd, &status) >= 0 && S_ISREG(status.st_mode) && (status.st_mode & 07777) == mode &&
               (size_t)status.st_size == text.length && has_owner(&status, owner) && has_text(fd, text);
}

static bool is_link_to(int folder, const char *name, const char *target) {
        char have[4096];
        ssize_t n = readlinkat(folder, name, have, sizeof(have));

        return n >= 0 && slice_equals((Slice){have, (size_t)n}, slice_from(target));
}

/* ---- writing ---- */

/* The owner before the mode: a change of owner may drop bits of the mode. */
static int fill(int fd, Slice text, mode_t mode, FileOwner owner) {
        int r = file_write_all(fd, text);

        if (r >= 0 && (owner.user != BOOT_FILE_KEEP || owner.group != (gid_t)BOOT_FILE_KEEP) &&
            fchown(fd, owner.user, owner.group) < 0)
                r = -errno;
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        return r;
}

int root_files_fill(int folder, const char *name, Slice text, mode_t mode, FileOwner owner) {
        _cleanup_close_ int fd = -1;
        int r;

        (void)unlinkat(folder, TEMPORARY_NAME, 0); /* of a run that was cut off */
        fd = openat(folder, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = fill(fd, text, mode, owner);
        if (r >= 0 && renameat(folder, TEMPORARY_NAME, folder, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(folder, TEMPORARY_NAME, 0);
        return r;
}

static int files_write(BootFiles *base, const char *path, Slice text, mode_t mode, FileOwner owner, Error *error) {
        RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_close_ int have = -1, folder = -1;
        const char *name;
        int r;

        if (find_parent(files->fd, path, &have, &name) >= 0 && root_files_is_same(have, name, text, mode, owner))
                return BOOT_SAME;
        if (files->dry)
                return 0;
        r = open_parent(files->fd, path, &folder, &name, error);
        if (r < 0)
                return r;
        r = root_files_fill(folder, name, text, mode, owner);
        return r < 0 ? error_set_errno(error, r, "cannot write %s", path) : 0;
}

int root_files_lock(const RootFiles *files, const char *path, int *ret_fd, Error *error) {
        _cleanup_close_ int folder = -1, fd = -1;
        const char *name;
        int r = open_parent(files->fd, path, &folder, &name, error);

        if (r < 0)
                return r;
        fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", path);
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return error_set_errno(error, -errno, "cannot lock %s", path);
        *ret_fd = take_fd(fd);
        return 0;
}

int root_files_link(const RootFiles *files, const char *path, const char *target, Error *error) {
        _cleanup_close_ int have = -1, folder = -1;
        const char *name;
        int r;

        if (find_parent(files->fd, path, &have, &name) >= 0 && is_link_to(have, name, target))
                return BOOT_SAME;
        if (files->dry)
                return 0;
        r = open_parent(files->fd, path, &folder, &name, error);
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
        return S_ISREG(status->st_mode) ? status->st_size == 0
                                        : S_ISLNK(status->st_mode) && is_link_to(folder, name, "/dev/null");
}

static int files_unmask(BootFiles *base, const char *path, Error *error) {
        RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_close_ int folder = -1;
        struct stat status;
        const char *name;
        int r = find_parent(files->fd, path, &folder, &name);

        if (r == -ENOENT)
                return BOOT_SAME;
        if (r < 0)
                return error_set_errno(error, r, "cannot open the folder of %s", path);
        if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? BOOT_SAME : error_set_errno(error, -errno, "cannot look at %s", path);
        if (!is_mask(folder, name, &status))
                return BOOT_NOT_MASKED;
        if (files->dry)
                return 0;
        return unlinkat(folder, name, 0) < 0 ? error_set_errno(error, -errno, "cannot remove %s", path) : 0;
}

/* ---- names ---- */

static int files_find_owner(BootFiles *base, const char *owner, FileOwner *ret, Error *error) {
        return root_files_find_owner(container_of(base, RootFiles, base), owner, ret, error);
}

static int files_set_hostname(BootFiles *base, const char *name, Error *error) {
        const RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_free_ char *line = str_printf("%s\n", name);
        char now[HOST_NAME_MAX + 1] = "";
        bool named;
        int r;

        if (!line)
                return -ENOMEM;
        named = !files->is_machine || (gethostname(now, sizeof(now)) == 0 && str_equals(now, name));
        r = files_write(base, "/etc/hostname", slice_from(line), 0644,
                        (FileOwner){BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP}, error);
        if (r < 0 || named)
                return r;
        return files->dry ? 0 : hostname_set(name, error);
}

static int files_load_module(BootFiles *base, const char *name, const StringList *options, Error *error) {
        const RootFiles *files = container_of(base, RootFiles, base);
        _cleanup_string_list_ StringList argv = {0};
        int r = string_list_add(&argv, "modprobe");

        if (!files->is_machine || files->dry)
                return r < 0 ? r : BOOT_SAME;
        if (r >= 0)
                r = string_list_add(&argv, name);
        for (size_t i = 0; i < options->length && r >= 0; i++)
                r = string_list_add(&argv, options->items[i]);
        return r < 0 ? r : run_program((const char *const *)argv.items, (Slice){"", 0}, error);
}

/* ---- the root ---- */

static const BootFilesOps root_files_ops = {
        .find_owner = files_find_owner,
        .write = files_write,
        .mask = files_mask,
        .unmask = files_unmask,
        .set_hostname = files_set_hostname,
        .load_module = files_load_module,
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
