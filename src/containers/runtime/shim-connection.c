#include "containers/runtime/shim-connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static ShimConnection *connection_of(Stream *stream) {
        return container_of(stream, ShimConnection, stream);
}

static void tell_end(ShimConnection *connection, int r) {
        if (connection->ended || connection->closing)
                return;
        connection->ended = true;
        connection->events->ended(connection, r);
}

static void take_frames(ShimConnection *connection) {
        Slice payload;
        uint8_t type;
        int r = 0;

        while (!connection->closing && !connection->paused &&
               (r = shim_frame_next(&connection->input, &type, &payload)) > 0) {
                connection->events->frame(connection, type, payload);
                shim_frame_done(&connection->input, payload);
        }
        if (r < 0)
                tell_end(connection, r);
}

static void on_input(Stream *stream, const char *bytes, size_t length) {
        ShimConnection *connection = connection_of(stream);

        if (buffer_append(&connection->input, bytes, length) < 0)
                tell_end(connection, -ENOMEM);
        else
                take_frames(connection);
}

static void on_input_end(Stream *stream) {
        tell_end(connection_of(stream), 0);
}

static void on_failed(Stream *stream, int r) {
        tell_end(connection_of(stream), r);
}

static void on_drained(Stream *stream) {
        ShimConnection *connection = connection_of(stream);

        if (connection->events->drained && !connection->closing)
                connection->events->drained(connection);
}

static void on_closed(Stream *stream) {
        ShimConnection *connection = connection_of(stream);

        buffer_deinit(&connection->input);
        connection->events->closed(connection);
}

static const StreamEvents stream_events = {
        .input = on_input, .input_end = on_input_end, .failed = on_failed, .drained = on_drained, .closed = on_closed};

static void on_connect(uv_connect_t *request, int status) {
        ShimConnection *connection = container_of(request, ShimConnection, connect);

        if (connection->closing)
                return;
        if (status < 0) {
                tell_end(connection, status);
                return;
        }
        connection->connected = true;
        stream_connected(&connection->stream);
        stream_uncork(&connection->stream);
        if (!connection->paused)
                status = stream_start_reading(&connection->stream);
        if (status < 0)
                tell_end(connection, status);
}

int shim_connection_open(ShimConnection *connection, uv_loop_t *loop, const char *directory, ShimFrame hello,
                         Slice payload, const ShimConnectionEvents *events, Error *error) {
        _cleanup_close_ int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char path[64];
        int r;

        *connection = (ShimConnection){.events = events};
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", directory);
        r = stream_init(&connection->stream, loop, true, &stream_events, NULL);
        if (r < 0)
                return error_set_errno(error, r, "cannot make a socket");
        stream_cork(&connection->stream);
        (void)shim_connection_send(connection, hello, payload.data, payload.length);
        /* the directory's own path may be longer than an address can be; the connection is made, or refused, at once */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" SHIM_SOCKET, fd);
        uv_pipe_connect(&connection->connect, &connection->stream.uv.pipe, path, on_connect);
        return 0;
}

int shim_connection_send(ShimConnection *connection, ShimFrame type, const void *payload, size_t length) {
        uint8_t header[SHIM_FRAME_HEADER];
        int r;

        shim_frame_header(header, (uint8_t)type, (uint32_t)length);
        r = stream_write(&connection->stream, (const char *)header, sizeof(header));
        return r < 0 || length == 0 ? r : stream_write(&connection->stream, payload, length);
}

void shim_connection_pause(ShimConnection *connection, bool pause) {
        if (connection->paused == pause)
                return;
        connection->paused = pause;
        if (!connection->connected || connection->ended || connection->closing)
                return;
        if (pause) {
                stream_stop_reading(&connection->stream);
        } else {
                take_frames(connection);
                if (!connection->paused && !connection->closing && stream_start_reading(&connection->stream) < 0)
                        tell_end(connection, -EIO);
        }
}

void shim_connection_close(ShimConnection *connection) {
        if (connection->closing)
                return;
        connection->closing = true;
        stream_close(&connection->stream);
}
