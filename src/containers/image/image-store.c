#include "containers/image/image-store.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/json-write.h"
#include "containers/image/manifest.h"
#include "containers/image/reference.h"
#include "host/file.h"

enum { LAYER_NAME_LENGTH = 16, ID_PREFIX_MIN = 4, INDEX_SIZE_MAX = 16 << 20 };

struct ImageStore {
        uv_loop_t *loop;
        char *directory;
        Content content;
        Image **images; /* youngest first */
        size_t length, capacity;
        unsigned jobs;
        uint64_t trash; /* number of the next piece of rubbish */
        bool sweep_due;
};

static void image_free(Image *image) {
        if (!image)
                return;
        image_config_deinit(&image->config);
        string_list_deinit(&image->names);
        free(image);
}
CLEANUP_DEFINE(Image, image_free)

const Content *image_store_content(const ImageStore *store) {
        return &store->content;
}

uv_loop_t *image_store_loop(const ImageStore *store) {
        return store->loop;
}

char *image_store_layer_path(const ImageStore *store, const char *diff_id) {
        return str_printf("%s/layers/%.*s", store->directory, LAYER_NAME_LENGTH, digest_hex(diff_id));
}

char *image_store_temporary_path(const ImageStore *store, const char *name) {
        return str_printf("%s/tmp/%s", store->directory, name);
}

/* ---- the index ---- */

static int index_write(const ImageStore *store, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/images.json", store->directory);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);

        json_begin_object(&writer);
        json_field_u64(&writer, "version", 1);
        json_key(&writer, "images");
        json_begin_array(&writer);
        for (size_t i = 0; i < store->length; i++) {
                json_begin_object(&writer);
                json_field_string(&writer, "manifest", store->images[i]->manifest);
                json_field_strings(&writer, "names", &store->images[i]->names);
                json_end_object(&writer);
        }
        json_end_array(&writer);
        json_end_object(&writer);
        if (!path || buffer_failed(&text))
                return error_set_errno(error, -ENOMEM, "cannot write the list of images");
        return file_replace(path, 0600, (Slice){buffer_data(&text), buffer_length(&text)}, true, error);
}

/* ---- one image ---- */

static int layers_measure(const ImageStore *store, Image *image, Error *error) {
        image->size = 0;
        for (size_t i = 0; i < image->config.diff_ids.length; i++) {
                _cleanup_free_ char *layer = image_store_layer_path(store, image->config.diff_ids.items[i]);
                _cleanup_free_ char *size_path = layer ? str_printf("%s.size", layer) : NULL;
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                uint64_t size;
                int r;

                if (!size_path)
                        return error_set_errno(error, -ENOMEM, "cannot look at the layers");
                r = file_read(size_path, 32, &text, error);
                if (r < 0)
                        return error_prefix(error, r, "the layer %s is not there", image->config.diff_ids.items[i]);
                if (str_parse_u64(slice_trim((Slice){buffer_data(&text), buffer_length(&text)}), UINT64_MAX, &size) < 0)
                        return error_set(error, -EBADMSG, "%s is damaged", size_path);
                image->size += size;
        }
        return 0;
}

/* Reads what the store knows of an image from its manifest. */
static int image_read(const ImageStore *store, const char *manifest_digest, Image **ret, Error *error) {
        _cleanup_(image_freep) Image *image = calloc(1, sizeof(*image));
        _cleanup_buffer_ Buffer text = BUFFER_INIT, config = BUFFER_INIT;
        Manifest manifest;
        int r;

        if (!image)
                return error_set_errno(error, -ENOMEM, "cannot read the image");
        r = content_read(&store->content, manifest_digest, MANIFEST_SIZE_MAX, &text, error);
        if (r >= 0)
                r = manifest_parse((Slice){buffer_data(&text), buffer_length(&text)}, "", "", &manifest, error);
        if (r >= 0 && manifest.is_list)
                r = error_set(error, -EBADMSG, "%s is a list of manifests, not one image", manifest_digest);
        if (r >= 0)
                r = content_read(&store->content, manifest.config.digest, MANIFEST_SIZE_MAX, &config, error);
        if (r >= 0)
                r = image_config_parse((Slice){buffer_data(&config), buffer_length(&config)}, &image->config, error);
        if (r < 0)
                return r;
        if (image->config.diff_ids.length != manifest.layer_count)
                return error_set(error, -EBADMSG,
                                 "the image is damaged: its manifest has %zu layers, its configuration %zu",
                                 manifest.layer_count, image->config.diff_ids.length);
        memcpy(image->id, manifest.config.digest, sizeof(image->id));
        memcpy(image->manifest, manifest_digest, sizeof(image->manifest));
        r = layers_measure(store, image, error);
        if (r >= 0)
                *ret = take_ptr(image);
        return r;
}

