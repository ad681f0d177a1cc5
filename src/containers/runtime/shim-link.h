#pragma once
/*
 * The engine's hold on one shim: starts it or finds it again, and hears what happens. Heap object; `events` come
 * until shim_link_free().
 */
#include "containers/runtime/shim-connection.h"
#include "host/process.h"

typedef struct ShimLink ShimLink;

typedef struct ShimLinkEvents {
        /* The container is made and waits for shim_link_start(); of an exec: the shim is ready. */
        void (*made)(void *owner);
        void (*started)(void *owner, pid_t pid);
        /* It did not come to run: the runtime's words. Nothing is left of it. Last event. */
        void (*failed)(void *owner, const char *reason);
        /* It has ended, and the runtime has cleared up. Last event. */
        void (*exited)(void *owner, const ShimExit *exit);
        /* The shim is gone without a word (-errno); nobody knows what became of the container. Last event. */
        void (*lost)(void *owner, int r);
} ShimLinkEvents;

/* All is borrowed during the call. */
typedef struct ShimLaunch {
        const char *program; /* faering-shim */
        const char *id, *directory, *runtime, *runtime_root;
        const char *hide, *memory_group; /* may be NULL */
        const char *exec;                /* file of the process in `directory`; NULL: the container itself */
        bool tty, open_stdin, stdin_once;
        uint64_t log_bytes, log_files;
        const int *cgroup_fds; /* the shim's own group */
        size_t n_cgroup_fds;
} ShimLaunch;

int shim_link_launch(uv_loop_t *loop, const ShimLaunch *launch, const ShimLinkEvents *events, void *owner,
                     ShimLink **ret, Error *error);

/* To a shim that an earlier engine started. `lost` when there is none. */
int shim_link_reconnect(uv_loop_t *loop, const char *directory, const ShimLinkEvents *events, void *owner,
                        ShimLink **ret, Error *error);

int shim_link_start(ShimLink *link);

/* Not to be started after all: `failed` follows, or `exited` if it was too late. -ENOTCONN: not `made` yet. */
int shim_link_undo(ShimLink *link);
int shim_link_signal(ShimLink *link, int signal);
int shim_link_resize(ShimLink *link, uint16_t rows, uint16_t columns);

/* No event follows. The shim goes on with what runs; what was not started it undoes. */
ShimLink *shim_link_free(ShimLink *link);

/* From now on others hear. */
void shim_link_set_events(ShimLink *link, const ShimLinkEvents *events);
