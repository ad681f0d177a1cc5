#pragma once
/*
 * Files below a root folder, "/" or another: no path and no symbolic link leads out of it (openat2, RESOLVE_IN_ROOT).
 * With a root other than "/" the machine itself stays as it is: a host name is only written to /etc/hostname.
 *
 * What is so already is left alone and told as BOOT_SAME. With `dry` nothing is changed at all, and the outcomes are those
 * that a change would have.
 */
#include "boot/ops.h"

typedef struct RootFiles {
        BootFiles base;
        int fd;          /* the root */
        bool is_machine; /* the root is "/" */
        bool dry;
} RootFiles;

/* -errno with `error`: there is no such folder. */
int root_files_open(const char *root, RootFiles *ret, Error *error);
void root_files_close(RootFiles *files);
#define _cleanup_root_files_ _cleanup_(root_files_close)

/* Appends the contents of a file below the root. -ENOENT, -EMSGSIZE: more than `max` bytes; all with `error`. */
int root_files_read(const RootFiles *files, const char *path, size_t max, Buffer *to, Error *error);

/* Names the running machine; no file is written by it where there is no systemd-hostnamed. */
int hostname_set(const char *name, Error *error);

/* Opens what is at `path` below the root. -errno. */
int root_files_open_below(const RootFiles *files, const char *path, int flags);

/* Opens the file `path`, made with what is above it, and waits until nobody else holds its lock; *ret_fd holds it. */
int root_files_lock(const RootFiles *files, const char *path, int *ret_fd, Error *error);

/* Makes `path` a symbolic link to `target`, in place of what file was there, and the folders above it. BOOT_SAME. */
int root_files_link(const RootFiles *files, const char *path, const char *target, Error *error);

/* Carries out WantedBy=, RequiredBy= and Alias= of a unit file below the root, as `systemctl --root enable` does.
 * BOOT_SAME: all its links are there. */
int root_files_enable(const RootFiles *files, const char *unit, bool runtime, Error *error);

/* A row of the root's own /etc/passwd; its numbers are what counts there. `home` is owned. */
typedef struct RootUser {
        uid_t id;
        gid_t group;
        char *home;
} RootUser;

/* -ENOENT: no user of that name. -ENOMEM. */
int root_files_find_user(const RootFiles *files, const char *name, RootUser *ret);

/* "user:group", see BootFilesOps. */
int root_files_find_owner(const RootFiles *files, const char *owner, FileOwner *ret, Error *error);

/* Puts `text` in place of the file `name` of an open folder. -errno. */
int root_files_fill(int folder, const char *name, Slice text, mode_t mode, FileOwner owner);

/* Whether the file is there with that text, mode and owner. */
bool root_files_is_same(int folder, const char *name, Slice text, mode_t mode, FileOwner owner);
