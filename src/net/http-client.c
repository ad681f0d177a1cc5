#include "net/http-client.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "net/address.h"
#include "net/http-parse.h"

enum {
        CLIENT_IDLE_DEFAULT = 8,
        CLIENT_HEAD_DEFAULT = 64 << 10,
        CLIENT_BODY_DEFAULT = 16 << 20,
        CLIENT_CONNECT_TIMEOUT_MSEC = 5000,
        CLIENT_KEEPALIVE_SEC = 15,
};

typedef struct HttpLink HttpLink;

struct HttpClient {
        uv_loop_t *loop;
        HttpClientConfig config;
        List links;
        bool closing;
};

/* One connection. */
struct HttpLink {
        Stream *stream;
        HttpClient *client; /* NULL once the client is closed */
        Url url;
        ListNode link;
        HttpCall *call;     /* NULL: idle */
        HttpParser *parser;
        uv_connect_t connect;
        uv_timer_t timer;
        uv_getaddrinfo_t resolve;
        unsigned closing_handles;
        bool connected;
        bool sent;          /* the call's head has gone out */
        bool used;          /* has carried a call before the present one */
        bool resolving;
        bool in_done;       /* the call's `done` is on the stack, which frees it */
        bool closing;
};

struct HttpCall {
        HttpLink *link;
        HttpClient *client;
        const HttpCallOps *ops;
        void *userdata;
        Url url;
        Buffer request;     /* head and body, kept until the answer begins so that the call can be tried again */
        Buffer answer;      /* the gathered body */
        size_t body_limit;
        Usec connect_timeout, head_timeout, idle_timeout;
        bool is_head, safe, lasting, want_upgrade, stream_body, finished;
        bool head_seen;
};

static int call_start(HttpCall *call);

/* ---- links ---- */

static void link_free(HttpLink *link) {
        list_unlink(&link->link);
        http_parser_free(link->parser);
        free(link->stream);
        free(link);
}

static void link_handle_closed(HttpLink *link) {
        if (--link->closing_handles == 0 && !link->resolving)
                link_free(link);
}

static void on_link_closed(Stream *stream) {
        link_handle_closed(stream->owner);
}

static void on_link_timer_closed(uv_handle_t *handle) {
        link_handle_closed(handle->data);
}

static void link_close(HttpLink *link) {
        if (link->closing)
                return;
        link->closing = true;
        link->call = NULL;
        if (link->resolving)
                (void)uv_cancel((uv_req_t *)&link->resolve);
        link->closing_handles = link->stream ? 2 : 1;
        if (link->stream)
                stream_close(link->stream);
        uv_close((uv_handle_t *)&link->timer, on_link_timer_closed);
}

static void call_free(HttpCall *call) {
        buffer_deinit(&call->request);
        buffer_deinit(&call->answer);
        free(call);
}

/* The call is over; `link` has been parted from it. */
static void call_end(HttpCall *call, int r, const Error *error) {
        call->link = NULL;
        call->ops->done(call, r, error);
        call_free(call);
}

/* The link is of no more use; the call on it fails, or starts anew when the peer merely closed an idle connection. */
static void link_fail(HttpLink *link, int r, const char *what) {
        HttpCall *call = link->call;
        bool again = call && link->used && call->safe && !call->head_seen && r != -ETIMEDOUT;
        const char *problem = link->stream ? stream_problem(link->stream) : NULL;
        char text[URL_TEXT_MAX];
        Error error = ERROR_NONE;

        link_close(link); /* its memory stays until the loop has its turn */
        if (!call)
                return;
        if (again && call_start(call) >= 0)
                return;
        url_format(&call->url, text);
        if (r == -ETIMEDOUT)
                (void)error_set(&error, r, "%s: timed out %s", text, what);
        else if (problem)
                (void)error_set(&error, r, "%s: %s", text, problem);
        else
                (void)error_set_errno(&error, r, "%s: %s", text, what);
        call_end(call, r, &error);
}

static void on_link_timer(uv_timer_t *timer) {
        HttpLink *link = timer->data;

        link_fail(link, -ETIMEDOUT, !link->connected ? "connecting"
                                    : link->call && !link->call->head_seen ? "waiting for the answer"
                                                                           : "in the middle of the answer");
}

static void link_set_timeout(HttpLink *link, Usec timeout) {
        if (timeout == 0)
                (void)uv_timer_stop(&link->timer);
        else
                (void)uv_timer_start(&link->timer, on_link_timer, max_of(timeout / USEC_PER_MSEC, (Usec)1), 0);
}

