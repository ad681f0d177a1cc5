#pragma once
/*
 * Files below a root folder, "/" or another: no path and no symbolic link leads out of it (openat2, RESOLVE_IN_ROOT).
 * With a root other than "/" the machine itself stays as it is: a host name is only written to /etc/hostname.
 */
#include "boot/ops.h"

typedef struct RootFiles {
        BootFiles base;
        int fd;          /* the root */
        bool is_machine; /* the root is "/" */
} RootFiles;

/* -errno with `error`: there is no such folder. */
int root_files_open(const char *root, RootFiles *ret, Error *error);
void root_files_close(RootFiles *files);
#define _cleanup_root_files_ _cleanup_(root_files_close)

/* Appends the contents of a file below the root. -ENOENT, -EMSGSIZE: more than `max` bytes; all with `error`. */
int root_files_read(const RootFiles *files, const char *path, size_t max, Buffer *to, Error *error);

/* Makes `path` a symbolic link to `target`, in place of what file was there, and the folders above it. */
int root_files_link(const RootFiles *files, const char *path, const char *target, Error *error);

/* Carries out WantedBy=, RequiredBy= and Alias= of a unit file below the root, as `systemctl --root enable` does. */
int root_files_enable(const RootFiles *files, const char *unit, bool runtime, Error *error);
