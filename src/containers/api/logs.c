/* GET /containers/ID/logs: what a container wrote, in frames as attach has them, or raw for a terminal. */
#include <errno.h>
#include <stdio.h>

#include "containers/api/handlers.h"
#include "containers/runtime/log-read.h"

enum { STEPS_AT_ONCE = 8, QUEUE_MAX = 1024 * 1024 };

typedef struct LogStream {
        HttpRequest *request; /* NULL: gone */
        Engine *engine;
        char id[CONTAINER_ID_LENGTH + 1];
        LogReader reader;
        uint8_t streams;
        bool tty, follow, timestamps;
        WallUsec since, until;
        uv_timer_t timer;    /* goes on in the loop's next turn */
        uv_fs_event_t watch; /* the container's directory, when following */
        EngineListener listener;
        bool ended_container; /* what is there now is all */
        unsigned handles;
} LogStream;

static void on_handle_closed(uv_handle_t *handle) {
        LogStream *stream = handle->data;

        if (--stream->handles > 0)
                return;
        log_reader_close(&stream->reader);
        free(stream);
}

static void log_stream_free(LogStream *stream) {
        list_unlink(&stream->listener.link);
        stream->request = NULL;
        uv_close((uv_handle_t *)&stream->timer, on_handle_closed);
        uv_close((uv_handle_t *)&stream->watch, on_handle_closed);
}

static void on_gone(HttpRequest *request) {
        log_stream_free(http_request_data(request));
}

static void write_entry(LogStream *stream, const LogEntry *entry) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint8_t header[SHIM_FRAME_HEADER];

        if (!stream->tty)
                (void)buffer_append(&text, header, sizeof(header));
        if (stream->timestamps)
                (void)buffer_printf(&text, "%s ", entry->time);
        (void)buffer_append(&text, entry->text.data, entry->text.length);
        if (buffer_failed(&text))
                return;
        if (!stream->tty) {
                shim_frame_header(header, entry->is_error ? SHIM_STDERR : SHIM_STDOUT,
                                  (uint32_t)(buffer_length(&text) - sizeof(header)));
                memcpy(buffer_data(&text), header, sizeof(header));
        }
        (void)http_respond_write(stream->request, (Slice){buffer_data(&text), buffer_length(&text)});
}

static void on_line(void *userdata, Slice line) {
        LogStream *stream = userdata;
        json_t *json;
        LogEntry entry;

        if (!stream->request || log_entry_parse(line, &json, &entry) < 0)
                return;
        if (stream->streams & (entry.is_error ? SHIM_WANTS_STDERR : SHIM_WANTS_STDOUT) && entry.at >= stream->since &&
            (stream->until == 0 || entry.at <= stream->until))
                write_entry(stream, &entry);
        json_decref(json);
}

static void log_stream_end(LogStream *stream) {
        HttpRequest *request = stream->request;

        http_request_set_gone(request, NULL, false);
        http_request_set_drained(request, NULL);
        log_stream_free(stream);
        http_respond_end(request);
}

static void log_stream_run(LogStream *stream);

static void on_timer(uv_timer_t *timer) {
        LogStream *stream = timer->data;

        if (stream->request)
                log_stream_run(stream);
}

static void log_stream_again(LogStream *stream) {
        (void)uv_timer_start(&stream->timer, on_timer, 0, 0);
}

/* A little at a time, so that others are served, and not faster than the client reads. */
static void log_stream_run(LogStream *stream) {
        int r = 1;

        for (int i = 0; i < STEPS_AT_ONCE && r > 0; i++) {
                if (http_request_queued(stream->request) > QUEUE_MAX)
                        return; /* `drained` brings us back */
                r = log_reader_step(&stream->reader, on_line, stream);
                if (!stream->request)
                        return;
        }
        if (r > 0)
                log_stream_again(stream);
        else if (r < 0 || !stream->follow || stream->ended_container)
                log_stream_end(stream);
}

static void on_drained(HttpRequest *request) {
        log_stream_again(http_request_data(request));
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status) {
        LogStream *stream = watch->data;

        (void)events;
        (void)status;
        if (stream->request && (!name || str_starts_with(name, SHIM_LOG)))
                log_stream_again(stream);
}

static void on_event(EngineListener *listener, const EngineEvent *event) {
        LogStream *stream = container_of(listener, LogStream, listener);

        if (!str_equals(event->id, stream->id) ||
            (!str_equals(event->action, "die") && !str_equals(event->action, "destroy")))
                return;
        stream->ended_container = true;
        log_stream_again(stream);
}

static int query_moment(HttpRequest *request, const char *name, WallUsec *ret) {
        _cleanup_free_ char *text = api_query(request, name);
        char message[128];

        if (!text || !text[0] || log_moment_parse(text, ret) >= 0)
                return 0;
        (void)snprintf(message, sizeof(message), "the parameter %s is no moment: %.64s", name, text);
        api_fail(request, 400, message);
        return -EINVAL;
}

/* What is no number is all, as Docker has it. */
static uint64_t query_tail(HttpRequest *request) {
        _cleanup_free_ char *text = api_query(request, "tail");
        uint64_t tail = UINT64_MAX;

        if (text && text[0] && str_parse_u64(slice_from(text), INT64_MAX, &tail) < 0)
                return UINT64_MAX;
        return tail;
}

static LogStream *log_stream_new(HttpRequest *request, const Container *container) {
        LogStream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return NULL;
        *stream = (LogStream){.request = request,
                              .engine = container->engine,
                              .streams = api_query_streams(request),
                              .tty = container->spec.tty,
                              .follow = api_query_bool(request, "follow", false),
                              .timestamps = api_query_bool(request, "timestamps", false),
                              .handles = 2,
                              .reader = {.directory = -1}};
        (void)snprintf(stream->id, sizeof(stream->id), "%s", container->id);
        stream->ended_container = !container_is_alive(container) && container->state != CONTAINER_RESTARTING;
        list_init(&stream->listener.link);
        stream->listener.event = on_event;
        (void)uv_timer_init(container->engine->loop, &stream->timer);
        (void)uv_fs_event_init(container->engine->loop, &stream->watch);
        stream->timer.data = stream->watch.data = stream;
        return stream;
}

void api_container_logs(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        WallUsec since = 0, until = 0;
        Error error = ERROR_NONE;
        LogStream *stream;
        int r;

        if (!container || query_moment(request, "since", &since) < 0 || query_moment(request, "until", &until) < 0)
                return;
        stream = log_stream_new(request, container);
        if (!stream) {
                api_fail(request, 500, "out of memory");
                return;
        }
        stream->since = since;
        stream->until = until;
        r = stream->streams ? log_reader_open(&stream->reader, container->directory, query_tail(request), &error)
                            : error_set(&error, -EINVAL, "Bad parameters: you must choose at least one stream");
        if (r >= 0 && stream->follow)
                r = engine_listen(api->engine, &stream->listener);
        if (r >= 0 && stream->follow)
                r = uv_fs_event_start(&stream->watch, on_change, container->directory, 0);
        if (r < 0) {
                log_stream_free(stream);
                api_fail_errno(request, r, &error);
                return;
        }
        http_request_set_data(request, stream);
        http_request_set_gone(request, on_gone, true);
        http_request_set_drained(request, on_drained);
        http_respond_begin(request, 200,
                           stream->tty ? "Content-Type: application/vnd.docker.raw-stream\r\n"
                                       : "Content-Type: application/vnd.docker.multiplexed-stream\r\n",
                           UINT64_MAX);
        if (stream->request)
                log_stream_again(stream);
}
