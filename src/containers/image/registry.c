#include "containers/image/registry.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <strings.h>

#include "containers/image/challenge.h"
#include "containers/image/manifest.h"

#define ACCEPT                                                                                                         \
        "Accept: " MANIFEST_TYPE_OCI ", " MANIFEST_TYPE_OCI_INDEX ", " MANIFEST_TYPE_DOCKER                            \
        ", " MANIFEST_TYPE_DOCKER_LIST

enum {
        CONNECT_TIMEOUT_SEC = 5,
        SILENCE_SEC = 30, /* less than a byte a second for so long: given up */
        REDIRECTS_MAX = 5,
        TOKEN_ANSWER_MAX = 1 << 20,
        HEADER_MAX = 4096,
};

struct Registry {
        RegistryOptions options;
        char *url, *space, *username, *password;
        CURL *curl;
        char *token; /* "Authorization: Bearer …"; NULL: none yet */
};

/* One transfer. */
typedef struct Transfer {
        Registry *registry;
        int (*take)(struct Transfer *transfer, Slice bytes, Error *error);
        Buffer *buffer;
        size_t buffer_max;
        ContentWriter *writer;
        uint64_t size;
        void (*progress)(void *userdata, uint64_t current, uint64_t total);
        void *userdata;
        Error *error;
        int r; /* what ended it from our side */
        char challenge[HEADER_MAX];
        char curl_text[CURL_ERROR_SIZE];
} Transfer;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void) {
        (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int copy_string(const char *from, char **to) {
        *to = from ? strdup(from) : NULL;
        return from && !*to ? -ENOMEM : 0;
}

int registry_new(const RegistryOptions *options, Registry **ret, Error *error) {
        _cleanup_(registry_freep) Registry *registry = calloc(1, sizeof(*registry));

        (void)pthread_once(&curl_once, curl_begin);
        if (!registry || copy_string(options->url, &registry->url) < 0 ||
            copy_string(options->space, &registry->space) < 0 ||
            copy_string(options->username, &registry->username) < 0 ||
            copy_string(options->password, &registry->password) < 0 || !(registry->curl = curl_easy_init()))
                return error_set_errno(error, -ENOMEM, "cannot ask the registry");
        registry->options = *options;
        *ret = take_ptr(registry);
        return 0;
}

Registry *registry_free(Registry *registry) {
        if (!registry)
                return NULL;
        if (registry->curl)
                curl_easy_cleanup(registry->curl);
        free(registry->url);
        free(registry->space);
        free(registry->username);
        free(registry->password);
        free(registry->token);
        free(registry);
        return NULL;
}

/* ---- one transfer ---- */

static size_t on_bytes(char *bytes, size_t one, size_t length, void *userdata) {
        Transfer *transfer = userdata;
        long status = 0;

        (void)one;
        (void)curl_easy_getinfo(transfer->registry->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status != 200)
                return length; /* of errors the status says enough */
        transfer->r = transfer->take(transfer, (Slice){bytes, length}, transfer->error);
        return transfer->r < 0 ? 0 : length;
}

static size_t on_header(char *bytes, size_t one, size_t length, void *userdata) {
        static const char name[] = "www-authenticate:";
        Transfer *transfer = userdata;

        (void)one;
        if (length >= sizeof(name) - 1 && strncasecmp(bytes, name, sizeof(name) - 1) == 0 && length < HEADER_MAX) {
                memcpy(transfer->challenge, bytes + sizeof(name) - 1, length - (sizeof(name) - 1));
                transfer->challenge[length - (sizeof(name) - 1)] = '\0';
        }
        return length;
}

static int on_tick(void *userdata, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
        Transfer *transfer = userdata;
        const RegistryOptions *options = &transfer->registry->options;

        (void)total;
        (void)now;
        (void)up_total;
        (void)up_now;
        return options->cancelled && options->cancelled(options->userdata);
}

static int curl_failed(Transfer *transfer, CURLcode code, const char *url) {
        const char *text = transfer->curl_text[0] ? transfer->curl_text : curl_easy_strerror(code);

        if (transfer->r < 0)
                return transfer->r;
        if (code == CURLE_ABORTED_BY_CALLBACK)
                return error_set(transfer->error, -ECANCELED, "it was cancelled");
        if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
            code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
                return error_set(transfer->error, -EHOSTUNREACH, "%s does not answer: %s", url, text);
        return error_set(transfer->error, -EREMOTEIO, "cannot read from %s: %s", url, text);
}

/* 0 with the HTTP status, whatever it is. */
static int perform(Transfer *transfer, const char *url, const char *accept, const char *authorization,
                   long *ret_status) {
        Registry *registry = transfer->registry;
        struct curl_slist *headers = NULL;
        CURL *curl = registry->curl;
        CURLcode code;

        curl_easy_reset(curl);
        headers = curl_slist_append(headers, accept);
        if (authorization)
                headers = curl_slist_append(headers, authorization);
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "faering/" FAERING_VERSION);
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
        (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                               str_starts_with(url, "https:") ? "https" : "http,https");
        (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)(registry->options.connect_seconds ?: CONNECT_TIMEOUT_SEC));
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_SEC);
        (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->curl_text);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
        (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
        if (registry->username && !registry->token && !authorization) {
                (void)curl_easy_setopt(curl, CURLOPT_USERNAME, registry->username);
                (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, registry->password ?: "");
        }
        code = curl_easy_perform(curl);
        curl_slist_free_all(headers);
        if (code != CURLE_OK)
                return curl_failed(transfer, code, url);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
        return 0;
}