static size_t client_idle_links(const HttpClient *client, const Url *url) {
        size_t n = 0;

        list_foreach(&client->links, node) {
                HttpLink *link = container_of(node, HttpLink, link);

                n += !link->call && !link->closing && link->url.scheme == url->scheme && link->url.port == url->port && str_equals(link->url.host, url->host);
        }
        return n;
}

/* The answer is whole: the link goes back to the pool, the call ends. */
static void link_complete(HttpLink *link) {
        HttpCall *call = link->call;
        bool keep = http_parser_keeps_alive(link->parser) && (!call->stream_body || call->finished) && !link->client->closing &&
                    stream_queued(link->stream) == 0;

        link_set_timeout(link, 0);
        if (keep && client_idle_links(link->client, &link->url) >= link->client->config.idle_connections)
                keep = false;
        link->used = true;
        link->in_done = true; /* busy still: the answer's head stays valid within `done` */
        call->ops->done(call, 0, &ERROR_NONE);
        link->in_done = false;
        call_free(call);
        if (link->closing)
                return;
        link->call = NULL;
        if (!keep) {
                link_close(link);
                return;
        }
        http_parser_reset(link->parser);
        http_parser_trim(link->parser);
        if (stream_start_reading(link->stream) < 0)
                link_close(link);
}

static void link_upgrade(HttpLink *link, Slice early) {
        HttpCall *call = link->call;
        Stream *stream = link->stream;

        link->call = NULL;
        link->stream = NULL;
        call->link = NULL;
        stream_stop_reading(stream);
        call->ops->upgraded(call, stream, early);
        call_free(call);
        link_close(link);
}

/* 100 and the like: the answer proper follows. */
static bool answer_is_interim(const HttpLink *link) {
        unsigned status = http_parser_status(link->parser);

        return status >= 100 && status < 200 && status != 101;
}

static bool answer_is_upgrade(const HttpLink *link) {
        const HttpCall *call = link->call;
        unsigned status = http_parser_status(link->parser);

        if (!call->want_upgrade || !call->ops->upgraded)
                return false;
        return status == 101 ||
               (status == 200 && http_parser_content_length(link->parser) == UINT64_MAX &&
                !http_head_has_token(http_parser_head(link->parser), "transfer-encoding", "chunked"));
}

static void link_got_head(HttpLink *link) {
        HttpCall *call = link->call;

        if (call->is_head)
                http_parser_skip_body(link->parser);
        call->head_seen = true;
        buffer_deinit(&call->request);
        link_set_timeout(link, call->idle_timeout);
        if (call->ops->head)
                call->ops->head(call);
}

static void link_got_body(HttpLink *link) {
        HttpCall *call = link->call;
        Slice piece = http_parser_piece(link->parser);

        link_set_timeout(link, call->idle_timeout);
        if (call->ops->body) {
                call->ops->body(call, piece);
                return;
        }
        if (piece.length > call->body_limit - buffer_length(&call->answer))
                link_fail(link, -EMSGSIZE, "the answer is too large");
        else if (buffer_append(&call->answer, piece.data, piece.length) < 0)
                link_fail(link, -ENOMEM, "no memory for the answer");
}

/* One piece of input; false when the rest must not be parsed. */
static bool link_step(HttpLink *link, Slice *rest) {
        HttpParseEvent event;
        size_t used;
        int r;

        r = http_parser_feed(link->parser, rest->data, rest->length, &used, &event);
        if (r < 0) {
                link_fail(link, r, r == -EBADMSG ? http_parser_problem(link->parser) : "the answer's head is too large");
                return false;
        }
        rest->data += used;
        rest->length -= used;
        switch (event) {
        case HTTP_PARSE_HEAD:
                if (answer_is_interim(link))
                        return true;
                if (answer_is_upgrade(link)) {
                        /* the head's last byte is still in *rest */
                        rest->data++;
                        rest->length--;
                        link->call->head_seen = true;
                        link_upgrade(link, *rest);
                        return false;
                }
                link_got_head(link);
                return !link->closing;
        case HTTP_PARSE_BODY:
                link_got_body(link);
                return !link->closing;
        case HTTP_PARSE_MESSAGE:
                if (answer_is_interim(link)) {
                        http_parser_reset(link->parser);
                        return true;
                }
                if (rest->length > 0) { /* nobody asked for more: this connection is not to be trusted */
                        link_complete(link);
                        link_close(link);
                        return false;
                }
                link_complete(link);
                return false;
        default:
                return true;
        }
}