/* Keeps the order by time. */
static int images_insert(ImageStore *store, Image *image, Error *error) {
        size_t at = 0;

        if (store->length >= IMAGES_MAX)
                return error_set(error, -ENOSPC, "there are %d images already: remove some", IMAGES_MAX);
        if (store->length == store->capacity) {
                size_t capacity = store->capacity ? store->capacity * 2 : 16;
                Image **larger = reallocarray(store->images, capacity, sizeof(*larger));

                if (!larger)
                        return error_set_errno(error, -ENOMEM, "cannot keep the image");
                store->images = larger;
                store->capacity = capacity;
        }
        while (at < store->length && store->images[at]->config.created > image->config.created)
                at++;
        memmove(&store->images[at + 1], &store->images[at], (store->length - at) * sizeof(Image *));
        store->images[at] = image;
        store->length++;
        return 0;
}

static void images_take_out(ImageStore *store, const Image *image) {
        for (size_t i = 0; i < store->length; i++)
                if (store->images[i] == image) {
                        memmove(&store->images[i], &store->images[i + 1], (store->length - i - 1) * sizeof(Image *));
                        store->length--;
                        return;
                }
}

static void names_remove(Image *image, const char *name) {
        for (size_t i = 0; i < image->names.length; i++)
                if (str_equals(image->names.items[i], name)) {
                        free(image->names.items[i]);
                        memmove(&image->names.items[i], &image->names.items[i + 1],
                                (image->names.length - i) * sizeof(char *));
                        image->names.length--;
                        return;
                }
}

static Image *find_by_id(const ImageStore *store, const char *id) {
        for (size_t i = 0; i < store->length; i++)
                if (str_equals(store->images[i]->id, id))
                        return store->images[i];
        return NULL;
}

static Image *find_by_name(const ImageStore *store, const char *name) {
        for (size_t i = 0; i < store->length; i++)
                if (string_list_contains(&store->images[i]->names, name))
                        return store->images[i];
        return NULL;
}

/* ---- rubbish ---- */

typedef struct Rubbish {
        uv_work_t work;
        char *path;
} Rubbish;

static void rubbish_work(uv_work_t *work) {
        (void)file_remove_tree(((Rubbish *)work->data)->path, NULL); /* what stays goes with tmp/ at the next start */
}

static void rubbish_done(uv_work_t *work, int status) {
        Rubbish *rubbish = work->data;

        (void)status;
        free(rubbish->path);
        free(rubbish);
}

/* Out of sight at once, gone a little later: a layer can have many files. */
static void throw_away(ImageStore *store, const char *path) {
        Rubbish *rubbish = calloc(1, sizeof(*rubbish));

        if (rubbish)
                rubbish->path = str_printf("%s/tmp/rubbish-%llu", store->directory, (unsigned long long)store->trash++);
        if (!rubbish || !rubbish->path || rename(path, rubbish->path) < 0) {
                if (rubbish)
                        free(rubbish->path);
                free(rubbish);
                return;
        }
        rubbish->work.data = rubbish;
        if (uv_queue_work(store->loop, &rubbish->work, rubbish_work, rubbish_done) < 0)
                rubbish_done(&rubbish->work, 0);
}

