/* What takes long: pull, import, load, save. Progress goes out as lines of JSON while the job runs. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json-write.h"
#include "containers/api/images-internal.h"
#include "containers/image/image-import.h"
#include "containers/image/image-pull.h"
#include "containers/image/image-save.h"
#include "containers/image/reference.h"
#include "net/http-file.h"

#define JSON_HEADER "Content-Type: application/json\r\n"
#define UPLOAD_MAX (UINT64_C(64) << 30)

/* One request and its job; it lives until both are over. */
typedef struct ImageRequest {
        ImagesApi *api;
        HttpRequest *request; /* NULL: gone */
        ImageJob *job;        /* NULL: none under way */
        PeersQuery *query;
        bool begun;        /* the answer's head is out */
        bool stream_lines; /* progress goes out as "stream", as load's does, not as "status" */
        int file;          /* what comes in (import, load) or goes out (save); -1 */
        uint64_t received;
        int failure; /* of receiving */
        void (*received_all)(struct ImageRequest *one);
        char *name;
} ImageRequest;

static void one_free(ImageRequest *one) {
        if (one->file >= 0)
                (void)close(one->file);
        free(one->name);
        free(one);
}

/* The client went away: what was asked for is not needed any more. */
static void on_gone(HttpRequest *request) {
        ImageRequest *one = http_request_data(request);

        one->request = NULL;
        if (one->query)
                peers_query_cancel(one->query);
        if (one->job)
                image_job_cancel(one->job);
        else
                one_free(one);
}

static ImageRequest *one_new(ImagesApi *api, HttpRequest *request) {
        ImageRequest *one = calloc(1, sizeof(*one));

        if (!one) {
                images_respond_error(request, -ENOMEM, &ERROR_NONE);
                return NULL;
        }
        one->api = api;
        one->request = request;
        one->file = -1;
        http_request_set_data(request, one);
        http_request_set_gone(request, on_gone, false);
        return one;
}

/* Takes the request away from the handler's state, to give its last answer. */
static HttpRequest *one_detach(ImageRequest *one) {
        HttpRequest *request = one->request;

        one->request = NULL;
        http_request_set_gone(request, NULL, false);
        return request;
}

static void one_fail(ImageRequest *one, int r, const Error *error) {
        images_respond_error(one_detach(one), r, error);
        one_free(one);
}

/* ---- lines of progress ---- */

static void send_line(ImageRequest *one, Buffer *text) {
        (void)buffer_append_string(text, "\r\n");
        if (!one->request || buffer_failed(text))
                return;
        if (!one->begun) {
                one->begun = true;
                http_respond_begin(one->request, 200, JSON_HEADER, UINT64_MAX);
        }
        if (one->request)
                (void)http_respond_write(one->request, (Slice){buffer_data(text), buffer_length(text)});
}

static void on_progress(void *userdata, const char *id, const char *status, uint64_t current, uint64_t total) {
        ImageRequest *one = userdata;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);

        json_begin_object(&writer);
        if (one->stream_lines) {
                json_key(&writer, "stream");
                (void)buffer_printf(&text, "\"%s\\n\"",
                                    status); /* "Loaded image: NAME": nothing in it needs to be escaped */
                writer.comma = true;
        } else {
                json_field_string(&writer, "status", status);
                if (current > 0 || total > 0) {
                        json_key(&writer, "progressDetail");
                        json_begin_object(&writer);
                        json_field_u64(&writer, "current", current);
                        if (total > 0)
                                json_field_u64(&writer, "total", total);
                        json_end_object(&writer);
                }
                if (*id)
                        json_field_string(&writer, "id", id);
        }
        json_end_object(&writer);
        send_line(one, &text);
}

static void send_error_line(ImageRequest *one, const char *message) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter writer = json_writer(&text);

        json_begin_object(&writer);
        json_key(&writer, "errorDetail");
        json_begin_object(&writer);
        json_field_string(&writer, "message", message);
        json_end_object(&writer);
        json_field_string(&writer, "error", message);
        json_end_object(&writer);
        send_line(one, &text);
}

/* Before anything went out, a failure is an HTTP status; after that it is a line. */
static void on_done(void *userdata, int r, const Error *error, Image *image) {
        ImageRequest *one = userdata;

        (void)image;
        one->job = NULL;
        if (one->request && r < 0 && !one->begun) {
                one_fail(one, r, error);
                return;
        }
        if (one->request && r < 0)
                send_error_line(one, error->text);
        if (one->request && !one->begun)
                http_respond(one_detach(one), 200, JSON_HEADER, slice_from(""));
        else if (one->request)
                http_respond_end(one_detach(one));
        one_free(one);
}

