#include "containers/image/image-pull.h"

#include <errno.h>
#include <stdio.h>

#include "containers/image/manifest.h"
#include "containers/image/reference.h"
#include "containers/image/registry.h"

enum {
        SHORT_ID_LENGTH = 12,
        REDIRECTS_TO_PLATFORM_MAX = 2,
        PEER_CONNECT_SEC = 1, /* a peer is near, or has just died */
};

#define DOCKER_HUB_URL "https://registry-1.docker.io"

/* What the thread works on. */
typedef struct Pull {
        Reference reference;
        char full[REFERENCE_TEXT_MAX], brief[REFERENCE_TEXT_MAX];
        StringList peers;
        char *username, *password;
        char present[DIGEST_TEXT_MAX]; /* manifest of the image that has this name now; "": none */
} Pull;

/* One attempt at one place. */
typedef struct Fetch {
        ImageJob *job;
        Registry *registry;
        const char *repository;
        const Content *content;
        char part[SHORT_ID_LENGTH + 1]; /* the layer under way */
} Fetch;

static void pull_free(void *input) {
        Pull *pull = input;

        string_list_deinit(&pull->peers);
        free(pull->username);
        free(pull->password);
        free(pull);
}

static bool is_cancelled(void *job) {
        return image_job_is_cancelled(job);
}

static const char *short_id(const char *digest, char *text) {
        memcpy(text, digest_hex(digest), SHORT_ID_LENGTH);
        text[SHORT_ID_LENGTH] = '\0';
        return text;
}

/* ---- parts ---- */

static void on_progress(void *userdata, uint64_t current, uint64_t total) {
        Fetch *fetch = userdata;

        image_job_say(fetch->job, fetch->part, "Downloading", current, total);
}

static int fetch_blob(Fetch *fetch, const ManifestPart *part, bool tell, Error *error) {
        _cleanup_content_writer_ ContentWriter writer = {.fd = -1};
        char digest[DIGEST_TEXT_MAX];
        int r;

        if (content_has(fetch->content, part->digest, NULL))
                return 0;
        r = content_write_begin(&writer, fetch->content, part->size, error);
        if (r >= 0)
                r = registry_get_blob(fetch->registry, fetch->repository, part->digest, part->size, &writer,
                                      tell ? on_progress : NULL, fetch, error);
        if (r >= 0)
                r = content_write_end(&writer, part->digest, digest, error);
        return r < 0 ? error_prefix(error, r, "%s", part->digest) : 0;
}

static int fetch_layer(Fetch *fetch, const ManifestPart *part, const char *diff_id, Error *error) {
        char expected[DIGEST_TEXT_MAX];
        int r;

        memcpy(expected, diff_id, sizeof(expected));
        (void)short_id(part->digest, fetch->part);
        image_job_say(fetch->job, fetch->part, "Pulling fs layer", 0, 0);
        r = fetch_blob(fetch, part, true, error);
        if (r < 0)
                return r;
        image_job_say(fetch->job, fetch->part, "Download complete", 0, 0);
        image_job_say(fetch->job, fetch->part, "Extracting", part->size, part->size);
        r = image_job_unpack(fetch->job, part->digest, expected, error);
        if (r >= 0)
                image_job_say(fetch->job, fetch->part, "Pull complete", 0, 0);
        return r;
}

