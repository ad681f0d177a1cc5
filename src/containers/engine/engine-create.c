/* Making a container: what was asked for, filled in from the image, and its record. */
#include <errno.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/random.h"
#include "containers/engine/engine.h"
#include "containers/runtime/json-fields.h"
#include "host/file.h"

/* ---- names ---- */

static void random_hex(char text[static CONTAINER_ID_LENGTH + 1]) {
        static const char digits[] = "0123456789abcdef";
        uint8_t secret[CONTAINER_ID_LENGTH / 2];

        random_secret(secret, sizeof(secret));
        for (size_t i = 0; i < sizeof(secret); i++) {
                text[2 * i] = digits[secret[i] >> 4];
                text[2 * i + 1] = digits[secret[i] & 15];
        }
        text[CONTAINER_ID_LENGTH] = '\0';
}

static char *make_name(const Engine *engine) {
        static const char *const qualities[] = {"brisk",  "calm",  "clear", "deep",  "fair",  "fresh", "grey",
                                                "keen",   "light", "mild",  "north", "quick", "quiet", "salty",
                                                "steady", "stout", "swift", "tidal", "trim",  "wide"};
        static const char *const things[] = {"anchor", "beacon", "bight", "bollard", "buoy",  "cleat",   "cove",
                                             "drift",  "fjord",  "gull",  "harbour", "keel",  "lantern", "mooring",
                                             "oar",    "petrel", "reef",  "rudder",  "sound", "tern"};

        for (unsigned round = 0; round < 64; round++) {
                char *name;
                uint32_t draw;

                random_secret(&draw, sizeof(draw));
                name = str_printf(round < 8 ? "%s_%s" : "%s_%s%u", qualities[draw % ARRAY_SIZE(qualities)],
                                  things[draw / 64 % ARRAY_SIZE(things)], draw >> 16);
                if (!name || !map_get(&engine->by_name, slice_from(name)))
                        return name;
                free(name);
        }
        return NULL;
}

static bool is_name(const char *name) {
        for (size_t i = 0; name[i]; i++) {
                char c = name[i];
                bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

                if (i > 127 || (!plain && (i == 0 || !strchr("_.-", c))))
                        return false;
        }
        return name[0] && name[1];
}

static int check_name(const Engine *engine, const char *name, Error *error) {
        const Container *other;

        if (!is_name(name))
                return error_set(error, -EINVAL,
                                 "Invalid container name (%.128s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
        other = map_get(&engine->by_name, slice_from(name));
        if (other)
                return error_set(error, -EEXIST,
                                 "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have "
                                 "to remove (or rename) that "
                                 "container to be able to reuse that name.",
                                 name, other->id);
        return 0;
}

int engine_rename(Container *container, const char *name, Error *error) {
        Engine *engine = container->engine;
        char *copy, *old = container->name;
        int r;

        if (name[0] == '/')
                name++;
        r = check_name(engine, name, error);
        if (r < 0)
                return r;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        r = map_put(&engine->by_name, slice_from(copy), container, NULL);
        if (r < 0) {
                free(copy);
                return r;
        }
        container->name = copy;
        r = container_save(container, error);
        if (r < 0) {
                map_remove(&engine->by_name, slice_from(copy));
                container->name = old;
                free(copy);
                return r;
        }
        map_remove(&engine->by_name, slice_from(old));
        engine_emit(container, "rename", "oldName", old);
        free(old);
        return 0;
}

/* ---- what is shown later ---- */

static void set_list(json_t *object, const char *key, const StringList *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->length; i++)
                (void)json_array_append_new(array, json_string(list->items[i]));
        (void)json_object_set_new(object, key, array);
}

static bool is_empty(const json_t *object, const char *key) {
        const json_t *value = json_object_get(object, key);

        return !value || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
}

/* An entry point of one's own drops the image's command; after this the two lists say all. */
static void complete_command(json_t *config, const ImageConfig *image) {
        const json_t *entry = json_object_get(config, "Entrypoint");
        bool own_entry = entry && !json_is_null(entry);

        if (!own_entry && image->has_entrypoint)
                set_list(config, "Entrypoint", &image->entrypoint);
        if (!own_entry && is_empty(config, "Cmd"))
                set_list(config, "Cmd", &image->command);
}

static void complete_set(json_t *config, const char *key, const StringList *names) {
        json_t *object = json_object_get(config, key);

        if (names->length == 0)
                return;
        if (!json_is_object(object)) {
                object = json_object();
                (void)json_object_set_new(config, key, object);
        }
        for (size_t i = 0; i < names->length; i++)
                (void)json_object_set_new(object, names->items[i], json_object());
}

static void complete_labels(json_t *config, const ImageConfig *image) {
        json_t *labels = json_object_get(config, "Labels");

        if (!json_is_object(labels)) {
                labels = json_object();
                (void)json_object_set_new(config, "Labels", labels);
        }
        for (size_t i = 0; i < image->labels.length; i++) {
                const char *label = image->labels.items[i], *equals = strchr(label, '=');
                _cleanup_free_ char *name = equals ? slice_dup((Slice){label, (size_t)(equals - label)}) : NULL;

                if (name && !json_object_get(labels, name))
                        (void)json_object_set_new(labels, name, json_string(equals + 1));
        }
}

static void default_value(json_t *object, const char *key, json_t *value) {
        const json_t *there = json_object_get(object, key);

        if (!there || json_is_null(there) || (json_is_string(there) && json_string_length(there) == 0))
                (void)json_object_set_new(object, key, value);
        else
                json_decref(value);
}

