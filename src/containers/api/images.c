#include "containers/api/images.h"

#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>

#include "base/json-write.h"
#include "containers/api/images-internal.h"
#include "containers/image/manifest.h"
#include "containers/image/reference.h"

#define JSON_HEADER "Content-Type: application/json\r\n"

/* ---- answers ---- */

static unsigned status_of(int r) {
        switch (r) {
        case -ENOENT:
        case -EACCES:
                return 404;
        case -EINVAL:
        case -EBADMSG:
        case -ENOTUNIQ:
        case -E2BIG:
                return 400;
        case -EBUSY:
                return 409;
        default:
                return 500;
        }
}

void images_respond_json(HttpRequest *request, unsigned status, Buffer *text) {
        if (buffer_failed(text))
                http_respond(request, 500, JSON_HEADER, slice_from("{\"message\":\"out of memory\"}\n"));
        else
                http_respond(request, status, JSON_HEADER, (Slice){buffer_data(text), buffer_length(text)});
}

void images_respond_error(HttpRequest *request, int r, const Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);

        json_begin_object(&writer);
        json_field_string(&writer, "message", error->text[0] ? error->text : strerror(-r));
        json_end_object(&writer);
        (void)buffer_append_byte(&text, '\n');
        images_respond_json(request, status_of(r), &text);
}

char *images_query(HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        return url_query_get(http_request_query(request), name, &value) > 0 && buffer_length(&value) > 0
                       ? buffer_steal_string(&value, NULL)
                       : NULL;
}

char *images_join_name(const char *repository, const char *tag) {
        return tag ? str_printf("%s%c%s", repository, strchr(tag, ':') ? '@' : ':', tag) : strdup(repository);
}

/* ---- listing ---- */

static void write_names(JsonWriter *writer, const Image *image) {
        char brief[REFERENCE_TEXT_MAX];
        Reference reference;

        json_begin_array(writer);
        for (size_t i = 0; i < image->names.length; i++)
                if (reference_parse(image->names.items[i], &reference, NULL) >= 0) {
                        reference_format_short(&reference, brief);
                        json_write_string(writer, slice_from(brief));
                }
        json_end_array(writer);
}

/* "busybox@sha256:…" for each repository that the image is named after. */
static void write_digests(JsonWriter *writer, const Image *image) {
        char repository[REFERENCE_TEXT_MAX], before[REFERENCE_TEXT_MAX] = "";
        Reference reference;

        json_begin_array(writer);
        for (size_t i = 0; i < image->names.length; i++) {
                _cleanup_free_ char *text = NULL;

                if (reference_parse(image->names.items[i], &reference, NULL) < 0)
                        continue;
                reference_format_repository(&reference, repository);
                text = str_printf("%s@%s", repository, image->manifest);
                if (text && !str_equals(repository, before))
                        json_write_string(writer, slice_from(text));
                memcpy(before, repository, sizeof(before));
        }
        json_end_array(writer);
}

static void write_labels(JsonWriter *writer, const StringList *labels) {
        json_begin_object(writer);
        for (size_t i = 0; i < labels->length; i++) {
                Slice rest = slice_from(labels->items[i]), name;
                _cleanup_free_ char *key = slice_split(&rest, '=', &name) ? slice_dup(name) : NULL;

                if (key)
                        json_field_slice(writer, key, rest.data ? rest : slice_from(""));
        }
        json_end_object(writer);
}

static void write_list_row(JsonWriter *writer, const Image *image) {
        json_begin_object(writer);
        json_key(writer, "Containers");
        json_write_i64(writer, -1);
        json_field_i64(writer, "Created", image->config.created / (WallUsec)USEC_PER_SEC);
        json_field_string(writer, "Id", image->id);
        json_key(writer, "Labels");
        if (image->config.labels.length > 0)
                write_labels(writer, &image->config.labels);
        else
                json_write_null(writer);
        json_field_string(writer, "ParentId", "");
        json_key(writer, "RepoDigests");
        write_digests(writer, image);
        json_key(writer, "RepoTags");
        write_names(writer, image);
        json_key(writer, "SharedSize");
        json_write_i64(writer, -1);
        json_field_u64(writer, "Size", image->size);
        json_field_u64(writer, "VirtualSize", image->size);
        json_end_object(writer);
}

