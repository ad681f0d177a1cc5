#include "cli/store-http.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/encode.h"
#include "cli/store-flags.h"

/* Bytes of one answer. */
#define ANSWER_MAX ((size_t)256 << 20)

enum { DEFAULT_PORT = 80 };

typedef struct Endpoint {
        char *name;
        Url url;
} Endpoint;

struct StoreHttp {
        uv_loop_t *loop;
        HttpClient *client;
        uv_timer_t timer;
        Usec timeout, total_timeout;
        bool debug;
        char *authorization; /* the header, or NULL */
        Endpoint *endpoints;
        size_t count, pinned;
        HttpCall *call; /* under way */
        bool interrupted;
};

/* One request to one endpoint. */
typedef struct Attempt {
        StoreHttp *http;
        const StoreHttpRequest *request;
        bool done, head_seen, expired;
        int r;
        Error error;
        StoreAnswer answer;
} Attempt;

void store_answer_deinit(StoreAnswer *answer) {
        free(answer->body);
        *answer = (StoreAnswer){0};
}

void store_failure_deinit(StoreFailure *failure) {
        string_list_deinit(&failure->causes);
        string_list_deinit(&failure->reasons);
        *failure = (StoreFailure){0};
}

/* ---- one endpoint ---- */

static uint64_t call_index(const HttpCall *call) {
        Slice text = http_call_header(call, "x-etcd-index");
        uint64_t index = 0;

        if (text.data && str_parse_u64(text, UINT64_MAX, &index) < 0)
                return 0;
        return index;
}

static void on_head(HttpCall *call) {
        Attempt *attempt = http_call_userdata(call);
        uint64_t index = call_index(call);

        attempt->head_seen = true;
        if (attempt->request->index && index)
                *attempt->request->index = index;
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Attempt *attempt = http_call_userdata(call);
        Slice body = http_call_body(call);

        attempt->http->call = NULL;
        attempt->done = true;
        attempt->r = r;
        attempt->error = *error;
        if (r < 0)
                return;
        attempt->answer = (StoreAnswer){http_call_status(call), call_index(call), slice_dup(body), body.length};
        if (!attempt->answer.body)
                attempt->r = -ENOMEM;
}

static const HttpCallOps call_ops = {.head = on_head, .done = on_done};

static void on_timer(uv_timer_t *timer) {
        Attempt *attempt = timer->data;

        attempt->expired = true;
}

/* Without the slashes at its end. */
static size_t name_length(const Endpoint *endpoint) {
        size_t length = strlen(endpoint->name);

        while (length > 0 && endpoint->name[length - 1] == '/')
                length--;
        return length;
}

/* The path of the request below that of the endpoint's URL. The caller frees. */
static char *full_target(const Endpoint *endpoint, const char *target) {
        size_t length = strlen(endpoint->url.path);

        while (length > 0 && endpoint->url.path[length - 1] == '/')
                length--;
        return str_printf("%.*s%s", (int)length, endpoint->url.path, target);
}

static void show_request(const StoreHttp *http, const Endpoint *endpoint, const StoreHttpRequest *request) {
        const char *body = request->shown_body ?: request->body;
        _cleanup_buffer_ Buffer quoted = BUFFER_INIT;

        if (!http->debug || request->unshown)
                return;
        if (body && store_quote(&quoted, slice_from(body)) < 0)
                return;
        (void)fflush(stdout);
        (void)fprintf(stderr, "cURL Command: curl -X %s %.*s%s%s%s\n", request->method, (int)name_length(endpoint),
                      endpoint->name, request->target, body ? " -d " : "", body ? buffer_string(&quoted) : "");
}

