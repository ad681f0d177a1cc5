#include "net/stream.h"

#include <assert.h>
#include <errno.h>

enum { STREAM_READ_SIZE = 65536 };

/* All streams of a thread share one buffer for reading: input is handled before the next read. */
static _Thread_local char read_buffer[STREAM_READ_SIZE];

int stream_init(Stream *stream, uv_loop_t *loop, bool is_pipe, const StreamEvents *events, void *owner) {
        int r;

        *stream = (Stream){.events = events, .owner = owner};
        list_init(&stream->gate_link);
        r = is_pipe ? uv_pipe_init(loop, &stream->uv.pipe, 0) : uv_tcp_init(loop, &stream->uv.tcp);
        if (r < 0)
                return r;
        stream->uv.handle.data = stream;
        return 0;
}

void stream_set_filter(Stream *stream, StreamFilter *filter, StreamGate *gate) {
        stream->filter = filter;
        stream->gate = gate;
}

void stream_set_events(Stream *stream, const StreamEvents *events, void *owner) {
        stream->events = events;
        stream->owner = owner;
}

void stream_connected(Stream *stream) {
        if (stream->uv.handle.type == UV_TCP)
                (void)uv_tcp_nodelay(&stream->uv.tcp, 1);
}

static void stream_fail(Stream *stream, int r) {
        if (stream->failure || stream->closing)
                return;
        stream->failure = r;
        (void)uv_read_stop(&stream->uv.stream);
        stream->events->failed(stream, r);
}

static void stream_flush(Stream *stream);

static void on_shutdown(uv_shutdown_t *request, int status) {
        Stream *stream = container_of(request, Stream, shutdown);

        (void)status; /* the peer may have gone already: reading tells */
        stream->end_sent = true;
        if (!stream->closing && stream->events->ended)
                stream->events->ended(stream);
}

static void stream_settle(Stream *stream) {
        if (stream->closing || stream->failure)
                return;
        if (stream->end_wanted && !stream->end_sent && !stream->shutdown.handle) {
                if (uv_shutdown(&stream->shutdown, &stream->uv.stream, on_shutdown) < 0)
                        stream->shutdown.handle = NULL;
                return;
        }
        if (!stream->end_wanted && stream->events->drained)
                stream->events->drained(stream);
}

static void on_written(uv_write_t *request, int status) {
        Stream *stream = container_of(request, Stream, write);

        stream->writing = false;
        buffer_clear(&stream->in_flight);
        if (stream->closing)
                return;
        if (status < 0) {
                stream_fail(stream, status);
                return;
        }
        stream_flush(stream);
        if (stream->writing || stream->failure || stream->closing || buffer_length(&stream->queue) > 0)
                return; /* what is left goes out, or is lost, with another call */
        buffer_deinit(&stream->in_flight); /* idle connections hold no memory */
        stream_settle(stream);
}

/* Gives the queue to the kernel: at once as far as it takes it, the rest as a write in flight. */
static void stream_flush(Stream *stream) {
        Buffer spare;
        uv_buf_t piece;
        int r;

        if (stream->writing || stream->closing || stream->failure || buffer_length(&stream->queue) == 0)
                return;
        piece = uv_buf_init(buffer_data(&stream->queue), (unsigned)min_of(buffer_length(&stream->queue), (size_t)1 << 30));
        r = uv_try_write(&stream->uv.stream, &piece, 1);
        if (r < 0 && r != UV_EAGAIN) {
                stream_fail(stream, r);
                return;
        }
        if (r > 0)
                buffer_consume(&stream->queue, (size_t)r);
        if (buffer_length(&stream->queue) == 0) {
                if (stream->queue.capacity > STREAM_READ_SIZE)
                        buffer_deinit(&stream->queue);
                return;
        }
        spare = stream->in_flight;
        stream->in_flight = stream->queue;
        stream->queue = spare;
        buffer_clear(&stream->queue);
        piece = uv_buf_init(buffer_data(&stream->in_flight), (unsigned)min_of(buffer_length(&stream->in_flight), (size_t)1 << 30));
        assert(buffer_length(&stream->in_flight) <= (size_t)1 << 30);
        r = uv_write(&stream->write, &stream->uv.stream, &piece, 1, on_written);
        if (r < 0) {
                stream_fail(stream, r);
                return;
        }
        stream->writing = true;
}