/* The manifest of one image; of a list the one for this platform. */
static int fetch_manifest(Fetch *fetch, const char *reference, Buffer *text, Manifest *ret, Error *error) {
        char wanted[REFERENCE_TEXT_MAX];

        (void)snprintf(wanted, sizeof(wanted), "%s", reference);
        for (int step = 0; step < REDIRECTS_TO_PLATFORM_MAX; step++) {
                int r;

                buffer_clear(text);
                r = registry_get_manifest(fetch->registry, fetch->repository, wanted, text, error);
                if (r >= 0)
                        r = manifest_parse((Slice){buffer_data(text), buffer_length(text)}, manifest_architecture(),
                                           "linux", ret, error);
                if (r >= 0 && digest_is_valid(slice_from(wanted)) && !str_equals(wanted, ret->digest))
                        r = error_set(error, -EBADMSG,
                                      "the manifest has the digest %s and not %s: it was damaged on the way",
                                      ret->digest, wanted);
                if (r < 0 || !ret->is_list)
                        return r;
                (void)snprintf(wanted, sizeof(wanted), "%s", ret->chosen.digest);
        }
        return error_set(error, -EBADMSG, "a list of manifests names a list");
}

static int fetch_image(Fetch *fetch, const char *reference, char *ret_manifest, Error *error) {
        _cleanup_image_config_ ImageConfig config = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT, config_text = BUFFER_INIT;
        Manifest manifest;
        int r;

        r = fetch_manifest(fetch, reference, &text, &manifest, error);
        if (r >= 0)
                r = fetch_blob(fetch, &manifest.config, false, error);
        if (r >= 0)
                r = content_read(fetch->content, manifest.config.digest, MANIFEST_SIZE_MAX, &config_text, error);
        if (r >= 0)
                r = image_config_parse((Slice){buffer_data(&config_text), buffer_length(&config_text)}, &config, error);
        if (r >= 0 && config.diff_ids.length != manifest.layer_count)
                r = error_set(error, -EBADMSG,
                              "the image is damaged: its manifest has %zu layers, its configuration %zu",
                              manifest.layer_count, config.diff_ids.length);
        for (size_t i = 0; r >= 0 && i < manifest.layer_count; i++)
                r = image_job_is_cancelled(fetch->job)
                            ? error_set(error, -ECANCELED, "it was cancelled")
                            : fetch_layer(fetch, &manifest.layers[i], config.diff_ids.items[i], error);
        return r < 0 ? r
                     : content_put(fetch->content, (Slice){buffer_data(&text), buffer_length(&text)}, ret_manifest,
                                   error);
}

/* ---- places ---- */

static const char *wanted_version(const Pull *pull) {
        return pull->reference.digest[0] ? pull->reference.digest : pull->reference.tag;
}

static int fetch_from(ImageJob *job, const RegistryOptions *options, const char *repository, const char *reference,
                      char *ret_manifest, Error *error) {
        _cleanup_(registry_freep) Registry *registry = NULL;
        Fetch fetch = {.job = job, .repository = repository, .content = image_store_content(image_job_store(job))};
        int r = registry_new(options, &registry, error);

        fetch.registry = registry;
        return r < 0 ? r : fetch_image(&fetch, reference, ret_manifest, error);
}

/* 0: one of them had it. What a peer could not give is no error yet: the registry is asked next. */
static int fetch_from_peers(ImageJob *job, const Pull *pull, char *ret_manifest) {
        for (size_t i = 0; i < pull->peers.length && !image_job_is_cancelled(job); i++) {
                const RegistryOptions options = {.url = pull->peers.items[i],
                                                 .space = pull->reference.host,
                                                 .connect_seconds = PEER_CONNECT_SEC,
                                                 .cancelled = is_cancelled,
                                                 .userdata = job};
                _cleanup_free_ char *text = NULL;
                Error error = ERROR_NONE;
                int r = fetch_from(job, &options, pull->reference.path, wanted_version(pull), ret_manifest, &error);

                text = r >= 0 ? str_printf("Fetched from the machine at %s", pull->peers.items[i])
                              : str_printf("Not from the machine at %s: %s", pull->peers.items[i], error.text);
                if (text && r != -ENOENT)
                        image_job_say(job, "", text, 0, 0);
                if (r >= 0)
                        return 0;
        }
        return -ENOENT;
}

