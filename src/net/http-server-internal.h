#pragma once
/* What http-server.c (listeners, time-outs) and http-connection.c (one connection) share. */
#include "net/http-parse.h"
#include "net/http-server.h"

typedef struct HttpListener HttpListener;
typedef struct HttpConnection HttpConnection;

typedef enum ConnectionState {
        CONNECTION_IDLE,    /* between requests */
        CONNECTION_HEAD,    /* within a head */
        CONNECTION_BODY,    /* within a body */
        CONNECTION_ANSWER,  /* the request is with the handler */
        CONNECTION_CLOSING, /* the last answer is on its way, or the stream is closing */
} ConnectionState;

/* Lists of connections in the order in which their time runs out: equal time-outs, so appending keeps the order. */
typedef enum TimeoutKind {
        TIMEOUT_HEAD,
        TIMEOUT_BODY, /* while a body gathers */
        TIMEOUT_IDLE,
        TIMEOUT_STALL, /* while a streamed answer waits for its reader */
        TIMEOUT_HANDSHAKE, /* of TLS, and the last words after one that failed */
        TIMEOUT_KINDS,
        TIMEOUT_NONE = TIMEOUT_KINDS,
} TimeoutKind;

struct HttpServer {
        uv_loop_t *loop;
        const HttpServerOps *ops;
        void *userdata;
        HttpServerLimits limits;
        TlsContext *tls;
        List listeners;
        List connections;
        size_t connection_count;
        size_t output_held;  /* the connections' output_held */
        size_t bodies_held;  /* the requests' body_held */
        List timeouts[TIMEOUT_KINDS];
        uv_timer_t timer;
        StreamGate gate;     /* of handshakes */
        size_t shaking;      /* connections in TIMEOUT_HANDSHAKE */
        Usec refused_told;
        size_t refused_more;
        bool timer_running;
        Usec timer_due;      /* while it runs */
        unsigned open_handles;
        bool closing;
        void (*closed)(void *userdata);
        void *closed_data;
        char date[64];    /* the Date field, made once a second */
        int64_t date_second;
};

struct HttpRequest {
        void *data;
        void (*gone)(HttpRequest *request);
        bool gone_on_input_end;
        void (*drained)(HttpRequest *request);
        void (*body_piece)(HttpRequest *request, Slice bytes);
        void (*body_end)(HttpRequest *request);
        bool body_taken;
        bool body_complete; /* the parser has seen the whole request */
        bool active;        /* with the handler: the answer is not complete */
        bool begun;         /* the answer's head is out */
        bool chunked;
        bool close_after;   /* the connection ends with this answer */
        bool no_body;       /* HEAD, 1xx, 204, 304 */
        uint64_t content_left;
        Buffer body;
        size_t body_held;
        size_t body_recent; /* bytes of the body since its time was last set */
};

struct HttpConnection {
        Stream *stream;
        HttpServer *server;
        void *listener_data;
        ListNode link;         /* in server->connections */
        ListNode timeout_link;
        Usec deadline;
        TimeoutKind timeout;
        ConnectionState state;
        HttpParser *parser;
        Slice pending;         /* bytes being parsed, borrowed; only while `parsing` */
        Buffer early;          /* bytes that have to wait for the answer under way */
        size_t queued_seen;    /* output when its time last ran out */
        size_t output_held;    /* memory for output, until all of it is out */
        size_t lingered;       /* bytes that came, and were dropped, behind the last answer */
        bool served;           /* a request of it has been with the handler */
        bool output_full;      /* the next request waits until the output is out */
        bool parsing;          /* connection_parse() is on the stack */
        bool detached;         /* the stream has been handed over */
        bool input_ended;
        bool body_paused;
        HttpRequest request;
};

/* Starts on an accepted stream, which it takes over; frees it on failure. */
int http_connection_start(HttpServer *server, Stream *stream, void *listener_data);
void http_connection_close(HttpConnection *connection);

/* Ends a connection between requests; the last answer still goes out. */
void http_connection_finish_idle(HttpConnection *connection);

/* Time has run out. */
void http_connection_expire(HttpConnection *connection);

/* TLS did not let a client in. */
void http_server_tell_refused(HttpServer *server, Stream *stream);

void http_server_set_timeout(HttpServer *server, HttpConnection *connection, TimeoutKind kind);
void http_server_connection_ended(HttpServer *server);
const char *http_server_date(HttpServer *server);
