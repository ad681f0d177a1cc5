#include "containers/api/api.h"

#include <errno.h>
#include <stdio.h>

#include "containers/api/handlers.h"

#define COMMON                                                                                                         \
        "Api-Version: " API_VERSION                                                                                    \
        "\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Docker/" FAERING_VERSION " (faering)\r\n"

const HttpServerLimits containers_api_limits = {
        .head_bytes = 64 * 1024,
        .body_bytes = API_BODY_MAX,
        .connections = 4096,
        .pipelined_bytes = 64 * 1024,
        .output_bytes = 16 * 1024 * 1024,
        .output_total = (size_t)512 * 1024 * 1024,
        .body_total = (size_t)512 * 1024 * 1024,
        .head_timeout = 10 * USEC_PER_SEC,
        .body_timeout = 60 * USEC_PER_SEC,
        .idle_timeout = 300 * USEC_PER_SEC,
};

/* ---- answers ---- */

void api_respond_json(HttpRequest *request, unsigned status, Buffer *text) {
        if (buffer_append_byte(text, '\n') < 0)
                http_respond(request, 500, COMMON API_JSON, slice_from("{\"message\":\"out of memory\"}\n"));
        else
                http_respond(request, status, COMMON API_JSON, (Slice){buffer_data(text), buffer_length(text)});
}

void api_respond_empty(HttpRequest *request, unsigned status) {
        http_respond(request, status, COMMON, (Slice){"", 0});
}

void api_fail(HttpRequest *request, unsigned status, const char *message) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_string(&json, "message", message);
        json_end_object(&json);
        api_respond_json(request, status, &text);
}

static unsigned status_of(int r) {
        switch (r) {
        case -ENOENT:
                return 404;
        case -EINVAL:
        case -EACCES:
        case -ENOTUNIQ:
        case -EBADMSG:
                return 400;
        case -EEXIST:
        case -EBUSY:
        case -ENOTCONN:
        case -ECANCELED:
                return 409;
        case -EOPNOTSUPP:
                return 501;
        default:
                return 500;
        }
}

void api_fail_errno(HttpRequest *request, int r, const Error *error) {
        api_fail(request, status_of(r), error && error->text[0] ? error->text : strerror(-r));
}

/* ---- requests ---- */

char *api_query(HttpRequest *request, const char *name) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        return url_query_get(http_request_query(request), name, &value) > 0 ? buffer_steal_string(&value, NULL) : NULL;
}

/* Docker takes all for true but these. */
bool api_query_bool(HttpRequest *request, const char *name, bool value_default) {
        static const char *const falses[] = {"", "0", "no", "false", "none", "False", "FALSE"};
        _cleanup_free_ char *value = api_query(request, name);

        if (!value)
                return value_default;
        for (size_t i = 0; i < ARRAY_SIZE(falses); i++)
                if (str_equals(value, falses[i]))
                        return false;
        return true;
}

int api_query_number(HttpRequest *request, const char *name, int64_t *ret) {
        _cleanup_free_ char *value = api_query(request, name);
        bool negative = value && value[0] == '-';
        char message[160];
        uint64_t number;

        if (!value || !value[0])
                return 0;
        if (str_parse_u64(slice_from(value + negative), INT32_MAX, &number) < 0) {
                (void)snprintf(message, sizeof(message), "the parameter %s is no number: %.64s", name, value);
                api_fail(request, 400, message);
                return -EINVAL;
        }
        *ret = negative ? -(int64_t)number : (int64_t)number;
        return 0;
}

json_t *api_body(HttpRequest *request) {
        Slice body = http_request_body(request);
        json_error_t problem;
        json_t *json = body.length > 0 ? json_loadb(body.data, body.length, 0, &problem) : json_object();
        char message[256];

        if (json)
                return json;
        (void)snprintf(message, sizeof(message), "the body is not JSON: %.120s in line %d, column %d", problem.text,
                       problem.line, problem.column);
        api_fail(request, 400, message);
        return NULL;
}

Container *api_container(ContainersApi *api, HttpRequest *request, const char *name) {
        Error error = ERROR_NONE;
        Container *container;
        int r = engine_find(api->engine, name, &container, &error);

        if (r < 0) {
                api_fail_errno(request, r, &error);
                return NULL;
        }
        return container;
}

typedef struct ApiCall {
        EngineCall call;
        HttpRequest *request;
        unsigned status;
} ApiCall;

static void on_call_done(EngineCall *call, int r, const Error *error) {
        ApiCall *one = container_of(call, ApiCall, call);
        HttpRequest *request = one->request;
        unsigned status = one->status;

        http_request_set_gone(request, NULL, false);
        free(one);
        if (r == -EALREADY)
                api_respond_empty(request, 304);
        else if (r == -ENOENT)
                api_fail(request, 400, error->text); /* a command that is not there, not a container */
        else if (r < 0)
                api_fail_errno(request, r, error);
        else
                api_respond_empty(request, status);
}