int stream_write(Stream *stream, const char *bytes, size_t length) {
        int r;

        if (stream->closing || stream->failure || stream->end_wanted || stream->refused)
                return -EPIPE;
        if (buffer_length(&stream->queue) > (size_t)1 << 29 || length > (size_t)1 << 29)
                return -ENOBUFS;
        if (stream->filter && stream->corked)
                r = buffer_append(&stream->plain, bytes, length);
        else if (stream->filter)
                r = stream->filter->ops->output(stream->filter, bytes, length, &stream->queue);
        else
                r = buffer_append(&stream->queue, bytes, length);
        if (r < 0)
                return r;
        if (!stream->corked)
                stream_flush(stream);
        return 0;
}

/* What gathered goes through the filter in one piece. */
static void stream_filter_plain(Stream *stream) {
        int r;

        if (buffer_length(&stream->plain) == 0)
                return;
        r = stream->closing || stream->failure || stream->refused
                    ? 0
                    : stream->filter->ops->output(stream->filter, buffer_data(&stream->plain), buffer_length(&stream->plain),
                                                  &stream->queue);
        buffer_deinit(&stream->plain);
        if (r < 0)
                stream_fail(stream, r);
}

void stream_cork(Stream *stream) {
        stream->corked = true;
}

void stream_uncork(Stream *stream) {
        stream->corked = false;
        if (stream->filter)
                stream_filter_plain(stream);
        stream_flush(stream);
        if (stream->end_wanted && !stream->writing && buffer_length(&stream->queue) == 0)
                stream_settle(stream);
}

size_t stream_queued(const Stream *stream) {
        size_t in_flight = stream->writing ? uv_stream_get_write_queue_size(&stream->uv.stream) : 0;

        return buffer_length(&stream->plain) + buffer_length(&stream->queue) + in_flight;
}

size_t stream_held(const Stream *stream) {
        return buffer_length(&stream->plain) + buffer_length(&stream->queue) + buffer_length(&stream->in_flight);
}

void stream_end(Stream *stream) {
        if (stream->end_wanted || stream->closing || stream->failure)
                return;
        if (stream->filter)
                stream_filter_plain(stream);
        if (stream->filter && stream->filter->ops->end(stream->filter, &stream->queue) < 0)
                buffer_clear(&stream->queue);
        stream->end_wanted = true;
        if (stream->corked)
                return;
        stream_flush(stream);
        if (!stream->writing && buffer_length(&stream->queue) == 0)
                stream_settle(stream);
}

static void on_read_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
        const Stream *stream = handle->data;

        (void)suggested;
        if (stream->gate && stream->gate->left == 0 && !stream_is_ready(stream))
                *ret_buffer = uv_buf_init(NULL, 0); /* not in this turn: on_read() hears of it as ENOBUFS */
        else
                *ret_buffer = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void stream_input_filtered(Stream *stream, const char *bytes, size_t length) {
        _cleanup_buffer_ Buffer plain = BUFFER_INIT;
        bool shook = stream->filter->shakes;
        int r = stream->filter->ops->input(stream->filter, bytes, length, &plain, &stream->queue);

        if (!stream->corked)
                stream_flush(stream);
        if (r >= 0 && shook && !stream->filter->shakes && !stream->closing && stream->events->ready)
                stream->events->ready(stream);
        if (buffer_length(&plain) > 0 && !stream->closing)
                stream->events->input(stream, buffer_data(&plain), buffer_length(&plain));
        if (r == 0 || stream->closing || stream->failure)
                return;
        if (r > 0) {
                stream->input_ended = true;
                stream_stop_reading(stream);
                stream->events->input_end(stream);
        } else {
                stream->refused = true;
                stream->events->failed(stream, r);
        }
}

