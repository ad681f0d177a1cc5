#pragma once
/*
 * The processes of one unit: a control group where one can be made, else all that can be traced to the unit by session,
 * parent, or the INVOCATION_ID in their environment (for that the program is a subreaper: see process.h).
 */
#include "host/cgroup.h"

#define UNIT_GROUP_ID_MAX 33 /* 32 hexadecimal digits and a NUL */
#define UNIT_GROUP_SESSIONS_MAX 256

typedef struct UnitGroup {
        const CgroupRoot *root;     /* borrowed; NULL: no control group is used */
        const char *name;           /* of its control group; borrowed */
        char id[UNIT_GROUP_ID_MAX]; /* INVOCATION_ID of the run; "": none yet */
        PidList sessions;           /* led by processes that we started */
        PidList parents;            /* that are not ours: shims. Orphans of the unit become their children */
} UnitGroup;

/* `root` may be unusable; it and `name` are borrowed until the group is closed. Takes over a control group that is there. */
int unit_group_open(UnitGroup *group, const CgroupRoot *root, const char *name, const char *id, Error *error);

/* Removes the control group if it is empty, and frees. A zeroed group is closed already. */
void unit_group_close(UnitGroup *group);

/* The same, but the control group stays, also an empty one: a process may be about to enter it. */
void unit_group_leave(UnitGroup *group);

/* A process that leads a session of its own was started for the unit. */
int unit_group_add_session(UnitGroup *group, pid_t leader);

/* A process that adopts what the unit's processes leave behind. */
int unit_group_add_parent(UnitGroup *group, pid_t pid);

static inline bool unit_group_in_cgroup(const UnitGroup *group) {
        return group->root;
}

/* Its control group, of which the paths are made anew each time: there are many units. -ENOMEM. */
int unit_group_cgroup(const UnitGroup *group, Cgroup *ret);

int unit_group_list(const UnitGroup *group, PidList *list);
bool unit_group_is_empty(const UnitGroup *group);

/* A process that has not ended, other than `except_one` and `except_other` (0: none); 0: there is none. */
pid_t unit_group_find(const UnitGroup *group, pid_t except_one, pid_t except_other);

/* Signals all but `except_one` and `except_other` (0: none). Returns how many got it. */
int unit_group_kill(const UnitGroup *group, int signal, pid_t except_one, pid_t except_other);

/* The one process of the group that is our own child, or a parent's of it, which a daemon that forked becomes; 0: none, or several. */
pid_t unit_group_guess_main(const UnitGroup *group);