/* What was asked for goes on; nobody hears of it. */
static void on_call_gone(HttpRequest *request) {
        ApiCall *one = http_request_data(request);

        list_unlink(&one->call.link);
        free(one);
}

EngineCall *api_call(HttpRequest *request, unsigned status) {
        ApiCall *one = calloc(1, sizeof(*one));

        if (!one) {
                api_fail(request, 500, "out of memory");
                return NULL;
        }
        *one = (ApiCall){.call = {.done = on_call_done}, .request = request, .status = status};
        list_init(&one->call.link);
        http_request_set_data(request, one);
        http_request_set_gone(request, on_call_gone, false);
        return &one->call;
}

void api_format_time(WallUsec at, char text[static 40]) {
        time_t seconds = (time_t)(at / (WallUsec)USEC_PER_SEC);
        struct tm tm;
        size_t n;

        if (at == 0) {
                (void)snprintf(text, 40, "0001-01-01T00:00:00Z");
                return;
        }
        n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
        (void)snprintf(text + n, 40 - n, ".%06lld000Z", (long long)(at % (WallUsec)USEC_PER_SEC));
}

void api_write_json(JsonWriter *json, const char *key, const json_t *value) {
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

        json_key(json, key);
        json_write_raw(json, slice_from(text ?: "null"));
}

/* ---- filters ---- */

int api_filters(HttpRequest *request, json_t **ret) {
        _cleanup_free_ char *text = api_query(request, "filters");

        *ret = NULL;
        if (!text || !text[0])
                return 0;
        *ret = json_loads(text, 0, NULL);
        if (json_is_object(*ret))
                return 0;
        json_decref(*ret);
        *ret = NULL;
        api_fail(request, 400, "the parameter filters must be a JSON object of lists");
        return -EINVAL;
}

bool api_filter_passes(const json_t *filters, const char *name, bool (*matches)(void *userdata, const char *value),
                       void *userdata) {
        json_t *values = json_object_get(filters, name), *value;
        const char *key;
        size_t i;

        if (!values)
                return true;
        json_array_foreach (values, i, value)
                if (matches(userdata, json_string_value(value) ?: ""))
                        return true;
        json_object_foreach (values, key, value)
                if (matches(userdata, key))
                        return true;
        return json_array_size(values) + json_object_size(values) == 0;
}

/* ---- routes ---- */

typedef struct Route {
        const char *method;
        const char *pattern; /* "*": one segment; "**": a name that may have '/' in it */
        API_HANDLER((*handle));
        void (*handle_image)(ImagesApi *api, HttpRequest *request, const char *name);
} Route;

static const Route routes[] = {
        {"GET", "/_ping", api_ping, NULL},
        {"HEAD", "/_ping", api_ping, NULL},
        {"GET", "/version", api_version, NULL},
        {"GET", "/info", api_info, NULL},
        {"GET", "/events", api_events, NULL},
        {"GET", "/system/df", api_disk_usage, NULL},
        {"GET", "/containers/json", api_containers_list, NULL},
        {"POST", "/containers/create", api_container_create, NULL},
        {"POST", "/containers/prune", api_containers_prune, NULL},
        {"GET", "/containers/*/json", api_container_inspect, NULL},
        {"POST", "/containers/*/start", api_container_start, NULL},
        {"POST", "/containers/*/stop", api_container_stop, NULL},
        {"POST", "/containers/*/restart", api_container_restart, NULL},
        {"POST", "/containers/*/kill", api_container_kill, NULL},
        {"POST", "/containers/*/rename", api_container_rename, NULL},
        {"POST", "/containers/*/wait", api_container_wait, NULL},
        {"POST", "/containers/*/resize", api_container_resize, NULL},
        {"POST", "/containers/*/attach", api_container_attach, NULL},
        {"GET", "/containers/*/logs", api_container_logs, NULL},
        {"GET", "/containers/*/top", api_container_top, NULL},
        {"POST", "/containers/*/exec", api_exec_create, NULL},
        {"POST", "/containers/*/pause", api_not_yet, NULL},
        {"POST", "/containers/*/unpause", api_not_yet, NULL},
        {"POST", "/containers/*/update", api_not_yet, NULL},
        {"GET", "/containers/*/stats", api_not_yet, NULL},
        {"GET", "/containers/*/changes", api_not_yet, NULL},
        {"GET", "/containers/*/export", api_not_yet, NULL},
        {"GET", "/containers/*/archive", api_not_yet, NULL},
        {"HEAD", "/containers/*/archive", api_not_yet, NULL},
        {"PUT", "/containers/*/archive", api_not_yet, NULL},
        {"DELETE", "/containers/*", api_container_remove, NULL},
        {"POST", "/exec/*/start", api_exec_start, NULL},
        {"POST", "/exec/*/resize", api_exec_resize, NULL},
        {"GET", "/exec/*/json", api_exec_inspect, NULL},
        {"GET", "/images/json", NULL, images_api_list},
        {"POST", "/images/create", NULL, images_api_create},
        {"POST", "/images/load", NULL, images_api_load},
        {"GET", "/images/get", NULL, images_api_save},
        {"POST", "/images/prune", api_not_yet, NULL},
        {"GET", "/images/search", api_not_yet, NULL},
        {"GET", "/images/**/get", NULL, images_api_save},
        {"GET", "/images/**/json", NULL, images_api_inspect},
        {"GET", "/images/**/history", NULL, images_api_history},
        {"POST", "/images/**/tag", NULL, images_api_tag},
        {"POST", "/images/**/push", api_not_yet, NULL},
        {"DELETE", "/images/**", NULL, images_api_remove},
        {"POST", "/commit", api_not_yet, NULL},
        {"POST", "/build", api_not_yet, NULL},
        {"POST", "/auth", api_not_yet, NULL},
        {"GET", "/networks", api_networks, NULL},
        {"POST", "/networks/create", api_not_yet, NULL},
        {"POST", "/networks/prune", api_not_yet, NULL},
        {"POST", "/networks/*/connect", api_not_yet, NULL},
        {"POST", "/networks/*/disconnect", api_not_yet, NULL},
        {"GET", "/networks/*", api_network_inspect, NULL},
        {"DELETE", "/networks/*", api_not_yet, NULL},
        {"GET", "/volumes", api_volumes, NULL},
        {"POST", "/volumes/create", api_volume_create, NULL},
        {"POST", "/volumes/prune", api_not_yet, NULL},
        {"GET", "/volumes/*", api_volume_inspect, NULL},
        {"DELETE", "/volumes/*", api_volume_remove, NULL},
};

