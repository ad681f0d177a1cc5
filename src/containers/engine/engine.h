#pragma once
/*
 * The engine: all containers of this machine and what can be done with them. Knows nothing of HTTP. Everything is on
 * the loop's thread; actions that take time end with a call's `done`, which may come before the function returns.
 */
#include "base/map.h"
#include "containers/engine/container.h"
#include "containers/engine/exec.h"
#include "containers/image/image-store.h"
#include "containers/runtime/bundle.h"
#include "host/cgroup.h"

enum {
        ENGINE_CONTAINERS_MAX = 4096,
        ENGINE_STOP_SEC = 10,    /* from the stop signal to the kill, as Docker's */
        ENGINE_EVENTS_MAX = 256, /* kept for who asks for the past */
        ENGINE_LISTENERS_MAX = 64,
};

typedef struct EngineEvent {
        WallUsec at;
        char action[24];
        char id[CONTAINER_ID_LENGTH + 1];
        char *json; /* one line */
} EngineEvent;

typedef struct EngineListener {
        ListNode link;
        void (*event)(struct EngineListener *listener, const EngineEvent *event);
} EngineListener;

/* All is borrowed for the engine's life. */
typedef struct EngineSettings {
        const char *state_dir, *run_dir;
        const char *runtime; /* name or path; NULL: crun, or runc where crun does not work */
        const char *shim;    /* path of faering-shim */
        const char *bridge_address;
        bool no_network; /* no bridge: containers can have host and none */
        void (*note)(const char *text);
} EngineSettings;

struct Engine {
        uv_loop_t *loop;
        const EngineSettings *settings;
        ImageStore *images;
        ContainerNetwork *network; /* NULL with no_network */
        BundleHost host;
        char *runtime, *runtime_name, *runtime_version, *init_program;
        char *hide; /* mount that the runtime must not see */
        char *runtime_root;
        CgroupRoot cgroups;
        Cgroup shim_group;
        int shim_fds[CGROUP_PARTS];
        size_t n_shim_fds;
        Map by_id, by_name, execs;
        EngineEvent events[ENGINE_EVENTS_MAX]; /* a ring */
        size_t n_events;
        List listeners;
        List sessions; /* of attached clients, all of them */
        size_t n_listeners;
        size_t unsettled; /* shims not yet heard of, and clearings under way */
        bool stopping;
        char id[CONTAINER_ID_LENGTH + 1];
};

/* Blocks: looks at the host, chooses the runtime, makes the network, reads the records, and clears what a crash left.
 * `images` stays the caller's. After it returns the loop must run until engine_is_settled(): shims that run are
 * asked. */
int engine_new(uv_loop_t *loop, const EngineSettings *settings, ImageStore *images, Engine **ret, Error *error);

/* All containers of earlier runs are known as what they are. */
bool engine_is_settled(const Engine *engine);

/* Containers that run go on. The loop must have run between close and free. */
void engine_close(Engine *engine);
Engine *engine_free(Engine *engine);

/* By name, id, or an unambiguous beginning of an id. -ENOENT, -ENOTUNIQ with Docker's texts. */
int engine_find(Engine *engine, const char *name, Container **ret, Error *error);

/* `body`: Docker's create object, which stays the caller's. `name` may be NULL. -ENOENT: no such image (the text says
 * so); -EEXIST: the name is in use; -EINVAL. */
int engine_create(Engine *engine, const char *name, const json_t *body, Container **ret, Error *error);
int engine_rename(Container *container, const char *name, Error *error);

/* -EALREADY: it runs. -ENOENT and -EACCES: the command is not there, or may not be executed; -EADDRINUSE: a port. */
void engine_start(Container *container, EngineCall *call);

/* `seconds` < 0: as the container says, or ENGINE_STOP_SEC. `signal` 0: as the container says. -EALREADY: it does not
 * run. */
void engine_stop(Container *container, int64_t seconds, int signal, EngineCall *call);
void engine_restart(Container *container, int64_t seconds, EngineCall *call);

/* -ENOTCONN with Docker's text: it does not run. */
int engine_kill(Container *container, int signal, Error *error);

/* -EBUSY: it runs, and `force` is not given. */
void engine_remove(Container *container, bool force, bool volumes, EngineCall *call);

/* `done` may be called at once. */
void engine_wait(Container *container, ContainerWait *wait);

void engine_emit(Container *container, const char *action, const char *name, const char *value);
int engine_listen(Engine *engine, EngineListener *listener);

/* ---- inside the engine ---- */

/* engine-host.c: what the host is like, and the runtime that works on it. */
int engine_look_at_host(Engine *engine, Error *error);

/* engine-start.c */
void engine_adopt(Container *container, ShimLink *link);
extern const ShimLinkEvents container_link_events;

/* engine-clear.c: what the runtime keeps of a container whose shim is gone goes; it is killed if it still runs. Then
 * container_ended(). */
void engine_clear_runtime(Container *container, const ShimExit *exit);

/* engine-end.c */
void container_release(Container *container);
void container_ended(Container *container, const ShimExit *exit);
void container_start_failed(Container *container, int r, const Error *error);
void container_stop_timer(Container *container);

/* engine-recover.c */
int engine_recover(Engine *engine, Error *error);

/* volumes.c: paths of binds and volumes are settled at create; volumes are made. */
int container_make_volumes(Container *container, Error *error);
void container_remove_volumes(Container *container);

/* links.c: that the other containers are there, at create; -EINVAL. */
int container_check_links(Container *container, Error *error);

/* What they are, at start: lines for /etc/hosts as "names:address", and variables. -EBUSY: one does not run. */
int container_resolve_links(Container *container, StringList *hosts, StringList *environment, Error *error);

/* Adds what the containers of --volumes-from have mounted. */
int container_take_volumes(Container *container, Error *error);