/* Waits until the call is over, its time is, or the user wants no more. `limit`: until the answer begins; `left`: until it ends. */
static void await(StoreHttp *http, Attempt *attempt, Usec limit, Usec left) {
        http->timer.data = attempt;
        uv_update_time(http->loop);
        if (limit != USEC_INFINITY)
                (void)uv_timer_start(&http->timer, on_timer, limit / USEC_PER_MSEC + 1, 0);
        while (!attempt->done && !http->interrupted) {
                (void)uv_run(http->loop, UV_RUN_ONCE);
                if (!attempt->expired || attempt->done)
                        continue;
                if (!attempt->head_seen || limit >= left)
                        break;
                attempt->expired = false;
                (void)uv_timer_start(&http->timer, on_timer, (left - limit) / USEC_PER_MSEC + 1, 0);
                limit = left;
        }
        (void)uv_timer_stop(&http->timer);
        if (attempt->done)
                return;
        http_call_cancel(http->call);
        http->call = NULL;
        attempt->r = http->interrupted ? -EINTR : -ETIMEDOUT;
}

/* `left`: of the time for the whole, or USEC_INFINITY. */
static void try_endpoint(StoreHttp *http, const Endpoint *endpoint, Usec left, Attempt *attempt) {
        const StoreHttpRequest *request = attempt->request;
        _cleanup_free_ char *headers = NULL, *target = full_target(endpoint, request->target);
        HttpCallSpec spec = {
                .url = &endpoint->url,
                .method = request->method,
                .target = target,
                .body = request->body ? slice_from(request->body) : (Slice){NULL, 0},
                .connect_timeout = http->total_timeout ?: USEC_PER_SEC,
                .body_limit = ANSWER_MAX,
        };
        Usec limit = request->wait || !http->timeout ? left : min_of(left, http->timeout);

        headers = str_printf("%s%s%s%s", http->authorization ?: "", request->content_type ? "Content-Type: " : "",
                             request->content_type ?: "", request->content_type ? "\r\n" : "");
        spec.headers = headers;
        show_request(http, endpoint, request);
        attempt->r =
                headers && target ? http_client_call(http->client, &spec, &call_ops, attempt, &http->call) : -ENOMEM;
        if (attempt->r >= 0)
                await(http, attempt, limit, left);
}

/* ---- what it is called when it fails ---- */

char *store_http_cause(const Url *url, int r, bool head_seen) {
        bool ip6 = strchr(url->host, ':') != NULL;
        _cleanup_free_ char *address = str_printf("%s%s%s:%u", ip6 ? "[" : "", url->host, ip6 ? "]" : "", url->port);
        const char *what;

        switch (r) {
        case -ECONNREFUSED:
                what = "connection refused";
                break;
        case -EHOSTUNREACH:
                what = "no route to host";
                break;
        case -ENETUNREACH:
                what = "network is unreachable";
                break;
        case -ENOENT:
                return str_printf("dial tcp: lookup %s: no such host", url->host);
        case -ETIMEDOUT:
                return str_printf("dial tcp %s: i/o timeout", address ?: url->host);
        case -EBADMSG:
                return strdup("net/http: HTTP/1.x transport connection broken: malformed HTTP response");
        default:
                return strdup(head_seen ? "unexpected EOF" : "EOF");
        }
        return str_printf("dial tcp %s: connect: %s", address ?: url->host, what);
}

static bool is_connection_error(int r) {
        return r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ENOENT;
}

static void note_failed(StoreFailure *failure, const Endpoint *endpoint, const Attempt *attempt) {
        char *cause, *reason;

        if (attempt->r == -ETIMEDOUT && !attempt->done) {
                cause = str_printf("client: endpoint %s exceeded header timeout", endpoint->name);
                reason = str_printf("%s: no answer in time", endpoint->name);
        } else if (attempt->r == -EPROTO && attempt->error.text[0]) { /* TLS says what it is */
                cause = strdup(attempt->error.text);
                reason = strdup(attempt->error.text);
        } else {
                cause = store_http_cause(&endpoint->url, attempt->r, attempt->head_seen);
                reason = attempt->error.text[0] ? strdup(attempt->error.text)
                                                : str_printf("%s: %s", endpoint->name, strerror(-attempt->r));
        }
        failure->connection = failure->connection && is_connection_error(attempt->r);
        (void)string_list_take(&failure->causes, cause);
        (void)string_list_take(&failure->reasons, reason);
}

