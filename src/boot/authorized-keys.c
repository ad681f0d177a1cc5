#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "boot/accounts.h"

#define FOLDER "authorized_keys.d"
#define FILE_NAME "authorized_keys"
#define OLD_NAME "old_authorized_keys"

typedef struct Keys {
        const RootFiles *files;
        const RootUser *user;
        FileOwner owner;
        int ssh, folder; /* ~/.ssh, and FOLDER in it; -1: not there, and nothing is to be made */
        bool changed;
} Keys;

/* A folder in an open one, no link; made with that mode, for the user, if it is missing. -1 in *ret when it is missing
 * and nothing is to be made. */
static int open_folder(Keys *keys, int parent, const char *name, mode_t mode, int *ret) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 && errno != ENOENT)
                return -errno;
        if (fd < 0) {
                keys->changed = true;
                if (keys->files->dry)
                        return 0;
                if (mkdirat(parent, name, mode) < 0)
                        return -errno;
                fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                if (fchown(fd, keys->owner.user, keys->owner.group) < 0 || fchmod(fd, mode) < 0) {
                        int r = -errno;

                        (void)close(fd);
                        return r;
                }
        }
        *ret = fd;
        return 0;
}

/* Appends the file, and a line end if it has none. Absence is no failure. */
static int read_keys(int folder, const char *name, Buffer *to) {
        _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        size_t before = buffer_length(to);

        if (fd < 0)
                return errno == ENOENT || errno == ELOOP ? 0 : -errno;
        for (;;) {
                void *room = buffer_reserve(to, 4096);
                ssize_t n = room ? read(fd, room, 4096) : -1;

                if (!room || n < 0)
                        return room ? -errno : -ENOMEM;
                if (n == 0)
                        break;
                buffer_commit(to, (size_t)n);
                if (buffer_length(to) > AUTHORIZED_KEYS_MAX)
                        return -EMSGSIZE;
        }
        if (buffer_length(to) > before && buffer_data(to)[buffer_length(to) - 1] != '\n')
                return buffer_append_byte(to, '\n');
        return 0;
}

static int write_keys(Keys *keys, int folder, const char *name, Slice text, mode_t mode) {
        if (folder >= 0 && root_files_is_same(folder, name, text, mode, keys->owner))
                return 0;
        keys->changed = true;
        return keys->files->dry ? 0 : root_files_fill(folder, name, text, mode, keys->owner);
}

static int keep_old_keys(Keys *keys) {
        _cleanup_buffer_ Buffer old = BUFFER_INIT;
        int r = read_keys(keys->ssh, FILE_NAME, &old);

        if (r < 0 || buffer_length(&old) == 0)
                return r;
        return write_keys(keys, keys->folder, OLD_NAME, (Slice){buffer_data(&old), buffer_length(&old)}, 0644);
}

/* FOLDER is new only when update-ssh-keys or this has never run. */
static int open_folders(Keys *keys, int home) {
        bool is_new;
        int r = open_folder(keys, home, ".ssh", 0700, &keys->ssh);

        if (r < 0 || keys->ssh < 0)
                return r;
        is_new = faccessat(keys->ssh, FOLDER, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
        r = open_folder(keys, keys->ssh, FOLDER, 0755, &keys->folder);
        return r < 0 || !is_new ? r : keep_old_keys(keys);
}

/* ---- all files together ---- */

static int list_names(int folder, StringList *names) {
        int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        if (fd >= 0 && !stream)
                (void)close(fd);
        if (!stream)
                return -errno;
        while (r >= 0 && (entry = readdir(stream)))
                if (entry->d_name[0] != '.')
                        r = string_list_add(names, entry->d_name);
        (void)closedir(stream);
        string_list_sort(names);
        return r;
}

static int join_files(Keys *keys) {
        _cleanup_string_list_ StringList names = {0};
        _cleanup_buffer_ Buffer all = BUFFER_INIT;
        int r = list_names(keys->folder, &names);

        for (size_t i = 0; i < names.length && r >= 0; i++)
                r = read_keys(keys->folder, names.items[i], &all);
        if (r < 0)
                return r;
        return write_keys(keys, keys->ssh, FILE_NAME,
                          (Slice){buffer_length(&all) ? buffer_data(&all) : "", buffer_length(&all)}, 0600);
}

static int write_all(Keys *keys, const char *key_name, Slice text) {
        _cleanup_close_ int home = root_files_open_below(keys->files, keys->user->home, O_RDONLY | O_DIRECTORY);
        int r = home < 0 ? home : open_folders(keys, home);

        if (r >= 0)
                r = write_keys(keys, keys->folder, key_name, text, 0644);
        return r < 0 || keys->folder < 0 ? r : join_files(keys);
}

int authorized_keys_write(const RootFiles *files, const RootUser *user, const char *key_name, Slice keys,
                          Error *error) {
        Keys work = {.files = files, .user = user, .owner = {user->id, user->group}, .ssh = -1, .folder = -1};
        int r = write_all(&work, key_name, keys);

        if (work.ssh >= 0)
                (void)close(work.ssh);
        if (work.folder >= 0)
                (void)close(work.folder);
        if (r < 0)
                return error_set_errno(error, r, "cannot write the SSH keys below %s/.ssh", user->home);
        return work.changed ? 0 : BOOT_SAME;
}
