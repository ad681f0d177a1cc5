/* What a handler asks of its request. */
#include <errno.h>
#include <sys/socket.h>

#include "net/address.h"
#include "net/http-server-internal.h"

static HttpConnection *request_connection(const HttpRequest *request) {
        return container_of(request, HttpConnection, request);
}

HttpMethod http_request_method(const HttpRequest *request) {
        return http_parser_method(request_connection(request)->parser);
}

Slice http_request_method_text(const HttpRequest *request) {
        return slice_from(http_parser_method_text(request_connection(request)->parser));
}

/* A client that thinks of us as its proxy sends "http://HOST/PATH": RFC 9112 has servers take that as well. */
static Slice origin_form(Slice target) {
        static const char *const schemes[] = {"http://", "https://"};

        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
                size_t length = strlen(schemes[i]);
                const char *path;

                if (target.length < length || memcmp(target.data, schemes[i], length) != 0)
                        continue;
                path = memchr(target.data + length, '/', target.length - length);
                return path ? (Slice){path, target.length - (size_t)(path - target.data)} : slice_from("/");
        }
        return target;
}

Slice http_request_target(const HttpRequest *request) {
        return origin_form(http_parser_target(request_connection(request)->parser));
}

Slice http_request_path(const HttpRequest *request) {
        Slice target = http_request_target(request);
        const char *mark = target.length ? memchr(target.data, '?', target.length) : NULL;

        return mark ? (Slice){target.data, (size_t)(mark - target.data)} : target;
}

Slice http_request_query(const HttpRequest *request) {
        Slice target = http_request_target(request), path = http_request_path(request);

        return path.length < target.length ? (Slice){path.data + path.length + 1, target.length - path.length - 1}
                                           : (Slice){"", 0};
}

Slice http_request_header(const HttpRequest *request, const char *name) {
        return http_head_get(http_request_head(request), name);
}

const HttpHead *http_request_head(const HttpRequest *request) {
        return http_parser_head(request_connection(request)->parser);
}

Slice http_request_body(const HttpRequest *request) {
        size_t length = buffer_length(&request->body);

        return length ? (Slice){buffer_data(&request->body), length} : (Slice){"", 0};
}

bool http_request_wants_upgrade(const HttpRequest *request) {
        return http_parser_wants_upgrade(request_connection(request)->parser);
}

void *http_request_listener_data(const HttpRequest *request) {
        return request_connection(request)->listener_data;
}

void *http_request_server_data(const HttpRequest *request) {
        return request_connection(request)->server->userdata;
}

uv_loop_t *http_request_loop(const HttpRequest *request) {
        return request_connection(request)->server->loop;
}

int http_request_peer_credentials(const HttpRequest *request, pid_t *ret_pid, uid_t *ret_uid) {
        Stream *stream = request_connection(request)->stream;
        struct ucred peer;
        socklen_t length = sizeof(peer);
        uv_os_fd_t fd;
        int r;

        if (stream->uv.handle.type != UV_NAMED_PIPE)
                return -ENOTSUP;
        r = uv_fileno(&stream->uv.handle, &fd);
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
                return -errno;
        *ret_pid = peer.pid;
        *ret_uid = peer.uid;
        return 0;
}

void http_request_peer_name(const HttpRequest *request, char *name, size_t size) {
        Stream *stream = request_connection(request)->stream;
        struct sockaddr_storage address = {.ss_family = AF_UNIX};
        int length = sizeof(address);

        if (stream->uv.handle.type == UV_TCP)
                (void)uv_tcp_getpeername(&stream->uv.tcp, (struct sockaddr *)&address, &length);
        address_format(&address, name, size);
}

const char *http_request_peer_cn(const HttpRequest *request) {
        const StreamFilter *filter = request_connection(request)->stream->filter;

        return filter ? filter->peer : NULL;
}

bool http_request_is_tls(const HttpRequest *request) {
        return request_connection(request)->stream->filter != NULL;
}

void http_request_set_data(HttpRequest *request, void *data) {
        request->data = data;
}

void *http_request_data(const HttpRequest *request) {
        return request->data;
}

void http_request_set_gone(HttpRequest *request, void (*gone)(HttpRequest *request), bool on_input_end_too) {
        request->gone = gone;
        request->gone_on_input_end = on_input_end_too;
}

void http_request_take_body(HttpRequest *request, void (*piece)(HttpRequest *request, Slice bytes),
                            void (*end)(HttpRequest *request)) {
        request->body_piece = piece;
        request->body_end = end;
}