/* A pattern of --filter reference=… matches a repository, or a whole name. */
static bool name_matches(const Image *image, const char *pattern) {
        char brief[REFERENCE_TEXT_MAX], repository[REFERENCE_TEXT_MAX];
        Reference reference;

        for (size_t i = 0; i < image->names.length; i++) {
                if (reference_parse(image->names.items[i], &reference, NULL) < 0)
                        continue;
                reference_format_short(&reference, brief);
                reference_format_repository(&reference, repository);
                if (fnmatch(pattern, brief, FNM_PATHNAME) == 0 || fnmatch(pattern, repository, FNM_PATHNAME) == 0)
                        return true;
        }
        return false;
}

/* Docker's older form lists values, the newer has them as an object's members. */
static bool filter_matches(json_t *values, bool (*matches)(const Image *image, const char *value), const Image *image) {
        const char *key;
        json_t *value;
        size_t i;

        json_array_foreach(values, i,
                           value) if (json_is_string(value) && matches(image, json_string_value(value))) return true;
        json_object_foreach(values, key, value) if (json_is_true(value) && matches(image, key)) return true;
        return false;
}

static bool dangling_matches(const Image *image, const char *value) {
        bool wanted = false;

        return str_parse_bool(slice_from(value), &wanted) >= 0 && wanted == (image->names.length == 0);
}

static bool label_matches(const Image *image, const char *value) {
        size_t length = strlen(value);

        for (size_t i = 0; i < image->config.labels.length; i++) {
                const char *label = image->config.labels.items[i];

                if (str_equals(label, value) ||
                    (!strchr(value, '=') && strncmp(label, value, length) == 0 && label[length] == '='))
                        return true;
        }
        return false;
}

static const struct {
        const char *name;
        bool (*matches)(const Image *image, const char *value);
} filters[] = {{"reference", name_matches}, {"dangling", dangling_matches}, {"label", label_matches}};

static int read_filters(HttpRequest *request, json_t **ret, Error *error) {
        _cleanup_free_ char *text = images_query(request, "filters");
        const char *key;
        json_t *value;

        *ret = text ? json_loads(text, 0, NULL) : json_object();
        if (!json_is_object(*ret))
                return error_set(error, -EINVAL, "the filters are not a JSON object");
        json_object_foreach(*ret, key, value) {
                bool known = false;

                for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
                        known |= str_equals(filters[i].name, key);
                if (!known)
                        return error_set(error, -EINVAL, "invalid filter '%s'", key);
        }
        return 0;
}

static bool image_passes(const Image *image, json_t *wanted) {
        for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
                json_t *values = json_object_get(wanted, filters[i].name);

                if (values && !filter_matches(values, filters[i].matches, image))
                        return false;
        }
        return true;
}

void images_api_list(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);
        Error error = ERROR_NONE;
        json_t *wanted = NULL;
        Image *image;
        int r;

        (void)name;
        r = read_filters(request, &wanted, &error);
        if (r >= 0) {
                json_begin_array(&writer);
                for (size_t i = 0; (image = image_store_at(api->store, i)); i++)
                        if (image_passes(image, wanted))
                                write_list_row(&writer, image);
                json_end_array(&writer);
        }
        json_decref(wanted);
        if (r < 0)
                images_respond_error(request, r, &error);
        else
                images_respond_json(request, 200, &text);
}

/* ---- one image ---- */

/* The image's own configuration as it was written. */
static int read_raw_config(ImagesApi *api, const Image *image, json_t **ret, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = content_read(image_store_content(api->store), image->id, MANIFEST_SIZE_MAX, &text, error);

        if (r < 0)
                return r;
        *ret = json_loadb(buffer_data(&text), buffer_length(&text), 0, NULL);
        return *ret ? 0 : error_set(error, -EIO, "the configuration of %s is damaged", image->id);
}

static int find_with_config(ImagesApi *api, const char *name, Image **ret_image, json_t **ret_config, Error *error) {
        int r = image_store_find(api->store, name, ret_image, error);

        return r < 0 ? r : read_raw_config(api, *ret_image, ret_config, error);
}

static void write_json(JsonWriter *writer, const char *key, json_t *value) {
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

        json_key(writer, key);
        if (text)
                json_write_raw(writer, slice_from(text));
        else
                json_write_null(writer);
}

static const char *text_of(json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key)) ?: "";
}

static void write_layers(JsonWriter *writer, const Image *image) {
        json_key(writer, "RootFS");
        json_begin_object(writer);
        json_field_string(writer, "Type", "layers");
        json_field_strings(writer, "Layers", &image->config.diff_ids);
        json_end_object(writer);
}