static const char *status_text(unsigned status) {
        return status == 501   ? "Not Implemented"
               : status == 502 ? "Bad Gateway"
               : status == 504 ? "Gateway Timeout"
                               : "";
}

static void note_status(StoreFailure *failure, const Endpoint *endpoint, const StoreAnswer *answer) {
        bool leaderless = answer->status == 500 || answer->status == 503;
        json_t *json = json_loads(answer->body ?: "", 0, NULL);
        const char *message = json_string_value(json_object_get(json, "message"));

        failure->connection = false;
        failure->unhealthy = true;
        (void)string_list_take(&failure->causes,
                               leaderless ? str_printf("client: etcd member %s has no leader", endpoint->name)
                                          : str_printf("client: etcd member %s returns server error [%s]",
                                                       endpoint->name, status_text(answer->status)));
        (void)string_list_take(&failure->reasons, str_printf("%s: %s (HTTP %u)", endpoint->name,
                                                             message ?: "it gives no reason", answer->status));
        json_decref(json);
}

/* ---- all endpoints ---- */

/* "host:port" without a scheme is HTTP. */
static int parse_endpoint(const char *name, Url *ret, Error *error) {
        _cleanup_free_ char *url =
                strchr(name, '/') || str_starts_with(name, "unix:") ? strdup(name) : str_printf("http://%s", name);

        return url ? url_parse(url, DEFAULT_PORT, ret, error) : -ENOMEM;
}

static Usec time_left(const StoreHttp *http, const StoreHttpRequest *request, Usec begin) {
        Usec spent = clock_monotonic() - begin;

        if (request->wait)
                return USEC_INFINITY;
        return spent >= http->total_timeout ? 0 : http->total_timeout - spent;
}

/* One endpoint. 1: it answered; 0: it did not, and the next may be asked; < 0: the whole is over. */
static int ask_one(StoreHttp *http, const Endpoint *endpoint, const StoreHttpRequest *request, Usec begin,
                   StoreAnswer *ret_answer, StoreFailure *failure) {
        Attempt attempt = {.http = http, .request = request};
        Usec left = time_left(http, request, begin);

        if (left > 0)
                try_endpoint(http, endpoint, left, &attempt);
        failure->interrupted = http->interrupted;
        failure->timed_out = !http->interrupted && !attempt.answer.body && time_left(http, request, begin) == 0;
        if (failure->interrupted || failure->timed_out) {
                if (left > 0)
                        note_failed(failure, endpoint, &attempt);
                return -EHOSTUNREACH;
        }
        if (attempt.r == -ENOMEM)
                return -ENOMEM;
        if (attempt.r < 0) {
                note_failed(failure, endpoint, &attempt);
                return 0;
        }
        if (attempt.answer.status / 100 == 5) {
                note_status(failure, endpoint, &attempt.answer);
                store_answer_deinit(&attempt.answer);
                return 0;
        }
        *ret_answer = attempt.answer;
        return 1;
}

int store_http_do(StoreHttp *http, const StoreHttpRequest *request, StoreAnswer *ret_answer, StoreFailure *failure) {
        Usec begin = clock_monotonic();
        size_t pinned = http->pinned;

        *failure = (StoreFailure){.connection = true, .single = request->one_shot};
        for (size_t i = 0; i < http->count; i++) {
                size_t at = (pinned + i) % http->count;
                int r = ask_one(http, &http->endpoints[at], request, begin, ret_answer, failure);

                if (r > 0) {
                        http->pinned = at;
                        store_failure_deinit(failure);
                        return 0;
                }
                if (r < 0)
                        return r;
                http->pinned = (at + 1) % http->count;
                if (request->one_shot)
                        break;
        }
        return -EHOSTUNREACH;
}

