/* One connection of the server: parsing, the request's life, answers, upgrade. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "net/http-server-internal.h"

enum {
        BODY_KEEP_MAX = 65536,   /* a larger body buffer is not kept for the next request */
        BODY_STEP = 4096,        /* so much of a body buys another body_timeout */
        SMALL_MAX = 65536,       /* bodies and answers up to here are taken whatever all clients together hold */
        OUTPUT_FULL = 256 << 10, /* with more output on its way to a client its next request is not begun */
        LINGER_MAX = 1 << 20,    /* bytes behind the last answer; then the connection ends, read or not */
};

static void connection_answered(HttpConnection *connection);

static HttpConnection *request_connection(const HttpRequest *request) {
        return container_of(request, HttpConnection, request);
}

/* ---- the end of requests and connections ---- */

/* The memory of its body is no more, or small. */
static void request_release_body(HttpRequest *request) {
        request_connection(request)->server->bodies_held -= request->body_held;
        request->body_held = 0;
}

static void request_reset(HttpRequest *request) {
        Buffer body = request->body;

        request_release_body(request);
        if (body.capacity > BODY_KEEP_MAX)
                buffer_deinit(&body);
        buffer_clear(&body);
        *request = (HttpRequest){.body = body, .close_after = request->close_after};
}

static void request_lose(HttpRequest *request) {
        void (*gone)(HttpRequest *request) = request->gone;

        if (!request->active)
                return;
        request->active = false;
        if (gone)
                gone(request);
}

static void connection_free(HttpConnection *connection) {
        HttpServer *server = connection->server;

        list_unlink(&connection->link);
        http_server_set_timeout(server, connection, TIMEOUT_NONE);
        http_parser_free(connection->parser);
        buffer_deinit(&connection->early);
        buffer_deinit(&connection->request.body);
        request_release_body(&connection->request);
        server->output_held -= connection->output_held;
        free(connection);
        http_server_connection_ended(server);
}

static void on_closed(Stream *stream) {
        connection_free(stream->owner);
        free(stream);
}

void http_connection_close(HttpConnection *connection) {
        connection->state = CONNECTION_CLOSING;
        http_server_set_timeout(connection->server, connection, TIMEOUT_NONE);
        stream_close(connection->stream);
        request_lose(&connection->request);
}

/* Ends our side after the last answer and reads on until the peer has ended its own: closing with unread input would
 * reset the connection and could take the answer with it. But not for long. */
static void connection_linger(HttpConnection *connection) {
        connection->state = CONNECTION_CLOSING;
        buffer_deinit(&connection->early);
        http_server_set_timeout(connection->server, connection, TIMEOUT_HEAD);
        stream_end(connection->stream);
        if (stream_start_reading(connection->stream) < 0)
                http_connection_close(connection);
}

void http_connection_finish_idle(HttpConnection *connection) {
        if (stream_queued(connection->stream) > 0)
                connection_linger(connection);
        else
                http_connection_close(connection);
}

/* ---- input ---- */

/* No further byte may be parsed now. */
static bool connection_is_blocked(const HttpConnection *connection) {
        return connection->state == CONNECTION_ANSWER || connection->state == CONNECTION_CLOSING || connection->body_paused ||
               connection->detached || connection->output_full;
}

/* A client that asks and does not read must not have its answers pile up here. */
static void connection_consider_output(HttpConnection *connection) {
        connection->output_full = connection->state == CONNECTION_IDLE && stream_queued(connection->stream) > OUTPUT_FULL;
}

static void connection_note_output(HttpConnection *connection) {
        size_t held = stream_held(connection->stream);

        connection->server->output_held += held - connection->output_held;
        connection->output_held = held;
}

static void connection_refuse(HttpConnection *connection, unsigned status, const char *text) {
        connection->state = CONNECTION_ANSWER;
        connection->request.active = true;
        connection->request.close_after = true;
        http_respond_text(&connection->request, status, text);
}

