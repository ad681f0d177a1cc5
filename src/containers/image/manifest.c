#include "containers/image/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <sys/utsname.h>

#include "base/json-write.h"

static int read_part(json_t *object, const char *what, uint64_t size_max, ManifestPart *ret, Error *error) {
        const char *digest = json_string_value(json_object_get(object, "digest"));
        json_int_t size = json_integer_value(json_object_get(object, "size"));

        if (!digest || !digest_is_valid(slice_from(digest)))
                return error_set(error, -EBADMSG, "the manifest is damaged: %s has no sha256 digest", what);
        if (size < 0 || (uint64_t)size > size_max)
                return error_set(error, -EBADMSG, "the manifest is damaged, or asks too much: %s has %lld bytes", what,
                                 (long long)size);
        memcpy(ret->digest, digest, DIGEST_TEXT_MAX);
        ret->size = (uint64_t)size;
        return 0;
}

static bool platform_fits(json_t *entry, const char *architecture, const char *os) {
        json_t *platform = json_object_get(entry, "platform");
        const char *arch = json_string_value(json_object_get(platform, "architecture"));
        const char *system = json_string_value(json_object_get(platform, "os"));

        return arch && system && str_equals(arch, architecture) && str_equals(system, os);
}

/* A list with one entry that names no platform is what tools write for a single image. */
static int read_list(json_t *entries, const char *architecture, const char *os, Manifest *ret, Error *error) {
        json_t *entry, *fits = NULL;
        size_t i;

        json_array_foreach(entries, i, entry) if (!fits && platform_fits(entry, architecture, os)) fits = entry;
        if (!fits && json_array_size(entries) == 1 && !json_object_get(json_array_get(entries, 0), "platform"))
                fits = json_array_get(entries, 0);
        if (!fits)
                return error_set(error, -ENOENT, "there is no such image for this platform (%s/%s)", os, architecture);
        ret->is_list = true;
        return read_part(fits, "an image in the list", MANIFEST_SIZE_MAX, &ret->chosen, error);
}

static int read_image(json_t *root, Manifest *ret, Error *error) {
        json_t *layers = json_object_get(root, "layers"), *layer;
        size_t i;
        int r;

        if (!json_is_array(layers))
                return error_set(
                        error, -EBADMSG,
                        "this is no manifest of an image that can be read here: it has neither layers nor a list "
                        "of manifests (Docker's schema 1 is not supported)");
        if (json_array_size(layers) > IMAGE_LAYERS_MAX)
                return error_set(error, -EBADMSG, "the image has %zu layers: at most %d can be used",
                                 json_array_size(layers), IMAGE_LAYERS_MAX);
        r = read_part(json_object_get(root, "config"), "the configuration", MANIFEST_SIZE_MAX, &ret->config, error);
        if (r < 0)
                return r;
        json_array_foreach(layers, i, layer) {
                r = read_part(layer, "a layer", MANIFEST_LAYER_SIZE_MAX, &ret->layers[i], error);
                if (r < 0)
                        return r;
        }
        ret->layer_count = json_array_size(layers);
        return 0;
}

int manifest_parse(Slice json, const char *architecture, const char *os, Manifest *ret, Error *error) {
        Manifest result = {0};
        json_error_t where;
        json_t *root, *list;
        int r;

        r = digest_of(json, result.digest);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the manifest");
        root = json_loadb(json.data, json.length, 0, &where);
        if (!root)
                return error_set(error, -EBADMSG, "the manifest is not JSON: line %d: %s", where.line, where.text);
        list = json_object_get(root, "manifests");
        r = json_is_array(list) ? read_list(list, architecture, os, &result, error) : read_image(root, &result, error);
        json_decref(root);
        if (r >= 0)
                *ret = result;
        return r;
}

const char *manifest_architecture(void) {
        static const struct {
                const char *machine, *name;
        } rows[] = {
                {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"i686", "386"}, {"riscv64", "riscv64"}};
        static struct utsname names;

        if (uname(&names) < 0)
                return "unknown";
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (str_equals(names.machine, rows[i].machine))
                        return rows[i].name;
        return names.machine;
}

/* ---- writing ---- */

static void write_part(JsonWriter *writer, const char *type, const ManifestPart *part) {
        json_begin_object(writer);
        json_field_string(writer, "mediaType", type);
        json_field_string(writer, "digest", part->digest);
        json_field_u64(writer, "size", part->size);
        json_end_object(writer);
}

int manifest_write(const Manifest *manifest, Buffer *to) {
        JsonWriter writer = json_writer(to);

        json_begin_object(&writer);
        json_key(&writer, "schemaVersion");
        json_write_u64(&writer, 2);
        json_field_string(&writer, "mediaType", MANIFEST_TYPE_OCI);
        json_key(&writer, "config");
        write_part(&writer, MANIFEST_TYPE_OCI_CONFIG, &manifest->config);
        json_key(&writer, "layers");
        json_begin_array(&writer);
        for (size_t i = 0; i < manifest->layer_count; i++)
                write_part(&writer, MANIFEST_TYPE_OCI_LAYER, &manifest->layers[i]);
        json_end_array(&writer);
        json_end_object(&writer);
        return buffer_failed(to);
}

const char *manifest_media_type(Slice json) {
        static const char *const known[] = {MANIFEST_TYPE_DOCKER, MANIFEST_TYPE_DOCKER_LIST, MANIFEST_TYPE_OCI,
                                            MANIFEST_TYPE_OCI_INDEX};
        json_t *root = json_loadb(json.data, json.length, 0, NULL);
        const char *says = json_string_value(json_object_get(root, "mediaType")), *found = MANIFEST_TYPE_OCI;

        for (size_t i = 0; says && i < ARRAY_SIZE(known); i++)
                if (str_equals(says, known[i]))
                        found = known[i];
        json_decref(root);
        return found;
}
