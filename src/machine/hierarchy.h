#pragma once
/* The control group hierarchies that are mounted, each with what it controls: version 1's, or version 2's if it is
 * alone. */
#include "base/error.h"
#include "base/str.h"

#define HIERARCHIES_MAX 32

typedef struct Hierarchy {
        char *controllers; /* "cpu,cpuacct", "name=systemd"; "" for version 2 */
        char *top;         /* where it is mounted */
        char *own;         /* the group of who asks; `top` when that lies outside of what is mounted */
        bool unified;
} Hierarchy;

typedef struct Hierarchies {
        Hierarchy items[HIERARCHIES_MAX];
        size_t length;
} Hierarchies;

void hierarchies_deinit(Hierarchies *hierarchies);
#define _cleanup_hierarchies_ _cleanup_(hierarchies_deinit)

/* Of /proc/self/mountinfo and /proc/self/cgroup. Pure. -ENOMEM. */
int hierarchies_parse(Slice mountinfo, Slice self_cgroup, Hierarchies *ret);

/* Of the calling process. */
int hierarchies_read(Hierarchies *ret, Error *error);

/* Version 2: the controllers that `folder` has and does not let groups below it use. */
int hierarchy_withheld_controllers(const char *folder, StringList *ret);

/* Version 2: lets groups below `folder` use the controllers, or no longer. One that cannot be given is left out: what
 * needs it will say so. */
void hierarchy_set_controllers(const char *folder, const StringList *controllers, bool use);
