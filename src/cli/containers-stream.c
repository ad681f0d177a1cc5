#include "cli/containers-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/file.h"

enum { READ_SIZE = 32768, QUEUE_MAX = 1 << 20, STREAM_STDERR = 2 };

/* ---- output ---- */

static uint32_t frame_length(const unsigned char *header) {
        return (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 | header[7];
}

int output_sorter_feed(OutputSorter *sorter, Slice bytes) {
        int r = 0;

        if (sorter->raw)
                return file_write_all(STDOUT_FILENO, bytes);
        while (r >= 0 && bytes.length > 0) {
                size_t part;

                if (sorter->header_length < sizeof(sorter->header)) {
                        sorter->header[sorter->header_length++] = (unsigned char)bytes.data[0];
                        bytes = (Slice){bytes.data + 1, bytes.length - 1};
                        if (sorter->header_length == sizeof(sorter->header))
                                sorter->left = frame_length(sorter->header);
                        continue;
                }
                part = min_of(bytes.length, (size_t)sorter->left);
                r = file_write_all(sorter->header[0] == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO,
                              (Slice){bytes.data, part});
                bytes = (Slice){bytes.data + part, bytes.length - part};
                sorter->left -= (uint32_t)part;
                if (sorter->left == 0)
                        sorter->header_length = 0;
        }
        return r;
}

/* ---- input ---- */

static void stop_input(ContainersStream *stream) {
        if (stream->polling)
                (void)uv_poll_stop(&stream->poll);
        if (stream->idling)
                (void)uv_idle_stop(&stream->idle);
        stream->polling = stream->idling = false;
}

/* The container reads end of file when we do. */
static void read_input(ContainersStream *stream) {
        char bytes[READ_SIZE];
        ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && stream->stream && stream_write(stream->stream, bytes, (size_t)n) >= 0) {
                if (stream_queued(stream->stream) > QUEUE_MAX)
                        stop_input(stream);
                return;
        }
        stop_input(stream);
        stream->input = false;
        if (stream->stream)
                stream_end(stream->stream);
}

static void on_input(uv_poll_t *poll, int status, int events) {
        (void)status;
        (void)events;
        read_input(poll->data);
}

static void on_idle(uv_idle_t *idle) {
        read_input(idle->data);
}

/* Files are always readable, and cannot be polled. */
static void resume_input(ContainersStream *stream) {
        if (!stream->input || stream->polling || stream->idling)
                return;
        if (stream->handles_open && stream->poll.data) {
                stream->polling = uv_poll_start(&stream->poll, UV_READABLE | UV_DISCONNECT, on_input) >= 0;
                return;
        }
        stream->idling = uv_idle_start(&stream->idle, on_idle) >= 0;
}

static void set_raw_mode(ContainersStream *stream) {
        struct termios raw;

        if (!stream->tty || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &stream->saved) < 0)
                return;
        raw = stream->saved;
        cfmakeraw(&raw);
        stream->raw_mode = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) >= 0;
}

void containers_stream_start_input(ContainersStream *stream) {
        if (!stream->input) {
                if (stream->stream)
                        stream_end(stream->stream);
                return;
        }
        set_raw_mode(stream);
        (void)uv_idle_init(&stream->group->loop, &stream->idle);
        stream->idle.data = stream;
        stream->poll.data = uv_poll_init(&stream->group->loop, &stream->poll, STDIN_FILENO) >= 0 ? stream : NULL;
        stream->handles_open = true;
        resume_input(stream);
}

/* ---- the connection ---- */

static void end(ContainersStream *stream) {
        stream->ended = true;
        stop_input(stream);
        uv_stop(&stream->group->loop);
}

static void on_output(Stream *connection, const char *bytes, size_t length) {
        ContainersStream *stream = connection->owner;

        if (output_sorter_feed(&stream->output, (Slice){bytes, length}) < 0)
                end(stream);
}

static void on_output_end(Stream *connection) {
        end(connection->owner);
}

static void on_drained(Stream *connection) {
        resume_input(connection->owner);
}

static void on_failed(Stream *connection, int r) {
        (void)r;
        end(connection->owner);
}

static void on_closed(Stream *connection) {
        ContainersStream *stream = connection->owner;

        stream->stream = NULL;
        http_call_stream_free(connection);
}

static const StreamEvents stream_events = {.input = on_output,
                                           .input_end = on_output_end,
                                           .drained = on_drained,
                                           .failed = on_failed,
                                           .closed = on_closed};

static void on_upgraded(HttpCall *call, Stream *connection, Slice early) {
        ContainersStream *stream = http_call_userdata(call);

        stream->call = NULL;
        stream->connected = true;
        stream->stream = connection;
        stream_set_events(connection, &stream_events, stream);
        if (early.length > 0 && output_sorter_feed(&stream->output, early) < 0)
                end(stream);
        (void)stream_start_reading(connection);
}

static void on_done(HttpCall *call, int r, const Error *error) {
        ContainersStream *stream = http_call_userdata(call);

        stream->call = NULL;
        stream->r = r < 0 ? r : -EPROTO;
        stream->error = *error;
        stream->status = http_call_status(call);
        stream->refusal = slice_dup(http_call_body(call));
        stream->ended = true;
}

static const HttpCallOps call_ops = {.upgraded = on_upgraded, .done = on_done};

static int complain(ContainersStream *stream) {
        if (stream->status == 0)
                return containers_complain_unreachable(stream->group, &stream->error);
        {
                _cleanup_cli_answer_ CliAnswer answer = {.status = stream->status,
                                                         .json = json_loads(stream->refusal ?: "", 0, NULL)};

                answer.body = take_ptr(stream->refusal);
                return containers_complain(stream->group, &answer);
        }
}

int containers_stream_open(ContainersStream *stream, ContainersGroup *group, const char *target, json_t *body,
                           bool input, bool tty) {
        _cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .method = "POST",
                .target = target,
                .headers = body ? "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                                : "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: text/plain\r\n",
                .body = slice_from(text ?: ""),
                .want_upgrade = true,
        };
        int r;

        *stream = (ContainersStream){.group = group, .input = input, .tty = tty, .output = {.raw = tty}};
        r = http_client_call(group->http, &spec, &call_ops, stream, &stream->call);
        if (r < 0) {
                (void)error_set_errno(&stream->error, r, "cannot send the request");
                return containers_complain_unreachable(group, &stream->error);
        }
        while (!stream->connected && !stream->ended)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        return stream->connected ? 0 : complain(stream);
}

static void on_handle_closed(uv_handle_t *handle) {
        handle->data = NULL;
}

void containers_stream_close(ContainersStream *stream) {
        if (stream->raw_mode)
                (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &stream->saved);
        stream->raw_mode = false;
        stop_input(stream);
        if (stream->call)
                http_call_cancel(stream->call);
        if (stream->stream)
                stream_close(stream->stream);
        if (stream->handles_open) {
                if (stream->poll.data)
                        uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
                uv_close((uv_handle_t *)&stream->idle, on_handle_closed);
        }
        while (stream->stream || (stream->handles_open && (stream->idle.data || stream->poll.data)))
                (void)uv_run(&stream->group->loop, UV_RUN_ONCE);
        free(take_ptr(stream->refusal));
}

bool containers_terminal_size(unsigned *ret_rows, unsigned *ret_columns) {
        struct winsize size;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
                return false;
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
        return true;
}