/* What the images need: hexadecimal digests and names of layers. */
static int collect_needed(const ImageStore *store, StringList *contents, StringList *layers) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < store->length; i++) {
                const Image *image = store->images[i];
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Manifest manifest = {0};

                r = content_read(&store->content, image->manifest, MANIFEST_SIZE_MAX, &text, NULL);
                if (r >= 0)
                        r = manifest_parse((Slice){buffer_data(&text), buffer_length(&text)}, "", "", &manifest, NULL);
                if (r >= 0)
                        r = string_list_add(contents, digest_hex(image->manifest));
                if (r >= 0)
                        r = string_list_add(contents, digest_hex(image->id));
                for (size_t k = 0; r >= 0 && k < manifest.layer_count; k++)
                        r = string_list_add(contents, digest_hex(manifest.layers[k].digest));
                for (size_t k = 0; r >= 0 && k < image->config.diff_ids.length; k++)
                        r = string_list_take(layers, slice_dup((Slice){digest_hex(image->config.diff_ids.items[k]),
                                                                       LAYER_NAME_LENGTH}));
        }
        return r;
}

static void sweep_folder(ImageStore *store, const char *name, const StringList *needed, size_t compare) {
        _cleanup_free_ char *folder = str_printf("%s/%s", store->directory, name);
        DIR *directory = folder ? opendir(folder) : NULL;
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                _cleanup_free_ char *key = slice_dup((Slice){entry->d_name, min_of(strlen(entry->d_name), compare)});
                _cleanup_free_ char *path = str_printf("%s/%s", folder, entry->d_name);

                if (entry->d_name[0] != '.' && key && path && !string_list_contains(needed, key))
                        throw_away(store, path);
        }
        if (directory)
                (void)closedir(directory);
}

/* Removes what no image needs. When it cannot be told what that is, all stays. */
static void sweep(ImageStore *store) {
        _cleanup_string_list_ StringList contents = {0}, layers = {0};

        store->sweep_due = store->jobs > 0;
        if (store->sweep_due || collect_needed(store, &contents, &layers) < 0)
                return;
        sweep_folder(store, "sha256", &contents, DIGEST_HEX_LENGTH);
        sweep_folder(store, "layers", &layers, LAYER_NAME_LENGTH);
}

void image_store_job_begin(ImageStore *store) {
        store->jobs++;
}

void image_store_job_end(ImageStore *store) {
        store->jobs--;
        if (store->jobs == 0 && store->sweep_due)
                sweep(store);
}

/* ---- opening ---- */