static const ImageJobEvents job_events = {on_progress, on_done};

/* ---- pulling ---- */

/* X-Registry-Auth: base64 of {"username":…,"password":…} */
static json_t *read_credentials(HttpRequest *request) {
        Slice header = http_request_header(request, "X-Registry-Auth");
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!header.data || decode_base64(&text, BASE64_URL, header) < 0)
                return NULL;
        return json_loadb(buffer_data(&text), buffer_length(&text), 0, NULL);
}

static void pull_begin(ImageRequest *one, const StringList *peers) {
        json_t *credentials = read_credentials(one->request);
        const PullOptions options = {
                .name = one->name,
                .peers = peers,
                .username = json_string_value(json_object_get(credentials, "username")),
                .password = json_string_value(json_object_get(credentials, "password")),
        };
        Error error = ERROR_NONE;
        int r = image_pull_start(one->api->store, &options, &job_events, one, &one->job, &error);

        json_decref(credentials);
        if (r < 0)
                one_fail(one, r, &error);
}

static void on_peers(void *userdata, const StringList *urls) {
        ImageRequest *one = userdata;

        one->query = NULL;
        pull_begin(one, urls);
}

static void handle_pull(ImageRequest *one) {
        const StringList none = {0};
        Reference reference;
        Error error = ERROR_NONE;
        int r = reference_parse(one->name, &reference, &error);

        if (r < 0) {
                one_fail(one, r, &error);
                return;
        }
        if (one->api->peers)
                one->query = peers_find(one->api->peers, on_peers, one);
        if (!one->query)
                pull_begin(one, &none);
}

/* ---- what comes in ---- */

static int open_temporary(const ImagesApi *api, Error *error) {
        _cleanup_free_ char *path = image_store_temporary_path(api->store, "");
        int fd = path ? open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

        return fd >= 0 ? fd
                       : error_set_errno(error, path ? -errno : -ENOMEM, "cannot make a file in %s",
                                         path ?: "the state directory");
}

static void on_piece(HttpRequest *request, Slice bytes) {
        ImageRequest *one = http_request_data(request);

        one->received += bytes.length;
        if (one->received > UPLOAD_MAX)
                one->failure = -EFBIG;
        while (one->failure >= 0 && bytes.length > 0) {
                ssize_t n = write(one->file, bytes.data, bytes.length);

                if (n < 0 && errno != EINTR)
                        one->failure = -errno;
                if (n > 0)
                        bytes = (Slice){bytes.data + n, bytes.length - (size_t)n};
        }
}

static void on_received(HttpRequest *request) {
        ImageRequest *one = http_request_data(request);
        Error error = ERROR_NONE;

        if (one->failure < 0 || lseek(one->file, 0, SEEK_SET) < 0) {
                int r = one->failure < 0 ? one->failure : -errno;

                one_fail(one, error_set_errno(&error, r, "cannot take in the archive"), &error);
                return;
        }
        one->received_all(one);
}

static void receive(ImageRequest *one, void (*received_all)(ImageRequest *one)) {
        Error error = ERROR_NONE;

        one->file = open_temporary(one->api, &error);
        one->received_all = received_all;
        if (one->file < 0)
                one_fail(one, one->file, &error);
        else
                http_request_take_body(one->request, on_piece, on_received);
}

/* ---- import ---- */

static int read_changes(HttpRequest *request, StringList *changes) {
        Slice rest = http_request_query(request), name, value;
        int r = 0;

        while (r >= 0 && rest.data && url_query_next(&rest, &name, &value)) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                if (!slice_equals(name, slice_from("changes")))
                        continue;
                r = url_decode(&text, value, true, NULL);
                if (r >= 0)
                        r = string_list_take(changes,
                                             buffer_length(&text) ? buffer_steal_string(&text, NULL) : strdup(""));
        }
        return r;
}

static void import_begin(ImageRequest *one) {
        _cleanup_free_ char *message = images_query(one->request, "message");
        _cleanup_string_list_ StringList changes = {0};
        ImportOptions options = {
                .name = one->name, .message = message ?: "Imported from -", .changes = &changes, .now = clock_wall()};
        Error error = ERROR_NONE;
        int r = read_changes(one->request, &changes);

        if (r < 0)
                (void)error_set_errno(&error, r, "cannot read the changes");
        else
                r = image_import_start(one->api->store, take_fd(one->file), &options, &job_events, one, &one->job,
                                       &error);
        if (r < 0)
                one_fail(one, r, &error);
}

