#include <errno.h>

#include "containers/runtime/json-fields.h"
#include "containers/runtime/spec.h"

static int add_mount(ContainerSpec *spec, SpecMount **ret, Error *error) {
        SpecMount *more;

        if (spec->n_mounts >= SPEC_MOUNTS_MAX)
                return error_set(error, -EINVAL, "more than %d mounts", SPEC_MOUNTS_MAX);
        more = reallocarray(spec->mounts, spec->n_mounts + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        spec->mounts = more;
        *ret = &spec->mounts[spec->n_mounts++];
        **ret = (SpecMount){0};
        return 0;
}

static bool has_target(const ContainerSpec *spec, const char *target) {
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].target && str_equals(spec->mounts[i].target, target))
                        return true;
        return false;
}

bool spec_volume_name_is_valid(Slice name) {
        for (size_t i = 0; i < name.length; i++) {
                char c = name.data[i];
                bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

                if (!plain && (i == 0 || !strchr("_.-", c)))
                        return false;
        }
        return name.length >= 2 && name.length <= 128;
}

static bool is_target(Slice path) {
        Slice rest = path, part;

        if (path.length < 2 || path.data[0] != '/')
                return false;
        while (slice_split(&rest, '/', &part))
                if (slice_equals(part, slice_from("..")))
                        return false;
        return true;
}