/* An image that cannot be read any more is left out: it has to be fetched anew. */
static int open_image(ImageStore *store, json_t *entry) {
        const char *digest = json_string_value(json_object_get(entry, "manifest"));
        json_t *names = json_object_get(entry, "names"), *name;
        Image *image = NULL;
        size_t i;
        int r;

        if (!digest || !digest_is_valid(slice_from(digest)) || image_read(store, digest, &image, NULL) < 0)
                return 0;
        r = images_insert(store, image, NULL);
        if (r < 0) {
                image_free(image);
                return r;
        }
        json_array_foreach(names, i, name) {
                r = json_is_string(name) ? string_list_add(&image->names, json_string_value(name)) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_index(ImageStore *store, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/images.json", store->directory);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        json_t *root, *entry;
        size_t i;
        int r;

        if (!path)
                return error_set_errno(error, -ENOMEM, "cannot read the list of images");
        r = file_read(path, INDEX_SIZE_MAX, &text, error);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        root = json_loadb(buffer_data(&text), buffer_length(&text), 0, NULL);
        if (!root)
                return error_set(error, -EBADMSG,
                                 "%s is damaged. Move it away to begin without images: they can be fetched anew", path);
        json_array_foreach(json_object_get(root, "images"), i, entry) {
                r = open_image(store, entry);
                if (r < 0)
                        break;
        }
        json_decref(root);
        return r < 0 ? error_set_errno(error, r, "cannot read the list of images") : 0;
}

int image_store_open(uv_loop_t *loop, const char *directory, ImageStore **ret, Error *error) {
        ImageStore *store = calloc(1, sizeof(*store));
        _cleanup_free_ char *layers = str_printf("%s/layers", directory);
        int r;

        if (!store || !layers || !(store->directory = strdup(directory))) {
                image_store_free(store);
                return error_set_errno(error, -ENOMEM, "cannot open the images");
        }
        store->loop = loop;
        r = file_make_folder(layers, 0700, error);
        if (r >= 0)
                r = content_open(&store->content, directory, error);
        if (r >= 0)
                r = open_index(store, error);
        if (r < 0) {
                image_store_free(store);
                return r;
        }
        sweep(store);
        *ret = store;
        return 0;
}

ImageStore *image_store_free(ImageStore *store) {
        if (!store)
                return NULL;
        for (size_t i = 0; i < store->length; i++)
                image_free(store->images[i]);
        free(store->images);
        content_deinit(&store->content);
        free(store->directory);
        free(store);
        return NULL;
}

/* ---- finding ---- */

static bool is_hex(Slice text) {
        for (size_t i = 0; i < text.length; i++)
                if (!strchr("0123456789abcdef", text.data[i]))
                        return false;
        return true;
}

/* 0 with *ret NULL: no id begins so. */
static int find_by_id_prefix(const ImageStore *store, const char *name, Image **ret, Error *error) {
        Slice prefix = slice_from(str_starts_with(name, DIGEST_PREFIX) ? digest_hex(name) : name);
        Image *found = NULL;

        *ret = NULL;
        if (prefix.length < ID_PREFIX_MIN || prefix.length > DIGEST_HEX_LENGTH || !is_hex(prefix))
                return 0;
        for (size_t i = 0; i < store->length; i++) {
                if (memcmp(digest_hex(store->images[i]->id), prefix.data, prefix.length) != 0)
                        continue;
                if (found)
                        return error_set(error, -ENOTUNIQ, "several images have an id that begins with %s", name);
                found = store->images[i];
        }
        *ret = found;
        return 0;
}

/* "name@sha256:…": the image with that name's repository and manifest. */
static Image *find_by_digest(const ImageStore *store, const Reference *reference) {
        for (size_t i = 0; i < store->length; i++)
                if (str_equals(store->images[i]->manifest, reference->digest))
                        return store->images[i];
        return NULL;
}

int image_store_find(const ImageStore *store, const char *name, Image **ret, Error *error) {
        char full[REFERENCE_TEXT_MAX];
        Reference reference;
        Image *found;
        int r, parsed;

        parsed = reference_parse(name, &reference, error);
        if (parsed >= 0) {
                reference_format(&reference, full);
                found = find_by_name(store, full);
                if (!found && reference.digest[0])
                        found = find_by_digest(store, &reference);
                if (found) {
                        *ret = found;
                        return 0;
                }
        }
        r = find_by_id_prefix(store, name, &found, error);
        if (r < 0)
                return r;
        if (found) {
                *ret = found;
                return 0;
        }
        if (parsed < 0)
                return parsed;
        reference_format_short(&reference, full);
        return error_set(error, -ENOENT, "No such image: %s", full);
}

Image *image_store_at(const ImageStore *store, size_t at) {
        return at < store->length ? store->images[at] : NULL;
}

char *image_lower_directories(const ImageStore *store, const Image *image) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = image->config.diff_ids.length; i > 0; i--)
                (void)buffer_printf(&text, "%s%s/layers/%.*s", buffer_length(&text) ? ":" : "", store->directory,
                                    LAYER_NAME_LENGTH, digest_hex(image->config.diff_ids.items[i - 1]));
        return buffer_failed(&text) ? NULL : buffer_steal_string(&text, NULL);
}

/* ---- changing ---- */

