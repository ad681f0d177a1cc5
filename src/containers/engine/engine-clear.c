/* Clears what the OCI runtime has of a container that no shim holds any more. */
#include <errno.h>
#include <unistd.h>

#include "containers/engine/engine.h"

typedef struct Clearing {
        Engine *engine;
        Container *container; /* gone when the engine stops meanwhile */
        ShimExit exit;
        Process process;
} Clearing;

static void on_exited(Process *process, int code, int status) {
        (void)code;
        (void)status; /* that it knew of no such container is the usual case */
        process_close(process);
}

static void on_closed(Process *process) {
        Clearing *clearing = process->owner;

        clearing->engine->unsettled--;
        if (!clearing->engine->stopping)
                container_ended(clearing->container, &clearing->exit);
        free(clearing);
}

static const ProcessEvents clearing_events = {.exited = on_exited, .closed = on_closed};

void engine_clear_runtime(Container *container, const ShimExit *exit) {
        Engine *engine = container->engine;
        const char *const hide = engine->hide ?: "/sys/fs/cgroup/none";
        const char *const argv[] = {engine->settings->shim, "--hide", hide,      engine->runtime, "--root",
                                    engine->runtime_root,   "delete", "--force", container->id,   NULL};
        const ProcessOptions options = {.path = engine->settings->shim, .argv = argv, .fds = {-1, -1, -1}};
        Clearing *clearing = calloc(1, sizeof(*clearing));

        if (clearing)
                *clearing = (Clearing){.engine = engine, .container = container, .exit = *exit};
        if (!clearing ||
            process_spawn(&clearing->process, engine->loop, NULL, &options, &clearing_events, clearing, NULL) < 0) {
                free(clearing);
                container_ended(container, exit); /* what is left is cleared at the next start of the engine */
                return;
        }
        engine->unsettled++;
}
