#pragma once
/*
 * Control groups of the machines: in every hierarchy one folder for all machines of one directory, and one for each
 * machine below. The folders are written down before they are made, so that a later run can find what an earlier one
 * left.
 */
#include "base/error.h"
#include "base/str.h"

typedef struct Groups {
        StringList roots; /* one folder in each hierarchy */
        char *top;        /* of version 2; NULL: version 1 */
        StringList given; /* controllers that groups below `top` could not use before us */
} Groups;

/* Makes the folders `name`; `record` is the file where they are written down. None is made where there are no
 * hierarchies. */
int groups_open(Groups *groups, const char *name, const char *record, Error *error);

/* Removes the folders and the record, takes back the controllers, and frees. */
void groups_close(Groups *groups, const char *record);

/* Makes a machine's folders; their paths are added to `paths`. */
int groups_make(const Groups *groups, const char *machine, StringList *paths, Error *error);

/* Opens cgroup.procs of each; the caller closes them. `fds` has room for HIERARCHIES_MAX. */
int groups_open_procs(const StringList *paths, int *fds, size_t *ret_n, Error *error);

/* Removes a machine's folders with all below them. -EBUSY: not all of its processes are gone. */
int groups_remove(const StringList *paths);

/* Removes what the record names: kills what is still in it, and waits for that to be gone, ten seconds at most.
 * Without a record: nothing. */
int groups_clear(const char *record, Error *error);
