#pragma once
/*
 * What the embedded supervisor asks its spawner for: a shim, and the process that it is to be the parent of (docs/formats/unit-shim.md).
 * One run of bytes with its length before it, and the files that go along. Pure.
 */
#include <sys/types.h>

#include "base/buffer.h"
#include "base/str.h"
#include "host/process-options.h"
#include "host/unit-shim.h"

#define SPAWN_REQUEST_VERSION 1
#define SPAWN_REQUEST_HEAD 4                          /* bytes of the length before a request */
#define SPAWN_REQUEST_MAX ((size_t)4 * 1024 * 1024) /* above what the kernel takes as arguments and environment of a process */
#define SPAWN_CGROUPS_MAX 8
#define SPAWN_FILES_MAX (2 + UNIT_SHIM_FDS_MAX + SPAWN_CGROUPS_MAX + 3 + PROCESS_FDS_MAX)

/* Strings and files are borrowed; those of a request that was read lie in its bytes. */
typedef struct SpawnRequest {
        ProcessOptions process;  /* path NULL: no process, the shim only holds files. Without namespaces and parent_death_signal */
        const char *ends_path;   /* as in UnitShimOptions */
        const char *logs, *unit;
        uint64_t log_size;
        char held[UNIT_SHIM_FDS_MAX + 1];
        int control, listener;
        int held_fds[UNIT_SHIM_FDS_MAX];
} SpawnRequest;

/* Appends head and request; *ret_n files are to go along. -ENOMEM; -E2BIG: it is too long, or has too many files. */
int spawn_request_write(const SpawnRequest *request, Buffer *to, int files[static SPAWN_FILES_MAX], size_t *ret_n);

/* Length of what follows a head; 0: none that is allowed. */
size_t spawn_request_length(const char head[static SPAWN_REQUEST_HEAD]);

/* A request as it was read, and what of it does not lie in its bytes. */
typedef struct SpawnRequestRead {
        SpawnRequest request;
        const char **strings; /* the vectors of arguments and environment */
        gid_t groups[PROCESS_GROUPS_MAX];
        ProcessLimit limits[PROCESS_LIMITS];
        int passed_fds[PROCESS_FDS_MAX], cgroup_fds[SPAWN_CGROUPS_MAX];
} SpawnRequestRead;

/* What follows a head. `bytes` are borrowed, and written to by the process that is made (its own id). -EBADMSG: not a request of this
 * version, or not with these files, which stay the caller's in any case. -ENOMEM. */
int spawn_request_read(char *bytes, size_t length, const int *files, size_t n_files, SpawnRequestRead *ret);
void spawn_request_read_deinit(SpawnRequestRead *read);
