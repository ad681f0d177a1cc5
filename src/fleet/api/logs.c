/* logs: what a unit wrote, on this machine or another one; ?lines=N (default 10), ?follow=true. One JSON object a line;
 * while it follows, also an empty line now and then. */
#include <errno.h>
#include <inttypes.h>

#include "fleet/api/handlers.h"
#include "net/url.h"

enum { LINES_DEFAULT = 10 };


typedef struct LogStream {
        FleetApi *api;
        HttpRequest *request;
        SupervisorLog *log;
        uv_timer_t beat; /* while it follows */
        bool follow;
} LogStream;

static void on_beat_closed(uv_handle_t *handle) {
        free(handle->data);
}

static void stream_free(LogStream *stream) {
        if (stream->log)
                supervisor_log_close(stream->api->supervisor, stream->log);
        if (stream->follow)
                uv_close((uv_handle_t *)&stream->beat, on_beat_closed);
        else
                free(stream);
}

/* An empty line: a unit may be silent for long, and who follows it must be able to tell that from a machine that is dead. */
static void on_beat(uv_timer_t *timer) {
        LogStream *stream = timer->data;

        (void)http_respond_write(stream->request, slice_from("\n"));
}

static void stream_follow(LogStream *stream) {
        (void)uv_timer_init(http_request_loop(stream->request), &stream->beat);
        stream->beat.data = stream;
        stream->follow = true;
        (void)uv_timer_start(&stream->beat, on_beat, FLEET_LOG_BEAT_MSEC, FLEET_LOG_BEAT_MSEC);
}

static void on_line(void *userdata, const SupervisorLogLine *line) {
        static const char *const streams[] = {"output", "error", "note"};
        LogStream *stream = userdata;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_i64(&json, "time", line->at);
        json_field_i64(&json, "pid", line->pid);
        json_field_string(&json, "stream", streams[line->stream]);
        json_field_slice(&json, "text", line->text);
        json_end_object(&json);
        (void)buffer_append_byte(&text, '\n');
        if (!buffer_failed(&text))
                (void)http_respond_write(stream->request, (Slice){buffer_data(&text), buffer_length(&text)});
}

static void on_end(void *userdata, int r, const Error *error) {
        LogStream *stream = userdata;
        HttpRequest *request = stream->request;

        (void)r;
        (void)error; /* what was read is given; the answer's head is out long since */
        http_request_set_gone(request, NULL, false);
        stream_free(stream);
        http_respond_end(request);
}

static const SupervisorLogEvents log_events = {.line = on_line, .end = on_end};

static void on_gone(HttpRequest *request) {
        stream_free(http_request_data(request));
}

static void open_log(FleetApi *api, HttpRequest *request, const char *name, size_t lines, bool follow) {
        LogStream *stream = calloc(1, sizeof(*stream));
        Error error = ERROR_NONE;
        int r;

        if (!stream) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        *stream = (LogStream){.api = api, .request = request};
        r = supervisor_log_open(api->supervisor, name, lines, follow, &log_events, stream, &stream->log, &error);
        if (r < 0) {
                free(stream);
                fleet_fail(request, r == -ENOENT ? 404 : 500, error.text);
                return;
        }
        if (follow)
                stream_follow(stream);
        http_request_set_data(request, stream);
        http_request_set_gone(request, on_gone, true);
        http_respond_begin(request, 200, "Content-Type: application/x-ndjson\r\n", UINT64_MAX);
}

/* A number and a switch of the query. False after it was answered. */
static bool read_query(HttpRequest *request, uint64_t *lines, bool *follow) {
        _cleanup_buffer_ Buffer lines_text = BUFFER_INIT, follow_text = BUFFER_INIT;

        if (url_query_get(http_request_query(request), "lines", &lines_text) > 0 &&
            str_parse_u64((Slice){buffer_data(&lines_text), buffer_length(&lines_text)}, SUPERVISOR_LOG_LINES_MAX,
                          lines) < 0) {
                fleet_fail(request, 400, "lines must be a number up to 100000");
                return false;
        }
        if (url_query_get(http_request_query(request), "follow", &follow_text) > 0 &&
            str_parse_bool((Slice){buffer_data(&follow_text), buffer_length(&follow_text)}, follow) < 0) {
                fleet_fail(request, 400, "follow must be true or false");
                return false;
        }
        return true;
}

bool fleet_named_machine(FleetApi *api, HttpRequest *request, const RegistryMachine **ret) {
        _cleanup_buffer_ Buffer prefix = BUFFER_INIT;
        size_t count = 0;

        *ret = NULL;
        if (url_query_get(http_request_query(request), "machine", &prefix) <= 0)
                return true;
        map_foreach (registry_machines(api->registry), entry) {
                const RegistryMachine *machine = entry->value;

                if (!machine->present || !str_starts_with(machine->id, buffer_string(&prefix) ?: ""))
                        continue;
                *ret = machine;
                count++;
        }
        if (count == 1)
                return true;
        fleet_fail(request, 404,
                   count ? "several machines have IDs that begin so" : "no machine has an ID that begins so");
        return false;
}

/* Where the unit's log is: NULL for this machine, also of what runs nowhere and of a global unit, which runs here too. */
static const RegistryMachine *log_machine(FleetApi *api, const RegistryUnit *unit, const RegistryMachine *named) {
        const char *id = named ? named->id : unit->machine;

        return !id || str_equals(id, api->machine) ? NULL : registry_machine(api->registry, id);
}

static void relay_log(FleetApi *api, HttpRequest *request, const RegistryMachine *machine, const char *unit, uint64_t lines, bool follow) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        (void)buffer_append_string(&target, "/faering/v1/logs/");
        (void)url_encode(&target, URL_SEGMENT, slice_from(unit));
        (void)buffer_printf(&target, "?lines=%" PRIu64 "&follow=%s", lines, follow ? "true" : "false");
        if (buffer_string(&target))
                fleet_relay(api, request, machine, &(FleetRelay){.target = buffer_string(&target), .what = "the log is"});
        else
                fleet_fail(request, 500, "out of memory");
}

void fleet_logs_handle(FleetApi *api, HttpRequest *request, const char *path) {
        const RegistryUnit *unit = registry_unit(api->registry, path);
        const RegistryMachine *machine;
        uint64_t lines = LINES_DEFAULT;
        bool follow = false;

        if (http_request_method(request) != HTTP_METHOD_GET)
                fleet_fail(request, 405, "only GET supported against this resource");
        else if (!unit || !api->supervisor)
                fleet_fail(request, 404, "unit does not exist");
        else if (!read_query(request, &lines, &follow) || !fleet_named_machine(api, request, &machine))
                return;
        else if (!http_request_listener_data(request) && (machine = log_machine(api, unit, machine)))
                relay_log(api, request, machine, path, lines, follow);
        else
                open_log(api, request, path, (size_t)lines, follow);
}