static void connection_got_head(HttpConnection *connection) {
        HttpServer *server = connection->server;
        HttpRequest *request = &connection->request;
        HttpParser *parser = connection->parser;
        Slice expect = http_head_get(http_parser_head(parser), "expect");
        uint64_t length = http_parser_content_length(parser);
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

        connection->state = CONNECTION_BODY;
        http_server_set_timeout(server, connection, TIMEOUT_BODY);
        if (!http_parser_keeps_alive(parser) && !http_parser_wants_upgrade(parser))
                request->close_after = true;
        if (!http_parser_is_http10(parser) && !http_head_get(http_parser_head(parser), "host").data) {
                connection_refuse(connection, 400, "400 Bad Request: missing required Host header");
                return;
        }
        if (expect.data && !http_head_has_token(http_parser_head(parser), "expect", "100-continue")) {
                connection_refuse(connection, 417, "417 Expectation Failed: only 100-continue is known");
                return;
        }
        if (server->ops->head) {
                request->active = true;
                request->body_taken = server->ops->head(server->userdata, request);
                if (connection->state != CONNECTION_BODY)
                        return; /* answered already */
                request->active = request->body_taken;
        }
        if (!request->body_taken && length != UINT64_MAX && length > server->limits.body_bytes) {
                connection_refuse(connection, 413, "413 Request Entity Too Large");
                return;
        }
        if (expect.data && http_parser_has_body(parser) && !http_parser_is_http10(parser))
                (void)stream_write(connection->stream, go_on, sizeof(go_on) - 1);
        if (request->body_taken) {
                http_server_set_timeout(server, connection, TIMEOUT_IDLE);
                server->ops->handle(server->userdata, request);
        }
}

/* Whether there is room for `more` of a gathered body among those of all clients. */
static bool connection_may_gather(const HttpConnection *connection, size_t more) {
        const HttpServer *server = connection->server;
        size_t held = buffer_length(&connection->request.body);

        return held + more <= SMALL_MAX ||
               (server->bodies_held <= server->limits.body_total && more <= server->limits.body_total - server->bodies_held);
}

static void connection_gather_body(HttpConnection *connection, Slice piece) {
        HttpRequest *request = &connection->request;

        request->body_recent += piece.length;
        if (request->body_recent >= BODY_STEP) {
                request->body_recent = 0;
                http_server_set_timeout(connection->server, connection, TIMEOUT_BODY);
        }
        if (piece.length > connection->server->limits.body_bytes - buffer_length(&request->body))
                connection_refuse(connection, 413, "413 Request Entity Too Large");
        else if (!connection_may_gather(connection, piece.length))
                connection_refuse(connection, 503, "503 Service Unavailable: the requests of all clients need too much memory, try later");
        else if (buffer_append(&request->body, piece.data, piece.length) < 0)
                connection_refuse(connection, 503, "503 Service Unavailable: out of memory");
        else {
                request->body_held += piece.length;
                connection->server->bodies_held += piece.length;
        }
}

static void connection_got_body(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        Slice piece = http_parser_piece(connection->parser);

        if (!request->body_taken) {
                connection_gather_body(connection, piece);
                return;
        }
        http_server_set_timeout(connection->server, connection, TIMEOUT_IDLE);
        if (request->active && request->body_piece)
                request->body_piece(request, piece);
}

static void connection_got_message(HttpConnection *connection) {
        HttpServer *server = connection->server;
        HttpRequest *request = &connection->request;

        request->body_complete = true;
        connection->served = true;
        connection->state = CONNECTION_ANSWER;
        http_server_set_timeout(server, connection, TIMEOUT_NONE);
        if (!request->body_taken) {
                request->active = true;
                server->ops->handle(server->userdata, request);
        } else if (request->body_end) {
                request->body_end(request);
        }
}

static void connection_parse_failed(HttpConnection *connection, int r) {
        char text[256];

        if (connection->request.active) { /* within a body that is being taken */
                http_connection_close(connection);
                return;
        }
        connection->request.close_after = true;
        if (r == -EMSGSIZE)
                connection_refuse(connection, 431, "431 Request Header Fields Too Large");
        else if (r == -ENOMEM)
                connection_refuse(connection, 503, "503 Service Unavailable: out of memory");
        else {
                (void)snprintf(text, sizeof(text), "400 Bad Request: %s", http_parser_problem(connection->parser));
                connection_refuse(connection, 400, text);
        }
}

