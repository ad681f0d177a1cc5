#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "storeclient/http-internal.h"
#include "storeclient/reply.h"

#define FORM_HEADER "Content-Type: application/x-www-form-urlencoded\r\n"

enum {
        TIMEOUT_DEFAULT_SEC = 5,
        CONNECT_TIMEOUT_SEC = 2,
        WRITES_AT_ONCE = 16, /* as many connections are kept: more would only be made anew for each write */
};

static HttpStore *client_store(StoreClient *client) {
        return container_of(client, HttpStore, client);
}

static void call_free(HttpStoreCall *call) {
        list_unlink(&call->link);
        list_unlink(&call->queued);
        call->store->under_way -= call->counted;
        http_stream_deinit(&call->stream);
        free(call->target);
        free(call->body);
        if (call->stream.busy)
                call->stream.dropped = true;
        else
                free(call);
}

/* ---- what is sent ---- */

static void query_add(Buffer *query, const char *name, const char *value) {
        (void)buffer_printf(query, "%s%s=", buffer_length(query) ? "&" : "", name);
        (void)url_encode(query, URL_SEGMENT, slice_from(value));
}

static void query_add_u64(Buffer *query, const char *name, uint64_t value) {
        (void)buffer_printf(query, "%s%s=%" PRIu64, buffer_length(query) ? "&" : "", name, value);
}

static void query_add_true(Buffer *query, const char *name, bool value) {
        if (value)
                (void)buffer_printf(query, "%s%s=true", buffer_length(query) ? "&" : "", name);
}

static void build_query(const StoreRequest *request, bool stream, Buffer *query) {
        query_add_true(query, "recursive", request->recursive);
        query_add_true(query, "sorted", request->sorted);
        query_add_true(query, "quorum", request->quorum);
        query_add_true(query, "dir", request->dir);
        query_add_true(query, "wait", request->verb == STORE_WATCH);
        query_add_true(query, "stream", stream);
        if (request->wait_index)
                query_add_u64(query, "waitIndex", request->wait_index);
        if (request->prev_value)
                query_add(query, "prevValue", request->prev_value);
        if (request->prev_index)
                query_add_u64(query, "prevIndex", request->prev_index);
        if (request->exist != STORE_EXIST_ANY)
                query_add(query, "prevExist", request->exist == STORE_EXIST_MUST ? "true" : "false");
        query_add_true(query, "refresh", request->refresh);
}

static int build_target(const StoreRequest *request, bool stream, char **ret_target) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT, query = BUFFER_INIT;

        (void)buffer_append_string(&target, "/v2/keys");
        if (request->key[0] != '/')
                (void)buffer_append_byte(&target, '/');
        (void)url_encode(&target, URL_PATH, slice_from(request->key));
        build_query(request, stream, &query);
        if (buffer_length(&query) > 0)
                (void)buffer_printf(&target, "?%.*s", (int)buffer_length(&query), buffer_data(&query));
        if (buffer_failed(&query) < 0)
                return -ENOMEM;
        *ret_target = buffer_steal_string(&target, NULL);
        return *ret_target ? 0 : -ENOMEM;
}

static int build_form(const StoreRequest *request, char **ret_form, size_t *ret_length) {
        _cleanup_buffer_ Buffer form = BUFFER_INIT;

        if (request->value && !request->refresh)
                query_add(&form, "value", request->value);
        if (request->has_ttl)
                query_add_u64(&form, "ttl", request->ttl);
        *ret_form = buffer_steal_string(&form, ret_length);
        if (!*ret_form)
                *ret_form = strdup("");
        return *ret_form ? 0 : -ENOMEM;
}

static const char *verb_method(StoreVerb verb) {
        switch (verb) {
        case STORE_SET:
                return "PUT";
        case STORE_CREATE_IN_ORDER:
                return "POST";
        case STORE_DELETE:
                return "DELETE";
        default:
                return "GET";
        }
}

/* ---- calls ---- */

static int call_try(HttpStoreCall *call);

void http_store_call_finish(HttpStoreCall *call, StoreReply *reply) {
        StoreReplied ended = call->replied ?: call->stream.events->ended;
        void *userdata = call->userdata;

        call_free(call);
        ended(userdata, reply);
        store_reply_deinit(reply);
}

static void call_fail(HttpStoreCall *call, int r, const Error *error) {
        StoreReply reply = {.r = r, .error = *error};

        http_store_call_finish(call, &reply);
}

uint64_t http_store_index(const HttpCall *http) {
        Slice text = http_call_header(http, "x-etcd-index");
        uint64_t value = 0;

        return text.data && str_parse_u64(text, UINT64_MAX, &value) >= 0 ? value : 0;
}

static bool is_unreached(int r) {
        return r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ENOENT || r == -EACCES ||
               r == -EPROTO; /* TLS did not come about */
}

