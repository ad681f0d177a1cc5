#pragma once
/*
 * Control groups of version 1, 2 and both: made, filled, counted, limited, killed and removed by us. A CgroupRoot is
 * the folder for all groups of one program; a Cgroup is one group in it, which exists in each hierarchy that is used.
 */
#include <signal.h>

#include "base/error.h"
#include "host/cgroup-place.h"

#define CGROUP_PIDS_MAX 131072
#define CGROUP_DEPTH_MAX 16
#define CGROUP_NO_LIMIT UINT64_MAX

typedef struct PidList {
        pid_t *items;
        size_t length, capacity;
} PidList;

void pid_list_deinit(PidList *list);
#define _cleanup_pid_list_ _cleanup_(pid_list_deinit)

/* -ENOMEM; -EMSGSIZE above CGROUP_PIDS_MAX. */
int pid_list_add(PidList *list, pid_t pid);
bool pid_list_contains(const PidList *list, pid_t pid);

typedef struct CgroupFolder {
        char *path; /* NULL: this part cannot be used here */
        bool unified;
} CgroupFolder;

typedef struct CgroupRoot {
        CgroupFolder parts[CGROUP_PARTS]; /* several may be one folder */
} CgroupRoot;

/* Whether processes can be kept in groups at all. */
static inline bool cgroup_root_usable(const CgroupRoot *root) {
        return root->parts[CGROUP_TRACKING].path != NULL;
}

/*
 * Makes the folder `name`, below the group that we are in, or with `at_top` below the top of each hierarchy (of the
 * cgroup namespace). A hierarchy that we may not write to is left out; when none is left the root is not usable, and r
 * is still 0. Under version 2 limits work only where the folder's parent holds no process itself: when the calling process is alone in its
 * own group, it moves to one below, "faering-daemon".
 */
int cgroup_root_open(CgroupRoot *root, const char *name, bool at_top, Error *error);

/* Removes the folders, if no group is left in them. */
void cgroup_root_close(CgroupRoot *root);

typedef struct Cgroup {
        CgroupFolder parts[CGROUP_PARTS];
} Cgroup;

/* The group of a name, whether it is there or not. -ENOMEM. */
int cgroup_name(const CgroupRoot *root, const char *name, Cgroup *ret);

/* Makes a group; one of that name that is there is taken over, with what is in it. The name has no '/'. */
int cgroup_create(const CgroupRoot *root, const char *name, Cgroup *ret, Error *error);

/* Frees the Cgroup, leaves the group. */
void cgroup_deinit(Cgroup *group);
#define _cleanup_cgroup_ _cleanup_(cgroup_deinit)

/* Removes the group and all groups below, deepest first. -EBUSY: there are processes in it. */
int cgroup_remove(Cgroup *group);

/* The same for one folder of one hierarchy. Absence is success. */
int cgroup_remove_folder(const char *path);

/* Opens cgroup.procs in each hierarchy, for ProcessOptions.cgroup_fds. The caller closes them. */
int cgroup_open_procs(const Cgroup *group, int fds[CGROUP_PARTS], size_t *ret_n);
int cgroup_add(const Cgroup *group, pid_t pid);

/* All processes in the group and below it. */
int cgroup_list_pids(const Cgroup *group, PidList *list);
bool cgroup_is_empty(const Cgroup *group);

/* Signals all processes but `except` (0: none), again for those that appear meanwhile. Returns how many got it. */
int cgroup_kill(const Cgroup *group, int signal, pid_t except);

typedef enum CgroupLimit {
        CGROUP_LIMIT_MEMORY,      /* bytes */
        CGROUP_LIMIT_MEMORY_HIGH, /* bytes; version 2 only */
        CGROUP_LIMIT_PIDS,
        CGROUP_LIMIT_CPU_WEIGHT, /* 1 to 10000, 100 is usual */
        CGROUP_LIMIT_CPU_QUOTA,  /* thousandths of one CPU */
} CgroupLimit;

/* CGROUP_NO_LIMIT lifts it. -EOPNOTSUPP: the kernel or our place in the hierarchy does not have it; the error says
 * so. */
int cgroup_set_limit(const Cgroup *group, CgroupLimit limit, uint64_t value, Error *error);

typedef struct CgroupCounters {
        uint64_t memory_bytes, memory_peak; /* UINT64_MAX: not known */
        uint64_t pids;
        uint64_t oom_kills;
} CgroupCounters;

void cgroup_read_counters(const Cgroup *group, CgroupCounters *ret);
