/*
 * What was there before us. A container whose shim lives goes on as it was. One that should run, but has no shim, has
 * either told its end in the exit file, or was cut off with the machine: what is left of it is cleared, and it counts
 * as killed.
 */
#include <dirent.h>
#include <errno.h>

#include "containers/engine/engine.h"
#include "containers/runtime/rootfs.h"
#include "host/file.h"

static int claim_network(Container *container, Error *error) {
        const NetworkPlace place = {.ports = container->ports, .n_ports = container->n_ports};
        NetworkPlace full = place;

        if (!container->engine->network || !container->has_network || container->spec.network != NETWORK_BRIDGE)
                return 0;
        (void)snprintf(full.address, sizeof(full.address), "%s", container->address);
        return container_network_claim(container->engine->network, container->id, &full, error);
}

static void cut_off(Container *container) {
        _cleanup_free_ char *path = str_printf("%s/" SHIM_EXIT, container->directory);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        ShimExit exit = {.status = 137, .at = clock_wall()};

        if (path && file_read(path, 256, &text, NULL) >= 0)
                (void)shim_exit_parse((Slice){buffer_data(&text) ?: "", buffer_length(&text)}, &exit);
        engine_clear_runtime(container, &exit);
}

/* ---- one shim ---- */

static void settled(Container *container) {
        container->engine->unsettled--;
}

static void on_found(void *owner, pid_t pid) {
        Container *container = owner;
        Error error = ERROR_NONE;

        settled(container);
        container->pid = pid;
        container->state = CONTAINER_RUNNING;
        container->mounted = true;
        attachable_found(&container->attach);
        if (claim_network(container, &error) < 0)
                container->engine->settings->note(error.text);
        shim_link_set_events(container->link, &container_link_events);
}

/* It was made but not started when the engine went. */
static void on_made(void *owner) {
        (void)shim_link_undo(((Container *)owner)->link);
}

static void on_over(void *owner, const ShimExit *exit) {
        Container *container = owner;

        settled(container);
        container->link = shim_link_free(container->link);
        container_ended(container, exit);
}

static void on_lost(void *owner, int r) {
        Container *container = owner;

        (void)r;
        settled(container);
        container->link = shim_link_free(container->link);
        cut_off(container);
}

static void on_failed(void *owner, const char *reason) {
        (void)reason;
        on_lost(owner, 0);
}

static const ShimLinkEvents recover_events = {
        .made = on_made, .started = on_found, .failed = on_failed, .exited = on_over, .lost = on_lost};

static void recover_one(Container *container) {
        if (container->state == CONTAINER_RUNNING || container->state == CONTAINER_STARTING) {
                container->state = CONTAINER_RUNNING; /* until it is known */
                if (shim_link_reconnect(container->engine->loop, container->directory, &recover_events, container,
                                        &container->link, NULL) >= 0) {
                        container->engine->unsettled++;
                        return;
                }
                cut_off(container);
                return;
        }
        container_release(container);
        if (container->state == CONTAINER_REMOVING || container->removing) {
                container->state = CONTAINER_EXITED;
                container->removing = true;
        }
        if (container->state == CONTAINER_RESTARTING || container->removing) {
                const ShimExit exit = {.status = container->exit_code, .at = container->finished};

                container_ended(container, &exit);
        }
}

/* `always` brings a container back also when it was stopped by hand before the machine went down; as Docker does. */
static bool starts_with_engine(const Container *container) {
        return container->state == CONTAINER_EXITED && container->spec.restart == RESTART_ALWAYS &&
               container->stopped_by_hand;
}

/* ---- all ---- */

static int enter(Container *container) {
        Engine *engine = container->engine;
        Image *image;
        int r = map_put(&engine->by_id, slice_from(container->id), container, NULL);

        if (r >= 0)
                r = map_put(&engine->by_name, slice_from(container->name), container, NULL);
        if (r >= 0 && image_store_find(engine->images, container->image_id, &image, NULL) >= 0)
                image->users++;
        return r;
}

/* A directory without a record is a create that was cut off. */
static int read_one(Engine *engine, const char *directory, const char *name, Error *error) {
        char *path = str_printf("%s/%s", directory, name);
        _cleanup_free_ char *copy = path ? strdup(path) : NULL;
        Container *container;
        int r;

        if (!path || !copy) {
                free(path);
                return -ENOMEM;
        }
        r = container_load(engine, path, &container, error);
        if (r == -ENOENT) {
                (void)rootfs_unmount(copy, NULL);
                return file_remove_tree(copy, error);
        }
        if (r == -EBADMSG || r == -EINVAL) {
                engine->settings->note(error->text); /* it is left for a person to look at */
                return 0;
        }
        return r < 0 ? r : enter(container);
}

int engine_recover(Engine *engine, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/containers", engine->settings->state_dir);
        _cleanup_free_ Container **list = NULL;
        struct dirent *entry;
        size_t count = 0;
        DIR *directory;
        int r = path ? file_make_folder(path, 0711, error) : -ENOMEM;

        directory = r >= 0 ? opendir(path) : NULL;
        if (!directory)
                return r < 0 ? r : error_set_errno(error, -errno, "cannot read %s", path);
        while (r >= 0 && (entry = readdir(directory)))
                if (strlen(entry->d_name) == CONTAINER_ID_LENGTH)
                        r = read_one(engine, path, entry->d_name, error);
        (void)closedir(directory);
        list = calloc(engine->by_id.length + 1, sizeof(*list));
        if (r < 0 || !list)
                return r < 0 ? r : -ENOMEM;
        map_foreach (&engine->by_id, found)
                list[count++] = found->value;
        for (size_t i = 0; i < count; i++)
                if (starts_with_engine(list[i])) {
                        list[i]->stopped_by_hand = false;
                        list[i]->state = CONTAINER_RESTARTING;
                }
        for (size_t i = 0; i < count; i++)
                recover_one(list[i]);
        return 0;
}
