#pragma once
/*
 * What the first process of a machine does before it becomes faering-init: it is born in new namespaces and in the
 * machine's control groups, waits until its cable is plugged in, and puts the machine together around itself.
 */
#include "base/error.h"

typedef struct Enter {
        const char *directory; /* with the machines' disks */
        const char *machine;
        const char *address;
        int go;     /* a byte comes here once the cable is there; end of file: whoever made us is gone */
        int status; /* for faering-init */
} Enter;

/* Returns only to say why it failed. */
int enter_run(const Enter *enter, Error *error);

/* ---- the pieces ---- */

/* Mounts everything of the machine below `root`, in the calling process's own mount namespace. */
int enter_mount_all(const Enter *enter, const char *root, Error *error);

/* A fresh /dev at `path`. */
int enter_mount_dev(const char *path, Error *error);

/* /sys/fs/cgroup at `path`: what there is, from the top of the own control group namespace. */
int enter_mount_cgroups(const char *path, Error *error);

/* mount(2) with a text. */
int enter_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data,
                Error *error);

/* Gives up for ever, also for all children, what a machine must not do to its host. */
int enter_drop_capabilities(Error *error);
