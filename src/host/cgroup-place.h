#pragma once
/*
 * Where control groups are on a machine, read from /proc/self/mountinfo and /proc/self/cgroup. Pure. Knows version 1,
 * version 2, both side by side (hybrid), and cgroup namespaces, where paths begin at the namespace's root.
 */
#include "base/str.h"

typedef enum CgroupPart {
        CGROUP_TRACKING, /* which process belongs where: v1's name=systemd, or any other */
        CGROUP_MEMORY,
        CGROUP_PIDS,
        CGROUP_CPU,
        CGROUP_PARTS,
} CgroupPart;

/* One mounted hierarchy. Owns its strings. */
typedef struct CgroupPlace {
        bool unified; /* version 2 */
        char *top;    /* where it is mounted */
        char *own;    /* the group of the process that asks; `top` when that lies outside of what is mounted */
} CgroupPlace;

typedef struct CgroupPlaces {
        CgroupPlace legacy[CGROUP_PARTS]; /* top NULL: not mounted */
        CgroupPlace unified;
} CgroupPlaces;

void cgroup_places_deinit(CgroupPlaces *places);
#define _cleanup_cgroup_places_ _cleanup_(cgroup_places_deinit)

/* A group's path below a mount, which shows the hierarchy from `root` on. "" for the mount itself, also when the group lies outside of it:
 * then the path begins with "/..", or not with root. Borrows `path`. */
Slice cgroup_below_mount(Slice path, Slice root);

/* Lines that are not understood are passed over. Of several mounts of one hierarchy the last counts. -ENOMEM. */
int cgroup_places_read(Slice mountinfo, Slice self_cgroup, CgroupPlaces *ret);
