#pragma once
/*
 * A connected byte stream on a libuv loop: TCP or unix socket, with an output queue, half-close and an optional filter
 * (TLS). Embedded in its owner, who hears of everything through StreamEvents and must keep it until `closed`.
 */
#include <uv.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/str.h"
#include "net/url.h"

typedef struct Stream Stream;
typedef struct StreamFilter StreamFilter;

typedef struct StreamEvents {
        /* Bytes came in; borrowed during the call. */
        void (*input)(Stream *stream, const char *bytes, size_t length);
        /* The peer has ended its side. Writing goes on until stream_close(). */
        void (*input_end)(Stream *stream);
        /* Output that had to wait is all with the kernel now. May be NULL. */
        void (*drained)(Stream *stream);
        /* The connection is broken (negative errno); stream_problem() may say why. The owner calls stream_close(), now or
         * later. When the filter broke it (stream_is_refused()), stream_end() still brings what the filter has to say of
         * it to the peer; input is then dropped. */
        void (*failed)(Stream *stream, int r);
        /* The filter's handshake is through. May be NULL. */
        void (*ready)(Stream *stream);
        /* stream_end() has done its work: the peer has, or will read, all of it and the end. May be NULL. */
        void (*ended)(Stream *stream);
        /* The last call: memory may be freed. */
        void (*closed)(Stream *stream);
} StreamEvents;

/* Transforms bytes in both directions; one per stream, owned by it. */
typedef struct StreamFilterOps {
        /* Wire bytes came: what they decode to goes to `plain`, what must be answered to `wire`. < 0 breaks the stream, after
         * `wire` has gone out; > 0: the peer has ended its side in the filter's own way. */
        int (*input)(StreamFilter *filter, const char *bytes, size_t length, Buffer *plain, Buffer *wire);
        /* Encodes plain bytes for the wire; keeps them until the handshake is through. No bytes: begins the handshake. */
        int (*output)(StreamFilter *filter, const char *bytes, size_t length, Buffer *wire);
        /* The owner ends its side. */
        int (*end)(StreamFilter *filter, Buffer *wire);
        /* May be NULL. The peer's bytes have ended without its having said so to the filter. < 0 breaks the stream. */
        int (*input_end)(StreamFilter *filter);
        void (*free)(StreamFilter *filter);
} StreamFilterOps;

struct StreamFilter {
        const StreamFilterOps *ops;
        bool shakes;         /* a handshake is under way: cleared by the filter */
        const char *problem; /* what broke it, for people; NULL: nothing said */
        const char *peer;    /* the peer's name, proven by the handshake; NULL: none */
};

/*
 * Handshakes cost time, and many streams may begin one at once. A gate lets so many steps pass in one turn of the loop; the
 * bytes of the others stay in the kernel until a later turn, first come, first served.
 */
typedef struct StreamGate {
        uv_timer_t timer;
        unsigned steps; /* of one turn */
        unsigned left;  /* of this turn */
        bool armed, closing;
        List waiting;
} StreamGate;

/* The loop holds the gate until stream_gate_close() has called `closed`; streams end or leave before that. */
void stream_gate_init(StreamGate *gate, uv_loop_t *loop, unsigned steps, void *owner);
void stream_gate_close(StreamGate *gate, uv_close_cb closed);

struct Stream {
        union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_tcp_t tcp;
                uv_pipe_t pipe;
        } uv;
        const StreamEvents *events;
        void *owner; /* the owner's own */
        StreamFilter *filter;
        StreamGate *gate;  /* of its handshake, or NULL */
        ListNode gate_link;
        Buffer plain;      /* corked, and yet to be filtered */
        Buffer queue;      /* waits for the write in flight */
        Buffer in_flight;  /* with the kernel */
        uv_write_t write;
        uv_shutdown_t shutdown;
        bool corked;       /* output is gathered until stream_uncork() */
        bool writing;
        bool reading;
        bool end_wanted;   /* end our side once the queue is empty */
        bool end_sent;
        bool closing;
        bool refused;      /* broken by the filter: input is dropped */
        bool input_ended;  /* by the filter's word */
        int failure;
};

/* Readies an unconnected stream; is_pipe: unix socket. Then uv_accept(), uv_tcp_connect() … on stream->uv. */
int stream_init(Stream *stream, uv_loop_t *loop, bool is_pipe, const StreamEvents *events, void *owner);

/* Puts a filter between; the stream owns it from now on. Before the first byte. `gate` may be NULL. */
void stream_set_filter(Stream *stream, StreamFilter *filter, StreamGate *gate);

/* The side that speaks first begins the filter's handshake; `ready` follows, or `failed`. */
int stream_begin_handshake(Stream *stream);

/* No handshake is under way. */
static inline bool stream_is_ready(const Stream *stream) {
        return !stream->filter || !stream->filter->shakes;
}

static inline bool stream_is_refused(const Stream *stream) {
        return stream->refused;
}

/* What the filter says of the failure, for people; NULL: nothing. */
static inline const char *stream_problem(const Stream *stream) {
        return stream->filter ? stream->filter->problem : NULL;
}

/* Hands the stream to another owner (protocol upgrade); `closed` then goes to the new one. */
void stream_set_events(Stream *stream, const StreamEvents *events, void *owner);

/* TCP_NODELAY and the like; call once connected. */
void stream_connected(Stream *stream);

int stream_start_reading(Stream *stream);
void stream_stop_reading(Stream *stream);

/* Queues a copy; tries the kernel at once when nothing waits. -ENOMEM, -EPIPE when broken, closing or ended. */
int stream_write(Stream *stream, const char *bytes, size_t length);

/* Between these, writes only gather, to leave as one. They do not nest. */
void stream_cork(Stream *stream);
void stream_uncork(Stream *stream);

/* Output not yet taken by the kernel, in bytes. */
size_t stream_queued(const Stream *stream);

/* The memory that output takes: a large piece in flight is held until all of it is out. */
size_t stream_held(const Stream *stream);

/* Ends our side after all output: the peer reads end of file. */
void stream_end(Stream *stream);

/* Drops what is queued and closes. `closed` follows in a later turn of the loop. Does nothing the second time. */
void stream_close(Stream *stream);

static inline bool stream_is_closing(const Stream *stream) {
        return stream->closing;
}
