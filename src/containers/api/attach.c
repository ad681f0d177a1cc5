/* attach and exec: the connection becomes the container's streams. */
#include <errno.h>
#include <stdio.h>

#include "containers/api/handlers.h"

uint8_t api_query_streams(HttpRequest *request) {
        uint8_t streams = 0;

        if (api_query_bool(request, "stdin", false))
                streams |= SHIM_WANTS_STDIN;
        if (api_query_bool(request, "stdout", false))
                streams |= SHIM_WANTS_STDOUT;
        if (api_query_bool(request, "stderr", false))
                streams |= SHIM_WANTS_STDERR;
        return streams;
}

/* Since API 1.42 clients are told by the type whether frames come. */
static bool knows_multiplexed(HttpRequest *request) {
        Slice path = http_request_path(request);
        uint64_t minor;
        Slice rest = path, part;

        if (path.length < 4 || strncmp(path.data, "/v1.", 4) != 0)
                return true;
        rest.data += 4;
        rest.length -= 4;
        (void)slice_split(&rest, '/', &part);
        return str_parse_u64(part, 999, &minor) < 0 || minor >= 42;
}

Stream *api_upgrade(HttpRequest *request, bool tty, Buffer *early) {
        bool upgrade = http_request_wants_upgrade(request);
        char headers[256];
        Stream *stream;

        (void)snprintf(headers, sizeof(headers), "Content-Type: application/vnd.docker.%s\r\n%s",
                       !tty && knows_multiplexed(request) ? "multiplexed-stream" : "raw-stream",
                       upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "");
        if (http_request_upgrade(request, upgrade ? 101 : 200, headers, &stream, early) < 0) {
                api_fail(request, 500, "out of memory");
                return NULL;
        }
        return stream;
}

void api_container_attach(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        _cleanup_buffer_ Buffer early = BUFFER_INIT;
        uint8_t streams = api_query_streams(request);
        Stream *stream;

        if (!container)
                return;
        if (container->attach.n_sessions >= ATTACH_SESSIONS_MAX) {
                api_fail(request, 409, "too many clients are attached to this container");
                return;
        }
        if (!api_query_bool(request, "stream", false)) {
                api_fail(request, 501, "attach without stream=1 is not done by Faering's engine yet: use logs");
                return;
        }
        if (!container->spec.open_stdin)
                streams &= (uint8_t)~SHIM_WANTS_STDIN;
        stream = api_upgrade(request, container->spec.tty, &early);
        if (stream)
                (void)attachable_attach(&container->attach, stream, (Slice){buffer_data(&early), buffer_length(&early)},
                                        streams, NULL);
}

/* ---- exec ---- */

static Exec *find_exec(ContainersApi *api, HttpRequest *request, const char *id) {
        Exec *exec = exec_find(api->engine, id);
        char message[128];

        if (!exec) {
                (void)snprintf(message, sizeof(message), "No such exec instance: %.80s", id);
                api_fail(request, 404, message);
        }
        return exec;
}

void api_exec_create(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        Error error = ERROR_NONE;
        json_t *body;
        Exec *exec;
        int r;

        if (!container || !(body = api_body(request)))
                return;
        r = exec_create(container, body, &exec, &error);
        json_decref(body);
        if (r < 0) {
                api_fail_errno(request, r, &error);
                return;
        }
        json_begin_object(&json);
        json_field_string(&json, "Id", exec->id);
        json_end_object(&json);
        api_respond_json(request, 201, &text);
}

typedef struct StartCall {
        EngineCall call;
} StartCall;

/* The client is on a stream by then, and learns from the exec's exit code. */
static void on_attached_start(EngineCall *call, int r, const Error *error) {
        (void)r;
        (void)error;
        free(container_of(call, StartCall, call));
}

static void start_attached(HttpRequest *request, Exec *exec) {
        uint8_t streams =
                (uint8_t)((exec->wants_stdin ? SHIM_WANTS_STDIN : 0) | (exec->wants_stdout ? SHIM_WANTS_STDOUT : 0) |
                          (exec->wants_stderr ? SHIM_WANTS_STDERR : 0));
        StartCall *one = calloc(1, sizeof(*one));
        _cleanup_buffer_ Buffer early = BUFFER_INIT;
        Stream *stream;

        if (!one) {
                api_fail(request, 500, "out of memory");
                return;
        }
        stream = api_upgrade(request, exec->tty, &early);
        if (!stream) {
                free(one);
                return;
        }
        one->call.done = on_attached_start;
        (void)attachable_attach(&exec->attach, stream, (Slice){buffer_data(&early), buffer_length(&early)}, streams,
                                NULL);
        exec_start(exec, &one->call);
}

void api_exec_start(ContainersApi *api, HttpRequest *request, const char *argument) {
        Exec *exec = find_exec(api, request, argument);
        json_t *body = exec ? api_body(request) : NULL;
        bool detach = json_is_true(json_object_get(body, "Detach"));
        EngineCall *call;

        if (!body)
                return;
        json_decref(body);
        if (exec->started) {
                api_fail(request, 409, "this exec instance was started before");
        } else if (!exec->container || !container_is_running(exec->container)) {
                api_fail(request, 409, "the container of this exec instance is not running");
        } else if (!detach) {
                start_attached(request, exec);
        } else {
                call = api_call(request, 200);
                if (call)
                        exec_start(exec, call);
        }
}

void api_exec_resize(ContainersApi *api, HttpRequest *request, const char *argument) {
        Exec *exec = find_exec(api, request, argument);
        int64_t rows = 0, columns = 0;

        if (!exec || api_query_number(request, "h", &rows) < 0 || api_query_number(request, "w", &columns) < 0)
                return;
        if (rows < 0 || rows > UINT16_MAX || columns < 0 || columns > UINT16_MAX) {
                api_fail(request, 400, "h and w must be numbers from 0 to 65535");
                return;
        }
        (void)exec_resize(exec, (uint16_t)rows, (uint16_t)columns);
        api_respond_empty(request, 200);
}

void api_exec_inspect(ContainersApi *api, HttpRequest *request, const char *argument) {
        Exec *exec = find_exec(api, request, argument);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        if (!exec)
                return;
        json_begin_object(&json);
        json_field_string(&json, "ID", exec->id);
        json_field_bool(&json, "Running", exec->running);
        json_key(&json, "ExitCode");
        if (exec->over)
                json_write_i64(&json, exec->exit_code);
        else
                json_write_null(&json);
        json_key(&json, "ProcessConfig");
        json_begin_object(&json);
        json_field_bool(&json, "tty", exec->tty);
        json_field_string(&json, "entrypoint", exec->command.items[0]);
        json_key(&json, "arguments");
        json_begin_array(&json);
        for (size_t i = 1; i < exec->command.length; i++)
                json_write_string(&json, slice_from(exec->command.items[i]));
        json_end_array(&json);
        json_field_bool(&json, "privileged", exec->privileged);
        json_end_object(&json);
        json_field_bool(&json, "OpenStdin", exec->wants_stdin);
        json_field_bool(&json, "OpenStderr", exec->wants_stderr);
        json_field_bool(&json, "OpenStdout", exec->wants_stdout);
        json_field_bool(&json, "CanRemove", exec->over);
        json_field_string(&json, "ContainerID", exec->container ? exec->container->id : "");
        json_field_string(&json, "DetachKeys", "");
        json_field_i64(&json, "Pid", exec->pid);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}
