/* Users and groups as the root's own files know them. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "boot/root-files.h"

static FILE *open_stream(const RootFiles *files, const char *path) {
        int fd = root_files_open_below(files, path, O_RDONLY);
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "re");

        if (fd >= 0 && !stream)
                (void)close(fd);
        return stream;
}

int root_files_find_user(const RootFiles *files, const char *name, RootUser *ret) {
        FILE *stream = open_stream(files, "/etc/passwd");
        struct passwd *one = NULL;
        int r = -ENOENT;

        while (stream && r == -ENOENT && (one = fgetpwent(stream)))
                if (str_equals(one->pw_name, name)) {
                        *ret = (RootUser){one->pw_uid, one->pw_gid, strdup(one->pw_dir)};
                        r = ret->home ? 0 : -ENOMEM;
                }
        if (stream)
                (void)fclose(stream);
        return r;
}

/* root is 0, also in a tree that has no list of users. */
static int find_user(const RootFiles *files, const char *name, uid_t *ret) {
        RootUser user;
        uint64_t number;
        int r = root_files_find_user(files, name, &user);

        if (r >= 0) {
                *ret = user.id;
                free(user.home);
                return 0;
        }
        if (r == -ENOENT && str_equals(name, "root")) {
                *ret = 0;
                return 0;
        }
        if (r == -ENOENT && str_parse_u64(slice_from(name), UINT32_MAX - 1, &number) >= 0) {
                *ret = (uid_t)number;
                return 0;
        }
        return r;
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
        if (str_equals(name, "root")) {
                *ret = 0;
                return 0;
        }
        if (str_parse_u64(slice_from(name), UINT32_MAX - 1, &number) < 0)
                return -ENOENT;
        *ret = (gid_t)number;
        return 0;
}

int root_files_find_owner(const RootFiles *files, const char *owner, FileOwner *ret, Error *error) {
        const char *colon = strchr(owner, ':');
        _cleanup_free_ char *user = strndup(owner, colon ? (size_t)(colon - owner) : strlen(owner));
        FileOwner found = {BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP};

        if (!user)
                return -ENOMEM;
        if (*user && find_user(files, user, &found.user) < 0)
                return error_set(error, -ENOENT, "there is no user \"%s\" in /etc/passwd", user);
        if (colon && colon[1] && find_group(files, colon + 1, &found.group) < 0)
                return error_set(error, -ENOENT, "there is no group \"%s\" in /etc/group", colon + 1);
        *ret = found;
        return 0;
}
