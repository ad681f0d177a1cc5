#include "containers/engine/engine.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"
#include "host/file.h"

/* A mark of this state directory, for `docker info`. */
static int read_id(Engine *engine, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/id", engine->settings->state_dir);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint8_t secret[CONTAINER_ID_LENGTH / 2];

        if (!path)
                return -ENOMEM;
        if (file_read(path, 256, &text, NULL) >= 0 && buffer_length(&text) == CONTAINER_ID_LENGTH) {
                (void)snprintf(engine->id, sizeof(engine->id), "%s", buffer_string(&text) ?: "");
                return 0;
        }
        random_secret(secret, sizeof(secret));
        for (size_t i = 0; i < sizeof(secret); i++)
                (void)snprintf(engine->id + 2 * i, 3, "%02x", secret[i]);
        return file_replace(path, 0600, slice_from(engine->id), false, error);
}

static int make_network(Engine *engine, Error *error) {
        _cleanup_free_ char *directory = str_printf("%s/netns", engine->settings->run_dir);
        const NetworkSettings settings = {.bridge_address = engine->settings->bridge_address, .directory = directory};

        if (!directory)
                return -ENOMEM;
        return engine->settings->no_network ? 0 : container_network_new(&settings, &engine->network, error);
}

int engine_new(uv_loop_t *loop, const EngineSettings *settings, ImageStore *images, Engine **ret, Error *error) {
        Engine *engine = calloc(1, sizeof(*engine));
        int r;

        if (!engine)
                return error_set_errno(error, -ENOMEM, "cannot begin");
        engine->loop = loop;
        engine->settings = settings;
        engine->images = images;
        list_init(&engine->listeners);
        list_init(&engine->sessions);
        *ret = engine; /* the caller frees it also when this fails */
        r = file_make_folder(settings->state_dir, 0711, error);
        if (r >= 0)
                r = file_make_folder(settings->run_dir, 0700, error);
        if (r >= 0)
                r = read_id(engine, error);
        if (r >= 0)
                r = engine_look_at_host(engine, error);
        if (r >= 0)
                r = make_network(engine, error);
        return r < 0 ? r : engine_recover(engine, error);
}

bool engine_is_settled(const Engine *engine) {
        return engine->unsettled == 0;
}

/* ---- finding ---- */

int engine_find(Engine *engine, const char *name, Container **ret, Error *error) {
        Container *found = NULL;
        size_t length;

        if (name[0] == '/')
                name++;
        length = strlen(name);
        *ret = map_get(&engine->by_id, slice_from(name));
        if (!*ret)
                *ret = map_get(&engine->by_name, slice_from(name));
        if (*ret)
                return 0;
        map_foreach (&engine->by_id, entry) {
                Container *container = entry->value;

                if (length == 0 || strncmp(container->id, name, length) != 0)
                        continue;
                if (found)
                        return error_set(error, -ENOTUNIQ, "Multiple IDs found with provided prefix: %.80s", name);
                found = container;
        }
        if (!found)
                return error_set(error, -ENOENT, "No such container: %.200s", name);
        *ret = found;
        return 0;
}

/* ---- ending ---- */

/* The runtime makes our folder in more hierarchies than we use ourselves; those with containers of others in them
 * stay. */
static void remove_cgroup_folders(void) {
        static const char *const patterns[] = {"/sys/fs/cgroup/*/faering-containers",
                                               "/sys/fs/cgroup/faering-containers"};
        glob_t found;

        for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
                if (glob(patterns[i], GLOB_NOSORT, NULL, &found) != 0)
                        continue;
                for (size_t k = 0; k < found.gl_pathc; k++)
                        (void)rmdir(found.gl_pathv[k]);
                globfree(&found);
        }
}

static bool anything_runs(const Engine *engine) {
        map_foreach (&engine->by_id, entry)
                if (container_is_alive(entry->value))
                        return true;
        return false;
}

void engine_close(Engine *engine) {
        bool runs = anything_runs(engine);

        engine->stopping = true;
        execs_close(engine);
        attach_close_all(&engine->sessions);
        map_foreach (&engine->by_id, entry)
                container_free(entry->value);
        engine->network = container_network_free(engine->network, !runs);
        for (size_t i = 0; i < engine->n_shim_fds; i++)
                (void)close(engine->shim_fds[i]);
        engine->n_shim_fds = 0;
        if (!runs)
                (void)cgroup_remove(&engine->shim_group);
        cgroup_deinit(&engine->shim_group);
        cgroup_root_close(&engine->cgroups);
        if (!runs)
                remove_cgroup_folders();
        map_deinit(&engine->by_id);
        map_deinit(&engine->by_name);
        map_deinit(&engine->execs);
}

Engine *engine_free(Engine *engine) {
        if (!engine)
                return NULL;
        for (size_t i = 0; i < engine->n_events; i++)
                free(engine->events[i].json);
        free(engine->runtime);
        free(engine->runtime_name);
        free(engine->runtime_version);
        free(engine->init_program);
        free(engine->hide);
        free(engine->runtime_root);
        free(engine);
        return NULL;
}
