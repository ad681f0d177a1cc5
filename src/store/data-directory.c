#include "store/data-directory.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"
#include "store/log/disk-directory.h"

enum { NOTE_MAX = 4096 };

static bool given(const char *path) {
        return path && *path;
}

static char *note_path(const char *path) {
        return str_printf("%s/" DATA_DIRECTORY_NOTE, path);
}

/* 1: read; 0: there is none. */
static int read_note(const char *path, char **ret, Error *error) {
        _cleanup_free_ char *note = note_path(path);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r;

        if (!note)
                return -ENOMEM;
        r = file_read(note, NOTE_MAX, &text, error);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        *ret = slice_dup(slice_trim((Slice){buffer_data(&text), buffer_length(&text)}));
        return *ret ? 1 : -ENOMEM;
}

/* Whether a folder has a file whose name begins so. A folder that is not there has none. */
static bool has_file(const char *path, const char *prefix) {
        DIR *folder = opendir(path);
        struct dirent *entry;
        bool found = false;

        while (folder && !found && (entry = readdir(folder)))
                found = str_starts_with(entry->d_name, prefix);
        if (folder)
                (void)closedir(folder);
        return found;
}

static bool is_same_folder(const char *a, const char *b) {
        struct stat left, right;

        if (str_equals(a, b))
                return true;
        return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
               left.st_ino == right.st_ino;
}

/* ---- where the log is ---- */

static int check_together(const char *path, const char *noted, Error *error) {
        if (!noted || is_same_folder(path, noted) || has_file(path, "log-"))
                return 0;
        return error_set(error, -EINVAL,
                         "the log of the data in %s is in %s: start it with --wal-dir %s, or, to have all in one "
                         "folder, move the files "
                         "log-… and spare from there to %s",
                         path, noted, noted, path);
}

static int check_apart(const char *path, const char *log_path, const char *noted, Error *error) {
        if (has_file(path, "log-"))
                return error_set(error, -EINVAL,
                                 "%s has its log in itself: leave --wal-dir out, or, to have the log in %s, move the "
                                 "files log-… and "
                                 "spare there while the server is stopped",
                                 path, log_path);
        if (has_file(log_path, "log-"))
                return 0;
        if (noted && !is_same_folder(noted, log_path))
                return error_set(
                        error, -EINVAL,
                        "the log of the data in %s is in %s, not in --wal-dir %s: correct it, or move the files there",
                        path, noted, log_path);
        if (has_file(path, "snapshot-"))
                return error_set(
                        error, -EINVAL,
                        "the data in %s has no log, neither there nor in --wal-dir %s: is that the right folder?", path,
                        log_path);
        return 0;
}

/* Safe before the first byte of the log is. */
static int write_note(const char *path, const char *log_path, const char *noted, Error *error) {
        _cleanup_free_ char *note = note_path(path), *text = str_printf("%s\n", log_path);

        if (noted && str_equals(noted, log_path))
                return 0;
        return note && text ? file_replace(note, 0600, slice_from(text), true, error) : -ENOMEM;
}

static int drop_note(const char *path, const char *noted, Error *error) {
        _cleanup_free_ char *note = note_path(path);

        if (!noted)
                return 0;
        if (!note)
                return -ENOMEM;
        return unlink(note) < 0 && errno != ENOENT ? error_set_errno(error, -errno, "cannot remove %s", note) : 0;
}

/* ---- who may write ---- */

static int explain(const char *path, int r, Error *error) {
        const struct passwd *user = getpwuid(geteuid());
        const char *name = user ? user->pw_name : "that the store runs as";

        if (r == -EROFS)
                return error_set(
                        error, r,
                        "%s cannot be written: its file system is read-only here. If that is the sandbox of a service: "
                        "ReadWritePaths=%s in a drop-in of its unit opens it",
                        path, path);
        return error_set(
                error, r,
                "%s cannot be used by the user %s: make it and all that is in it its own (as root: chown -R %s %s)",
                path, name, user ? user->pw_name : "USER", path);
}

/* All at once at the start, instead of a failure in the middle of the work. */
static int check_access(const char *path, Error *error) {
        DIR *folder;
        struct dirent *entry;
        int r = 0;

        if (access(path, R_OK | W_OK | X_OK) < 0)
                return errno == ENOENT ? 0 : explain(path, -errno, error);
        folder = opendir(path);
        if (!folder)
                return explain(path, -errno, error);
        while (r >= 0 && (entry = readdir(folder))) {
                if (entry->d_name[0] != '.' && faccessat(dirfd(folder), entry->d_name, R_OK | W_OK, 0) < 0 &&
                    errno == EACCES)
                        r = explain(path, -errno, error);
        }
        (void)closedir(folder);
        return r;
}

/* ---- opening ---- */

int data_directory_open(const char *path, const char *log_path, Disk **ret_disk, Error *error) {
        _cleanup_(disk_directory_freep) Disk *disk = NULL;
        _cleanup_free_ char *noted = NULL;
        bool apart = given(log_path) && !is_same_folder(path, log_path);
        int r;

        r = check_access(path, error);
        if (r >= 0 && apart)
                r = check_access(log_path, error);
        if (r >= 0)
                r = read_note(path, &noted, error);
        if (r >= 0)
                r = apart ? check_apart(path, log_path, noted, error) : check_together(path, noted, error);
        if (r < 0)
                return r;
        r = disk_directory_new(path, apart ? log_path : NULL, &disk, error);
        if (r == -EACCES || r == -EROFS)
                return explain(path, r, error);
        if (r >= 0)
                r = apart ? write_note(path, log_path, noted, error) : drop_note(path, noted, error);
        if (r < 0)
                return r;
        *ret_disk = take_ptr(disk);
        return 0;
}

int data_directory_read(const char *path, const char *log_path, Disk **ret_disk, Error *error) {
        _cleanup_free_ char *noted = NULL;
        int r = given(log_path) ? 0 : read_note(path, &noted, error);

        return r < 0 ? r : disk_directory_read(path, given(log_path) ? log_path : noted, ret_disk, error);
}