static void connection_step(HttpConnection *connection) {
        HttpParseEvent event;
        size_t used;
        int r;

        if (connection->state == CONNECTION_IDLE) {
                connection->state = CONNECTION_HEAD;
                http_server_set_timeout(connection->server, connection, TIMEOUT_HEAD);
        }
        r = http_parser_feed(connection->parser, connection->pending.data, connection->pending.length, &used, &event);
        if (r < 0) {
                connection_parse_failed(connection, r);
                return;
        }
        connection->pending.data += used;
        connection->pending.length -= used;
        switch (event) {
        case HTTP_PARSE_HEAD:
                connection_got_head(connection);
                break;
        case HTTP_PARSE_BODY:
                connection_got_body(connection);
                break;
        case HTTP_PARSE_MESSAGE:
                connection_got_message(connection);
                break;
        case HTTP_PARSE_MORE:
                break;
        }
}

/* Keeps what cannot be parsed yet; stops reading when that is much. */
static void connection_keep(HttpConnection *connection, Slice bytes) {
        if (connection->state == CONNECTION_CLOSING || bytes.length == 0)
                return;
        if (buffer_append(&connection->early, bytes.data, bytes.length) < 0) {
                http_connection_close(connection);
                return;
        }
        if (buffer_length(&connection->early) >= connection->server->limits.pipelined_bytes)
                stream_stop_reading(connection->stream);
}

/* False: the stream was handed over, and the connection is no more. */
static bool connection_parse(HttpConnection *connection, Slice bytes) {
        Stream *stream = connection->stream;

        connection->parsing = true;
        connection->pending = bytes;
        stream_cork(stream);
        while (connection->pending.length > 0 && !connection_is_blocked(connection)) {
                connection_step(connection);
                connection_consider_output(connection);
                if (!connection->output_full)
                        continue;
                stream_uncork(stream); /* what has gathered may all go at once */
                stream_cork(stream);
                connection_consider_output(connection);
        }
        connection->parsing = false;
        if (connection->detached) {
                stream_uncork(stream);
                connection_free(connection);
                return false;
        }
        connection_keep(connection, connection->pending);
        connection->pending = (Slice){NULL, 0};
        stream_uncork(stream);
        connection_note_output(connection);
        return true;
}

static void on_input(Stream *stream, const char *bytes, size_t length) {
        HttpConnection *connection = stream->owner;

        if (connection->state == CONNECTION_CLOSING) {
                connection->lingered += length;
                if (connection->lingered > LINGER_MAX && stream_queued(stream) == 0)
                        http_connection_close(connection);
                return;
        }
        if (connection_is_blocked(connection) || buffer_length(&connection->early) > 0)
                connection_keep(connection, (Slice){bytes, length});
        else
                (void)connection_parse(connection, (Slice){bytes, length});
}

/* The peer sends no more and no answer is due: what is still on its way to it goes out, then the connection ends. */
static void connection_finish(HttpConnection *connection) {
        request_lose(&connection->request);
        if (connection->state != CONNECTION_CLOSING)
                connection_linger(connection);
}

/* Goes on with bytes that had to wait. */
static void connection_resume(HttpConnection *connection) {
        Buffer early;

        if (connection->parsing || connection_is_blocked(connection))
                return;
        if (buffer_length(&connection->early) == 0) {
                if (connection->input_ended) {
                        connection_linger(connection);
                        return;
                }
                if (stream_start_reading(connection->stream) < 0)
                        http_connection_close(connection);
                return;
        }
        early = connection->early;
        connection->early = BUFFER_INIT;
        if (!connection->input_ended && stream_start_reading(connection->stream) < 0)
                http_connection_close(connection);
        if (connection_parse(connection, (Slice){buffer_data(&early), buffer_length(&early)}) && connection->input_ended &&
            !connection_is_blocked(connection))
                connection_finish(connection);
        buffer_deinit(&early);
}

