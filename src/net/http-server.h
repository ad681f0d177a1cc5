#pragma once
/*
 * An HTTP/1.1 server on a libuv loop: keep-alive, pipelining, chunked both ways, streaming answers, upgrade, TCP and unix
 * sockets, limits. One server has any number of listeners and one handler.
 *
 * A request lives from `handle` until its answer is complete or its connection is lost; `gone` tells the handler of the
 * latter. Answers may be given inside `handle` or at any later time. Slices of a request are valid as long as it is.
 */
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/url.h"

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;

typedef struct HttpServerLimits {
        size_t head_bytes;       /* request line and fields; answered 431 above */
        uint64_t body_bytes;     /* of a gathered body; answered 413 above */
        size_t connections;      /* answered 503 and closed above */
        size_t pipelined_bytes;  /* read ahead while an answer is due; then reading stops */
        size_t output_bytes;     /* a streamed answer that lags behind by more is cut off: the connection closes */
        size_t output_total;     /* of whole answers that wait for all clients together: above, a large one is answered 503 */
        size_t body_total;       /* of gathered bodies of all clients together: above, a large one is answered 503 */
        Usec head_timeout;       /* from the first byte of a request to the end of its head */
        Usec body_timeout;       /* for each 4 KiB of a gathered body; answered 408 */
        Usec idle_timeout;       /* between requests, within a body taken in pieces, and while the peer does not read */
        Usec stall_timeout;      /* of a streamed answer whose client does not read; 0: none (someone may look at it in a pager) */
        Usec handshake_timeout;  /* of TLS */
        size_t handshakes;       /* of TLS under way; above, the one that has waited longest gives way */
        unsigned handshake_steps; /* in one turn of the loop; the others wait for a later turn */
} HttpServerLimits;

/* 64 KiB, 64 MiB, 20,000, 64 KiB, 16 MiB, 512 MiB, 512 MiB, 10 s, 30 s, 120 s, none, 10 s, 1,000, 4 */
extern const HttpServerLimits http_server_limits_default;

typedef struct HttpServerOps {
        /* A whole request has come, or, when `head` said so, its head. */
        void (*handle)(void *userdata, HttpRequest *request);
        /* May be NULL. The head has come. Return true to take the body in pieces through http_request_take_body();
         * `handle` is then called at once. */
        bool (*head)(void *userdata, HttpRequest *request);
        /* May be NULL. A filter (TLS) for a new connection of a listener with that `listener_data`; *ret NULL for none. */
        int (*filter)(void *userdata, void *listener_data, StreamFilter **ret);
        /* May be NULL. A client at `peer` could not be let in by TLS, and why: for the log. At most once a second; `more`:
         * how many others there were since the last time. */
        void (*refused)(void *userdata, const char *peer, const char *why, size_t more);
} HttpServerOps;

/* `userdata` and ops are borrowed. NULL without memory. */
HttpServer *http_server_new(uv_loop_t *loop, const HttpServerOps *ops, void *userdata, const HttpServerLimits *limits);

/* Stops listening, drops all connections. Memory goes, and `closed` (may be NULL) is called, once the loop has run. */
void http_server_close(HttpServer *server, void (*closed)(void *userdata), void *userdata);

/* Stops accepting; requests under way finish, idle connections close. */
void http_server_stop_listening(HttpServer *server);

/* What listeners at https:// addresses need; borrowed. Before http_server_listen(). */
void http_server_set_tls(HttpServer *server, TlsContext *tls);

/* Listens at `url`; a unix socket gets `mode`, and a stale file of one is replaced. ret_port (may be NULL): the port that
 * the kernel chose when the URL's is 0. -EADDRINUSE and others with `error`. */
int http_server_listen(HttpServer *server, const Url *url, unsigned mode, void *listener_data, uint16_t *ret_port,
                       Error *error);

/* Serves an inherited listening socket (socket activation), which it then owns; `tls`: what http_server_set_tls() was given is spoken
 * there. */
int http_server_listen_fd(HttpServer *server, int fd, bool tls, void *listener_data, Error *error);

/* Tells the descriptor of each listening socket: for a program that hands them to the next one. It stays the server's. */
void http_server_each_listener(const HttpServer *server, void (*each)(void *userdata, int fd, void *listener_data), void *userdata);

size_t http_server_connections(const HttpServer *server);