static void complete(Container *container, const ImageConfig *image) {
        ContainerSpec *spec = &container->spec;
        json_t *config = container->config, *host = container->host_config, *log = json_object_get(host, "LogConfig");

        set_list(config, "Env", &spec->environment);
        complete_set(config, "ExposedPorts", &spec->exposed);
        complete_set(config, "Volumes", &image->volumes);
        complete_labels(config, image);
        (void)json_object_set_new(config, "User", json_string(spec->user ?: ""));
        (void)json_object_set_new(config, "WorkingDir", json_string(spec->directory ?: ""));
        if (image->stop_signal)
                default_value(config, "StopSignal", json_string(image->stop_signal));
        if (!spec->host_name) {
                spec->host_name = slice_dup((Slice){container->id, 12});
                (void)json_object_set_new(config, "Hostname", json_string(spec->host_name ?: ""));
        }
        default_value(host, "NetworkMode", json_string("default"));
        default_value(host, "RestartPolicy", json_pack("{s:s, s:i}", "Name", "no", "MaximumRetryCount", 0));
        default_value(host, "LogConfig", json_pack("{s:s, s:{}}", "Type", "json-file", "Config"));
        if (log)
                default_value(log, "Type", json_string("json-file"));
        (void)json_object_set_new(host, "ShmSize", json_integer(spec->shm_size));
        (void)json_object_set_new(host, "Runtime", json_string(container->engine->runtime_name));
}

/* ---- making ---- */

static int split_body(const json_t *body, Container *container, Error *error) {
        json_t *host;
        int r = json_field_get_object(body, "HostConfig", &host, error);

        if (r < 0)
                return r;
        container->config = json_deep_copy(body);
        container->host_config = host ? json_deep_copy(host) : json_object();
        if (!container->config || !container->host_config)
                return -ENOMEM;
        (void)json_object_del(container->config, "HostConfig");
        (void)json_object_del(container->config, "NetworkingConfig");
        return 0;
}

static int find_image(Engine *engine, const char *name, Image **ret, Error *error) {
        int r = image_store_find(engine->images, name, ret, error);

        if (r == -ENOENT)
                return error_set(error, r, "No such image: %s%s", name,
                                 strchr(name, ':') || strchr(name, '@') ? "" : ":latest");
        return r;
}

static int fill(Container *container, const char *name, const json_t *body, Image **ret_image, Error *error) {
        Engine *engine = container->engine;
        int r = split_body(body, container, error);

        if (r < 0)
                return r;
        if (!json_text(body, "Image")[0])
                return error_set(error, -EINVAL, "no image is given: Image names one");
        r = find_image(engine, json_text(body, "Image"), ret_image, error);
        if (r < 0)
                return r;
        complete_command(container->config, &(*ret_image)->config);
        r = container_settle(container, &(*ret_image)->config, error);
        if (r < 0)
                return r;
        if (container->spec.network == NETWORK_BRIDGE && !engine->network)
                return error_set(error, -EINVAL, "this engine runs without a bridge: use --network host or none");
        if (container->spec.network == NETWORK_CONTAINER &&
            (container->spec.n_ports > 0 || container->spec.publish_all))
                return error_set(error, -EINVAL,
                                 "conflicting options: ports are published by the container whose network it is");
        r = container_check_links(container, error);
        if (r < 0)
                return r;
        complete(container, &(*ret_image)->config);
        container->name = name ? strdup(name) : make_name(engine);
        container->image_id = strdup((*ret_image)->id);
        container->image_name = strdup(container->spec.image);
        return container->name && container->image_id && container->image_name && container->spec.host_name ? 0
                                                                                                            : -ENOMEM;
}

static int enter(Container *container, Error *error) {
        Engine *engine = container->engine;
        int r = file_make_folder(container->directory, 0700, error);

        if (r >= 0)
                r = container_make_volumes(container, error);
        if (r >= 0)
                r = container_take_volumes(container, error);
        if (r >= 0)
                r = container_save(container, error);
        if (r >= 0)
                r = map_put(&engine->by_id, slice_from(container->id), container, NULL);
        if (r >= 0)
                r = map_put(&engine->by_name, slice_from(container->name), container, NULL);
        if (r < 0) {
                map_remove(&engine->by_id, slice_from(container->id));
                (void)file_remove_tree(container->directory, NULL);
        }
        return r;
}

int engine_create(Engine *engine, const char *name, const json_t *body, Container **ret, Error *error) {
        char id[CONTAINER_ID_LENGTH + 1];
        Container *container;
        Image *image;
        int r;

        if (!json_is_object(body))
                return error_set(error, -EINVAL, "the body must be a JSON object");
        if (engine->by_id.length >= ENGINE_CONTAINERS_MAX)
                return error_set(error, -ENOSPC, "there are %d containers already: remove some", ENGINE_CONTAINERS_MAX);
        if (name && name[0] == '/')
                name++;
        r = name ? check_name(engine, name, error) : 0;
        if (r < 0)
                return r;
        random_hex(id);
        r = container_new(engine, id, str_printf("%s/containers/%s", engine->settings->state_dir, id), &container);
        if (r < 0)
                return r;
        container->created = clock_wall();
        r = fill(container, name, body, &image, error);
        if (r >= 0)
                r = enter(container, error);
        if (r < 0) {
                container_free(container);
                return r;
        }
        image->users++;
        engine_emit(container, "create", NULL, NULL);
        *ret = container;
        return 0;
}