/* An end within a request loses it; one while an answer is due does not, as the peer may still read. */
static void on_input_end(Stream *stream) {
        HttpConnection *connection = stream->owner;
        HttpRequest *request = &connection->request;

        connection->input_ended = true;
        switch (connection->state) {
        case CONNECTION_ANSWER:
                if (request->gone_on_input_end)
                        http_connection_close(connection);
                break;
        case CONNECTION_CLOSING:
                if (stream->end_sent)
                        http_connection_close(connection);
                break;
        default:
                if (!connection->output_full) /* otherwise what was asked before is answered first */
                        connection_finish(connection);
        }
}

static void on_ended(Stream *stream) {
        HttpConnection *connection = stream->owner;

        if (connection->input_ended)
                http_connection_close(connection);
}

static void on_ready(Stream *stream) {
        HttpConnection *connection = stream->owner;

        if (connection->timeout == TIMEOUT_HANDSHAKE)
                http_server_set_timeout(connection->server, connection, TIMEOUT_IDLE);
}

/* What the filter has to say of it is read before the connection goes; nothing else can be said any more. */
static void on_failed(Stream *stream, int r) {
        HttpConnection *connection = stream->owner;
        bool shaking = connection->timeout == TIMEOUT_HANDSHAKE && connection->state != CONNECTION_CLOSING;

        (void)r; /* whatever it was, the peer is gone */
        if (shaking && stream_problem(stream))
                http_server_tell_refused(connection->server, stream);
        if (!shaking || !stream_is_refused(stream)) {
                http_connection_close(connection);
                return;
        }
        connection->state = CONNECTION_CLOSING;
        stream_end(stream);
}

static void on_drained(Stream *stream) {
        HttpConnection *connection = stream->owner;

        connection_note_output(connection);
        if (connection->timeout == TIMEOUT_STALL)
                http_server_set_timeout(connection->server, connection, TIMEOUT_NONE);
        if (connection->request.active && connection->request.drained)
                connection->request.drained(&connection->request);
        else if (connection->output_full) {
                connection->output_full = false;
                connection_resume(connection);
        }
}

static const StreamEvents connection_events = {
        .input = on_input,
        .input_end = on_input_end,
        .drained = on_drained,
        .failed = on_failed,
        .ended = on_ended,
        .closed = on_closed,
        .ready = on_ready,
};

int http_connection_start(HttpServer *server, Stream *stream, void *listener_data) {
        HttpConnection *connection = calloc(1, sizeof(*connection));
        int r;

        if (!connection)
                return -ENOMEM;
        connection->parser = http_parser_new(HTTP_PARSE_REQUEST, server->limits.head_bytes);
        if (!connection->parser) {
                free(connection);
                return -ENOMEM;
        }
        connection->stream = stream;
        connection->server = server;
        connection->listener_data = listener_data;
        connection->timeout = TIMEOUT_NONE;
        list_init(&connection->timeout_link);
        r = stream_start_reading(stream);
        if (r < 0) {
                http_parser_free(connection->parser);
                free(connection);
                return r;
        }
        stream_set_events(stream, &connection_events, connection);
        list_append(&server->connections, &connection->link);
        server->connection_count++;
        http_server_set_timeout(server, connection, stream_is_ready(stream) ? TIMEOUT_IDLE : TIMEOUT_HANDSHAKE);
        return 0;
}

void http_connection_expire(HttpConnection *connection) {
        size_t queued = stream_queued(connection->stream);

        if (queued > 0 && queued != connection->queued_seen) {
                connection->queued_seen = queued; /* slow, but it reads */
                http_server_set_timeout(connection->server, connection,
                                        connection->state == CONNECTION_ANSWER ? TIMEOUT_STALL : TIMEOUT_IDLE);
                return;
        }
        if (connection->state == CONNECTION_HEAD || (connection->state == CONNECTION_BODY && !connection->request.body_taken))
                connection_refuse(connection, 408, "408 Request Timeout");
        else
                http_connection_close(connection);
}