/* Connections whose request is with the handler, or whose first one has yet to come. */
size_t http_server_busy(const HttpServer *server);

/* ---- the request ---- */

HttpMethod http_request_method(const HttpRequest *request);
Slice http_request_method_text(const HttpRequest *request); /* also of methods that HttpMethod does not name */
Slice http_request_target(const HttpRequest *request);      /* as sent */
Slice http_request_path(const HttpRequest *request);        /* the target up to '?', still encoded */
Slice http_request_query(const HttpRequest *request);       /* after '?'; empty when none */
Slice http_request_header(const HttpRequest *request, const char *name); /* data NULL: absent */
const HttpHead *http_request_head(const HttpRequest *request);
Slice http_request_body(const HttpRequest *request);        /* the gathered body */
bool http_request_wants_upgrade(const HttpRequest *request);
void *http_request_listener_data(const HttpRequest *request);
void *http_request_server_data(const HttpRequest *request); /* the server's `userdata` */
uv_loop_t *http_request_loop(const HttpRequest *request);

/* Process id and user of a unix socket's peer; -ENOTSUP on TCP. */
int http_request_peer_credentials(const HttpRequest *request, pid_t *ret_pid, uid_t *ret_uid);

/* "127.0.0.1:5123", or "unix". */
void http_request_peer_name(const HttpRequest *request, char *name, size_t size);

/* The CN of the client's certificate when there is one and TLS has verified it; NULL otherwise. Valid as the request is. */
const char *http_request_peer_cn(const HttpRequest *request);

/* Whether it came over TLS. */
bool http_request_is_tls(const HttpRequest *request);

/* One slot for the handler's own data. */
void http_request_set_data(HttpRequest *request, void *data);
void *http_request_data(const HttpRequest *request);

/* `gone` is called when the connection is lost before the answer was complete; the request must not be used after.
 * With `on_input_end` it is also called when the peer merely ends its sending side (it will hardly wait for an event). */
void http_request_set_gone(HttpRequest *request, void (*gone)(HttpRequest *request), bool on_input_end);

/* For bodies taken in pieces: `piece` gets each (borrowed), `end` is called after the last. Either may answer. */
void http_request_take_body(HttpRequest *request, void (*piece)(HttpRequest *request, Slice bytes),
                            void (*end)(HttpRequest *request));

/* Stops and resumes reading from the connection while a taken body comes in too fast. */
void http_request_pause_body(HttpRequest *request, bool pause);

/* ---- the answer ---- */

/* `headers`: further fields as "Name: value\r\n"…, or "". Date, Content-Length, Transfer-Encoding and Connection are the
 * server's. Whole answer in one call; for HEAD only the head is sent. The request is over. */
void http_respond(HttpRequest *request, unsigned status, const char *headers, Slice body);

/* A text/plain answer. */
void http_respond_text(HttpRequest *request, unsigned status, const char *text);

/* Streamed: begin flushes the head at once; each write is sent at once as one chunk (to HTTP/1.0: plain, and the
 * connection ends it). `content_length` UINT64_MAX: unknown. write: -EPIPE once the peer is gone, -ENOBUFS when it lags
 * behind too far (the connection is then closed). end: the request is over. All of them send at once: when the peer turns
 * out to be gone, `gone` is called before they return. */
void http_respond_begin(HttpRequest *request, unsigned status, const char *headers, uint64_t content_length);
int http_respond_write(HttpRequest *request, Slice bytes);
void http_respond_end(HttpRequest *request);

/* Breaks the connection in the middle of a streamed answer, so that the peer sees that it is not whole. */
void http_respond_abort(HttpRequest *request);

/* Output of this request that the kernel has not taken; `drained` (may be NULL) is called when it becomes 0. */
size_t http_request_queued(const HttpRequest *request);
void http_request_set_drained(HttpRequest *request, void (*drained)(HttpRequest *request));

/* Sends the head of the answer (101, or 200 for clients that did not ask) and hands the connection over: *stream is moved
 * out of the server into the caller's care, who must call stream_set_events() and stream_start_reading() and free it
 * with http_upgraded_free() in its `closed`. Bytes that came after the request are appended to *ret_early. The request is
 * over. -ENOMEM. */
int http_request_upgrade(HttpRequest *request, unsigned status, const char *headers, Stream **ret_stream, Buffer *ret_early);
void http_upgraded_free(Stream *stream);