/* An endpoint that could not be reached, or (where that can do no harm) did not answer: the next one is asked. */
static bool call_may_go_on(const HttpStoreCall *call, int r) {
        return call->attempts < call->store->endpoint_count && (is_unreached(r) || (call->safe && !call->stream.begun));
}

static HttpStoreCall *find_waiting(HttpStore *store, size_t endpoint, uint64_t before) {
        list_foreach (&store->calls, node) {
                HttpStoreCall *call = container_of(node, HttpStoreCall, link);

                if (call->http && call->timeout == 0 && call->endpoint == endpoint && call->number < before)
                        return call;
        }
        return NULL;
}

/* To those who wait for a server to say something, nothing else shows that it hangs, or that its machine is without power. */
static void end_waiting(HttpStore *store, size_t endpoint, int r, const Error *error) {
        uint64_t before = store->numbers;
        HttpStoreCall *call;

        while (!store->dropped && (call = find_waiting(store, endpoint, before))) {
                http_call_cancel(call->http);
                call->http = NULL;
                call_fail(call, r, error);
        }
}

/* Those that have waited for as long as one that has run into its time-out, which began when the store had `before` numbers. */
static void end_queued(HttpStore *store, uint64_t before, int r, const Error *error) {
        while (!store->dropped && !list_is_empty(&store->queue)) {
                HttpStoreCall *call = container_of(store->queue.next, HttpStoreCall, queued);

                if (call->number >= before)
                        return;
                call_fail(call, r, error);
        }
}

/* Sends what can be sent now. */
static void store_pump(HttpStore *store) {
        while (!store->dropped && !list_is_empty(&store->queue) && store->under_way < WRITES_AT_ONCE) {
                HttpStoreCall *call = container_of(store->queue.next, HttpStoreCall, queued);
                int r = call_try(call);
                Error error = ERROR_NONE;

                if (r < 0)
                        call_fail(call, error_set_errno(&error, r, "cannot send the request"), &error);
        }
}

static void store_end_busy(HttpStore *store) {
        store_pump(store);
        store->busy = false;
        if (store->dropped)
                free(store);
}

void http_store_call_unanswered(HttpStoreCall *call, int r, const Error *error) {
        const Error why = *error; /* the call's end may take it along */
        HttpStore *store = call->store;
        size_t endpoint = call->endpoint;
        uint64_t sent = call->sent;

        store->busy = true;
        if (!call->error.text[0])
                call->error = why;
        if (store->current == endpoint)
                store->current = (endpoint + 1) % store->endpoint_count;
        if (!call_may_go_on(call, r) || call_try(call) < 0)
                call_fail(call, r, call->attempts == 1 ? &why : &call->error);
        if (r == -ETIMEDOUT)
                end_queued(store, sent, r, &why);
        if (r == -ETIMEDOUT || is_unreached(r))
                end_waiting(store, endpoint, r, &why);
        store_end_busy(store);
}

static void on_done(HttpCall *http, int r, const Error *error) {
        HttpStoreCall *call = http_call_userdata(http);
        HttpStore *store = call->store;
        StoreReply reply = {0};

        call->http = NULL;
        if (r < 0) {
                http_store_call_unanswered(call, r, error);
                return;
        }
        r = reply_parse(http_call_body(http), http_call_status(http), http_store_index(http), &reply);
        if (r < 0) {
                reply = (StoreReply){.r = r, .status = http_call_status(http)};
                (void)error_set(&reply.error, r, "the answer (HTTP %u) is not of etcd's v2 API", reply.status);
        }
        store->busy = true;
        http_store_call_finish(call, &reply);
        store_end_busy(store);
}

static const HttpCallOps http_ops = {.done = on_done};

static int call_try(HttpStoreCall *call) {
        HttpStore *store = call->store;
        const HttpCallSpec spec = {
                .url = &store->endpoints[store->current],
                .method = call->method,
                .target = call->target,
                .headers = call->headers,
                .body = call->body ? (Slice){call->body, call->body_length} : (Slice){NULL, 0},
                .lasting = call->timeout == 0,
                .connect_timeout = CONNECT_TIMEOUT_SEC * USEC_PER_SEC,
                .head_timeout = call->replied ? call->timeout : TIMEOUT_DEFAULT_SEC * USEC_PER_SEC,
                .idle_timeout = call->timeout,
                .body_limit = STORECLIENT_ANSWER_MAX,
        };

        if (call->attempts++ == 0) {
                call->sent = store->numbers;
                list_unlink(&call->queued);
                call->counted = call->limited;
                store->under_way += call->counted;
        }
        call->endpoint = store->current;
        return http_client_call(store->http, &spec, call->replied ? &http_ops : &http_stream_ops, call, &call->http);
}