/* The image that had the name keeps its place in the list, without a name perhaps, as Docker leaves it ("<none>"). */
static int name_move(ImageStore *store, Image *image, const char *full, Error *error) {
        Image *before = find_by_name(store, full);
        int r;

        if (before == image)
                return 0;
        if (image->names.length >= IMAGE_NAMES_MAX)
                return error_set(error, -ENOSPC, "the image has %d names already", IMAGE_NAMES_MAX);
        r = string_list_add(&image->names, full);
        if (r < 0)
                return error_set_errno(error, r, "cannot name the image");
        if (before)
                names_remove(before, full);
        r = index_write(store, error);
        if (r < 0) {
                names_remove(image, full);
                if (before)
                        (void)string_list_add(&before->names, full);
        }
        return r;
}

int image_store_add(ImageStore *store, const char *manifest, const char *name, Image **ret, Error *error) {
        Image *image = NULL, *known;
        int r;

        r = image_read(store, manifest, &image, error);
        if (r < 0)
                return r;
        known = find_by_id(store, image->id);
        if (known) {
                image_free(image);
                image = known;
        } else {
                r = images_insert(store, image, error);
                if (r < 0) {
                        image_free(image);
                        return r;
                }
        }
        r = name ? name_move(store, image, name, error) : index_write(store, error);
        if (r < 0 && !known) {
                images_take_out(store, image);
                image_free(image);
        }
        if (r >= 0)
                *ret = image;
        return r;
}

int image_store_tag(ImageStore *store, Image *image, const char *name, Error *error) {
        char full[REFERENCE_TEXT_MAX];
        Reference reference;
        int r = reference_parse(name, &reference, error);

        if (r < 0)
                return r;
        if (reference.digest[0])
                return error_set(error, -EINVAL, "refusing to create a tag with a digest reference");
        reference_format(&reference, full);
        return name_move(store, image, full, error);
}

static int remove_name(ImageStore *store, Image *image, const char *full, StringList *removed, Error *error) {
        char brief[REFERENCE_TEXT_MAX];
        Reference reference;
        int r;

        if (reference_parse(full, &reference, error) < 0)
                return -EINVAL;
        reference_format_short(&reference, brief);
        r = string_list_take(removed, str_printf("Untagged: %s", brief));
        if (r < 0)
                return error_set_errno(error, r, "cannot remove the name");
        names_remove(image, full);
        return index_write(store, error);
}

static int remove_image(ImageStore *store, Image *image, StringList *removed, Error *error) {
        int r = 0;

        while (r >= 0 && image->names.length > 0) {
                _cleanup_free_ char *name = strdup(image->names.items[0]);

                r = name ? remove_name(store, image, name, removed, error)
                         : error_set_errno(error, -ENOMEM, "cannot remove the image");
        }
        if (r >= 0)
                r = string_list_take(removed, str_printf("Deleted: %s", image->id));
        if (r < 0)
                return r;
        images_take_out(store, image);
        image_free(image);
        r = index_write(store, error);
        sweep(store);
        return r;
}

int image_store_remove(ImageStore *store, const char *name, bool force, StringList *removed, Error *error) {
        char full[REFERENCE_TEXT_MAX] = "";
        Reference reference;
        Image *image;
        bool by_name;
        int r = image_store_find(store, name, &image, error);

        if (r < 0)
                return r;
        if (reference_parse(name, &reference, NULL) >= 0)
                reference_format(&reference, full);
        by_name = string_list_contains(&image->names, full);
        if (by_name && image->names.length > 1)
                return remove_name(store, image, full, removed, error);
        if (image->users > 0)
                return error_set(
                        error, -EBUSY, "conflict: unable to remove \"%s\": %u container%s made of it: remove %s first",
                        name, image->users, image->users == 1 ? " is" : "s are", image->users == 1 ? "that" : "those");
        if (!by_name && image->names.length > 1 && !force)
                return error_set(
                        error, -EBUSY,
                        "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories",
                        name);
        return remove_image(store, image, removed, error);
}
