#pragma once
/*
 * An HTTP/1.1 client on a libuv loop: keep-alive pool, streaming both ways, upgrade, TCP and unix sockets. Every call
 * ends with exactly one `done`, unless it is cancelled.
 */
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/url.h"

typedef struct HttpClient HttpClient;
typedef struct HttpCall HttpCall;

typedef struct HttpClientConfig {
        size_t idle_connections; /* most that are kept per endpoint; 0: 8 */
        size_t head_bytes;       /* most bytes of an answer's head; 0: 64 KiB */
        TlsContext *tls;         /* for https:// endpoints, which cannot be reached without; borrowed */
        /* May be NULL. A filter for a new connection to `url`; *ret NULL for none. */
        int (*filter)(void *userdata, const Url *url, StreamFilter **ret);
        void *userdata;
} HttpClientConfig;

typedef struct HttpCallOps {
        /* May be NULL. The answer's head is here; see http_call_status(), http_call_header(). */
        void (*head)(HttpCall *call);
        /* May be NULL: the body is then gathered, see http_call_body(). A piece of it, borrowed. */
        void (*body)(HttpCall *call, Slice bytes);
        /* May be NULL: the server's upgrade is then a failure. The stream goes to the caller's care as with
         * http_request_upgrade(), free it with http_call_stream_free(); `done` does not follow. */
        void (*upgraded)(HttpCall *call, Stream *stream, Slice early);
        /* May be NULL. All pieces of the body that came with one reading of the connection were given to `body`, and the answer
         * goes on. */
        void (*paused)(HttpCall *call);
        /* May be NULL. The output of a streamed request body has been taken by the kernel. */
        void (*drained)(HttpCall *call);
        /* The call is over: r == 0 whole answer, whatever its status; < 0 with a text for people in `error`:
         * -ECONNREFUSED and other connection errors, -ETIMEDOUT, -EBADMSG, -EMSGSIZE; -EPROTO: TLS did not come about, and
         * no server has taken the request. Memory goes after it. */
        void (*done)(HttpCall *call, int r, const Error *error);
} HttpCallOps;

typedef struct HttpCallSpec {
        const Url *url;       /* the endpoint; its path is not used */
        const char *method;   /* NULL: GET */
        const char *target;   /* "/path?query", encoded; "http://host/path?query" when `url` is a proxy's */
        const char *headers;  /* "Name: value\r\n"…; NULL: none. Host and framing are the client's */
        Slice body;           /* sent with its length; data NULL: no body */
        bool stream_body;     /* the body follows by http_call_write() and http_call_finish() */
        bool lasting;         /* the answer may be silent for long: the kernel looks whether the peer is still there */
        bool want_upgrade;    /* 101, or 2xx without framing, hands the stream over */
        Usec connect_timeout; /* with TLS's handshake; 0: 5 s */
        Usec head_timeout;    /* from connected to the answer's head; 0: none */
        Usec idle_timeout;    /* longest silence within the answer's body; 0: none */
        size_t body_limit;    /* of a gathered body; 0: 16 MiB */
} HttpCallSpec;

/* NULL without memory. */
HttpClient *http_client_new(uv_loop_t *loop, const HttpClientConfig *config);

/* For connections from now on; borrowed. */
void http_client_set_tls(HttpClient *client, TlsContext *tls);

/* Cancels all calls (no `done`) and closes; memory goes once the loop has run. */
void http_client_close(HttpClient *client);

/* Starts a call; everything in `spec` is copied. No callback comes before this returns. -ENOMEM, -EINVAL;
 * -EPROTONOSUPPORT: https without a TlsContext. */
int http_client_call(HttpClient *client, const HttpCallSpec *spec, const HttpCallOps *ops, void *userdata, HttpCall **ret_call);

/* Ends the call without `done`. Not to be used after. */
void http_call_cancel(HttpCall *call);

void *http_call_userdata(const HttpCall *call);
unsigned http_call_status(const HttpCall *call);
Slice http_call_header(const HttpCall *call, const char *name); /* data NULL: absent */
/* All of its fields; NULL before it is here. */
const HttpHead *http_call_head(const HttpCall *call);
Slice http_call_body(const HttpCall *call);                     /* gathered so far; NUL-terminated */

/* A streamed request body. */
int http_call_write(HttpCall *call, Slice bytes);
int http_call_finish(HttpCall *call);
size_t http_call_queued(const HttpCall *call);

/* Stops and resumes reading the answer. */
void http_call_pause(HttpCall *call, bool pause);

void http_call_stream_free(Stream *stream);