static HttpStoreCall *call_new(HttpStore *store, void *userdata) {
        HttpStoreCall *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        call->call.client = &store->client;
        call->store = store;
        call->userdata = userdata;
        call->number = store->numbers++;
        list_init(&call->queued);
        list_init(&call->link);
        list_append(&store->calls, &call->link);
        return call;
}

/* Fills what the request says, and sends it; a call that fails is freed. */
static int call_begin(HttpStoreCall *call, const StoreRequest *request, StoreCall **ret_call) {
        bool form = request->verb == STORE_SET || request->verb == STORE_CREATE_IN_ORDER;
        int r;

        call->headers = form ? call->store->form_headers ?: FORM_HEADER : call->store->headers;
        call->method = verb_method(request->verb);
        call->safe = request->verb == STORE_GET || request->verb == STORE_WATCH;
        call->limited = !call->safe && !request->timeout; /* who has a time-out of its own is in a hurry */
        call->timeout = request->verb == STORE_WATCH ? 0 : request->timeout ?: TIMEOUT_DEFAULT_SEC * USEC_PER_SEC;
        r = build_target(request, !call->replied, &call->target);
        if (r >= 0 && form)
                r = build_form(request, &call->body, &call->body_length);
        if (r >= 0 && call->limited && call->store->under_way >= WRITES_AT_ONCE)
                list_append(&call->store->queue, &call->queued);
        else if (r >= 0)
                r = call_try(call);
        if (r < 0) {
                call_free(call);
                return r;
        }
        if (ret_call)
                *ret_call = &call->call;
        return 0;
}

static int store_send(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata,
                      StoreCall **ret_call) {
        HttpStoreCall *call = call_new(client_store(client), userdata);

        if (!call)
                return -ENOMEM;
        call->replied = replied;
        return call_begin(call, request, ret_call);
}

static int store_stream(StoreClient *client, const StoreRequest *request, const StoreStreamEvents *events, void *userdata,
                        StoreCall **ret_call) {
        HttpStoreCall *call = call_new(client_store(client), userdata);

        if (!call)
                return -ENOMEM;
        call->stream.events = events;
        return call_begin(call, request, ret_call);
}

static void call_drop(HttpStoreCall *call) {
        if (call->http)
                http_call_cancel(call->http);
        call_free(call);
}

static void store_cancel(StoreCall *call) {
        HttpStoreCall *one = container_of(call, HttpStoreCall, call);
        HttpStore *store = one->store;

        call_drop(one);
        if (store->busy)
                return;
        store->busy = true;
        store_end_busy(store);
}

static const StoreClientOps store_ops = {.send = store_send, .stream = store_stream, .cancel = store_cancel};

/* ---- the client ---- */

void http_storeclient_set_tls(StoreClient *client, TlsContext *tls) {
        http_client_set_tls(client_store(client)->http, tls);
}

int http_storeclient_set_user(StoreClient *client, const char *user, const char *password) {
        _cleanup_free_ char *pair = str_printf("%s:%s", user, password);
        _cleanup_buffer_ Buffer header = BUFFER_INIT;
        HttpStore *store = client_store(client);

        if (!pair || buffer_append_string(&header, "Authorization: Basic ") < 0 ||
            encode_base64(&header, BASE64_STANDARD, pair, strlen(pair)) < 0 || buffer_append_string(&header, "\r\n") < 0 ||
            !buffer_string(&header))
                return -ENOMEM;
        store->headers = strdup(buffer_string(&header));
        store->form_headers = str_printf("%s" FORM_HEADER, buffer_string(&header));
        return store->headers && store->form_headers ? 0 : -ENOMEM;
}

int http_storeclient_new(uv_loop_t *loop, const Url *endpoints, size_t count, StoreClient **ret_client) {
        HttpStore *store = calloc(1, sizeof(*store));

        if (!store || count == 0) {
                free(store);
                return count == 0 ? -EINVAL : -ENOMEM;
        }
        store->client.ops = &store_ops;
        list_init(&store->calls);
        list_init(&store->queue);
        store->http = http_client_new(loop, &(HttpClientConfig){.idle_connections = WRITES_AT_ONCE});
        store->endpoints = calloc(count, sizeof(*store->endpoints));
        if (!store->http || !store->endpoints) {
                (void)http_storeclient_free(&store->client);
                return -ENOMEM;
        }
        memcpy(store->endpoints, endpoints, count * sizeof(*endpoints));
        store->endpoint_count = count;
        *ret_client = &store->client;
        return 0;
}

StoreClient *http_storeclient_free(StoreClient *client) {
        HttpStore *store;

        if (!client)
                return NULL;
        store = client_store(client);
        while (!list_is_empty(&store->calls))
                call_drop(container_of(store->calls.next, HttpStoreCall, link));
        if (store->http)
                http_client_close(store->http);
        free(store->endpoints);
        free(store->headers);
        free(store->form_headers);
        if (store->busy)
                store->dropped = true;
        else
                free(store);
        return NULL;
}
