#include "containers/image/image-import.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "containers/image/image-changes.h"
#include "containers/image/layer.h"
#include "containers/image/manifest.h"
#include "containers/image/reference.h"

enum { TIME_TEXT_MAX = 64 };

typedef struct Import {
        int archive;
        char full[REFERENCE_TEXT_MAX]; /* "": no name */
        json_t *config;                /* "config" of the new image's configuration */
        char *message;
        WallUsec now;
} Import;

static void import_free(void *input) {
        Import *import = input;

        if (import->archive >= 0)
                (void)close(import->archive);
        json_decref(import->config);
        free(import->message);
        free(import);
}
CLEANUP_DEFINE(Import, import_free)

static void format_time(WallUsec at, char text[static TIME_TEXT_MAX]) {
        time_t seconds = (time_t)(at / (WallUsec)USEC_PER_SEC);
        struct tm parts;
        size_t length;

        if (!gmtime_r(&seconds, &parts))
                parts = (struct tm){.tm_year = 70, .tm_mday = 1};
        length = strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(text + length, TIME_TEXT_MAX - length, ".%06lldZ", (long long)(at % (WallUsec)USEC_PER_SEC));
}

static int put_config(const Content *content, const Import *import, const char *diff_id, ManifestPart *ret,
                      Error *error) {
        _cleanup_free_ char *text = NULL;
        char created[TIME_TEXT_MAX];
        json_t *root;
        int r;

        format_time(import->now, created);
        root = json_pack("{s:s, s:s, s:s, s:O, s:{s:s, s:[s]}, s:[{s:s, s:s}]}", "created", created, "architecture",
                         manifest_architecture(), "os", "linux", "config", import->config, "rootfs", "type", "layers",
                         "diff_ids", diff_id, "history", "created", created, "comment", import->message ?: "");
        text = root ? json_dumps(root, JSON_COMPACT) : NULL;
        json_decref(root);
        if (!text)
                return error_set_errno(error, -ENOMEM, "cannot write the image's configuration");
        r = content_put(content, slice_from(text), ret->digest, error);
        ret->size = strlen(text);
        return r;
}

static int import_run(ImageJob *job, void *input, Error *error) {
        const Import *import = input;
        const Content *content = image_store_content(image_job_store(job));
        char diff_id[DIGEST_TEXT_MAX] = "", digest[DIGEST_TEXT_MAX];
        Manifest manifest = {.layer_count = 1};
        int r;

        r = content_put_file(content, import->archive, MANIFEST_LAYER_SIZE_MAX, manifest.layers[0].digest,
                             &manifest.layers[0].size, error);
        if (r >= 0)
                r = image_job_unpack(job, manifest.layers[0].digest, diff_id, error);
        if (r >= 0)
                r = put_config(content, import, diff_id, &manifest.config, error);
        if (r >= 0)
                r = image_job_put_manifest(job, &manifest, digest, error);
        if (r >= 0 && image_job_add(job, digest, import->full) < 0)
                r = error_set_errno(error, -ENOMEM, "cannot keep the image");
        if (r >= 0)
                image_job_say(job, "", manifest.config.digest, 0, 0);
        return r;
}

static int read_options(Import *import, const ImportOptions *options, Error *error) {
        Reference reference;
        int r = 0;

        import->now = options->now;
        import->config = json_object();
        import->message = options->message ? strdup(options->message) : NULL;
        if (!import->config || (options->message && !import->message))
                return error_set_errno(error, -ENOMEM, "cannot import");
        if (options->name) {
                r = reference_parse(options->name, &reference, error);
                if (r < 0)
                        return r;
                if (reference.digest[0])
                        return error_set(error, -EINVAL, "an imported image cannot be named by a digest");
                reference_format(&reference, import->full);
        }
        if (options->changes && options->changes->length > IMAGE_CHANGES_MAX)
                return error_set(error, -EINVAL, "there are more than %d changes", IMAGE_CHANGES_MAX);
        for (size_t i = 0; r >= 0 && options->changes && i < options->changes->length; i++)
                r = image_change_apply(import->config, options->changes->items[i], error);
        return r;
}

int image_import_start(ImageStore *store, int archive, const ImportOptions *options, const ImageJobEvents *events,
                       void *userdata, ImageJob **ret, Error *error) {
        _cleanup_(import_freep) Import *import = calloc(1, sizeof(*import));
        int r;

        if (!import) {
                (void)close(archive);
                return error_set_errno(error, -ENOMEM, "cannot import");
        }
        import->archive = archive;
        r = read_options(import, options, error);
        return r < 0 ? r
                     : image_job_start(store, import_run, take_ptr(import), import_free, events, userdata, ret, error);
}
