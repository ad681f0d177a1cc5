/* Stopping, the end of a container, what follows from it, and its removal. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "containers/engine/engine.h"
#include "containers/runtime/rootfs.h"
#include "host/file.h"

#define BACKOFF_FIRST (100 * USEC_PER_MSEC)
#define BACKOFF_MAX (60 * USEC_PER_SEC)
#define RAN_WELL (10 * USEC_PER_SEC) /* after that a restart comes at once again, as Docker's */

static void container_remove_now(Container *container);

void container_stop_timer(Container *container) {
        (void)uv_timer_stop(&container->timer);
}

/* Mounts and network go at the end of each run: nothing of a stopped container is in the kernel. */
void container_release(Container *container) {
        if (container->has_network && container->engine->network)
                container_network_leave(container->engine->network, container->id);
        container->has_network = false;
        container->pid = 0;
        (void)rootfs_unmount(container->directory, NULL);
        container->mounted = false;
        attachable_over(&container->attach);
}

/* ---- who waits ---- */

static void tell_waits(Container *container, bool removed) {
        int status = container->exit_code;

        for (;;) {
                ContainerWait *found = NULL;

                list_foreach (&container->waits, node) {
                        ContainerWait *wait = container_of(node, ContainerWait, link);

                        if (!found && (removed || wait->condition != WAIT_REMOVED))
                                found = wait;
                }
                if (!found)
                        return;
                list_unlink(&found->link);
                found->done(found, status);
        }
}

void engine_wait(Container *container, ContainerWait *wait) {
        list_init(&wait->link);
        if (wait->condition == WAIT_NOT_RUNNING && !container_is_alive(container) &&
            container->state != CONTAINER_RESTARTING) {
                wait->done(wait, container->exit_code);
                return;
        }
        list_append(&container->waits, &wait->link);
}

/* ---- the end ---- */

static bool wants_restart(const Container *container) {
        if (container->removing || container->stopped_by_hand || container->engine->stopping)
                return false;
        switch (container->spec.restart) {
        case RESTART_ALWAYS:
        case RESTART_UNLESS_STOPPED:
                return true;
        case RESTART_ON_FAILURE:
                return container->exit_code != 0 && (container->spec.restart_max == 0 ||
                                                     container->restarts < (uint64_t)container->spec.restart_max);
        default:
                return false;
        }
}

typedef struct OwnCall {
        EngineCall call;
} OwnCall;

/* A start that nobody asked for: when it fails it is tried again as any other end is. */
static void on_own_start(EngineCall *call, int r, const Error *error) {
        (void)r;
        (void)error;
        free(container_of(call, OwnCall, call));
}

static void start_by_itself(Container *container) {
        OwnCall *own = calloc(1, sizeof(*own));

        if (!own)
                return;
        own->call.done = on_own_start;
        engine_start(container, &own->call);
}

static void on_restart_timer(uv_timer_t *timer) {
        Container *container = timer->data;

        container->restarts++;
        start_by_itself(container);
}

static void schedule_restart(Container *container) {
        bool ran_well = container->started > 0 && container->finished - container->started > (WallUsec)RAN_WELL;

        container->backoff =
                ran_well || container->backoff == 0 ? BACKOFF_FIRST : min_of(container->backoff * 2, BACKOFF_MAX);
        container->state = CONTAINER_RESTARTING;
        (void)uv_timer_start(&container->timer, on_restart_timer, container->backoff / USEC_PER_MSEC, 0);
}

static void after_end(Container *container) {
        if (container->removing || container->spec.auto_remove) {
                container->remove_volumes |= container->spec.auto_remove;
                container_remove_now(container);
                return;
        }
        if (container->restart_wanted) {
                container->restart_wanted = false;
                start_by_itself(container);
        } else if (wants_restart(container)) {
                schedule_restart(container);
        }
        (void)container_save(container, NULL);
}

void container_ended(Container *container, const ShimExit *exit) {
        char code[16];

        container_stop_timer(container);
        container->state = CONTAINER_EXITED;
        container->exit_code = exit->status;
        container->oom_killed = exit->oom;
        container->finished = exit->at;
        container_release(container);
        execs_drop(container);
        if (exit->oom)
                engine_emit(container, "oom", NULL, NULL);
        (void)snprintf(code, sizeof(code), "%d", exit->status);
        engine_emit(container, "die", "exitCode", code);
        (void)container_save(container, NULL);
        tell_waits(container, false);
        container_tell_calls(&container->stop_calls, 0, NULL);
        after_end(container);
}

/* 127 and 126 as a shell says of a command that is not there or may not run; Docker has 128 for what it could not
 * start. */
void container_start_failed(Container *container, int r, const Error *error) {
        const Error text = *error;

        container_release(container);
        container->state = container->started ? CONTAINER_EXITED : CONTAINER_CREATED;
        container->exit_code = r == -ENOENT ? 127 : r == -EACCES ? 126 : 128;
        free(container->error);
        container->error = strdup(text.text);
        (void)container_save(container, NULL);
        tell_waits(container, false);
        container_tell_calls(&container->start_calls, r, &text);
        container_tell_calls(&container->stop_calls, 0, NULL);
        if (container->state != CONTAINER_STARTING) /* someone may have tried again */
                after_end(container);
}

/* ---- stopping ---- */

static void on_kill_timer(uv_timer_t *timer) {
        Container *container = timer->data;

        if (container->link)
                (void)shim_link_signal(container->link, SIGKILL);
}