static void on_link_input(Stream *stream, const char *bytes, size_t length) {
        HttpLink *link = stream->owner;
        Slice rest = {bytes, length};

        if (!link->call) {
                link_close(link); /* an answer to nothing */
                return;
        }
        while (rest.length > 0 && link_step(link, &rest))
                ;
        if (!link->closing && link->call && link->call->head_seen && link->call->ops->paused)
                link->call->ops->paused(link->call);
}

static void on_link_input_end(Stream *stream) {
        HttpLink *link = stream->owner;
        HttpParseEvent event;

        if (!link->call) {
                link_close(link);
                return;
        }
        if (http_parser_feed_end(link->parser, &event) >= 0 && event == HTTP_PARSE_MESSAGE && link->call->head_seen) {
                link_complete(link);
                link_close(link);
                return;
        }
        link_fail(link, -ECONNRESET, link->call->head_seen ? "the connection ended in the middle of the answer"
                                                           : "the connection was closed without an answer");
}

static void on_link_failed(Stream *stream, int r) {
        link_fail(stream->owner, r, "connection lost");
}

static void on_link_drained(Stream *stream) {
        HttpLink *link = stream->owner;

        if (link->call && link->call->ops->drained)
                link->call->ops->drained(link->call);
}

static void on_link_ready(Stream *stream);

static const StreamEvents link_events = {
        .input = on_link_input,
        .input_end = on_link_input_end,
        .drained = on_link_drained,
        .failed = on_link_failed,
        .closed = on_link_closed,
        .ready = on_link_ready,
};

/* ---- connecting ---- */

static void link_send(HttpLink *link) {
        HttpCall *call = link->call;
        int r;

        link->sent = true;
        link_set_timeout(link, call->head_timeout);
        if (call->lasting && link->url.scheme != URL_UNIX)
                (void)uv_tcp_keepalive(&link->stream->uv.tcp, 1, CLIENT_KEEPALIVE_SEC);
        r = stream_start_reading(link->stream);
        if (r >= 0)
                r = stream_write(link->stream, buffer_data(&call->request), buffer_length(&call->request));
        if (r < 0 && link->call)
                link_fail(link, r, "cannot send");
        else if (link->call && !call->safe)
                buffer_deinit(&call->request);
}

static void on_connected(uv_connect_t *request, int status) {
        HttpLink *link = container_of(request, HttpLink, connect);

        if (link->closing)
                return;
        if (status < 0) {
                link_fail(link, status, "cannot connect");
                return;
        }
        stream_connected(link->stream);
        if (stream_is_ready(link->stream)) {
                link->connected = true;
                link_send(link);
                return;
        }
        status = stream_start_reading(link->stream);
        if (status >= 0)
                status = stream_begin_handshake(link->stream);
        if (status < 0)
                link_fail(link, status, "cannot begin TLS");
}

/* The handshake is through. */
static void on_link_ready(Stream *stream) {
        HttpLink *link = stream->owner;

        if (link->closing || link->connected)
                return;
        link->connected = true;
        link_send(link);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
        HttpLink *link = container_of(request, HttpLink, resolve);

        link->resolving = false;
        if (link->closing) {
                uv_freeaddrinfo(found);
                if (link->closing_handles == 0)
                        link_free(link);
                return;
        }
        if (status < 0) {
                link_fail(link, -EHOSTUNREACH, "cannot resolve the host name");
        } else {
                status = uv_tcp_connect(&link->connect, &link->stream->uv.tcp, found->ai_addr, on_connected);
                if (status < 0)
                        link_fail(link, status, "cannot connect");
        }
        uv_freeaddrinfo(found);
}

static int link_resolve(HttpLink *link) {
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        char port[8];
        int r;

        (void)snprintf(port, sizeof(port), "%u", link->url.port);
        r = uv_getaddrinfo(link->client->loop, &link->resolve, on_resolved, link->url.host, port, &hints);
        link->resolving = r >= 0;
        return r;
}

static int link_open(HttpLink *link) {
        struct sockaddr_storage address;
        const char *host = str_equals(link->url.host, "localhost") ? "127.0.0.1" : link->url.host;

        if (link->url.scheme == URL_UNIX) {
                uv_pipe_connect(&link->connect, &link->stream->uv.pipe, link->url.host, on_connected);
                return 0;
        }
        if (address_parse(host, link->url.port, &address) >= 0)
                return uv_tcp_connect(&link->connect, &link->stream->uv.tcp, (struct sockaddr *)&address, on_connected);
        return link_resolve(link);
}

