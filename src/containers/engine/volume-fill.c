#include "containers/engine/volume-fill.h"

#include <errno.h>

#include "containers/engine/engine.h"
#include "containers/runtime/copy-tree.h"

typedef struct Filling {
        uv_work_t work;
        Engine *engine;
        Container *container; /* only for the loop's thread; gone when the engine stops meanwhile */
        char *root;
        StringList places, volumes; /* the thread's own copies */
        void (*filled)(Container *container, int r, const Error *error);
        int r;
        Error error;
} Filling;

static void filling_free(Filling *filling) {
        string_list_deinit(&filling->places);
        string_list_deinit(&filling->volumes);
        free(filling->root);
        free(filling);
}

CLEANUP_DEFINE(Filling, filling_free)

static bool wants_filling(const ContainerVolume *volume) {
        return volume->name && folder_is_empty(volume->source);
}

bool volumes_want_filling(const Container *container) {
        for (size_t i = 0; container->started == 0 && i < container->n_volumes; i++)
                if (wants_filling(&container->volumes[i]))
                        return true;
        return false;
}

static void fill(uv_work_t *work) {
        Filling *filling = container_of(work, Filling, work);

        for (size_t i = 0; i < filling->places.length && filling->r >= 0; i++)
                filling->r =
                        copy_tree(filling->root, filling->places.items[i], filling->volumes.items[i], &filling->error);
}

static void on_filled(uv_work_t *work, int status) {
        Filling *filling = container_of(work, Filling, work);

        if (!filling->engine->stopping)
                filling->filled(filling->container, status < 0 ? status : filling->r, &filling->error);
        filling_free(filling);
}

int volumes_fill(Container *container, void (*filled)(Container *container, int r, const Error *error)) {
        _cleanup_(filling_freep) Filling *filling = calloc(1, sizeof(*filling));
        int r = 0;

        if (!filling)
                return -ENOMEM;
        filling->engine = container->engine;
        filling->container = container;
        filling->filled = filled;
        filling->root = str_printf("%s/merged", container->directory);
        for (size_t i = 0; r >= 0 && i < container->n_volumes; i++) {
                if (!wants_filling(&container->volumes[i]))
                        continue;
                r = string_list_add(&filling->places, container->volumes[i].target);
                if (r >= 0)
                        r = string_list_add(&filling->volumes, container->volumes[i].source);
        }
        if (r >= 0)
                r = filling->root ? uv_queue_work(container->engine->loop, &filling->work, fill, on_filled) : -ENOMEM;
        if (r >= 0)
                (void)take_ptr(filling);
        return r;
}