static void send_stop(Container *container, int64_t seconds, int signal) {
        if (seconds < 0)
                seconds = container->spec.stop_timeout >= 0 ? container->spec.stop_timeout : ENGINE_STOP_SEC;
        (void)shim_link_signal(container->link, signal ? signal : container->spec.stop_signal);
        (void)uv_timer_start(&container->timer, on_kill_timer, (uint64_t)seconds * 1000, 0);
}

void engine_stop(Container *container, int64_t seconds, int signal, EngineCall *call) {
        static const Error none = ERROR_NONE;

        list_init(&call->link);
        container->stopped_by_hand = true;
        container->restart_wanted = false;
        if (container->state == CONTAINER_RESTARTING) {
                container_stop_timer(container);
                container->state = CONTAINER_EXITED;
                (void)container_save(container, NULL);
                call->done(call, 0, &none);
                return;
        }
        if (!container_is_running(container) || !container->link) {
                call->done(call, -EALREADY, &none);
                return;
        }
        (void)container_save(container, NULL);
        list_append(&container->stop_calls, &call->link);
        engine_emit(container, "kill", "signal", "15");
        send_stop(container, seconds, signal);
}

void engine_restart(Container *container, int64_t seconds, EngineCall *call) {
        if (!container_is_running(container) || !container->link) {
                engine_start(container, call);
                return;
        }
        list_append(&container->start_calls, &call->link);
        container->restart_wanted = true;
        send_stop(container, seconds, 0);
}

int engine_kill(Container *container, int signal, Error *error) {
        char text[16];
        int r;

        if (!container_is_running(container) || !container->link)
                return error_set(error, -ENOTCONN, "Cannot kill container: %s: Container %s is not running",
                                 container->id, container->id);
        r = shim_link_signal(container->link, signal);
        if (r < 0)
                return error_set_errno(error, r, "cannot reach the shim of container %.12s", container->id);
        /* a restart policy does not undo a kill by hand */
        if (signal == SIGKILL || signal == container->spec.stop_signal)
                container->stopped_by_hand = true;
        (void)snprintf(text, sizeof(text), "%d", signal);
        engine_emit(container, "kill", "signal", text);
        return 0;
}

/* ---- removal ---- */

typedef struct Removal {
        uv_work_t work;
        char *directory;
        Engine *engine;
        Container *container; /* gone when the engine stops meanwhile */
        int r;
        Error error;
} Removal;

static void remove_files(uv_work_t *work) {
        Removal *removal = container_of(work, Removal, work);

        removal->r = file_remove_tree(removal->directory, &removal->error);
}

static void forget(Container *container) {
        Engine *engine = container->engine;
        Image *image;

        if (image_store_find(engine->images, container->image_id, &image, NULL) >= 0 && image->users > 0)
                image->users--;
        map_remove(&engine->by_id, slice_from(container->id));
        map_remove(&engine->by_name, slice_from(container->name));
}

static void on_files_removed(uv_work_t *work, int status) {
        Removal *removal = container_of(work, Removal, work);
        Container *container = removal->container;
        int r = status < 0 ? status : removal->r;

        if (removal->engine->stopping) {
                ; /* the record says what was wanted: the next start goes on with it */
        } else if (r >= 0) {
                forget(container);
                engine_emit(container, "destroy", NULL, NULL);
                tell_waits(container, true);
                container_tell_calls(&container->remove_calls, 0, NULL);
                container_free(container);
        } else {
                container->state = CONTAINER_EXITED;
                container->removing = false;
                removal->engine->settings->note(removal->error.text);
                tell_waits(container, true);
                container_tell_calls(&container->remove_calls, r, &removal->error);
        }
        free(removal->directory);
        free(removal);
}

/* The tree may be large: it goes on another thread, while the container is still known, as "removing". */
static void container_remove_now(Container *container) {
        Removal *removal = calloc(1, sizeof(*removal));

        if (!removal || !(removal->directory = strdup(container->directory))) {
                free(removal);
                container_tell_calls(&container->remove_calls, -ENOMEM, NULL);
                return;
        }
        container_stop_timer(container);
        container->removing = true;
        container->state = CONTAINER_REMOVING;
        (void)container_save(container, NULL);
        execs_drop(container);
        if (container->remove_volumes)
                container_remove_volumes(container);
        removal->engine = container->engine;
        removal->container = container;
        if (uv_queue_work(container->engine->loop, &removal->work, remove_files, on_files_removed) < 0)
                on_files_removed(&removal->work, -ENOMEM);
}

void engine_remove(Container *container, bool force, bool volumes, EngineCall *call) {
        Error error = ERROR_NONE;

        list_init(&call->link);
        if (container_is_alive(container) && !force) {
                call->done(call,
                           error_set(&error, -EBUSY,
                                     "cannot remove container \"/%s\": container is running: stop the container before "
                                     "removing or force remove",
                                     container->name),
                           &error);
                return;
        }
        container->remove_volumes |= volumes;
        list_append(&container->remove_calls, &call->link);
        if (container->state == CONTAINER_REMOVING)
                return;
        container->removing = true;
        if (!container_is_alive(container))
                container_remove_now(container);
        else if (container->link && container->state == CONTAINER_RUNNING)
                (void)shim_link_signal(container->link, SIGKILL);
        else if (container->link)
                (void)shim_link_undo(container->link); /* when it is not even made, that is looked at then */
}
