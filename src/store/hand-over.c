#include "store/hand-over.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/file.h"

static bool is_of_store(const char *name) {
        static const char *const prefixes[] = {"log-", "snapshot-", "unfinished-"};
        static const char *const names[] = {"spare", "proxy", "fixtures", "lost+found"};

        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
                if (str_starts_with(name, prefixes[i]))
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_equals(name, names[i]))
                        return true;
        return name[0] == '.';
}

/* A mistyped flag must not give away a folder of others. */
static int check_contents(const char *path, Error *error) {
        DIR *folder = opendir(path);
        struct dirent *entry;
        int r = 0;

        if (!folder)
                return error_set_errno(error, -errno, "cannot look into %s", path);
        while (r >= 0 && (entry = readdir(folder)))
                if (!is_of_store(entry->d_name))
                        r = error_set(error, -ENOTEMPTY,
                                      "%s holds other things than a store's data (%s), and is not handed over: name a "
                                      "folder that is "
                                      "the store's alone",
                                      path, entry->d_name);
        (void)closedir(folder);
        return r;
}

static int hand_over_one(const char *path, const struct passwd *user, Error *error) {
        struct stat status;
        int r;

        if (path[0] != '/')
                return error_set(error, -EINVAL, "%s is no full path: a service has no folder of its own to begin from",
                                 path);
        r = file_make_folder(path, 0700, error);
        if (r < 0)
                return r;
        if (stat(path, &status) < 0)
                return error_set_errno(error, -errno, "cannot look at %s", path);
        if (status.st_uid == user->pw_uid)
                return 0;
        r = check_contents(path, error);
        if (r >= 0)
                r = file_give_tree(path, user->pw_uid, user->pw_gid, error);
        if (r >= 0)
                log_info("%s is %s's from now on", path, user->pw_name);
        return r;
}

int hand_over(const Settings *settings, const char *name, Error *error) {
        const struct passwd *user = getpwnam(name);
        int r;

        if (!user)
                return error_set(error, -ESRCH,
                                 "there is no user \"%s\" on this machine: systemd-sysusers makes it, from "
                                 "sysusers.d/faering-store.conf",
                                 name);
        r = hand_over_one(settings->data_dir, user, error);
        if (r >= 0 && settings->wal_dir && *settings->wal_dir)
                r = hand_over_one(settings->wal_dir, user, error);
        return r;
}