static int take_to_buffer(Transfer *transfer, Slice bytes, Error *error) {
        if (buffer_length(transfer->buffer) + bytes.length > transfer->buffer_max)
                return error_set(error, -EMSGSIZE, "the answer is longer than %zu bytes", transfer->buffer_max);
        return buffer_append(transfer->buffer, bytes.data, bytes.length);
}

static int take_to_writer(Transfer *transfer, Slice bytes, Error *error) {
        int r = content_write(transfer->writer, bytes, error);

        if (r >= 0 && transfer->progress)
                transfer->progress(transfer->userdata, transfer->writer->size, transfer->size);
        return r;
}

/* ---- logging in ---- */

static int append_query(Buffer *url, CURL *curl, const char *name, const char *value) {
        char *encoded = *value ? curl_easy_escape(curl, value, 0) : NULL;

        if (encoded)
                (void)buffer_printf(url, "%c%s=%s", strchr(buffer_string(url) ?: "", '?') ? '&' : '?', name, encoded);
        curl_free(encoded);
        return buffer_failed(url);
}

static int read_token(Registry *registry, Buffer *answer, Error *error) {
        json_t *root = json_loadb(buffer_data(answer), buffer_length(answer), 0, NULL);
        const char *token = json_string_value(json_object_get(root, "token"))
                                    ?: json_string_value(json_object_get(root, "access_token"));

        free(registry->token);
        registry->token = token ? str_printf("Authorization: Bearer %s", token) : NULL;
        json_decref(root);
        return registry->token ? 0 : error_set(error, -EBADMSG, "the registry's log-in gave no token");
}

static int log_in(Registry *registry, const char *header, Error *error) {
        _cleanup_buffer_ Buffer answer = BUFFER_INIT, url = BUFFER_INIT;
        Transfer transfer = {.registry = registry,
                             .take = take_to_buffer,
                             .buffer = &answer,
                             .buffer_max = TOKEN_ANSWER_MAX,
                             .error = error};
        Challenge challenge;
        long status = 0;
        int r;

        if (challenge_parse(slice_from(header), &challenge) < 0 || challenge.basic)
                return error_set(error, -EACCES, "the registry %s asks for a log-in: use docker login, or name another",
                                 registry->url);
        if (!str_starts_with(challenge.realm, "https://") && !str_starts_with(registry->url, "http://"))
                return error_set(error, -EACCES, "the registry %s wants its log-in at %s, which is not encrypted",
                                 registry->url, challenge.realm);
        (void)buffer_append_string(&url, challenge.realm);
        (void)append_query(&url, registry->curl, "service", challenge.service);
        (void)append_query(&url, registry->curl, "scope", challenge.scope);
        if (!buffer_string(&url) || buffer_failed(&url))
                return error_set_errno(error, -ENOMEM, "cannot log in");
        free(take_ptr(registry->token));
        r = perform(&transfer, buffer_string(&url), "Accept: application/json", NULL, &status);
        if (r < 0)
                return r;
        if (status != 200)
                return error_set(error, -EACCES, "the registry's log-in at %s refused with %ld", challenge.realm,
                                 status);
        return read_token(registry, &answer, error);
}

/* ---- requests ---- */

static int status_error(const Registry *registry, long status, const char *what, Error *error) {
        if (status == 404)
                return error_set(error, -ENOENT, "%s has no %s", registry->url, what);
        if (status == 401 || status == 403)
                return error_set(error, -EACCES,
                                 "pull access denied for %s, repository does not exist or may require 'docker login'",
                                 what);
        if (status == 429)
                return error_set(error, -EREMOTEIO, "%s answers that we ask too often: try again later", registry->url);
        return error_set(error, -EREMOTEIO, "%s answered %ld when asked for %s", registry->url, status, what);
}

static int request(Transfer *transfer, const char *kind, const char *repository, const char *reference) {
        Registry *registry = transfer->registry;
        _cleanup_free_ char *url = str_printf("%s/v2/%s/%s/%s%s%s", registry->url, repository, kind, reference,
                                              registry->space ? "?ns=" : "", registry->space ?: "");
        _cleanup_free_ char *what = str_printf("%s%s%s", repository, strchr(reference, ':') ? "@" : ":", reference);
        long status = 0;
        int r;

        if (!url || !what)
                return error_set_errno(transfer->error, -ENOMEM, "cannot ask the registry");
        r = perform(transfer, url, ACCEPT, registry->token, &status);
        if (r >= 0 && status == 401 && transfer->challenge[0]) {
                r = log_in(registry, transfer->challenge, transfer->error);
                if (r >= 0)
                        r = perform(transfer, url, ACCEPT, registry->token, &status);
        }
        if (r >= 0 && status != 200)
                r = status_error(registry, status, what, transfer->error);
        return r;
}

int registry_get_manifest(Registry *registry, const char *repository, const char *reference, Buffer *to, Error *error) {
        Transfer transfer = {.registry = registry,
                             .take = take_to_buffer,
                             .buffer = to,
                             .buffer_max = MANIFEST_SIZE_MAX,
                             .error = error};

        return request(&transfer, "manifests", repository, reference);
}

int registry_get_blob(Registry *registry, const char *repository, const char *digest, uint64_t size,
                      ContentWriter *writer, void (*progress)(void *userdata, uint64_t current, uint64_t total),
                      void *userdata, Error *error) {
        Transfer transfer = {.registry = registry,
                             .take = take_to_writer,
                             .writer = writer,
                             .size = size,
                             .progress = progress,
                             .userdata = userdata,
                             .error = error};

        return request(&transfer, "blobs", repository, digest);
}
