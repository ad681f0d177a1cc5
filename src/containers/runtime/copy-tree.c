#include "containers/runtime/copy-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "containers/runtime/user.h"

#define COPY_PIECE ((size_t)16 * 1024 * 1024)

bool folder_is_empty(const char *path) {
        DIR *directory = opendir(path);
        struct dirent *entry;
        bool empty = directory != NULL;

        while (directory && empty && (entry = readdir(directory)))
                empty = str_equals(entry->d_name, ".") || str_equals(entry->d_name, "..");
        if (directory)
                (void)closedir(directory);
        return empty;
}

/* The mode comes last: giving a file to another takes its set-user-id bit away. */
static int take_rights(const char *path, const struct stat *info) {
        if (lchown(path, info->st_uid, info->st_gid) < 0)
                return -errno;
        return S_ISLNK(info->st_mode) || chmod(path, info->st_mode & 07777) >= 0 ? 0 : -errno;
}

static int copy_file(const char *from, const char *to) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), out = -1;
        ssize_t n;

        if (in < 0)
                return -errno;
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        while ((n = sendfile(out, in, NULL, COPY_PIECE)) > 0)
                ;
        return n < 0 ? -errno : 0;
}

static int copy_link(const char *from, const char *to) {
        char target[PATH_MAX];
        ssize_t n = readlink(from, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        return symlink(target, to) < 0 ? -errno : 0;
}

/* Sockets, FIFOs and devices are nobody's data. */
static int copy_entry(const FTSENT *entry, const char *to) {
        int r = 0;

        switch (entry->fts_info) {
        case FTS_D:
                r = entry->fts_level == FTS_ROOTLEVEL || mkdir(to, 0700) >= 0 ? 0 : -errno;
                break;
        case FTS_F:
                r = copy_file(entry->fts_accpath, to);
                break;
        case FTS_SL:
        case FTS_SLNONE:
                r = copy_link(entry->fts_accpath, to);
                break;
        case FTS_DNR:
        case FTS_NS:
        case FTS_ERR:
                return -entry->fts_errno;
        default:
                return 0;
        }
        return r < 0 ? r : take_rights(to, entry->fts_statp);
}

int copy_tree(const char *root, const char *from, const char *to, Error *error) {
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
        char start[64];
        char *const paths[] = {start, NULL};
        FTSENT *entry;
        FTS *tree;
        int r = 0;

        if (root_fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", root);
        fd = open_beneath(root_fd, from, O_RDONLY | O_DIRECTORY);
        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        if (fd < 0)
                return error_set_errno(error, fd, "cannot read the image's %s", from);
        (void)snprintf(start, sizeof(start), "/proc/self/fd/%d/.", fd);
        tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
        if (!tree)
                return error_set_errno(error, -errno, "cannot read the image's %s", from);
        while (r >= 0 && (entry = fts_read(tree))) {
                _cleanup_free_ char *target = str_printf("%s%s", to, entry->fts_path + strlen(start));

                r = target ? copy_entry(entry, target) : -ENOMEM;
                if (r < 0)
                        (void)error_set_errno(error, r, "cannot copy the image's %s%s into its volume", from,
                                              entry->fts_path + strlen(start));
        }
        (void)fts_close(tree);
        return r;
}