void http_request_pause_body(HttpRequest *request, bool pause) {
        HttpConnection *connection = request_connection(request);

        connection->body_paused = pause;
        if (!pause)
                connection_resume(connection);
}

/* ---- the answer ---- */

static bool status_has_body(unsigned status) {
        return status >= 200 && status != 204 && status != 304;
}

/* A failed write closes the connection, and the request learns it from `gone`. */
static void write_text(Stream *stream, const char *text) {
        (void)stream_write(stream, text, strlen(text));
}

static void write_number(Stream *stream, uint64_t number) {
        char room[U64_DIGITS];
        Slice digits = u64_digits(number, room);

        (void)stream_write(stream, digits.data, digits.length);
}

static void write_framing(Stream *stream, uint64_t length, bool http10) {
        if (length != UINT64_MAX) {
                write_text(stream, "Content-Length: ");
                write_number(stream, length);
                write_text(stream, "\r\n");
        } else if (!http10) {
                write_text(stream, "Transfer-Encoding: chunked\r\n");
        }
}

/* Corked by the caller. `length`: of the body; UINT64_MAX when it is not known. */
static void answer_head(HttpConnection *connection, unsigned status, const char *headers, uint64_t length) {
        HttpRequest *request = &connection->request;
        bool http10 = http_parser_is_http10(connection->parser);
        Stream *stream = connection->stream;

        assert(request->active && !request->begun);
        request->begun = true;
        request->no_body = !status_has_body(status) || http_request_method(request) == HTTP_METHOD_HEAD;
        if (!request->body_complete)
                request->close_after = true;
        if (status_has_body(status) && length == UINT64_MAX && http10)
                request->close_after = true;
        request->chunked = length == UINT64_MAX && !http10 && !request->no_body;
        write_text(stream, "HTTP/1.1 ");
        write_number(stream, status);
        write_text(stream, " ");
        write_text(stream, http_status_text(status));
        write_text(stream, "\r\n");
        write_text(stream, http_server_date(connection->server));
        if (status_has_body(status))
                write_framing(stream, length, http10);
        if (request->close_after)
                write_text(stream, "Connection: close\r\n");
        else if (http10)
                write_text(stream, "Connection: keep-alive\r\n");
        write_text(stream, headers);
        write_text(stream, "\r\n");
}

/* Readies the connection for its next request, or ends it. */
static void connection_answered(HttpConnection *connection) {
        HttpRequest *request = &connection->request;

        request->active = false;
        if (connection->state == CONNECTION_CLOSING)
                return;
        if (request->close_after) {
                connection->pending.length = 0;
                connection_linger(connection);
                return;
        }
        request_reset(request);
        http_parser_reset(connection->parser);
        connection->body_paused = false;
        connection->state = CONNECTION_IDLE;
        connection->queued_seen = 0;
        if (!connection->parsing)
                connection_consider_output(connection);
        http_server_set_timeout(connection->server, connection, TIMEOUT_IDLE);
        connection_resume(connection);
}

/* Whether there is room for an answer among those that wait for all clients. */
static bool connection_may_answer(const HttpConnection *connection, size_t length) {
        const HttpServer *server = connection->server;

        return length <= SMALL_MAX || http_request_method(&connection->request) == HTTP_METHOD_HEAD ||
               (server->output_held <= server->limits.output_total && length <= server->limits.output_total - server->output_held);
}

void http_respond(HttpRequest *request, unsigned status, const char *headers, Slice body) {
        HttpConnection *connection = request_connection(request);
        Stream *stream = connection->stream;
        bool corked = stream->corked;
        int r = 0;

        if (!connection_may_answer(connection, body.length)) {
                http_respond_text(request, 503, "503 Service Unavailable: the answers that clients have not read yet need too much "
                                                "memory; ask for less at once, or try later");
                return;
        }
        stream_cork(stream);
        answer_head(connection, status, headers, body.length);
        if (!request->no_body)
                r = stream_write(stream, body.data, body.length);
        if (!corked)
                stream_uncork(stream);
        if (r < 0) { /* the head has promised it */
                if (request->active)
                        http_respond_abort(request);
                return;
        }
        connection_note_output(connection);
        /* a failed write has closed the connection by now, which `gone` has told */
        if (request->active)
                connection_answered(connection);
}

