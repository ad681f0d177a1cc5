/* docker load: an archive that docker save wrote (manifest.json), or an OCI image layout (index.json). */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "containers/image/image-import.h"
#include "containers/image/layer.h"
#include "containers/image/manifest.h"
#include "containers/image/reference.h"
#include "host/file.h"

enum { LOAD_IMAGES_MAX = 256 };

/* An archive that was unpacked into a folder. */
typedef struct Load {
        ImageJob *job;
        const Content *content;
        int folder;
        Error *error;
} Load;

static void load_input_free(void *input) {
        (void)close(*(int *)input);
        free(input);
}

/* Opens a file of the archive; its links may point only to what is in it. */
static int open_file(const Load *load, const char *name) {
        struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        long fd = syscall(SYS_openat2, load->folder, name, &how, sizeof(how));
        struct stat status;

        if (fd < 0)
                return error_set_errno(load->error, -errno, "the archive's file \"%s\" cannot be read", name);
        if (fstat((int)fd, &status) < 0 || !S_ISREG(status.st_mode)) {
                (void)close((int)fd);
                return error_set(load->error, -EBADMSG, "\"%s\" in the archive is not a file", name);
        }
        return (int)fd;
}

/* Puts a file of the archive among the contents. `digest`: what it must have; "": any, written there. */
static int take_file(const Load *load, const char *name, uint64_t limit, ManifestPart *part) {
        _cleanup_close_ int fd = open_file(load, name);
        char digest[DIGEST_TEXT_MAX];
        int r;

        if (fd < 0)
                return fd;
        r = content_put_file(load->content, fd, limit, digest, &part->size, load->error);
        if (r >= 0 && part->digest[0] && !str_equals(part->digest, digest))
                r = error_set(load->error, -EBADMSG, "its digest is %s and not %s", digest, part->digest);
        memcpy(part->digest, digest, sizeof(digest));
        return r < 0 ? error_prefix(load->error, r, "the archive's file \"%s\"", name) : 0;
}

static int read_json(const Load *load, const char *name, json_t **ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        ManifestPart part = {0};
        int r = take_file(load, name, MANIFEST_SIZE_MAX, &part);

        if (r >= 0)
                r = content_read(load->content, part.digest, MANIFEST_SIZE_MAX, &text, load->error);
        if (r < 0)
                return r;
        *ret = json_loadb(buffer_data(&text), buffer_length(&text), 0, NULL);
        return *ret ? 0 : error_set(load->error, -EBADMSG, "the archive's file \"%s\" is not JSON", name);
}

/* ---- what both forms end with ---- */

static int read_diff_ids(const Load *load, const ManifestPart *part, ImageConfig *config, size_t layers) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = content_read(load->content, part->digest, MANIFEST_SIZE_MAX, &text, load->error);

        if (r >= 0)
                r = image_config_parse((Slice){buffer_data(&text), buffer_length(&text)}, config, load->error);
        if (r >= 0 && config->diff_ids.length != layers)
                r = error_set(load->error, -EBADMSG,
                              "the image is damaged: %zu layers, but its configuration names %zu", layers,
                              config->diff_ids.length);
        return r;
}

static int unpack_layers(const Load *load, const Manifest *manifest) {
        _cleanup_image_config_ ImageConfig config = {0};
        char diff_id[DIGEST_TEXT_MAX];
        int r = read_diff_ids(load, &manifest->config, &config, manifest->layer_count);

        for (size_t i = 0; r >= 0 && i < manifest->layer_count; i++) {
                memcpy(diff_id, config.diff_ids.items[i], sizeof(diff_id));
                r = image_job_unpack(load->job, manifest->layers[i].digest, diff_id, load->error);
        }
        return r;
}

static int add_name(const Load *load, const char *manifest, const char *name) {
        char full[REFERENCE_TEXT_MAX], brief[REFERENCE_TEXT_MAX];
        _cleanup_free_ char *text = NULL;
        Reference reference;
        int r = reference_parse(name, &reference, load->error);

        if (r < 0)
                return r;
        reference_format(&reference, full);
        reference_format_short(&reference, brief);
        r = image_job_add(load->job, manifest, full);
        text = str_printf("Loaded image: %s", brief);
        if (r < 0 || !text)
                return error_set_errno(load->error, -ENOMEM, "cannot keep the image");
        image_job_say(load->job, "", text, 0, 0);
        return 0;
}

static int add_nameless(const Load *load, const Manifest *manifest, const char *digest) {
        _cleanup_free_ char *text = str_printf("Loaded image ID: %s", manifest->config.digest);
        int r = image_job_add(load->job, digest, NULL);

        if (r < 0 || !text)
                return error_set_errno(load->error, -ENOMEM, "cannot keep the image");
        image_job_say(load->job, "", text, 0, 0);
        return 0;
}

/* ---- docker save ---- */

static int load_docker_image(const Load *load, json_t *entry) {
        json_t *layers = json_object_get(entry, "Layers"), *names = json_object_get(entry, "RepoTags"), *item;
        const char *config = json_string_value(json_object_get(entry, "Config"));
        char digest[DIGEST_TEXT_MAX];
        Manifest manifest = {0};
        size_t i;
        int r;

        if (!config || !json_is_array(layers) || json_array_size(layers) > IMAGE_LAYERS_MAX)
                return error_set(load->error, -EBADMSG,
                                 "the archive's manifest.json is damaged, or an image has more than %d layers",
                                 IMAGE_LAYERS_MAX);
        r = take_file(load, config, MANIFEST_SIZE_MAX, &manifest.config);
        json_array_foreach(layers, i, item) {
                if (r >= 0)
                        r = json_is_string(item)
                                    ? take_file(load, json_string_value(item), MANIFEST_LAYER_SIZE_MAX,
                                                &manifest.layers[i])
                                    : error_set(load->error, -EBADMSG,
                                                "the archive's manifest.json is damaged: a layer has no name");
        }
        manifest.layer_count = json_array_size(layers);
        if (r >= 0)
                r = unpack_layers(load, &manifest);
        if (r >= 0)
                r = image_job_put_manifest(load->job, &manifest, digest, load->error);
        if (r >= 0 && json_array_size(names) == 0)
                return add_nameless(load, &manifest, digest);
        json_array_foreach(names, i, item) if (r >= 0) r = add_name(load, digest, json_string_value(item) ?: "");
        return r;
}