static int link_new(HttpClient *client, const Url *url, HttpLink **ret) {
        HttpLink *link = calloc(1, sizeof(*link));
        StreamFilter *filter = NULL;
        int r;

        if (!link)
                return -ENOMEM;
        list_init(&link->link);
        link->client = client;
        link->url = *url;
        link->parser = http_parser_new(HTTP_PARSE_RESPONSE, client->config.head_bytes);
        link->stream = malloc(sizeof(*link->stream));
        r = link->parser && link->stream ? 0 : -ENOMEM;
        if (r >= 0)
                r = stream_init(link->stream, client->loop, url->scheme == URL_UNIX, &link_events, link);
        if (r < 0) {
                free(link->stream);
                link->stream = NULL;
                link_free(link);
                return r;
        }
        (void)uv_timer_init(client->loop, &link->timer);
        link->timer.data = link;
        list_append(&client->links, &link->link);
        if (url->scheme == URL_HTTPS && client->config.tls)
                r = tls_client_filter(client->config.tls, url->host, url->port, uv_now(client->loop) * USEC_PER_MSEC, &filter);
        else if (client->config.filter)
                r = client->config.filter(client->config.userdata, url, &filter);
        if (r < 0) {
                link_close(link);
                return r;
        }
        if (filter)
                stream_set_filter(link->stream, filter, NULL);
        *ret = link;
        return 0;
}

static HttpLink *client_find_idle(HttpClient *client, const Url *url) {
        list_foreach(&client->links, node) {
                HttpLink *link = container_of(node, HttpLink, link);

                if (!link->call && !link->closing && link->connected && link->url.scheme == url->scheme &&
                    link->url.port == url->port && str_equals(link->url.host, url->host))
                        return link;
        }
        return NULL;
}

static void on_send_due(uv_timer_t *timer) {
        link_send(timer->data);
}

static int call_start(HttpCall *call) {
        HttpLink *link = client_find_idle(call->client, &call->url);
        int r;

        if (link) { /* sent from the loop: a connection that has died meanwhile must not fail the call before it began */
                link->call = call;
                call->link = link;
                link->sent = false;
                (void)uv_timer_start(&link->timer, on_send_due, 0, 0);
                return 0;
        }
        r = link_new(call->client, &call->url, &link);
        if (r < 0)
                return r;
        link->call = call;
        call->link = link;
        link_set_timeout(link, call->connect_timeout);
        r = link_open(link);
        if (r < 0) {
                link->call = NULL;
                link_close(link);
        }
        return r;
}

/* ---- calls ---- */

static int call_write_head(HttpCall *call, const HttpCallSpec *spec) {
        Buffer *to = &call->request;
        const char *method = spec->method ?: "GET";

        (void)buffer_printf(to, "%s %s HTTP/1.1\r\nHost: ", method, spec->target);
        if (spec->url->scheme == URL_UNIX)
                (void)buffer_append_string(to, "localhost");
        else
                (void)buffer_printf(to, strchr(spec->url->host, ':') ? "[%s]:%u" : "%s:%u", spec->url->host, spec->url->port);
        (void)buffer_append_string(to, "\r\n");
        (void)buffer_append_string(to, spec->headers ?: "");
        if (spec->stream_body)
                (void)buffer_append_string(to, "Transfer-Encoding: chunked\r\n");
        else if (spec->body.data || str_equals(method, "POST") || str_equals(method, "PUT"))
                (void)buffer_printf(to, "Content-Length: %zu\r\n", spec->body.length);
        (void)buffer_append_string(to, "\r\n");
        if (!spec->stream_body && spec->body.data)
                (void)buffer_append(to, spec->body.data, spec->body.length);
        return buffer_failed(to);
}

int http_client_call(HttpClient *client, const HttpCallSpec *spec, const HttpCallOps *ops, void *userdata, HttpCall **ret_call) {
        const char *method = spec->method ?: "GET";
        HttpCall *call;
        int r;

        if ((spec->target[0] != '/' && !str_starts_with(spec->target, "http://")) || strpbrk(spec->target, " \r\n"))
                return -EINVAL;
        if (spec->url->scheme == URL_HTTPS && !client->config.tls && !client->config.filter)
                return -EPROTONOSUPPORT;
        call = calloc(1, sizeof(*call));
        if (!call)
                return -ENOMEM;
        *call = (HttpCall){
                .client = client,
                .ops = ops,
                .userdata = userdata,
                .url = *spec->url,
                .body_limit = spec->body_limit ?: CLIENT_BODY_DEFAULT,
                .connect_timeout = spec->connect_timeout ?: CLIENT_CONNECT_TIMEOUT_MSEC * USEC_PER_MSEC,
                .head_timeout = spec->head_timeout,
                .idle_timeout = spec->idle_timeout,
                .is_head = str_equals(method, "HEAD"),
                .lasting = spec->lasting,
                .want_upgrade = spec->want_upgrade,
                .stream_body = spec->stream_body,
                .safe = !spec->stream_body && (str_equals(method, "GET") || str_equals(method, "HEAD")),
        };
        r = call_write_head(call, spec);
        if (r >= 0)
                r = call_start(call);
        if (r < 0) {
                call_free(call);
                return r;
        }
        if (ret_call)
                *ret_call = call;
        return 0;
}

