#include "containers/image/image-config.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

#include "containers/image/digest.h"

enum { STRING_MAX = 65536, LIST_MAX = 4096 };

void image_config_deinit(ImageConfig *config) {
        char *strings[] = {config->architecture, config->os, config->user, config->directory, config->stop_signal};
        StringList *lists[] = {&config->entrypoint, &config->command, &config->environment, &config->ports,
                               &config->volumes,    &config->labels,  &config->diff_ids};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                string_list_deinit(lists[i]);
        *config = (ImageConfig){0};
}

/* ---- reading ---- */

static int wrong(Error *error, const char *key, const char *should) {
        return error_set(error, -EBADMSG, "the image's configuration is damaged: \"%s\" is not %s", key, should);
}

/* Absent, null and "" leave NULL. */
static int read_string(json_t *object, const char *key, char **ret, Error *error) {
        json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_string(value) || json_string_length(value) > STRING_MAX ||
            strlen(json_string_value(value)) != json_string_length(value))
                return wrong(error, key, "a string of at most 65536 bytes");
        if (json_string_length(value) == 0)
                return 0;
        *ret = strdup(json_string_value(value));
        return *ret ? 0 : -ENOMEM;
}

static int read_list(json_t *object, const char *key, StringList *list, Error *error) {
        json_t *value = json_object_get(object, key), *item;
        size_t i;
        int r = 0;

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
                return wrong(error, key, "a list of at most 4096 strings");
        json_array_foreach(value, i, item) {
                if (!json_is_string(item) || json_string_length(item) > STRING_MAX ||
                    strlen(json_string_value(item)) != json_string_length(item))
                        return wrong(error, key, "a list of strings");
                r = string_list_add(list, json_string_value(item));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An object's keys, "a": {} …; with `values` as "key=value". */
static int read_keys(json_t *object, const char *key, bool values, StringList *list, Error *error) {
        json_t *map = json_object_get(object, key), *value;
        const char *name;
        int r;

        if (!map || json_is_null(map))
                return 0;
        if (!json_is_object(map) || json_object_size(map) > LIST_MAX)
                return wrong(error, key, "an object of at most 4096 members");
        json_object_foreach(map, name, value) {
                if (strlen(name) > STRING_MAX ||
                    (values && (!json_is_string(value) || json_string_length(value) > STRING_MAX)))
                        return wrong(error, key, "an object of strings");
                r = string_list_take(list, values ? str_printf("%s=%s", name, json_string_value(value)) : strdup(name));
                if (r < 0)
                        return r;
        }
        string_list_sort(list);
        return 0;
}

/* RFC 3339; what cannot be read is 0. */
static WallUsec read_time(json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key)), *rest;
        struct tm parts = {0};

        rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
        return rest ? (WallUsec)timegm(&parts) * (WallUsec)USEC_PER_SEC : 0;
}

static int read_run_config(json_t *config, ImageConfig *ret, Error *error) {
        int r;

        if (!config || json_is_null(config))
                return 0;
        if (!json_is_object(config))
                return wrong(error, "config", "an object");
        ret->has_entrypoint = json_is_array(json_object_get(config, "Entrypoint"));
        if ((r = read_list(config, "Entrypoint", &ret->entrypoint, error)) < 0 ||
            (r = read_list(config, "Cmd", &ret->command, error)) < 0 ||
            (r = read_list(config, "Env", &ret->environment, error)) < 0 ||
            (r = read_string(config, "User", &ret->user, error)) < 0 ||
            (r = read_string(config, "WorkingDir", &ret->directory, error)) < 0 ||
            (r = read_string(config, "StopSignal", &ret->stop_signal, error)) < 0 ||
            (r = read_keys(config, "ExposedPorts", false, &ret->ports, error)) < 0 ||
            (r = read_keys(config, "Volumes", false, &ret->volumes, error)) < 0 ||
            (r = read_keys(config, "Labels", true, &ret->labels, error)) < 0)
                return r;
        return 0;
}

static int read_layers(json_t *root, ImageConfig *ret, Error *error) {
        json_t *rootfs = json_object_get(root, "rootfs");
        int r = read_list(rootfs, "diff_ids", &ret->diff_ids, error);

        if (r < 0)
                return r;
        if (ret->diff_ids.length > IMAGE_LAYERS_MAX)
                return error_set(error, -EBADMSG, "the image has %zu layers: at most %d can be used",
                                 ret->diff_ids.length, IMAGE_LAYERS_MAX);
        for (size_t i = 0; i < ret->diff_ids.length; i++)
                if (!digest_is_valid(slice_from(ret->diff_ids.items[i])))
                        return wrong(error, "diff_ids", "a list of sha256 digests");
        return 0;
}

int image_config_parse(Slice json, ImageConfig *ret, Error *error) {
        _cleanup_image_config_ ImageConfig result = {0};
        json_error_t where;
        json_t *root = json_loadb(json.data, json.length, 0, &where);
        int r;

        if (!root)
                return error_set(error, -EBADMSG, "the image's configuration is not JSON: line %d: %s", where.line,
                                 where.text);
        r = json_is_object(root) ? 0 : error_set(error, -EBADMSG, "the image's configuration is not a JSON object");
        if (r >= 0)
                r = read_string(root, "architecture", &result.architecture, error);
        if (r >= 0)
                r = read_string(root, "os", &result.os, error);
        if (r >= 0)
                r = read_run_config(json_object_get(root, "config"), &result, error);
        if (r >= 0)
                r = read_layers(root, &result, error);
        result.created = read_time(root, "created");
        json_decref(root);
        if (r < 0)
                return r == -ENOMEM ? error_set_errno(error, r, "cannot read the image's configuration") : r;
        *ret = result;
        result = (ImageConfig){0};
        return 0;
}
