#pragma once
/* Users of an image: its own /etc/passwd and /etc/group, read beneath its root. */
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

enum { USER_GROUPS_MAX = 1024, USER_FILE_MAX = 4 * 1024 * 1024 };

typedef struct ImageUser {
        uid_t uid;
        gid_t gid;
        gid_t groups[USER_GROUPS_MAX]; /* supplementary */
        size_t n_groups;
        char home[256];
} ImageUser;

/* `user`: "name", "uid", "name:group", "uid:gid"; NULL: root. -EINVAL with `error`: no such user or group. Pure. */
int image_user_resolve(const char *user, const StringList *more_groups, Slice passwd, Slice group, ImageUser *ret,
                       Error *error);

/* Opens a file of a root directory; no link of it leads out. -errno. */
int open_beneath(int root, const char *path, int flags);

/* As image_user_resolve(), with the files of `root` (absent ones count as empty). */
int image_user_find(int root, const char *user, const StringList *more_groups, ImageUser *ret, Error *error);