static void handle_import(ImageRequest *one) {
        _cleanup_free_ char *source = images_query(one->request, "fromSrc");
        Error error = ERROR_NONE;

        if (!source || !str_equals(source, "-"))
                one_fail(one,
                         error_set(&error, -EINVAL,
                                   "only an archive that is sent along can be imported: fetch \"%s\" first",
                                   source ?: ""),
                         &error);
        else
                receive(one, import_begin);
}

bool images_api_takes_body(HttpMethod method, Slice path, Slice query) {
        _cleanup_buffer_ Buffer source = BUFFER_INIT;

        if (method != HTTP_METHOD_POST)
                return false;
        if (slice_equals(path, slice_from("/images/load")))
                return true;
        return slice_equals(path, slice_from("/images/create")) && url_query_get(query, "fromSrc", &source) > 0 &&
               slice_equals((Slice){buffer_data(&source), buffer_length(&source)}, slice_from("-"));
}

void images_api_create(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_free_ char *image = images_query(request, "fromImage"), *source = images_query(request, "fromSrc");
        _cleanup_free_ char *repository = images_query(request, "repo"), *tag = images_query(request, "tag");
        ImageRequest *one = one_new(api, request);
        Error error = ERROR_NONE;

        (void)name;
        if (!one)
                return;
        if (image || repository)
                one->name = images_join_name(image ?: repository, tag);
        if ((image || repository) && !one->name)
                one_fail(one, -ENOMEM, &error);
        else if (image)
                handle_pull(one);
        else if (source)
                handle_import(one);
        else
                one_fail(one, error_set(&error, -EINVAL, "one of fromImage and fromSrc is needed"), &error);
}

/* ---- load ---- */

static void load_begin(ImageRequest *one) {
        Error error = ERROR_NONE;
        int r = image_load_start(one->api->store, take_fd(one->file), &job_events, one, &one->job, &error);

        if (r < 0)
                one_fail(one, r, &error);
}

void images_api_load(ImagesApi *api, HttpRequest *request, const char *name) {
        ImageRequest *one = one_new(api, request);

        (void)name;
        if (!one)
                return;
        one->stream_lines = true;
        receive(one, load_begin);
}

/* ---- save ---- */

static void on_saving(void *userdata, const char *id, const char *status, uint64_t current, uint64_t total) {
        (void)userdata;
        (void)id;
        (void)status;
        (void)current;
        (void)total;
}

static void on_saved(void *userdata, int r, const Error *error, Image *image) {
        ImageRequest *one = userdata;

        (void)image;
        one->job = NULL;
        if (one->request && r < 0) {
                one_fail(one, r, error);
                return;
        }
        if (one->request)
                http_respond_file(one_detach(one), 200, "Content-Type: application/x-tar\r\n", take_fd(one->file));
        one_free(one);
}

static const ImageJobEvents save_events = {on_saving, on_saved};

/* "names" may stand several times, and each may be a list. */
static int read_names(HttpRequest *request, StringList *names) {
        Slice rest = http_request_query(request), key, value, part;
        int r = 0;

        while (r >= 0 && rest.data && url_query_next(&rest, &key, &value)) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Slice list;

                if (!slice_equals(key, slice_from("names")))
                        continue;
                r = url_decode(&text, value, true, NULL);
                list = slice_from(buffer_string(&text) ?: "");
                while (r >= 0 && slice_split(&list, ',', &part))
                        r = string_list_add_slice(names, part);
        }
        return r;
}

void images_api_save(ImagesApi *api, HttpRequest *request, const char *name) {
        _cleanup_string_list_ StringList names = {0};
        ImageRequest *one = one_new(api, request);
        Error error = ERROR_NONE;
        int r;

        if (!one)
                return;
        r = *name ? string_list_add(&names, name) : read_names(request, &names);
        if (r < 0)
                (void)error_set_errno(&error, r, "cannot read the names");
        else if (names.length == 0)
                r = error_set(&error, -EINVAL, "no image is named");
        if (r >= 0)
                r = one->file = open_temporary(api, &error);
        if (r >= 0)
                r = image_save_start(api->store, &names, one->file, &save_events, one, &one->job, &error);
        if (r < 0)
                one_fail(one, r, &error);
}