static int bind_mode(Slice mode, SpecMount *mount, const char *text, Error *error) {
        static const char *const ignored[] = {"rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"};
        static const char *const propagations[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
        Slice part;

        while (mode.data && slice_split(&mode, ',', &part)) {
                bool known = part.length == 0;

                if (slice_equals(part, slice_from("ro")))
                        known = mount->read_only = true;
                for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
                        known |= slice_equals(part, slice_from(ignored[i]));
                for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
                        if (slice_equals(part, slice_from(propagations[i]))) {
                                free(mount->propagation);
                                mount->propagation = strdup(propagations[i]);
                                known = true;
                        }
                if (!known)
                        return error_set(error, -EINVAL, "invalid mode of the volume \"%.256s\": %.*s", text,
                                         (int)part.length, part.data);
        }
        return 0;
}

static int fill_target(SpecMount *mount, Slice target, const char *what, Error *error) {
        if (!is_target(target))
                return error_set(error, -EINVAL,
                                 "invalid mount \"%.256s\": the destination must be an absolute path, not / itself",
                                 what);
        mount->target = slice_dup(target);
        return mount->target ? 0 : -ENOMEM;
}

/* "/host/path:/path", "name:/path:ro", "/path" */
static int parse_bind(const char *text, ContainerSpec *spec, Error *error) {
        Slice rest = slice_from(text), source, target = {0};
        SpecMount *mount = NULL;
        int r = add_mount(spec, &mount, error);

        if (r < 0)
                return r;
        (void)slice_split(&rest, ':', &source);
        if (rest.data)
                (void)slice_split(&rest, ':', &target);
        if (!target.data) {
                mount->kind = MOUNT_VOLUME;
                return fill_target(mount, source, text, error);
        }
        mount->kind = source.length > 0 && source.data[0] == '/' ? MOUNT_BIND : MOUNT_VOLUME;
        if (mount->kind == MOUNT_VOLUME && !spec_volume_name_is_valid(source))
                return error_set(error, -EINVAL,
                                 "create %.*s: \"%.*s\" includes invalid characters for a local volume name, only "
                                 "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
                                 "use absolute path",
                                 (int)source.length, source.data, (int)source.length, source.data);
        mount->source = slice_dup(source);
        if (!mount->source)
                return -ENOMEM;
        r = bind_mode(rest, mount, text, error);
        return r < 0 ? r : fill_target(mount, target, text, error);
}

static int parse_tmpfs(const char *target, const char *options, ContainerSpec *spec, Error *error) {
        SpecMount *mount = NULL;
        int r = add_mount(spec, &mount, error);

        if (r < 0)
                return r;
        mount->kind = MOUNT_TMPFS;
        mount->options = strdup(options);
        return mount->options ? fill_target(mount, slice_from(target), target, error) : -ENOMEM;
}

/* --mount: {"Type":"bind","Source":…,"Target":…,"ReadOnly":…} */
static int parse_mount(const json_t *object, ContainerSpec *spec, Error *error) {
        const char *type = json_text(object, "Type"), *target = json_text(object, "Target");
        json_t *options = json_object_get(object, "TmpfsOptions");
        SpecMount *mount = NULL;
        int r = add_mount(spec, &mount, error);

        if (r >= 0)
                r = json_field_get_bool(object, "ReadOnly", &mount->read_only, error);
        if (r >= 0)
                r = json_field_get_string(object, "Source", &mount->source, error);
        if (r < 0)
                return r;
        if (str_equals(type, "tmpfs")) {
                json_int_t size = json_integer_value(json_object_get(options, "SizeBytes"));

                mount->kind = MOUNT_TMPFS;
                mount->options = size > 0 ? str_printf("size=%lld", (long long)size) : strdup("");
                if (!mount->options)
                        return -ENOMEM;
        } else if (str_equals(type, "bind")) {
                mount->must_exist = true;
                if (!mount->source || mount->source[0] != '/')
                        return error_set(error, -EINVAL,
                                         "invalid mount config for type \"bind\": Source must be an absolute path");
        } else if (str_equals(type, "volume") || type[0] == '\0') {
                mount->kind = MOUNT_VOLUME;
                if (mount->source && !spec_volume_name_is_valid(slice_from(mount->source)))
                        return error_set(error, -EINVAL, "\"%.128s\" is no name of a volume", mount->source);
        } else {
                return error_set(error, -EINVAL, "mount type \"%.64s\" is not known: bind, volume and tmpfs are", type);
        }
        return fill_target(mount, slice_from(target), target, error);
}

static int add_volume(const char *target, ContainerSpec *spec, Error *error) {
        SpecMount *mount = NULL;
        int r;

        if (has_target(spec, target))
                return 0;
        r = add_mount(spec, &mount, error);
        if (r < 0)
                return r;
        mount->kind = MOUNT_VOLUME;
        return fill_target(mount, slice_from(target), target, error);
}

int spec_mounts_parse(const json_t *config, const json_t *host_config, const ImageConfig *image, ContainerSpec *spec,
                      Error *error) {
        _cleanup_string_list_ StringList binds = {0};
        json_t *tmpfs, *mounts, *volumes, *value;
        const char *key;
        int r;

        r = json_field_get_list(host_config, "Binds", &binds, NULL, error);
        if (r >= 0)
                r = json_field_get_object(host_config, "Tmpfs", &tmpfs, error);
        if (r >= 0)
                r = json_field_get_array(host_config, "Mounts", &mounts, error);
        if (r >= 0)
                r = json_field_get_object(config, "Volumes", &volumes, error);
        for (size_t i = 0; r >= 0 && i < binds.length; i++)
                r = parse_bind(binds.items[i], spec, error);
        for (size_t i = 0; r >= 0 && i < json_array_size(mounts); i++)
                r = parse_mount(json_array_get(mounts, i), spec, error);
        if (r < 0)
                return r;
        json_object_foreach (tmpfs, key, value) {
                r = parse_tmpfs(key, json_string_value(value) ?: "", spec, error);
                if (r < 0)
                        return r;
        }
        json_object_foreach (volumes, key, value) {
                r = add_volume(key, spec, error);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; image && i < image->volumes.length && r >= 0; i++)
                r = add_volume(image->volumes.items[i], spec, error);
        for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++)
                for (size_t k = 0; k < i; k++)
                        if (str_equals(spec->mounts[i].target, spec->mounts[k].target))
                                return error_set(error, -EINVAL, "Duplicate mount point: %.256s",
                                                 spec->mounts[i].target);
        return r;
}