/* ---- OCI layout ---- */

static int take_blob(const Load *load, uint64_t limit, ManifestPart *part) {
        _cleanup_free_ char *name = str_printf("blobs/sha256/%s", digest_hex(part->digest));

        return name ? take_file(load, name, limit, part) : error_set_errno(load->error, -ENOMEM, "cannot load");
}

static int load_oci_manifest(const Load *load, const char *digest, Manifest *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        ManifestPart part = {0};
        int r;

        (void)snprintf(part.digest, sizeof(part.digest), "%s", digest);
        r = take_blob(load, MANIFEST_SIZE_MAX, &part);
        if (r >= 0)
                r = content_read(load->content, part.digest, MANIFEST_SIZE_MAX, &text, load->error);
        if (r >= 0)
                r = manifest_parse((Slice){buffer_data(&text), buffer_length(&text)}, manifest_architecture(), "linux",
                                   ret, load->error);
        return r;
}

static int load_oci_image(const Load *load, json_t *entry) {
        const char *digest = json_string_value(json_object_get(entry, "digest")), *name;
        json_t *notes = json_object_get(entry, "annotations");
        Manifest manifest = {0};
        int r;

        if (!digest || !digest_is_valid(slice_from(digest)))
                return error_set(load->error, -EBADMSG,
                                 "the archive's index.json is damaged: an image has no sha256 digest");
        r = load_oci_manifest(load, digest, &manifest);
        if (r >= 0 && manifest.is_list) {
                ManifestPart chosen = manifest.chosen;

                r = load_oci_manifest(load, chosen.digest, &manifest);
                if (r >= 0 && manifest.is_list)
                        r = error_set(load->error, -EBADMSG, "a list of manifests names a list");
        }
        if (r >= 0)
                r = take_blob(load, MANIFEST_SIZE_MAX, &manifest.config);
        for (size_t i = 0; r >= 0 && i < manifest.layer_count; i++)
                r = take_blob(load, MANIFEST_LAYER_SIZE_MAX, &manifest.layers[i]);
        if (r >= 0)
                r = unpack_layers(load, &manifest);
        if (r < 0)
                return r;
        name = json_string_value(json_object_get(notes, "io.containerd.image.name"))
                       ?: json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));
        return name ? add_name(load, manifest.digest, name) : add_nameless(load, &manifest, manifest.digest);
}

/* ---- the job ---- */

static int load_all(const Load *load) {
        bool docker = faccessat(load->folder, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        json_t *root = NULL, *list, *entry;
        size_t i;
        int r;

        if (!docker && faccessat(load->folder, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(
                        load->error, -EBADMSG,
                        "the archive holds no image: it has neither manifest.json (docker save) nor index.json "
                        "(OCI layout). A root file system is taken in by import");
        r = read_json(load, docker ? "manifest.json" : "index.json", &root);
        list = docker ? root : json_object_get(root, "manifests");
        if (r >= 0 && (!json_is_array(list) || json_array_size(list) > LOAD_IMAGES_MAX))
                r = error_set(load->error, -EBADMSG, "the archive's list of images is damaged, or has more than %d",
                              LOAD_IMAGES_MAX);
        if (r >= 0)
                json_array_foreach(list, i, entry) {
                        r = docker ? load_docker_image(load, entry) : load_oci_image(load, entry);
                        if (r < 0)
                                break;
                }
        json_decref(root);
        return r;
}

static int load_run(ImageJob *job, void *input, Error *error) {
        _cleanup_free_ char *name = str_printf("load-%p", (void *)job);
        _cleanup_free_ char *temporary = name ? image_store_temporary_path(image_job_store(job), name) : NULL;
        Load load = {.job = job, .content = image_store_content(image_job_store(job)), .folder = -1, .error = error};
        LayerResult unpacked;
        int r;

        if (!temporary)
                return error_set_errno(error, -ENOMEM, "cannot load");
        r = file_make_folder(temporary, 0700, error);
        if (r >= 0)
                r = layer_unpack(*(int *)input, temporary, LAYER_WHITEOUTS_NONE, &unpacked, error);
        if (r >= 0) {
                load.folder = open(temporary, O_PATH | O_DIRECTORY | O_CLOEXEC);
                r = load.folder < 0 ? error_set_errno(error, -errno, "cannot open %s", temporary) : load_all(&load);
        }
        if (load.folder >= 0)
                (void)close(load.folder);
        (void)file_remove_tree(temporary, NULL);
        return r;
}

int image_load_start(ImageStore *store, int archive, const ImageJobEvents *events, void *userdata, ImageJob **ret,
                     Error *error) {
        int *input = malloc(sizeof(*input));

        if (!input) {
                (void)close(archive);
                return error_set_errno(error, -ENOMEM, "cannot load");
        }
        *input = archive;
        return image_job_start(store, load_run, input, load_input_free, events, userdata, ret, error);
}
