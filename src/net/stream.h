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
        /* The connection is broken (negative errno). The owner calls stream_close(), now or later. */
        void (*failed)(Stream *stream, int r);
        /* stream_end() has done its work: the peer has, or will read, all of it and the end. May be NULL. */
        void (*ended)(Stream *stream);
        /* The last call: memory may be freed. */
        void (*closed)(Stream *stream);
} StreamEvents;

/* Transforms bytes in both directions; one per stream, owned by it. */
typedef struct StreamFilterOps {
        /* Wire bytes came: what they decode to goes to `plain`, what must be answered to `wire`. < 0 breaks the stream. */
        int (*input)(StreamFilter *filter, const char *bytes, size_t length, Buffer *plain, Buffer *wire);
        /* Encodes plain bytes for the wire; may keep them until the handshake is through. */
        int (*output)(StreamFilter *filter, const char *bytes, size_t length, Buffer *wire);
        /* The owner ends its side. */
        int (*end)(StreamFilter *filter, Buffer *wire);
        void (*free)(StreamFilter *filter);
} StreamFilterOps;

struct StreamFilter {
        const StreamFilterOps *ops;
};

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
        int failure;
};

/* Readies an unconnected stream; is_pipe: unix socket. Then uv_accept(), uv_tcp_connect() … on stream->uv. */
int stream_init(Stream *stream, uv_loop_t *loop, bool is_pipe, const StreamEvents *events, void *owner);

/* Puts a filter between; the stream owns it from now on. Before the first byte. */
void stream_set_filter(Stream *stream, StreamFilter *filter);

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

/* Ends our side after all output: the peer reads end of file. */
void stream_end(Stream *stream);

/* Drops what is queued and closes. `closed` follows in a later turn of the loop. Does nothing the second time. */
void stream_close(Stream *stream);

static inline bool stream_is_closing(const Stream *stream) {
        return stream->closing;
}
