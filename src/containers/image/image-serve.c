#include "containers/image/image-serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "containers/image/manifest.h"
#include "containers/image/reference.h"
#include "net/http-file.h"

enum { HEADERS_MAX = 512 };

/* /v2/NAME/KIND/REFERENCE */
typedef struct ServePath {
        char name[REFERENCE_TEXT_MAX];
        char kind[16];
        char reference[160];
} ServePath;

static void refuse(HttpRequest *request, unsigned status, const char *code, const char *message) {
        char text[256];
        int length = snprintf(text, sizeof(text), "{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\"}]}", code, message);

        http_respond(request, status, "Content-Type: application/json\r\n", (Slice){text, (size_t)length});
}

static bool copy_part(const char *from, size_t length, char *to, size_t size) {
        if (length == 0 || length >= size)
                return false;
        memcpy(to, from, length);
        to[length] = '\0';
        return true;
}

/* The last two parts are kind and reference; what is before them is the name, slashes and all. */
static bool path_parse(const char *path, ServePath *ret) {
        const char *name = path + strlen("/v2/"), *reference, *kind;

        if (!str_starts_with(path, "/v2/"))
                return false;
        reference = strrchr(name, '/');
        kind = reference ? memrchr(name, '/', (size_t)(reference - name)) : NULL;
        if (!kind)
                return false;
        return copy_part(name, (size_t)(kind - name), ret->name, sizeof(ret->name)) &&
               copy_part(kind + 1, (size_t)(reference - kind - 1), ret->kind, sizeof(ret->kind)) &&
               copy_part(reference + 1, strlen(reference + 1), ret->reference, sizeof(ret->reference));
}

static Image *find_image(ImageStore *store, HttpRequest *request, const ServePath *path) {
        _cleanup_buffer_ Buffer space = BUFFER_INIT;
        _cleanup_free_ char *name = NULL;
        Image *image = NULL;

        if (url_query_get(http_request_query(request), "ns", &space) <= 0)
                (void)buffer_append_string(&space, REFERENCE_HOST_DEFAULT);
        name = buffer_string(&space)
                       ? str_printf("%s/%s%c%s", buffer_string(&space), path->name,
                                    digest_is_valid(slice_from(path->reference)) ? '@' : ':', path->reference)
                       : NULL;
        return name && image_store_find(store, name, &image, NULL) >= 0 ? image : NULL;
}

static void serve_manifest(ImageStore *store, HttpRequest *request, const ServePath *path) {
        Image *image = find_image(store, request, path);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        char headers[HEADERS_MAX];
        Slice body;

        if (!image || content_read(image_store_content(store), image->manifest, MANIFEST_SIZE_MAX, &text, NULL) < 0) {
                refuse(request, 404, "MANIFEST_UNKNOWN", "this machine has no such image");
                return;
        }
        body = (Slice){buffer_data(&text), buffer_length(&text)};
        (void)snprintf(
                headers, sizeof(headers),
                "Content-Type: %s\r\nDocker-Content-Digest: %s\r\nDocker-Distribution-Api-Version: registry/2.0\r\n",
                manifest_media_type(body), image->manifest);
        http_respond(request, 200, headers, body);
}

static void serve_blob(ImageStore *store, HttpRequest *request, const ServePath *path) {
        _cleanup_free_ char *file = NULL;
        char headers[HEADERS_MAX];
        int fd;

        if (!digest_is_valid(slice_from(path->reference))) {
                refuse(request, 400, "DIGEST_INVALID", "not a sha256 digest");
                return;
        }
        file = content_path(image_store_content(store), path->reference);
        fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0) {
                refuse(request, 404, "BLOB_UNKNOWN", "this machine has no such blob");
                return;
        }
        (void)snprintf(headers, sizeof(headers),
                       "Content-Type: application/octet-stream\r\nDocker-Content-Digest: %s\r\n", path->reference);
        http_respond_file(request, 200, headers, fd);
}

void image_serve_handle(void *store, HttpRequest *request) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        HttpMethod method = http_request_method(request);
        ServePath parsed;

        if (url_decode(&path, http_request_path(request), false, NULL) < 0 || !buffer_string(&path)) {
                refuse(request, 400, "NAME_INVALID", "the path cannot be decoded");
        } else if (method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD) {
                refuse(request, 405, "UNSUPPORTED", "images can only be read here");
        } else if (str_equals(buffer_string(&path), "/v2/") || str_equals(buffer_string(&path), "/v2")) {
                http_respond(request, 200,
                             "Content-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\n",
                             slice_from("{}"));
        } else if (!path_parse(buffer_string(&path), &parsed)) {
                refuse(request, 404, "NAME_UNKNOWN", "no such resource");
        } else if (str_equals(parsed.kind, "manifests")) {
                serve_manifest(store, request, &parsed);
        } else if (str_equals(parsed.kind, "blobs")) {
                serve_blob(store, request, &parsed);
        } else {
                refuse(request, 404, "UNSUPPORTED", "only manifests and blobs are served here");
        }
}
