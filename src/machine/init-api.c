/* The init API: what faering-boot and `faering` ask of a machine's init. docs/formats/init-api.md. */
#include <errno.h>

#include "base/json-write.h"
#include "machine/answer.h"
#include "machine/init.h"
#include "net/url.h"

enum { LOG_LINES_DEFAULT = 10 };

#define PREFIX "/faering/v1/"

typedef enum Action {
        ACTION_START,
        ACTION_STOP,
        ACTION_RESTART,
        ACTION_TRY_RESTART,
        ACTION_RELOAD,
        ACTION_RELOAD_OR_RESTART,
        ACTION_RELOAD_OR_TRY_RESTART,
} Action;

static const char *const action_names[] = {
        [ACTION_START] = "start",
        [ACTION_STOP] = "stop",
        [ACTION_RESTART] = "restart",
        [ACTION_TRY_RESTART] = "try-restart",
        [ACTION_RELOAD] = "reload",
        [ACTION_RELOAD_OR_RESTART] = "reload-or-restart",
        [ACTION_RELOAD_OR_TRY_RESTART] = "reload-or-try-restart",
};

/* ---- answers ---- */

static void respond_state(Init *init, HttpRequest *request, const char *name) {
        const SystemUnit *unit = system_units_find(init_units(init), name);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        SupervisorState state = {.load = "not-found", .active = "inactive", .sub = "dead", .result = "success"};

        if (unit)
                init_unit_state(init, unit, &state);
        json_begin_object(&json);
        json_field_string(&json, "active", state.active);
        json_field_string(&json, "sub", state.sub);
        json_field_string(&json, "result", state.result);
        json_field_string(&json, "load", state.load);
        json_end_object(&json);
        answer_json(request, &body);
}

static void write_unit(Init *init, JsonWriter *json, const SystemUnit *unit) {
        SupervisorState state;

        init_unit_state(init, unit, &state);
        json_begin_object(json);
        json_field_string(json, "name", unit->name);
        json_field_strings(json, "aliases", &unit->aliases);
        json_field_string(json, "load", state.load);
        json_field_string(json, "active", state.active);
        json_field_string(json, "sub", state.sub);
        json_field_string(json, "result", state.result);
        json_field_i64(json, "mainPID", state.main_pid);
        json_field_i64(json, "since", state.since);
        json_field_string(json, "text", state.text);
        json_end_object(json);
}

static void respond_units(Init *init, HttpRequest *request) {
        const SystemUnits *units = init_units(init);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_key(&json, "units");
        json_begin_array(&json);
        for (size_t i = 0; i < units->length; i++)
                write_unit(init, &json, units->items[i]);
        json_end_array(&json);
        json_end_object(&json);
        answer_json(request, &body);
}

static void respond_unit(Init *init, HttpRequest *request, const SystemUnit *unit) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        write_unit(init, &json, unit);
        answer_json(request, &body);
}

/* ---- actions ---- */

typedef struct Operation {
        Init *init;
        HttpRequest *request; /* NULL: answered, or gone */
        bool start_after;     /* the second half of a restart */
        char name[UNIT_NAME_MAX];
} Operation;

static void on_operation_gone(HttpRequest *request) {
        Operation *operation = http_request_data(request);

        operation->request = NULL; /* what was begun goes on */
}

static void operation_end(Operation *operation, int r, const Error *error) {
        if (operation->request) {
                http_request_set_gone(operation->request, NULL, false);
                if (r < 0)
                        answer_error(operation->request,
                                     r == -ENOENT                          ? 404
                                     : r == -ECANCELED || r == -EOPNOTSUPP ? 409
                                                                           : 500,
                                     error->text);
                else
                        respond_state(operation->init, operation->request, operation->name);
        }
        free(operation);
}

static void on_operation_done(void *userdata, int r, const Error *error) {
        Operation *operation = userdata;
        SystemUnit *unit;
        Error gone;

        if (r < 0 || !operation->start_after) {
                operation_end(operation, r, error);
                return;
        }
        operation->start_after = false;
        unit = init_find(operation->init, operation->name, &gone);
        if (unit)
                init_start_unit(operation->init, unit, on_operation_done, operation);
        else
                operation_end(operation, -ENOENT, &gone);
}

static bool runs(Init *init, const SystemUnit *unit) {
        SupervisorState state;

        init_unit_state(init, unit, &state);
        return !str_equals(state.active, "inactive") && !str_equals(state.active, "failed");
}