void http_respond_text(HttpRequest *request, unsigned status, const char *text) {
        http_respond(request, status, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
                     slice_from(text));
}

void http_respond_begin(HttpRequest *request, unsigned status, const char *headers, uint64_t content_length) {
        HttpConnection *connection = request_connection(request);
        Stream *stream = connection->stream;

        stream_cork(stream);
        answer_head(connection, status, headers, content_length);
        request->content_left = content_length;
        stream_uncork(stream);
        if (connection->parsing)
                stream_cork(stream);
}

int http_respond_write(HttpRequest *request, Slice bytes) {
        HttpConnection *connection = request_connection(request);
        Stream *stream = connection->stream;
        bool corked = stream->corked;
        char size[32];
        int n;

        if (!request->active)
                return -EPIPE;
        assert(request->begun);
        if (bytes.length == 0 || request->no_body)
                return 0;
        if (stream_queued(stream) > connection->server->limits.output_bytes) {
                http_connection_close(connection);
                return -ENOBUFS;
        }
        if (request->content_left != UINT64_MAX) {
                assert(bytes.length <= request->content_left);
                request->content_left -= bytes.length;
        }
        stream_cork(stream);
        if (request->chunked) {
                n = snprintf(size, sizeof(size), "%zx\r\n", bytes.length);
                (void)stream_write(stream, size, (size_t)n);
        }
        (void)stream_write(stream, bytes.data, bytes.length);
        if (request->chunked)
                (void)stream_write(stream, "\r\n", 2);
        if (!corked)
                stream_uncork(stream);
        if (!request->active)
                return -EPIPE;
        if (connection->server->limits.stall_timeout > 0 && connection->timeout == TIMEOUT_NONE && stream_queued(stream) > 0) {
                connection->queued_seen = 0;
                http_server_set_timeout(connection->server, connection, TIMEOUT_STALL);
        }
        return 0;
}

void http_respond_end(HttpRequest *request) {
        HttpConnection *connection = request_connection(request);

        if (!request->active)
                return;
        assert(request->begun);
        if (request->content_left != UINT64_MAX && request->content_left > 0 && !request->no_body) {
                http_respond_abort(request);
                return;
        }
        if (request->chunked)
                (void)stream_write(connection->stream, "0\r\n\r\n", 5);
        if (request->active)
                connection_answered(connection);
}

void http_respond_abort(HttpRequest *request) {
        request->active = false; /* the handler knows */
        http_connection_close(request_connection(request));
}

size_t http_request_queued(const HttpRequest *request) {
        return stream_queued(request_connection(request)->stream);
}

void http_request_set_drained(HttpRequest *request, void (*drained)(HttpRequest *request)) {
        request->drained = drained;
}

/* ---- upgrade ---- */

int http_request_upgrade(HttpRequest *request, unsigned status, const char *headers, Stream **ret_stream, Buffer *ret_early) {
        HttpConnection *connection = request_connection(request);
        Stream *stream = connection->stream;
        char head[128];
        int n, r;

        assert(request->active && !request->begun);
        r = buffer_append(ret_early, connection->pending.data, connection->pending.length);
        if (r >= 0)
                r = buffer_append(ret_early, buffer_data(&connection->early), buffer_length(&connection->early));
        if (r < 0)
                return r;
        n = snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\n", status, status == 101 ? "UPGRADED" : http_status_text(status));
        (void)stream_write(stream, head, (size_t)n);
        (void)stream_write(stream, headers, strlen(headers));
        (void)stream_write(stream, "\r\n", 2);
        stream_stop_reading(stream);
        request->active = false;
        connection->pending.length = 0;
        connection->detached = true;
        *ret_stream = stream;
        if (!connection->parsing) {
                stream_uncork(stream);
                connection_free(connection);
        }
        return 0;
}

void http_upgraded_free(Stream *stream) {
        free(stream);
}
