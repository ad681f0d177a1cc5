#include "containers/image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

enum { READ_SIZE = 65536 };

/* The work of one unpacking thread. */
typedef struct Unpack {
        int input;
        const char *directory;
        LayerWhiteouts whiteouts;
        LayerResult *result;
        Error *error;
        int r;

        struct archive *bytes; /* the archive without its compression, as one "file" */
        Digester digester;     /* over that */
        struct archive *tar;
        struct archive *disk;
        uint64_t entries;
} Unpack;

static int archive_failed(Unpack *unpack, struct archive *archive, const char *name) {
        const char *text = archive_error_string(archive) ?: "unknown error";
        int code = archive_errno(archive);
        int r = code == ENOSPC || code == EDQUOT || code == ENOMEM || code == EPERM ? -code : -EBADMSG;

        return name ? error_set(unpack->error, r, "cannot unpack \"%s\": %s", name, text)
                    : error_set(unpack->error, r, "cannot read the archive: %s", text);
}

/* ---- input ---- */

static ssize_t read_plain(struct archive *archive, void *userdata, const void **ret_block) {
        static _Thread_local char block[READ_SIZE];
        Unpack *unpack = userdata;
        la_ssize_t n = archive_read_data(unpack->bytes, block, sizeof(block));

        if (n < 0) {
                archive_set_error(archive, archive_errno(unpack->bytes), "%s", archive_error_string(unpack->bytes));
                return -1;
        }
        digester_add(&unpack->digester, block, (size_t)n);
        *ret_block = block;
        return n;
}

static int open_input(Unpack *unpack) {
        struct archive_entry *entry;

        unpack->bytes = archive_read_new();
        unpack->tar = archive_read_new();
        if (!unpack->bytes || !unpack->tar || digester_init(&unpack->digester) < 0)
                return error_set_errno(unpack->error, -ENOMEM, "cannot unpack");
        /* docker's, and no others: some of libarchive's start programs for it */
        (void)archive_read_support_filter_gzip(unpack->bytes);
        (void)archive_read_support_filter_bzip2(unpack->bytes);
        (void)archive_read_support_filter_xz(unpack->bytes);
        (void)archive_read_support_filter_zstd(unpack->bytes);
        (void)archive_read_support_format_raw(unpack->bytes);
        (void)archive_read_support_format_empty(unpack->bytes);
        if (archive_read_open_fd(unpack->bytes, unpack->input, READ_SIZE) != ARCHIVE_OK)
                return archive_failed(unpack, unpack->bytes, NULL);
        if (archive_read_next_header(unpack->bytes, &entry) != ARCHIVE_OK)
                return error_set(unpack->error, -EBADMSG, "the archive is empty");
        (void)archive_read_support_format_tar(unpack->tar);
        if (archive_read_open(unpack->tar, unpack, NULL, read_plain, NULL) != ARCHIVE_OK)
                return archive_failed(unpack, unpack->tar, NULL);
        return 0;
}

/* What stands behind the archive's end belongs to its digest. */
static int read_rest(Unpack *unpack) {
        char block[4096];
        la_ssize_t n;

        while ((n = archive_read_data(unpack->bytes, block, sizeof(block))) > 0)
                digester_add(&unpack->digester, block, (size_t)n);
        return n < 0 ? archive_failed(unpack, unpack->bytes, NULL) : 0;
}

/* ---- entries ---- */

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Makes the directories above a whiteout that the layer itself does not name. */
static int make_parents(const char *path) {
        _cleanup_free_ char *part = strdup(path);

        if (!part)
                return -ENOMEM;
        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}