static bool can_reload(const SystemUnit *unit) {
        const UnitOption *option = NULL;
        bool can = false;

        while ((option = unitfile_next(&unit->file, "Service", "ExecReload", option)))
                can = *option->value;
        return can;
}

/* The compound actions, as systemctl has them, come down to three. False: nothing is to be done. */
static bool simplify(Init *init, const SystemUnit *unit, Action *action) {
        bool running = runs(init, unit);
        bool reload = *action == ACTION_RELOAD_OR_RESTART || *action == ACTION_RELOAD_OR_TRY_RESTART;

        if ((*action == ACTION_TRY_RESTART || *action == ACTION_RELOAD_OR_TRY_RESTART) && !running)
                return false;
        if (reload && running && can_reload(unit))
                *action = ACTION_RELOAD;
        else if (reload || *action == ACTION_TRY_RESTART)
                *action = ACTION_RESTART;
        if (*action == ACTION_RESTART && !running)
                *action = ACTION_START;
        return true;
}

static void carry_out(Operation *operation, SystemUnit *unit, Action action) {
        Supervisor *supervisor = init_supervisor(operation->init);

        switch (action) {
        case ACTION_START:
                init_start_unit(operation->init, unit, on_operation_done, operation);
                break;
        case ACTION_RELOAD:
                supervisor_reload(supervisor, unit->name, on_operation_done, operation);
                break;
        case ACTION_RESTART:
                operation->start_after = true;
                supervisor_stop(supervisor, unit->name, on_operation_done, operation);
                break;
        default:
                supervisor_stop(supervisor, unit->name, on_operation_done, operation);
                break;
        }
}

static void act(Init *init, HttpRequest *request, SystemUnit *unit, Action action) {
        _cleanup_buffer_ Buffer wait = BUFFER_INIT;
        bool waits = url_query_get(http_request_query(request), "wait", &wait) <= 0 ||
                     !str_equals(buffer_string(&wait) ?: "", "0");
        Operation *operation;

        if (unit->problem && action != ACTION_STOP) {
                answer_error(request, unit->masked ? 409 : 500, unit->problem);
                return;
        }
        if (!simplify(init, unit, &action)) {
                respond_state(init, request, unit->name);
                return;
        }
        operation = calloc(1, sizeof(*operation));
        if (!operation) {
                answer_error(request, 500, "out of memory");
                return;
        }
        operation->init = init;
        memcpy(operation->name, unit->name, min_of(strlen(unit->name), sizeof(operation->name) - 1));
        if (waits) {
                operation->request = request;
                http_request_set_data(request, operation);
                http_request_set_gone(request, on_operation_gone, false);
        }
        carry_out(operation, unit, action);
        if (!waits)
                respond_state(init, request, unit->name);
}

/* ---- logs ---- */

typedef struct LogStream {
        Init *init;
        HttpRequest *request;
        SupervisorLog *log;
} LogStream;

static void log_stream_free(LogStream *stream) {
        if (stream->log)
                supervisor_log_close(init_supervisor(stream->init), stream->log);
        free(stream);
}

static void on_line(void *userdata, const SupervisorLogLine *line) {
        LogStream *stream = userdata;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (line->stream == SUPERVISOR_STREAM_NOTE)
                (void)buffer_append_string(&text, "-- ");
        (void)buffer_append(&text, line->text.data, line->text.length);
        (void)buffer_append_byte(&text, '\n');
        if (!buffer_failed(&text))
                (void)http_respond_write(stream->request, (Slice){buffer_data(&text), buffer_length(&text)});
}

static void on_log_end(void *userdata, int r, const Error *error) {
        LogStream *stream = userdata;
        HttpRequest *request = stream->request;

        (void)r;
        (void)error; /* what was read is given; the answer's head is out long since */
        http_request_set_gone(request, NULL, false);
        log_stream_free(stream);
        http_respond_end(request);
}

static const SupervisorLogEvents log_events = {.line = on_line, .end = on_log_end};

static void on_log_gone(HttpRequest *request) {
        log_stream_free(http_request_data(request));
}

