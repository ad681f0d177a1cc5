/* Unit operations on faering-init: HTTP on its socket (docs/formats/init-api.md), one request at a time. Its API has no
 * event for the end of a command, so await asks again and again. */
#include <errno.h>
#include <jansson.h>
#include <uv.h>

#include "boot/unit-manager.h"
#include "net/http-client.h"

enum {
        ANSWER_SECONDS = 30, /* nothing that is asked for takes long */
        ASK_AGAIN_MSEC = 50,
};

typedef struct InitUnitManager {
        UnitManager base;
        const RootFiles *files;
        uv_loop_t loop;
        HttpClient *http;
        Url url;
} InitUnitManager;

typedef struct Answer {
        bool done;
        int r;
        unsigned status;
        json_t *json; /* NULL: none */
        Error *error;
} Answer;

static void on_done(HttpCall *call, int r, const Error *error) {
        Answer *answer = http_call_userdata(call);
        Slice body = http_call_body(call);

        answer->done = true;
        answer->r = r;
        if (r < 0 && answer->error)
                *answer->error = *error;
        if (r < 0)
                return;
        answer->status = http_call_status(call);
        answer->json = body.length ? json_loadb(body.data, body.length, 0, NULL) : NULL;
}

static int ask(InitUnitManager *manager, const char *method, const char *target, Answer *answer, Error *error) {
        static const HttpCallOps ops = {.done = on_done};
        const HttpCallSpec spec = {.url = &manager->url,
                                   .method = method,
                                   .target = target,
                                   .body = {"", 0},
                                   .head_timeout = ANSWER_SECONDS * USEC_PER_SEC};
        int r;

        *answer = (Answer){.error = error};
        r = http_client_call(manager->http, &spec, &ops, answer, NULL);
        while (r >= 0 && !answer->done)
                (void)uv_run(&manager->loop, UV_RUN_ONCE);
        if (r >= 0)
                r = answer->r;
        return r < 0 ? error_prefix(error, r, "cannot ask faering-init") : 0;
}

static const char *answer_text(const Answer *answer, const char *key) {
        return json_string_value(json_object_get(answer->json, key)) ?: "";
}

static const char *answer_message(const Answer *answer) {
        return json_string_value(json_object_get(json_object_get(answer->json, "error"), "message"))
                       ?: "it does not say why";
}

static int init_enable(UnitManager *base, const char *unit, bool runtime, Error *error) {
        return root_files_enable(container_of(base, InitUnitManager, base)->files, unit, runtime, error);
}

static int init_reload(UnitManager *base, Error *error) {
        Answer answer;
        int r = ask(container_of(base, InitUnitManager, base), "POST", "/faering/v1/reload", &answer, error);

        if (r >= 0 && answer.status != 200)
                r = error_set(error, -EIO, "faering-init answered %u: %s", answer.status, answer_message(&answer));
        json_decref(answer.json);
        return r;
}

static int judge(const Answer *answer, const char *unit, Buffer *result, Error *error) {
        switch (answer->status) {
        case 200:
                return 0;
        case 404:
                return error_set(error, -ENOENT, "Unit %s not found.", unit);
        case 409:
        case 500:
                (void)buffer_printf(result, "failed: %s", answer_message(answer));
                return UNIT_COMMAND_FAILED;
        default:
                return error_set(error, -EIO, "faering-init answered %u: %s", answer->status, answer_message(answer));
        }
}

/* "/faering/v1/units/NAME" and `rest`. NULL: no memory. */
static const char *unit_target(Buffer *target, const char *unit, const char *rest) {
        (void)buffer_append_string(target, "/faering/v1/units/");
        (void)url_encode(target, URL_SEGMENT, slice_from(unit));
        (void)buffer_append_string(target, rest);
        return buffer_failed(target) < 0 ? NULL : buffer_string(target);
}

static int init_command(UnitManager *base, const char *unit, const char *action, Buffer *result, Error *error) {
        _cleanup_free_ char *rest = str_printf("/%s?wait=0", action);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        Answer answer = {0};
        int r;

        if (!rest || !unit_target(&target, unit, rest))
                return -ENOMEM;
        r = ask(container_of(base, InitUnitManager, base), "POST", buffer_string(&target), &answer, error);
        if (r >= 0)
                r = judge(&answer, unit, result, error);
        json_decref(answer.json);
        return r;
}

/* Below zero: not settled yet, or (with `error`) no sense in asking again. */
static int judge_state(const Answer *answer, const char *unit, Buffer *result, Error *error) {
        const char *active = answer_text(answer, "active");
        int r = judge(answer, unit, result, error);

        if (r != 0)
                return r;
        if (str_equals(active, "activating") || str_equals(active, "deactivating") || str_equals(active, "reloading"))
                return UNIT_COMMAND_PENDING;
        if (str_equals(active, "failed")) {
                (void)buffer_printf(result, "failed: %s", answer_text(answer, "result"));
                return UNIT_COMMAND_FAILED;
        }
        (void)buffer_append_string(result, "done");
        return 0;
}

static void on_passed(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

/* The loop has a connection that is kept, too: only the timer says when it is over. */
static void let_pass(uv_loop_t *loop, uint64_t msec) {
        bool passed = false;
        uv_timer_t timer;

        (void)uv_timer_init(loop, &timer);
        timer.data = &passed;
        (void)uv_timer_start(&timer, on_passed, msec, 0);
        while (!passed)
                (void)uv_run(loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        (void)uv_run(loop, UV_RUN_NOWAIT); /* `timer` is the loop's no more after that */
}

static int init_await(UnitManager *base, const char *unit, Usec *left, Buffer *result, Error *error) {
        InitUnitManager *manager = container_of(base, InitUnitManager, base);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        Usec begin = clock_monotonic(), spent = 0;
        int r = UNIT_COMMAND_PENDING;

        if (!unit_target(&target, unit, ""))
                return -ENOMEM;
        for (;;) {
                Answer answer = {0};

                r = ask(manager, "GET", buffer_string(&target), &answer, error);
                if (r >= 0)
                        r = judge_state(&answer, unit, result, error);
                json_decref(answer.json);
                spent = clock_monotonic() - begin;
                if (r != UNIT_COMMAND_PENDING || spent >= *left)
                        break;
                let_pass(&manager->loop, ASK_AGAIN_MSEC);
        }
        *left -= min_of(*left, spent);
        return r;
}

static void init_free(UnitManager *base) {
        InitUnitManager *manager = container_of(base, InitUnitManager, base);

        if (manager->http)
                http_client_close(manager->http);
        (void)uv_run(&manager->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&manager->loop);
        free(manager);
}

static const UnitManagerOps init_ops = {
        .name = "faering-init",
        .enable = init_enable,
        .reload = init_reload,
        .command = init_command,
        .await = init_await,
        .free = init_free,
};

int init_unit_manager_new(const RootFiles *files, const char *socket, UnitManager **ret, Error *error) {
        _cleanup_free_ char *endpoint = str_printf("unix://%s", socket);
        InitUnitManager *manager = calloc(1, sizeof(*manager));
        int r;

        if (!endpoint || !manager || uv_loop_init(&manager->loop) < 0) {
                free(manager);
                return -ENOMEM;
        }
        manager->base.ops = &init_ops;
        manager->files = files;
        manager->http = http_client_new(&manager->loop, NULL);
        r = manager->http ? url_parse(endpoint, 80, &manager->url, error) : -ENOMEM;
        if (r < 0) {
                init_free(&manager->base);
                return r;
        }
        *ret = &manager->base;
        return 0;
}
