#include "containers/image/image-save.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#include "containers/image/manifest.h"
#include "containers/image/reference.h"

enum { COPY_SIZE = 65536 };

/* What the thread needs of one image. */
typedef struct SaveImage {
        char manifest[DIGEST_TEXT_MAX];
        StringList names; /* short ones; none when it was asked for by id */
} SaveImage;

typedef struct Save {
        int output;
        SaveImage images[SAVE_IMAGES_MAX];
        size_t length;
} Save;

static void save_free(void *input) {
        Save *save = input;

        for (size_t i = 0; i < save->length; i++)
                string_list_deinit(&save->images[i].names);
        free(save);
}
CLEANUP_DEFINE(Save, save_free)

static int failed(struct archive *archive, Error *error) {
        return error_set(error, -EIO, "cannot write the archive: %s", archive_error_string(archive) ?: "unknown error");
}

static int write_header(struct archive *archive, const char *name, uint64_t size, Error *error) {
        struct archive_entry *entry = archive_entry_new();
        int r;

        if (!entry)
                return error_set_errno(error, -ENOMEM, "cannot write the archive");
        archive_entry_set_pathname(entry, name);
        archive_entry_set_size(entry, (la_int64_t)size);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        r = archive_write_header(archive, entry) < ARCHIVE_WARN ? failed(archive, error) : 0;
        archive_entry_free(entry);
        return r;
}

static int write_text(struct archive *archive, const char *name, const char *text, Error *error) {
        int r = write_header(archive, name, strlen(text), error);

        return r >= 0 && archive_write_data(archive, text, strlen(text)) < 0 ? failed(archive, error) : r;
}

/* Each only once, also when several images share it. */
static int write_blob(struct archive *archive, const Content *content, const char *digest, StringList *written,
                      Error *error) {
        _cleanup_free_ char *path = content_path(content, digest),
                            *name = str_printf("blobs/sha256/%s", digest_hex(digest));
        _cleanup_close_ int fd = -1;
        char block[COPY_SIZE];
        struct stat status;
        ssize_t n;
        int r;

        if (string_list_contains(written, digest))
                return 0;
        if (!path || !name || string_list_add(written, digest) < 0)
                return error_set_errno(error, -ENOMEM, "cannot write the archive");
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0)
                return error_set_errno(error, -errno, "cannot read %s", path);
        r = write_header(archive, name, (uint64_t)status.st_size, error);
        if (r < 0)
                return r;
        while ((n = read(fd, block, sizeof(block))) > 0)
                if (archive_write_data(archive, block, (size_t)n) < 0)
                        return failed(archive, error);
        return n < 0 ? error_set_errno(error, -errno, "cannot read %s", path) : 0;
}

static int read_manifest(const Content *content, const char *digest, Manifest *ret, uint64_t *ret_size, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = content_read(content, digest, MANIFEST_SIZE_MAX, &text, error);

        *ret_size = buffer_length(&text);
        return r < 0 ? r : manifest_parse((Slice){buffer_data(&text), buffer_length(&text)}, "", "", ret, error);
}

/* The image's rows in manifest.json (docker) and index.json (OCI). */
static int list_image(const SaveImage *image, const Manifest *manifest, uint64_t manifest_size, json_t *docker,
                      json_t *oci) {
        json_t *names = json_array(), *layers = json_array(), *row;
        int r = 0;

        for (size_t i = 0; i < image->names.length; i++)
                r |= json_array_append_new(names, json_string(image->names.items[i]));
        for (size_t i = 0; i < manifest->layer_count; i++)
                r |= json_array_append_new(layers,
                                           json_sprintf("blobs/sha256/%s", digest_hex(manifest->layers[i].digest)));
        row = json_pack("{s:o, s:o, s:o}", "Config",
                        json_sprintf("blobs/sha256/%s", digest_hex(manifest->config.digest)), "RepoTags", names,
                        "Layers", layers);
        r |= json_array_append_new(docker, row);
        for (size_t i = 0; i < max_of(image->names.length, (size_t)1); i++) {
                row = json_pack("{s:s, s:s, s:I}", "mediaType", MANIFEST_TYPE_OCI, "digest", manifest->digest, "size",
                                (json_int_t)manifest_size);
                if (i < image->names.length)
                        r |= json_object_set_new(row, "annotations",
                                                 json_pack("{s:s}", "io.containerd.image.name", image->names.items[i]));
                r |= json_array_append_new(oci, row);
        }
        return r ? -ENOMEM : 0;
}

