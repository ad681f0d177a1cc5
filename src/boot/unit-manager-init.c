/* Unit operations on faering-init: HTTP on its socket (docs/formats/init-api.md), one request at a time. */
#include <errno.h>
#include <jansson.h>
#include <uv.h>

#include "boot/unit-manager.h"
#include "net/http-client.h"

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

/* A command may take as long as the unit does: there is no time limit but the one of faering-boot's own unit. */
static int post(InitUnitManager *manager, const char *target, Answer *answer, Error *error) {
        static const HttpCallOps ops = {.done = on_done};
        const HttpCallSpec spec = {.url = &manager->url, .method = "POST", .target = target, .body = {"", 0}};
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
        int r = post(container_of(base, InitUnitManager, base), "/faering/v1/reload", &answer, error);

        if (r >= 0 && answer.status != 200)
                r = error_set(error, -EIO, "faering-init answered %u: %s", answer.status, answer_message(&answer));
        json_decref(answer.json);
        return r;
}

static int judge(const Answer *answer, const char *unit, bool wait, Buffer *result, Error *error) {
        const char *active = answer_text(answer, "active");

        switch (answer->status) {
        case 200:
                if (wait && str_equals(active, "failed")) {
                        (void)buffer_printf(result, "failed: %s", answer_text(answer, "result"));
                        return UNIT_COMMAND_FAILED;
                }
                (void)buffer_append_string(result, wait ? "done" : "asked for");
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

static int init_command(UnitManager *base, const char *unit, const char *action, bool wait, Buffer *result,
                        Error *error) {
        InitUnitManager *manager = container_of(base, InitUnitManager, base);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        Answer answer = {0};
        int r;

        (void)buffer_append_string(&target, "/faering/v1/units/");
        (void)url_encode(&target, URL_SEGMENT, slice_from(unit));
        (void)buffer_printf(&target, "/%s%s", action, wait ? "" : "?wait=0");
        if (buffer_failed(&target) < 0 || !buffer_string(&target))
                return -ENOMEM;
        r = post(manager, buffer_string(&target), &answer, error);
        if (r >= 0)
                r = judge(&answer, unit, wait, result, error);
        json_decref(answer.json);
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