static int put_whiteout(Unpack *unpack, const char *path) {
        const char *name = base_name(path);
        int directory_length = (int)(name - path), r;
        _cleanup_free_ char *target = NULL;

        r = make_parents(path);
        if (r >= 0 && str_equals(name, WHITEOUT_OPAQUE)) {
                target = str_printf("%.*s", directory_length, path);
                r = target ? (setxattr(*target ? target : ".", "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0)
                           : -ENOMEM;
        } else if (r >= 0) {
                const char *hidden = name + strlen(WHITEOUT_PREFIX);

                if (*hidden == '\0' || str_equals(hidden, ".") || str_equals(hidden, ".."))
                        return error_set(unpack->error, -EBADMSG, "the layer is damaged: \"%s\" hides nothing", path);
                target = str_printf("%.*s%s", directory_length, path, hidden);
                r = target ? (mknod(target, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST ? -errno : 0) : -ENOMEM;
        }
        return r < 0 ? error_set_errno(unpack->error, r, "cannot unpack \"%s\"", path) : 0;
}

/* Relative to the thread's root, without "./" and "/" before it; NULL: the root itself. */
static const char *clean_path(const char *path) {
        for (;;) {
                if (path[0] == '/')
                        path++;
                else if (path[0] == '.' && path[1] == '/')
                        path += 2;
                else
                        break;
        }
        return path[0] == '\0' || str_equals(path, ".") ? NULL : path;
}

static int copy_data(Unpack *unpack, const char *path) {
        const void *block;
        size_t length;
        la_int64_t offset;
        int r;

        while ((r = archive_read_data_block(unpack->tar, &block, &length, &offset)) == ARCHIVE_OK) {
                unpack->result->size += length;
                if (unpack->result->size > LAYER_BYTES_MAX)
                        return error_set(unpack->error, -EMSGSIZE, "the layer is larger than %llu bytes",
                                         (unsigned long long)LAYER_BYTES_MAX);
                if (archive_write_data_block(unpack->disk, block, length, offset) < ARCHIVE_WARN)
                        return archive_failed(unpack, unpack->disk, path);
        }
        return r == ARCHIVE_EOF ? 0 : archive_failed(unpack, unpack->tar, path);
}

/* Of extended attributes only those that programs need: an attribute of overlayfs's own would reach past this layer. */
static void filter_attributes(struct archive_entry *entry) {
        struct archive_entry *kept = archive_entry_clone(entry);
        const char *name;
        const void *value;
        size_t length;

        archive_entry_xattr_clear(entry);
        if (!kept)
                return;
        (void)archive_entry_xattr_reset(kept);
        while (archive_entry_xattr_next(kept, &name, &value, &length) == ARCHIVE_OK)
                if (str_equals(name, "security.capability") || str_starts_with(name, "user."))
                        archive_entry_xattr_add_entry(entry, name, value, length);
        archive_entry_free(kept);
}

static int put_entry(Unpack *unpack, struct archive_entry *entry) {
        const char *raw = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry),
                   *path = raw ? clean_path(raw) : NULL;
        _cleanup_free_ char *copy = NULL;
        int r;

        if (!raw)
                return error_set(unpack->error, -EBADMSG,
                                 "the archive is damaged: an entry has no name that can be read");
        if (!path) /* the root's own mode and owner */
                path = ".";
        else if (unpack->whiteouts == LAYER_WHITEOUTS_TRANSLATE && str_starts_with(base_name(path), WHITEOUT_PREFIX))
                return put_whiteout(unpack, path);
        copy = strdup(path);
        if (!copy)
                return error_set_errno(unpack->error, -ENOMEM, "cannot unpack");
        archive_entry_copy_pathname(entry, copy);
        if (link) {
                _cleanup_free_ char *target = strdup(clean_path(link) ?: ".");

                if (!target)
                        return error_set_errno(unpack->error, -ENOMEM, "cannot unpack");
                archive_entry_copy_hardlink(entry, target);
        }
        if (archive_entry_xattr_count(entry) > 0)
                filter_attributes(entry);
        r = archive_write_header(unpack->disk, entry);
        if (r < ARCHIVE_WARN)
                return archive_failed(unpack, unpack->disk, copy);
        r = archive_entry_size(entry) > 0 ? copy_data(unpack, copy) : 0;
        if (r >= 0 && archive_write_finish_entry(unpack->disk) < ARCHIVE_WARN)
                return archive_failed(unpack, unpack->disk, copy);
        return r;
}

static int put_entries(Unpack *unpack) {
        struct archive_entry *entry;
        int r;

        while ((r = archive_read_next_header(unpack->tar, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
                if (++unpack->entries > LAYER_ENTRIES_MAX)
                        return error_set(unpack->error, -EMSGSIZE, "the layer has more than %d files",
                                         LAYER_ENTRIES_MAX);
                r = put_entry(unpack, entry);
                if (r < 0)
                        return r;
        }
        return r == ARCHIVE_EOF ? 0 : archive_failed(unpack, unpack->tar, NULL);
}

/* ---- the thread ---- */

static int unpack_all(Unpack *unpack) {
        const int flags = ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR |
                          ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                          ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
        int r;

        /* The thread gets a root and a current directory of its own: chroot(2) then moves no other. */
        if (unshare(CLONE_FS) < 0 || chroot(unpack->directory) < 0 || chdir("/") < 0)
                return error_set_errno(unpack->error, -errno, "cannot enter %s", unpack->directory);
        (void)umask(0);
        r = open_input(unpack);
        if (r < 0)
                return r;
        unpack->disk = archive_write_disk_new();
        if (!unpack->disk)
                return error_set_errno(unpack->error, -ENOMEM, "cannot unpack");
        (void)archive_write_disk_set_options(unpack->disk, flags);
        r = put_entries(unpack);
        if (r >= 0 && archive_write_close(unpack->disk) < ARCHIVE_WARN) /* times and modes of directories */
                r = archive_failed(unpack, unpack->disk, ".");
        if (r >= 0)
                r = read_rest(unpack);
        if (r >= 0)
                digester_end(&unpack->digester, unpack->result->diff_id);
        return r;
}

static void *unpack_thread(void *userdata) {
        Unpack *unpack = userdata;

        unpack->r = unpack_all(unpack);
        if (unpack->disk)
                (void)archive_write_free(unpack->disk);
        if (unpack->tar)
                (void)archive_read_free(unpack->tar);
        if (unpack->bytes)
                (void)archive_read_free(unpack->bytes);
        digester_deinit(&unpack->digester);
        return NULL;
}

int layer_unpack(int archive, const char *directory, LayerWhiteouts whiteouts, LayerResult *ret, Error *error) {
        Unpack unpack = {
                .input = archive, .directory = directory, .whiteouts = whiteouts, .result = ret, .error = error};
        pthread_t thread;
        int r;

        *ret = (LayerResult){0};
        r = pthread_create(&thread, NULL, unpack_thread, &unpack);
        if (r != 0)
                return error_set_errno(error, -r, "cannot start a thread to unpack");
        (void)pthread_join(thread, NULL);
        return unpack.r;
}
