/* POST and DELETE /containers/…: what changes a container. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "containers/api/handlers.h"

void api_container_create(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_free_ char *name = api_query(request, "name");
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        json_t *body = api_body(request);
        Error error = ERROR_NONE;
        Container *container;
        int r;

        (void)argument;
        if (!body)
                return;
        r = engine_create(api->engine, name && name[0] ? name : NULL, body, &container, &error);
        json_decref(body);
        if (r < 0) {
                api_fail_errno(request, r, &error);
                return;
        }
        json_begin_object(&json);
        json_field_string(&json, "Id", container->id);
        json_key(&json, "Warnings");
        json_begin_array(&json);
        json_end_array(&json);
        json_end_object(&json);
        api_respond_json(request, 201, &text);
}

void api_container_start(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        EngineCall *call = container ? api_call(request, 204) : NULL;

        if (call)
                engine_start(container, call);
}

static int query_signal(HttpRequest *request, int *ret) {
        _cleanup_free_ char *text = api_query(request, "signal");
        char message[128];

        if (!text || !text[0] || signal_parse(text, ret) >= 0)
                return 0;
        (void)snprintf(message, sizeof(message), "invalid signal: %.64s", text);
        api_fail(request, 400, message);
        return -EINVAL;
}

void api_container_stop(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        int64_t seconds = -1;
        EngineCall *call;
        int signal = 0;

        if (!container || api_query_number(request, "t", &seconds) < 0 || query_signal(request, &signal) < 0)
                return;
        call = api_call(request, 204);
        if (call)
                engine_stop(container, seconds, signal, call);
}

void api_container_restart(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        int64_t seconds = -1;
        EngineCall *call;

        if (!container || api_query_number(request, "t", &seconds) < 0)
                return;
        call = api_call(request, 204);
        if (call)
                engine_restart(container, seconds, call);
}

void api_container_rename(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        _cleanup_free_ char *name = api_query(request, "name");
        Error error = ERROR_NONE;
        int r;

        if (!container)
                return;
        r = name && name[0] ? engine_rename(container, name, &error)
                            : error_set(&error, -EINVAL, "the parameter name is missing");
        if (r < 0)
                api_fail_errno(request, r, &error);
        else
                api_respond_empty(request, 204);
}

void api_container_remove(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        EngineCall *call = container ? api_call(request, 204) : NULL;

        if (call)
                engine_remove(container, api_query_bool(request, "force", false), api_query_bool(request, "v", false),
                              call);
}

/* ---- waiting ---- */

typedef struct ApiWait {
        ContainerWait wait;
        HttpRequest *request;
} ApiWait;

static void on_wait_gone(HttpRequest *request) {
        ApiWait *one = http_request_data(request);

        list_unlink(&one->wait.link);
        http_request_set_data(request, NULL);
        free(one);
}

static ApiWait *wait_new(HttpRequest *request, WaitCondition condition, void (*done)(ContainerWait *wait, int status)) {
        ApiWait *one = calloc(1, sizeof(*one));

        if (!one) {
                api_fail(request, 500, "out of memory");
                return NULL;
        }
        *one = (ApiWait){.wait = {.condition = condition, .done = done}, .request = request};
        list_init(&one->wait.link);
        http_request_set_data(request, one);
        http_request_set_gone(request, on_wait_gone, true);
        return one;
}

static void on_waited(ContainerWait *wait, int status) {
        ApiWait *one = container_of(wait, ApiWait, wait);
        HttpRequest *request = one->request;
        char text[64];
        int n;

        http_request_set_gone(request, NULL, false);
        free(one);
        n = snprintf(text, sizeof(text), "{\"Error\":null,\"StatusCode\":%d}\n", status);
        if (http_respond_write(request, (Slice){text, (size_t)n}) >= 0)
                http_respond_end(request);
}

static int query_condition(HttpRequest *request, WaitCondition *ret) {
        static const char *const names[] = {"not-running", "next-exit", "removed"};
        _cleanup_free_ char *text = api_query(request, "condition");

        *ret = WAIT_NOT_RUNNING;
        if (!text || !text[0])
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_equals(text, names[i])) {
                        *ret = (WaitCondition)i;
                        return 0;
                }
        api_fail(request, 400, "invalid condition: not-running, next-exit and removed are known");
        return -EINVAL;
}

/* The head goes out at once: clients start the container only when they have it. */
void api_container_wait(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        WaitCondition condition;
        ApiWait *one;

        if (!container || query_condition(request, &condition) < 0)
                return;
        one = wait_new(request, condition, on_waited);
        if (!one)
                return;
        http_respond_begin(request, 200, API_JSON, UINT64_MAX);
        if (http_request_data(request) == one)
                engine_wait(container, &one->wait);
}

static void on_killed(ContainerWait *wait, int status) {
        ApiWait *one = container_of(wait, ApiWait, wait);
        HttpRequest *request = one->request;

        (void)status;
        http_request_set_gone(request, NULL, false);
        free(one);
        api_respond_empty(request, 204);
}

/* A kill that cannot be withstood is answered when it has had its effect. */
void api_container_kill(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        Error error = ERROR_NONE;
        int signal = SIGKILL, r;
        ApiWait *one;

        if (!container || query_signal(request, &signal) < 0)
                return;
        r = engine_kill(container, signal, &error);
        if (r < 0) {
                api_fail_errno(request, r, &error);
        } else if (signal != SIGKILL) {
                api_respond_empty(request, 204);
        } else {
                one = wait_new(request, WAIT_NEXT_EXIT, on_killed);
                if (one)
                        engine_wait(container, &one->wait);
        }
}

void api_container_resize(ContainersApi *api, HttpRequest *request, const char *argument) {
        Container *container = api_container(api, request, argument);
        int64_t rows = 0, columns = 0;

        if (!container || api_query_number(request, "h", &rows) < 0 || api_query_number(request, "w", &columns) < 0)
                return;
        if (rows < 0 || rows > UINT16_MAX || columns < 0 || columns > UINT16_MAX) {
                api_fail(request, 400, "h and w must be numbers from 0 to 65535");
        } else if (!container->link || !container_is_running(container)) {
                char message[128];

                (void)snprintf(message, sizeof(message), "container %s is not running", container->id);
                api_fail(request, 409, message);
        } else {
                (void)shim_link_resize(container->link, (uint16_t)rows, (uint16_t)columns);
                api_respond_empty(request, 200);
        }
}

/* ---- prune ---- */

typedef struct PruneCall {
        EngineCall call;
} PruneCall;

static void on_pruned(EngineCall *call, int r, const Error *error) {
        (void)r;
        (void)error; /* the answer has named them; what could not be removed is listed by ps -a */
        free(container_of(call, PruneCall, call));
}

void api_containers_prune(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_free_ Container **list = calloc(api->engine->by_id.length + 1, sizeof(*list));
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        size_t count = 0;

        (void)argument;
        map_foreach (&api->engine->by_id, entry) {
                Container *container = entry->value;

                if (list && (container->state == CONTAINER_EXITED || container->state == CONTAINER_CREATED))
                        list[count++] = container;
        }
        json_begin_object(&json);
        json_key(&json, "ContainersDeleted");
        json_begin_array(&json);
        for (size_t i = 0; i < count; i++) {
                PruneCall *one = calloc(1, sizeof(*one));

                if (!one)
                        break;
                one->call.done = on_pruned;
                json_write_string(&json, slice_from(list[i]->id));
                engine_remove(list[i], false, false, &one->call);
        }
        json_end_array(&json);
        json_field_u64(&json, "SpaceReclaimed", 0);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}
