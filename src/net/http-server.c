#include "net/http-server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/address.h"
#include "net/http-server-internal.h"

enum { LISTEN_BACKLOG = 1024 };

const HttpServerLimits http_server_limits_default = {
        .head_bytes = 64 << 10,
        .body_bytes = 64 << 20,
        .connections = 20000,
        .pipelined_bytes = 64 << 10,
        .output_bytes = 16 << 20,
        .output_total = (size_t)512 << 20,
        .body_total = (size_t)512 << 20,
        .head_timeout = 10 * USEC_PER_SEC,
        .body_timeout = 30 * USEC_PER_SEC,
        .idle_timeout = 120 * USEC_PER_SEC,
        .handshake_timeout = 10 * USEC_PER_SEC,
        .handshakes = 1000,
        .handshake_steps = 4,
};

struct HttpListener {
        union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_tcp_t tcp;
                uv_pipe_t pipe;
        } uv;
        HttpServer *server;
        ListNode link;
        void *data;
        bool is_pipe;
        bool tls;
};

HttpServer *http_server_new(uv_loop_t *loop, const HttpServerOps *ops, void *userdata, const HttpServerLimits *limits) {
        HttpServer *server = calloc(1, sizeof(*server));

        if (!server)
                return NULL;
        *server = (HttpServer){
                .loop = loop,
                .ops = ops,
                .userdata = userdata,
                .limits = limits ? *limits : http_server_limits_default,
                .date_second = -1,
        };
        list_init(&server->listeners);
        list_init(&server->connections);
        for (size_t i = 0; i < TIMEOUT_KINDS; i++)
                list_init(&server->timeouts[i]);
        (void)uv_timer_init(loop, &server->timer); /* cannot fail */
        server->timer.data = server;
        uv_unref((uv_handle_t *)&server->timer);
        stream_gate_init(&server->gate, loop, server->limits.handshake_steps, server);
        server->open_handles = 2;
        return server;
}

/* The last one out frees the server. */
static void http_server_settle(HttpServer *server) {
        void (*closed)(void *userdata) = server->closed;
        void *userdata = server->closed_data;

        if (!server->closing || server->open_handles > 0 || !list_is_empty(&server->listeners) || server->connection_count > 0)
                return;
        free(server);
        if (closed)
                closed(userdata);
}

static void on_handle_closed(uv_handle_t *handle) {
        HttpServer *server = handle->data;

        server->open_handles--;
        http_server_settle(server);
}

static void on_listener_closed(uv_handle_t *handle) {
        HttpListener *listener = handle->data;
        HttpServer *server = listener->server;

        list_unlink(&listener->link);
        free(listener);
        http_server_settle(server);
}

void http_server_stop_listening(HttpServer *server) {
        list_foreach(&server->listeners, node) {
                HttpListener *listener = container_of(node, HttpListener, link);

                if (!uv_is_closing(&listener->uv.handle))
                        uv_close(&listener->uv.handle, on_listener_closed);
        }
        list_foreach(&server->connections, node) {
                HttpConnection *connection = container_of(node, HttpConnection, link);

                if (connection->state == CONNECTION_IDLE)
                        http_connection_finish_idle(connection);
                else
                        connection->request.close_after = true;
        }
}

void http_server_close(HttpServer *server, void (*closed)(void *userdata), void *userdata) {
        server->closing = true;
        server->closed = closed;
        server->closed_data = userdata;
        http_server_stop_listening(server);
        list_foreach(&server->connections, node)
                http_connection_close(container_of(node, HttpConnection, link));
        uv_close((uv_handle_t *)&server->timer, on_handle_closed);
        stream_gate_close(&server->gate, on_handle_closed);
}

void http_server_connection_ended(HttpServer *server) {
        server->connection_count--;
        http_server_settle(server);
}

size_t http_server_connections(const HttpServer *server) {
        return server->connection_count;
}