static void write_inspection(JsonWriter *writer, const Image *image, json_t *config) {
        json_t *history = json_object_get(config, "history");
        json_t *last = json_array_get(history, json_array_size(history) - (json_array_size(history) > 0));

        json_begin_object(writer);
        json_field_string(writer, "Id", image->id);
        json_key(writer, "RepoTags");
        write_names(writer, image);
        json_key(writer, "RepoDigests");
        write_digests(writer, image);
        json_field_string(writer, "Parent", "");
        json_field_string(writer, "Comment", text_of(last, "comment"));
        json_field_string(writer, "Created", text_of(config, "created"));
        json_field_string(writer, "DockerVersion", text_of(config, "docker_version"));
        json_field_string(writer, "Author", text_of(config, "author"));
        write_json(writer, "Config", json_object_get(config, "config"));
        json_field_string(writer, "Architecture", text_of(config, "architecture"));
        json_field_string(writer, "Os", text_of(config, "os"));
        json_field_u64(writer, "Size", image->size);
        json_field_u64(writer, "VirtualSize", image->size);
        json_key(writer, "GraphDriver");
        json_begin_object(writer);
        json_key(writer, "Data");
        json_begin_object(writer);
        json_end_object(writer);
        json_field_string(writer, "Name", "overlay2");
        json_end_object(writer);
        write_layers(writer, image);
        json_key(writer, "Metadata");
        json_begin_object(writer);
        json_end_object(writer);
        json_end_object(writer);
}

void images_api_inspect(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);
        Error error = ERROR_NONE;
        json_t *config = NULL;
        Image *image;
        int r = find_with_config(api, name, &image, &config, &error);

        if (r < 0) {
                images_respond_error(request, r, &error);
                return;
        }
        write_inspection(&writer, image, config);
        json_decref(config);
        images_respond_json(request, 200, &text);
}

static void write_history_row(JsonWriter *writer, const Image *image, json_t *row, bool youngest) {
        json_begin_object(writer);
        json_field_string(writer, "Comment", text_of(row, "comment"));
        json_field_i64(writer, "Created", image->config.created / (WallUsec)USEC_PER_SEC);
        json_field_string(writer, "CreatedBy", text_of(row, "created_by"));
        json_field_string(writer, "Id", youngest ? image->id : "<missing>");
        json_key(writer, "Size");
        json_write_u64(writer, youngest && image->config.diff_ids.length == 1 ? image->size : 0);
        json_key(writer, "Tags");
        if (youngest)
                write_names(writer, image);
        else
                json_write_null(writer);
        json_end_object(writer);
}

void images_api_history(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);
        Error error = ERROR_NONE;
        json_t *config = NULL, *rows;
        Image *image;
        int r = find_with_config(api, name, &image, &config, &error);

        if (r < 0) {
                images_respond_error(request, r, &error);
                return;
        }
        rows = json_object_get(config, "history");
        json_begin_array(&writer);
        for (size_t i = json_array_size(rows); i > 0; i--)
                write_history_row(&writer, image, json_array_get(rows, i - 1), i == json_array_size(rows));
        json_end_array(&writer);
        json_decref(config);
        images_respond_json(request, 200, &text);
}

/* ---- names ---- */

void images_api_tag(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_free_ char *repository = images_query(request, "repo"), *tag = images_query(request, "tag");
        _cleanup_free_ char *full = repository ? images_join_name(repository, tag) : NULL;
        Error error = ERROR_NONE;
        Image *image;
        int r = image_store_find(api->store, name, &image, &error);

        if (r >= 0)
                r = full ? image_store_tag(api->store, image, full, &error)
                         : error_set(&error, -EINVAL, "the parameter repo is missing");
        if (r < 0)
                images_respond_error(request, r, &error);
        else
                http_respond(request, 201, "", slice_from(""));
}

void images_api_remove(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_free_ char *force_text = images_query(request, "force");
        _cleanup_string_list_ StringList removed = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);
        Error error = ERROR_NONE;
        bool force = false;
        int r;

        if (force_text)
                (void)str_parse_bool(slice_from(force_text), &force);
        r = image_store_remove(api->store, name, force, &removed, &error);
        if (r < 0) {
                images_respond_error(request, r, &error);
                return;
        }
        json_begin_array(&writer);
        for (size_t i = 0; i < removed.length; i++) {
                Slice rest = slice_from(removed.items[i]), key;
                _cleanup_free_ char *what = slice_split(&rest, ':', &key) ? slice_dup(key) : NULL;

                json_begin_object(&writer);
                if (what)
                        json_field_slice(&writer, what, slice_trim(rest));
                json_end_object(&writer);
        }
        json_end_array(&writer);
        images_respond_json(request, 200, &text);
}