void http_call_cancel(HttpCall *call) {
        HttpLink *link = call->link;

        if (!link || link->in_done)
                return; /* within its own `done`, which frees it */
        link_close(link);
        call_free(call);
}

void *http_call_userdata(const HttpCall *call) {
        return call->userdata;
}

unsigned http_call_status(const HttpCall *call) {
        return call->link && call->head_seen ? http_parser_status(call->link->parser) : 0;
}

Slice http_call_header(const HttpCall *call, const char *name) {
        return call->link && call->head_seen ? http_head_get(http_parser_head(call->link->parser), name) : (Slice){NULL, 0};
}

const HttpHead *http_call_head(const HttpCall *call) {
        return call->link && call->head_seen ? http_parser_head(call->link->parser) : NULL;
}

Slice http_call_body(const HttpCall *call) {
        Buffer *answer = (Buffer *)(uintptr_t)&call->answer; /* adding the NUL changes nothing that a reader sees */
        const char *text = buffer_string(answer);

        return text ? (Slice){text, buffer_length(answer)} : (Slice){"", 0};
}

int http_call_write(HttpCall *call, Slice bytes) {
        char size[32];
        int n, r;

        if (!call->link)
                return -EPIPE;
        if (bytes.length == 0)
                return 0;
        n = snprintf(size, sizeof(size), "%zx\r\n", bytes.length);
        if (!call->link->sent) { /* goes out with the head */
                (void)buffer_append(&call->request, size, (size_t)n);
                (void)buffer_append(&call->request, bytes.data, bytes.length);
                return buffer_append(&call->request, "\r\n", 2);
        }
        stream_cork(call->link->stream);
        (void)stream_write(call->link->stream, size, (size_t)n);
        (void)stream_write(call->link->stream, bytes.data, bytes.length);
        r = stream_write(call->link->stream, "\r\n", 2);
        stream_uncork(call->link->stream);
        return r;
}

int http_call_finish(HttpCall *call) {
        static const char last[] = "0\r\n\r\n";

        if (!call->link)
                return -EPIPE;
        call->finished = true;
        if (!call->link->sent)
                return buffer_append(&call->request, last, sizeof(last) - 1);
        return stream_write(call->link->stream, last, sizeof(last) - 1);
}

size_t http_call_queued(const HttpCall *call) {
        return call->link && call->link->stream ? stream_queued(call->link->stream) + buffer_length(&call->request) : 0;
}

void http_call_pause(HttpCall *call, bool pause) {
        if (!call->link || !call->link->stream)
                return;
        if (pause)
                stream_stop_reading(call->link->stream);
        else
                (void)stream_start_reading(call->link->stream);
}

void http_call_stream_free(Stream *stream) {
        free(stream);
}

/* ---- client ---- */

HttpClient *http_client_new(uv_loop_t *loop, const HttpClientConfig *config) {
        HttpClient *client = calloc(1, sizeof(*client));

        if (!client)
                return NULL;
        client->loop = loop;
        if (config)
                client->config = *config;
        if (client->config.idle_connections == 0)
                client->config.idle_connections = CLIENT_IDLE_DEFAULT;
        if (client->config.head_bytes == 0)
                client->config.head_bytes = CLIENT_HEAD_DEFAULT;
        list_init(&client->links);
        return client;
}

void http_client_set_tls(HttpClient *client, TlsContext *tls) {
        client->config.tls = tls;
}

void http_client_close(HttpClient *client) {
        client->closing = true;
        list_foreach(&client->links, node) {
                HttpLink *link = container_of(node, HttpLink, link);
                HttpCall *call = link->call;

                list_unlink(&link->link); /* it frees itself when the loop runs */
                link_close(link);
                if (call && !link->in_done)
                        call_free(call);
        }
        free(client);
}