size_t http_server_busy(const HttpServer *server) {
        size_t busy = 0;

        list_foreach(&server->connections, node) {
                const HttpConnection *connection = container_of(node, HttpConnection, link);

                busy += connection->request.active || !connection->served;
        }
        return busy;
}

void http_server_each_listener(const HttpServer *server, void (*each)(void *userdata, int fd, void *listener_data), void *userdata) {
        list_foreach(&server->listeners, node) {
                const HttpListener *listener = container_of(node, HttpListener, link);
                uv_os_fd_t fd;

                if (uv_fileno(&listener->uv.handle, &fd) >= 0)
                        each(userdata, fd, listener->data);
        }
}

const char *http_server_date(HttpServer *server) {
        time_t now = (time_t)(clock_wall() / (WallUsec)USEC_PER_SEC);
        struct tm parts;

        if (now == server->date_second)
                return server->date;
        server->date_second = now;
        (void)gmtime_r(&now, &parts);
        (void)strftime(server->date, sizeof(server->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        return server->date;
}

/* ---- time-outs ---- */

static Usec loop_now(HttpServer *server) {
        return uv_now(server->loop) * USEC_PER_MSEC;
}

static void http_server_arm_timer(HttpServer *server);

static void on_timer(uv_timer_t *timer) {
        HttpServer *server = timer->data;
        Usec now = loop_now(server);

        server->timer_running = false;
        for (size_t kind = 0; kind < TIMEOUT_KINDS; kind++)
                while (!list_is_empty(&server->timeouts[kind])) {
                        HttpConnection *connection =
                                container_of(server->timeouts[kind].next, HttpConnection, timeout_link);

                        if (connection->deadline > now)
                                break;
                        http_server_set_timeout(server, connection, TIMEOUT_NONE);
                        http_connection_expire(connection);
                }
        http_server_arm_timer(server);
}

/* Runs until the earliest deadline; a deadline that is moved or dropped meanwhile costs one idle wake-up. */
static void http_server_arm_timer(HttpServer *server) {
        Usec first = USEC_INFINITY, now;

        if (server->closing)
                return;
        for (size_t kind = 0; kind < TIMEOUT_KINDS; kind++)
                if (!list_is_empty(&server->timeouts[kind]))
                        first = min_of(first, container_of(server->timeouts[kind].next, HttpConnection, timeout_link)->deadline);
        if (first == USEC_INFINITY)
                return;
        now = loop_now(server);
        server->timer_running = true;
        server->timer_due = first;
        (void)uv_timer_start(&server->timer, on_timer, (first > now ? first - now : 0) / USEC_PER_MSEC + 1, 0);
}

static Usec timeout_length(const HttpServer *server, TimeoutKind kind) {
        switch (kind) {
        case TIMEOUT_HEAD:
                return server->limits.head_timeout;
        case TIMEOUT_BODY:
                return server->limits.body_timeout;
        case TIMEOUT_STALL:
                return server->limits.stall_timeout;
        case TIMEOUT_HANDSHAKE:
                return server->limits.handshake_timeout;
        default:
                return server->limits.idle_timeout;
        }
}

void http_server_set_timeout(HttpServer *server, HttpConnection *connection, TimeoutKind kind) {
        list_unlink(&connection->timeout_link);
        server->shaking -= connection->timeout == TIMEOUT_HANDSHAKE;
        server->shaking += kind == TIMEOUT_HANDSHAKE;
        connection->timeout = kind;
        if (kind == TIMEOUT_NONE)
                return;
        connection->deadline = loop_now(server) + timeout_length(server, kind);
        list_append(&server->timeouts[kind], &connection->timeout_link);
        if (!server->timer_running || connection->deadline < server->timer_due)
                http_server_arm_timer(server);
}

/* ---- listening ---- */

static void on_refused_closed(Stream *stream) {
        free(stream);
}

static const StreamEvents refused_events = {.closed = on_refused_closed};

/* Over the limit: one plain answer, without waiting for the request; a client of TLS could not read it. */
static void http_server_refuse(const HttpListener *listener, Stream *stream) {
        static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 31\r\n\r\n"
                                     "too many connections, try later";
        uv_buf_t piece = uv_buf_init((char *)(uintptr_t)answer, sizeof(answer) - 1);

        if (!listener->tls)
                (void)uv_try_write(&stream->uv.stream, &piece, 1);
        stream_close(stream);
}

void http_server_tell_refused(HttpServer *server, Stream *stream) {
        struct sockaddr_storage address = {.ss_family = AF_UNIX};
        int length = sizeof(address);
        Usec now = loop_now(server);
        char peer[64];

        if (!server->ops->refused)
                return;
        if (server->refused_told && now - server->refused_told < USEC_PER_SEC) {
                server->refused_more++;
                return;
        }
        if (stream->uv.handle.type == UV_TCP)
                (void)uv_tcp_getpeername(&stream->uv.tcp, (struct sockaddr *)&address, &length);
        address_format(&address, peer, sizeof(peer));
        server->ops->refused(server->userdata, peer, stream_problem(stream) ?: "the connection was lost", server->refused_more);
        server->refused_told = now;
        server->refused_more = 0;
}

/* The filter of a new connection, if it has any. */
static int http_listener_filter(const HttpListener *listener, Stream *stream) {
        HttpServer *server = listener->server;
        StreamFilter *filter = NULL;
        int r = 0;

        if (listener->tls)
                r = tls_server_filter(server->tls, loop_now(server), &filter);
        else if (server->ops->filter)
                r = server->ops->filter(server->userdata, listener->data, &filter);
        if (r >= 0 && filter)
                stream_set_filter(stream, filter, &server->gate);
        return r;
}

/* One handshake too many is under way: that which has come least far gives way, as it may never end. */
static void http_server_limit_handshakes(HttpServer *server) {
        HttpConnection *oldest;

        if (server->shaking <= server->limits.handshakes)
                return;
        oldest = container_of(server->timeouts[TIMEOUT_HANDSHAKE].next, HttpConnection, timeout_link);
        http_connection_close(oldest);
}

static void on_connection(uv_stream_t *handle, int status) {
        HttpListener *listener = handle->data;
        HttpServer *server = listener->server;
        Stream *stream;

        if (status < 0 || server->closing)
                return;
        stream = malloc(sizeof(*stream));
        if (!stream)
                return;
        if (stream_init(stream, server->loop, listener->is_pipe, &refused_events, NULL) < 0) {
                free(stream);
                return;
        }
        if (uv_accept(handle, &stream->uv.stream) < 0) {
                stream_close(stream);
                return;
        }
        if (server->connection_count >= server->limits.connections) {
                http_server_refuse(listener, stream);
                return;
        }
        stream_connected(stream);
        if (http_listener_filter(listener, stream) < 0 || http_connection_start(server, stream, listener->data) < 0) {
                stream_close(stream);
                return;
        }
        http_server_limit_handshakes(server);
}

void http_server_set_tls(HttpServer *server, TlsContext *tls) {
        server->tls = tls;
}

static HttpListener *http_listener_new(HttpServer *server, bool is_pipe, void *data) {
        HttpListener *listener = calloc(1, sizeof(*listener));

        if (!listener)
                return NULL;
        listener->server = server;
        listener->data = data;
        listener->is_pipe = is_pipe;
        if ((is_pipe ? uv_pipe_init(server->loop, &listener->uv.pipe, 0) : uv_tcp_init(server->loop, &listener->uv.tcp)) < 0) {
                free(listener);
                return NULL;
        }
        listener->uv.handle.data = listener;
        list_init(&listener->link);
        list_append(&server->listeners, &listener->link);
        return listener;
}

/* A socket file that nobody answers on is left from a crash; one that answers is somebody's. */
static int unix_socket_clear(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -1;
        struct stat status;

        if (lstat(path, &status) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(status.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, path, min_of(strlen(path), sizeof(address.sun_path) - 1));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        return unlink(path) < 0 ? -errno : 0;
}

static int http_listener_bind_unix(HttpListener *listener, const Url *url, unsigned mode) {
        mode_t mask;
        int r;

        r = unix_socket_clear(url->host);
        if (r < 0)
                return r;
        mask = umask(0777 & ~mode); /* no moment at which the file has wider rights */
        r = uv_pipe_bind(&listener->uv.pipe, url->host);
        (void)umask(mask);
        return r;
}

static int http_listener_bind_tcp(HttpListener *listener, const Url *url, Error *error) {
        struct sockaddr_storage address;
        int r;

        r = address_resolve(url, &address, error);
        if (r < 0)
                return r;
        r = uv_tcp_bind(&listener->uv.tcp, (struct sockaddr *)&address, 0);
        return r;
}

static uint16_t http_listener_port(HttpListener *listener) {
        struct sockaddr_storage address;
        int length = sizeof(address);

        if (listener->is_pipe || uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&address, &length) < 0)
                return 0;
        return address_port(&address);
}

int http_server_listen(HttpServer *server, const Url *url, unsigned mode, void *listener_data, uint16_t *ret_port,
                       Error *error) {
        HttpListener *listener;
        char text[URL_TEXT_MAX];
        Error reason = ERROR_NONE;
        int r;

        url_format(url, text);
        if (url->scheme == URL_HTTPS && !(server->tls && tls_context_can_serve(server->tls)))
                return error_set(error, -EINVAL, "cannot listen on %s: https needs a certificate and its key", text);
        listener = http_listener_new(server, url->scheme == URL_UNIX, listener_data);
        if (!listener)
                return error_set(error, -ENOMEM, "no memory for a listener");
        listener->tls = url->scheme == URL_HTTPS;
        r = listener->is_pipe ? http_listener_bind_unix(listener, url, mode) : http_listener_bind_tcp(listener, url, &reason);
        if (r >= 0)
                r = uv_listen(&listener->uv.stream, LISTEN_BACKLOG, on_connection);
        if (r < 0) {
                uv_close(&listener->uv.handle, on_listener_closed);
                if (reason.text[0])
                        return error_set(error, r, "%s", reason.text);
                if (r == -EADDRINUSE)
                        return error_set(error, r, "cannot listen on %s: another program listens there already", text);
                return error_set_errno(error, r, "cannot listen on %s", text);
        }
        if (ret_port)
                *ret_port = http_listener_port(listener);
        return 0;
}

int http_server_listen_fd(HttpServer *server, int fd, bool tls, void *listener_data, Error *error) {
        struct sockaddr_storage address;
        socklen_t length = sizeof(address);
        HttpListener *listener;
        int r;

        if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
                r = -errno;
                (void)close(fd);
                return error_set_errno(error, r, "file descriptor %d is no socket", fd);
        }
        if (tls && !(server->tls && tls_context_can_serve(server->tls))) {
                (void)close(fd);
                return error_set(error, -EINVAL, "cannot serve https on the inherited socket %d: that needs a certificate and its key", fd);
        }
        listener = http_listener_new(server, address.ss_family == AF_UNIX, listener_data);
        if (!listener) {
                (void)close(fd);
                return error_set(error, -ENOMEM, "no memory for a listener");
        }
        listener->tls = tls;
        r = listener->is_pipe ? uv_pipe_open(&listener->uv.pipe, fd) : uv_tcp_open(&listener->uv.tcp, fd);
        if (r < 0)
                (void)close(fd);
        else
                r = uv_listen(&listener->uv.stream, LISTEN_BACKLOG, on_connection);
        if (r < 0) {
                uv_close(&listener->uv.handle, on_listener_closed);
                return error_set_errno(error, r, "cannot listen on the inherited socket %d", fd);
        }
        return 0;
}
