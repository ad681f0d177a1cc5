#pragma once
/* One container: what it is to be, how it stands, and who waits for it. Owned by the engine. */
#include "containers/engine/attach.h"
#include "containers/network/network.h"
#include "containers/runtime/shim-link.h"
#include "containers/runtime/spec.h"

#define CONTAINER_ID_LENGTH 64

typedef struct Engine Engine;

typedef enum ContainerState {
        CONTAINER_CREATED,
        CONTAINER_STARTING,
        CONTAINER_RUNNING,
        CONTAINER_RESTARTING, /* waits for its next start */
        CONTAINER_EXITED,
        CONTAINER_REMOVING,
} ContainerState;

/* Docker's word: "created", "running", … */
const char *container_state_name(ContainerState state);

/* Someone waits for an action to be done. The owner may unlink it before. */
typedef struct EngineCall EngineCall;
struct EngineCall {
        ListNode link;
        /* Unlinked already. r < 0 with the text in `error`. */
        void (*done)(EngineCall *call, int r, const Error *error);
};

typedef enum WaitCondition {
        WAIT_NOT_RUNNING,
        WAIT_NEXT_EXIT,
        WAIT_REMOVED,
} WaitCondition;

typedef struct ContainerWait ContainerWait;
struct ContainerWait {
        ListNode link;
        WaitCondition condition;
        void (*done)(ContainerWait *wait, int status);
};

typedef struct ContainerVolume {
        char *name;   /* NULL: a bind */
        char *source; /* path on the host */
        char *target;
        bool read_only, anonymous;
        char *propagation;
} ContainerVolume;

typedef struct Container {
        Engine *engine;
        char id[CONTAINER_ID_LENGTH + 1];
        char *name;
        char *directory;
        WallUsec created;
        char *image_id, *image_name;
        json_t *config, *host_config; /* as they are shown; with all that was filled in */
        ContainerSpec spec;
        ContainerVolume *volumes;
        size_t n_volumes;

        ContainerState state;
        pid_t pid;
        int exit_code;
        bool oom_killed;
        char *error;
        WallUsec started, finished; /* 0: never */
        uint64_t restarts;
        bool stopped_by_hand;
        bool removing; /* goes when it has ended */
        bool remove_volumes;
        bool restart_wanted; /* stop, then start */

        char address[ADDRESS_TEXT]; /* "" when it has none */
        NetworkPort *ports;
        size_t n_ports;
        bool has_network, mounted;

        ShimLink *link;
        Attachable attach;
        List start_calls, stop_calls, remove_calls, waits;
        uv_timer_t timer; /* until it is killed, or started anew */
        Usec backoff;
        size_t handles; /* that libuv still has */
        size_t n_execs;
} Container;

/* ---- container-record.c ---- */

/* Writes config.json; with `sync` it is on disk before this returns. */
int container_save(Container *container, Error *error);

/* Reads the record in `directory` (which it takes). -EBADMSG with `error`. */
int container_load(Engine *engine, char *directory, Container **ret, Error *error);

/* ---- container.c ---- */

/* `directory` is taken. */
int container_new(Engine *engine, const char *id, char *directory, Container **ret);

/* Nothing may refer to it. Memory goes when the loop has run. */
void container_free(Container *container);

/* Fills spec, ports and volumes from config and host_config. */
int container_settle(Container *container, const ImageConfig *image, Error *error);

static inline bool container_is_running(const Container *container) {
        return container->state == CONTAINER_RUNNING;
}

/* Has a shim, or is about to. */
static inline bool container_is_alive(const Container *container) {
        return container->state == CONTAINER_RUNNING || container->state == CONTAINER_STARTING;
}

void container_tell_calls(List *calls, int r, const Error *error);