/* Registries on this machine are spoken to without TLS, as docker does; others only with it. */
static char *registry_url(const Reference *reference) {
        bool local = str_starts_with(reference->host, "localhost:") || str_equals(reference->host, "localhost") ||
                     str_starts_with(reference->host, "127.") || str_starts_with(reference->host, "[::1]");

        if (str_equals(reference->host, REFERENCE_HOST_DEFAULT))
                return strdup(DOCKER_HUB_URL);
        return str_printf("%s://%s", local ? "http" : "https", reference->host);
}

static int fetch_from_registry(ImageJob *job, const Pull *pull, char *ret_manifest, Error *error) {
        _cleanup_free_ char *url = registry_url(&pull->reference);
        const RegistryOptions options = {.url = url,
                                         .username = pull->username,
                                         .password = pull->password,
                                         .cancelled = is_cancelled,
                                         .userdata = job};

        if (!url)
                return error_set_errno(error, -ENOMEM, "cannot ask the registry");
        return fetch_from(job, &options, pull->reference.path, wanted_version(pull), ret_manifest, error);
}

static void say_status(ImageJob *job, const char *what, const char *name, const char *more) {
        _cleanup_free_ char *text = str_printf("Status: %s %s%s", what, name, more);

        if (text)
                image_job_say(job, "", text, 0, 0);
}

static int pull_end(ImageJob *job, const Pull *pull, const char *manifest, Error *error) {
        _cleanup_free_ char *digest = str_printf("Digest: %s", manifest);
        bool same = str_equals(manifest, pull->present);
        int r = image_job_add(job, manifest, pull->full);

        if (r < 0 || !digest)
                return error_set_errno(error, -ENOMEM, "cannot keep the image");
        image_job_say(job, "", digest, 0, 0);
        say_status(job, same ? "Image is up to date for" : "Downloaded newer image for", pull->brief, "");
        return 0;
}

static int pull_run(ImageJob *job, void *input, Error *error) {
        const Pull *pull = input;
        _cleanup_free_ char *why = NULL;
        char manifest[DIGEST_TEXT_MAX];
        int r = -ENOENT;

        if (!pull->present[0])
                r = fetch_from_peers(job, pull, manifest);
        if (r < 0)
                r = fetch_from_registry(job, pull, manifest, error);
        if (r >= 0)
                return pull_end(job, pull, manifest, error);
        if (r != -EHOSTUNREACH || !pull->present[0])
                return r;
        why = str_printf(": the one that is here is kept, since no registry answers (%s)", error->text);
        say_status(job, "Image is up to date for", pull->brief, why ?: "");
        r = image_job_add(job, pull->present, pull->full);
        return r < 0 ? error_set_errno(error, r, "cannot keep the image") : 0;
}

int image_pull_start(ImageStore *store, const PullOptions *options, const ImageJobEvents *events, void *userdata,
                     ImageJob **ret, Error *error) {
        Pull *pull = calloc(1, sizeof(*pull));
        Image *present;
        int r;

        if (!pull)
                return error_set_errno(error, -ENOMEM, "cannot pull");
        r = reference_parse(options->name, &pull->reference, error);
        for (size_t i = 0; r >= 0 && i < min_of(options->peers->length, (size_t)PULL_PEERS_MAX); i++)
                r = string_list_add(&pull->peers, options->peers->items[i]);
        if (r >= 0 && ((options->username && !(pull->username = strdup(options->username))) ||
                       (options->password && !(pull->password = strdup(options->password)))))
                r = -ENOMEM;
        if (r < 0) {
                pull_free(pull);
                return r == -ENOMEM ? error_set_errno(error, r, "cannot pull") : r;
        }
        reference_format(&pull->reference, pull->full);
        reference_format_short(&pull->reference, pull->brief);
        if (image_store_find(store, pull->full, &present, NULL) >= 0)
                memcpy(pull->present, present->manifest, sizeof(pull->present));
        return image_job_start(store, pull_run, pull, pull_free, events, userdata, ret, error);
}