static void open_log(Init *init, HttpRequest *request, const SystemUnit *unit) {
        _cleanup_buffer_ Buffer lines_text = BUFFER_INIT, follow = BUFFER_INIT;
        LogStream *stream;
        uint64_t lines = LOG_LINES_DEFAULT;
        Error error = ERROR_NONE;

        if (url_query_get(http_request_query(request), "lines", &lines_text) > 0 &&
            str_parse_u64((Slice){buffer_data(&lines_text), buffer_length(&lines_text)}, SUPERVISOR_LOG_LINES_MAX,
                          &lines) < 0) {
                answer_error(request, 400, "lines must be a number up to 100000");
                return;
        }
        (void)url_query_get(http_request_query(request), "follow", &follow);
        stream = calloc(1, sizeof(*stream));
        if (!stream) {
                answer_error(request, 500, "out of memory");
                return;
        }
        *stream = (LogStream){.init = init, .request = request};
        if (supervisor_log_open(init_supervisor(init), unit->name, (size_t)lines,
                                str_equals(buffer_string(&follow) ?: "", "1"), &log_events, stream, &stream->log,
                                &error) < 0) {
                free(stream);
                answer_error(request, 500, error.text);
                return;
        }
        http_request_set_data(request, stream);
        http_request_set_gone(request, on_log_gone, true);
        http_respond_begin(request, 200, "Content-Type: text/plain; charset=utf-8\r\n", UINT64_MAX);
}

/* ---- routes ---- */

static void handle_unit_verb(Init *init, HttpRequest *request, SystemUnit *unit, Slice verb) {
        bool post = http_request_method(request) == HTTP_METHOD_POST;

        if (!post && slice_equals(verb, slice_from("log"))) {
                open_log(init, request, unit);
                return;
        }
        for (size_t i = 0; post && i < ARRAY_SIZE(action_names); i++)
                if (slice_equals(verb, slice_from(action_names[i]))) {
                        act(init, request, unit, (Action)i);
                        return;
                }
        answer_error(request, 404,
                     "a unit can be asked to start, stop, restart, try-restart, reload, reload-or-restart or "
                     "reload-or-try-restart (POST), or for its log (GET)");
}

/* "NAME" or "NAME/VERB" */
static void handle_unit(Init *init, HttpRequest *request, Slice rest) {
        _cleanup_buffer_ Buffer name = BUFFER_INIT;
        SystemUnit *unit;
        Error error = ERROR_NONE;
        Slice encoded;

        (void)slice_split(&rest, '/', &encoded);
        if (url_decode(&name, encoded, false, NULL) < 0 || !buffer_string(&name) ||
            memchr(buffer_string(&name), '\0', buffer_length(&name))) {
                answer_error(request, 400, "the unit's name is not well encoded");
                return;
        }
        unit = init_find(init, buffer_string(&name), &error);
        if (!unit)
                answer_error(request, 404, error.text);
        else if (rest.data)
                handle_unit_verb(init, request, unit, rest);
        else if (http_request_method(request) == HTTP_METHOD_GET)
                respond_unit(init, request, unit);
        else
                answer_error(request, 405, "only GET is supported here");
}

static void handle_reload(Init *init, HttpRequest *request) {
        Error error = ERROR_NONE;

        if (init_reload(init, &error) < 0)
                answer_error(request, 500, error.text);
        else
                answer_empty(request);
}

void init_api_handle(void *userdata, HttpRequest *request) {
        Slice path = http_request_path(request), prefix = slice_from(PREFIX);
        bool post = http_request_method(request) == HTTP_METHOD_POST,
             get = http_request_method(request) == HTTP_METHOD_GET;
        Slice units = slice_from("units/");
        Init *init = userdata;

        if (path.length < prefix.length || memcmp(path.data, prefix.data, prefix.length) != 0) {
                answer_error(request, 404, "this is a machine's init: its API lies under " PREFIX);
                return;
        }
        path = (Slice){path.data + prefix.length, path.length - prefix.length};
        if (path.length > units.length && memcmp(path.data, units.data, units.length) == 0) {
                handle_unit(init, request, (Slice){path.data + units.length, path.length - units.length});
        } else if (get && slice_equals(path, slice_from("units"))) {
                respond_units(init, request);
        } else if (post && slice_equals(path, slice_from("reload"))) {
                handle_reload(init, request);
        } else if (post && slice_equals(path, slice_from("poweroff"))) {
                answer_empty(request);
                init_stop(init);
        } else {
                answer_error(
                        request, 404,
                        "there is no such thing: units, units/NAME, units/NAME/ACTION, reload and poweroff are served");
        }
}