/* Without "/v1.41". *ret_bad: a version that is none of ours. */
static Slice strip_version(Slice path, bool *ret_bad) {
        Slice rest = path, part;
        uint64_t minor;

        *ret_bad = false;
        if (path.length < 3 || path.data[0] != '/' || path.data[1] != 'v' || path.data[2] < '0' || path.data[2] > '9')
                return path;
        rest.data++;
        rest.length--;
        (void)slice_split(&rest, '/', &part);
        if (!rest.data || part.length < 4 || strncmp(part.data, "v1.", 3) != 0 ||
            str_parse_u64((Slice){part.data + 3, part.length - 3}, 999, &minor) < 0 || minor < 24)
                *ret_bad = true;
        return rest.data ? (Slice){rest.data - 1, rest.length + 1} : (Slice){"/", 1};
}

static bool ends_with(Slice text, const char *end) {
        size_t length = strlen(end);

        return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

static bool route_matches(const Route *route, Slice path, Slice *ret_argument) {
        const char *star = strchr(route->pattern, '*'), *behind = star;
        size_t before = star ? (size_t)(star - route->pattern) : 0;
        bool slashes = star && star[1] == '*';

        *ret_argument = (Slice){"", 0};
        if (!star)
                return slice_equals(path, slice_from(route->pattern));
        behind += slashes ? 2 : 1;
        if (path.length <= before || memcmp(path.data, route->pattern, before) != 0 || !ends_with(path, behind) ||
            path.length <= before + strlen(behind))
                return false;
        *ret_argument = (Slice){path.data + before, path.length - before - strlen(behind)};
        return slashes || !memchr(ret_argument->data, '/', ret_argument->length);
}

static void handle(void *userdata, HttpRequest *request) {
        ContainersApi *api = userdata;
        bool bad;
        Slice path = strip_version(http_request_path(request), &bad), argument;

        if (bad) {
                api_fail(request, 400, "this API has the versions " API_VERSION_MIN " to " API_VERSION);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
                const Route *route = &routes[i];
                _cleanup_buffer_ Buffer decoded = BUFFER_INIT;

                if (!slice_equals(http_request_method_text(request), slice_from(route->method)) ||
                    !route_matches(route, path, &argument))
                        continue;
                if (url_decode(&decoded, argument, false, NULL) < 0 || !buffer_string(&decoded))
                        api_fail(request, 400, "the path has a bad escape");
                else if (route->handle)
                        route->handle(api, request, buffer_string(&decoded));
                else
                        route->handle_image(&api->images, request, buffer_string(&decoded));
                return;
        }
        api_fail(request, 404, "page not found");
}

static bool on_head(void *userdata, HttpRequest *request) {
        bool bad;

        (void)userdata;
        return images_api_takes_body(http_request_method(request), strip_version(http_request_path(request), &bad),
                                     http_request_query(request));
}

const HttpServerOps containers_api_ops = {.handle = handle, .head = on_head};

void api_not_yet(ContainersApi *api, HttpRequest *request, const char *argument) {
        (void)api;
        (void)argument;
        api_fail(request, 501, "this is known of Docker's API, but not done by Faering's engine yet");
}