static int write_images(ImageJob *job, const Save *save, struct archive *archive, json_t *docker, json_t *oci,
                        Error *error) {
        const Content *content = image_store_content(image_job_store(job));
        _cleanup_string_list_ StringList written = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < save->length; i++) {
                const SaveImage *image = &save->images[i];
                uint64_t size = 0;
                Manifest manifest;

                if (image_job_is_cancelled(job))
                        return error_set(error, -ECANCELED, "it was cancelled");
                r = read_manifest(content, image->manifest, &manifest, &size, error);
                if (r >= 0)
                        r = write_blob(archive, content, image->manifest, &written, error);
                if (r >= 0)
                        r = write_blob(archive, content, manifest.config.digest, &written, error);
                for (size_t k = 0; r >= 0 && k < manifest.layer_count; k++)
                        r = write_blob(archive, content, manifest.layers[k].digest, &written, error);
                if (r >= 0 && list_image(image, &manifest, size, docker, oci) < 0)
                        r = error_set_errno(error, -ENOMEM, "cannot write the archive");
        }
        return r;
}

static int write_lists(struct archive *archive, json_t *docker, json_t *oci, Error *error) {
        json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MANIFEST_TYPE_OCI_INDEX,
                                  "manifests", oci);
        _cleanup_free_ char *index_text = index ? json_dumps(index, JSON_COMPACT) : NULL;
        _cleanup_free_ char *docker_text = json_dumps(docker, JSON_COMPACT);
        int r;

        json_decref(index);
        if (!index_text || !docker_text)
                return error_set_errno(error, -ENOMEM, "cannot write the archive");
        r = write_text(archive, "index.json", index_text, error);
        if (r >= 0)
                r = write_text(archive, "manifest.json", docker_text, error);
        return r < 0 ? r : write_text(archive, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", error);
}

static int save_run(ImageJob *job, void *input, Error *error) {
        const Save *save = input;
        struct archive *archive = archive_write_new();
        json_t *docker = json_array(), *oci = json_array();
        int r = 0;

        if (!archive || !docker || !oci)
                r = error_set_errno(error, -ENOMEM, "cannot write the archive");
        else if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
                 archive_write_open_fd(archive, save->output) != ARCHIVE_OK)
                r = failed(archive, error);
        if (r >= 0)
                r = write_images(job, save, archive, docker, oci, error);
        if (r >= 0)
                r = write_lists(archive, docker, oci, error);
        if (r >= 0 && archive_write_close(archive) != ARCHIVE_OK)
                r = failed(archive, error);
        if (archive)
                (void)archive_write_free(archive);
        json_decref(docker);
        json_decref(oci);
        return r;
}

/* A name that was given goes along; of an image given by its id none does. */
static int save_add(ImageStore *store, Save *save, const char *name, Error *error) {
        char full[REFERENCE_TEXT_MAX], brief[REFERENCE_TEXT_MAX];
        SaveImage *to = NULL;
        Reference reference;
        Image *image;
        int r = image_store_find(store, name, &image, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < save->length; i++)
                if (str_equals(save->images[i].manifest, image->manifest))
                        to = &save->images[i];
        if (!to) {
                if (save->length >= SAVE_IMAGES_MAX)
                        return error_set(error, -E2BIG, "more than %d images at once", SAVE_IMAGES_MAX);
                to = &save->images[save->length++];
                memcpy(to->manifest, image->manifest, sizeof(to->manifest));
        }
        if (reference_parse(name, &reference, NULL) < 0)
                return 0;
        reference_format(&reference, full);
        reference_format_short(&reference, brief);
        return string_list_contains(&image->names, full) && string_list_add(&to->names, brief) < 0
                       ? error_set_errno(error, -ENOMEM, "cannot save")
                       : 0;
}

int image_save_start(ImageStore *store, const StringList *names, int output, const ImageJobEvents *events,
                     void *userdata, ImageJob **ret, Error *error) {
        _cleanup_(save_freep) Save *save = calloc(1, sizeof(*save));
        int r = 0;

        if (!save)
                return error_set_errno(error, -ENOMEM, "cannot save");
        save->output = output;
        for (size_t i = 0; r >= 0 && i < names->length; i++)
                r = save_add(store, save, names->items[i], error);
        return r < 0 ? r : image_job_start(store, save_run, take_ptr(save), save_free, events, userdata, ret, error);
}