int store_http_do_at(StoreHttp *http, const char *name, const StoreHttpRequest *request, StoreAnswer *ret_answer,
                     StoreFailure *failure) {
        Endpoint endpoint = {.name = (char *)(uintptr_t)name};
        Error error = ERROR_NONE;
        int r;

        *failure = (StoreFailure){.connection = true, .single = true};
        r = parse_endpoint(name, &endpoint.url, &error);
        if (r < 0) {
                (void)string_list_add(&failure->causes, error.text);
                (void)string_list_add(&failure->reasons, error.text);
                return r;
        }
        r = ask_one(http, &endpoint, request, clock_monotonic(), ret_answer, failure);
        if (r <= 0)
                return r < 0 ? r : -EHOSTUNREACH;
        store_failure_deinit(failure);
        return 0;
}

void store_http_interrupt(StoreHttp *http) {
        http->interrupted = true;
}

bool store_http_is_interrupted(const StoreHttp *http) {
        return http->interrupted;
}

void store_http_pause(StoreHttp *http, Usec time) {
        Attempt pause = {0};

        http->timer.data = &pause;
        uv_update_time(http->loop);
        (void)uv_timer_start(&http->timer, on_timer, time / USEC_PER_MSEC, 0);
        while (!pause.expired && !http->interrupted)
                (void)uv_run(http->loop, UV_RUN_ONCE);
        (void)uv_timer_stop(&http->timer);
}

/* ---- the list ---- */

size_t store_http_endpoint_count(const StoreHttp *http) {
        return http->count;
}

const char *store_http_endpoint(const StoreHttp *http, size_t at) {
        return http->endpoints[at].name;
}

int store_http_add_endpoint(StoreHttp *http, const char *name, Error *error) {
        Endpoint endpoint = {0}, *more;
        int r;

        for (size_t i = 0; i < http->count; i++)
                if (str_equals(http->endpoints[i].name, name))
                        return 0;
        if (http->count >= STORE_ENDPOINTS_MAX)
                return error_set(error, -EINVAL, "there are more than %d endpoints", STORE_ENDPOINTS_MAX);
        r = parse_endpoint(name, &endpoint.url, error);
        if (r < 0)
                return r;
        more = reallocarray(http->endpoints, http->count + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        http->endpoints = more;
        endpoint.name = strdup(name);
        if (!endpoint.name)
                return -ENOMEM;
        http->endpoints[http->count++] = endpoint;
        return 0;
}

static int set_credentials(StoreHttp *http, const char *credentials) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)buffer_append_string(&text, "Authorization: Basic ");
        (void)encode_base64(&text, BASE64_STANDARD, credentials, strlen(credentials));
        (void)buffer_append_string(&text, "\r\n");
        http->authorization = buffer_steal_string(&text, NULL);
        return http->authorization ? 0 : -ENOMEM;
}

int store_http_new(uv_loop_t *loop, const StoreHttpConfig *config, StoreHttp **ret_http) {
        StoreHttp *http = calloc(1, sizeof(*http));
        int r = 0;

        if (!http)
                return -ENOMEM;
        *http = (StoreHttp){.loop = loop,
                            .timeout = config->timeout,
                            .total_timeout = config->total_timeout,
                            .debug = config->debug};
        (void)uv_timer_init(loop, &http->timer);
        http->client = http_client_new(loop, config->http);
        if (config->credentials)
                r = set_credentials(http, config->credentials);
        if (!http->client || r < 0) {
                (void)store_http_free(http);
                return -ENOMEM;
        }
        *ret_http = http;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
        free(container_of((uv_timer_t *)handle, StoreHttp, timer));
}

StoreHttp *store_http_free(StoreHttp *http) {
        if (!http)
                return NULL;
        if (http->client)
                http_client_close(http->client);
        for (size_t i = 0; i < http->count; i++)
                free(http->endpoints[i].name);
        free(http->endpoints);
        if (http->authorization)
                explicit_bzero(http->authorization, strlen(http->authorization));
        free(http->authorization);
        uv_close((uv_handle_t *)&http->timer, on_timer_closed);
        return NULL;
}