static void stream_input_ended(Stream *stream) {
        int r = 0;

        stream_stop_reading(stream);
        if (stream->filter && stream->filter->ops->input_end && !stream->refused)
                r = stream->filter->ops->input_end(stream->filter);
        if (r < 0)
                stream_fail(stream, r);
        else
                stream->events->input_end(stream);
}

/* ---- the gate ---- */

static void on_gate(uv_timer_t *timer);

static void stream_gate_arm(StreamGate *gate) {
        if (gate->armed || gate->closing)
                return;
        gate->armed = true;
        (void)uv_timer_start(&gate->timer, on_gate, 0, 0);
}

/* A new turn. */
static void on_gate(uv_timer_t *timer) {
        StreamGate *gate = container_of(timer, StreamGate, timer);

        gate->armed = false;
        gate->left = gate->steps;
        for (unsigned i = 0; i < gate->steps && !list_is_empty(&gate->waiting); i++) {
                Stream *stream = container_of(gate->waiting.next, Stream, gate_link);

                list_unlink(&stream->gate_link);
                if (stream_start_reading(stream) < 0)
                        stream_fail(stream, -ENOMEM);
        }
        if (!list_is_empty(&gate->waiting))
                stream_gate_arm(gate);
}

void stream_gate_init(StreamGate *gate, uv_loop_t *loop, unsigned steps, void *owner) {
        *gate = (StreamGate){.steps = steps, .left = steps};
        list_init(&gate->waiting);
        (void)uv_timer_init(loop, &gate->timer);
        gate->timer.data = owner;
}

void stream_gate_close(StreamGate *gate, uv_close_cb closed) {
        gate->closing = true;
        uv_close((uv_handle_t *)&gate->timer, closed);
}

static void stream_wait_at_gate(Stream *stream) {
        stream_stop_reading(stream);
        list_append(&stream->gate->waiting, &stream->gate_link);
        stream_gate_arm(stream->gate);
}

static void stream_pass_gate(Stream *stream) {
        if (!stream->gate || stream_is_ready(stream))
                return;
        stream->gate->left -= stream->gate->left > 0;
        stream_gate_arm(stream->gate);
}

/* ---- reading ---- */

static void on_read(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer) {
        Stream *stream = handle->data;

        if (got == 0 || stream->closing)
                return;
        if (got == UV_EOF)
                stream_input_ended(stream);
        else if (got == UV_ENOBUFS && stream->gate && stream->gate->left == 0)
                stream_wait_at_gate(stream);
        else if (got < 0)
                stream_fail(stream, (int)got);
        else if (!stream->filter)
                stream->events->input(stream, buffer->base, (size_t)got);
        else if (!stream->refused) {
                stream_pass_gate(stream);
                stream_input_filtered(stream, buffer->base, (size_t)got);
        }
}

int stream_begin_handshake(Stream *stream) {
        int r = stream->filter->ops->output(stream->filter, "", 0, &stream->queue);

        if (r < 0)
                return r;
        stream_flush(stream);
        return 0;
}

int stream_start_reading(Stream *stream) {
        int r;

        if (stream->reading || stream->closing || stream->failure || stream->input_ended || list_is_linked(&stream->gate_link))
                return 0;
        r = uv_read_start(&stream->uv.stream, on_read_buffer, on_read);
        if (r < 0)
                return r;
        stream->reading = true;
        return 0;
}

void stream_stop_reading(Stream *stream) {
        list_unlink(&stream->gate_link);
        if (!stream->reading)
                return;
        (void)uv_read_stop(&stream->uv.stream);
        stream->reading = false;
}

static void on_closed(uv_handle_t *handle) {
        Stream *stream = handle->data;

        buffer_deinit(&stream->plain);
        buffer_deinit(&stream->queue);
        buffer_deinit(&stream->in_flight);
        if (stream->filter) {
                stream->filter->ops->free(stream->filter);
                stream->filter = NULL;
        }
        stream->events->closed(stream);
}

void stream_close(Stream *stream) {
        if (stream->closing)
                return;
        stream->closing = true;
        list_unlink(&stream->gate_link);
        uv_close(&stream->uv.handle, on_closed);
}
