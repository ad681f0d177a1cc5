#include "storeclient/http-storeclient.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/list.h"
#include "net/http-client.h"
#include "storeclient/reply.h"

#define FORM_HEADER "Content-Type: application/x-www-form-urlencoded\r\n"

enum { TIMEOUT_DEFAULT_SEC = 5, CONNECT_TIMEOUT_SEC = 2 };

typedef struct HttpStore {
        StoreClient client;
        HttpClient *http;
        Url *endpoints;
        size_t endpoint_count;
        size_t current; /* the endpoint that answered last */
        char *headers;  /* of each request, or NULL */
        char *form_headers; /* the same, of those with a form; NULL: FORM_HEADER */
        List calls;
} HttpStore;

typedef struct HttpStoreCall {
        StoreCall call;
        ListNode link;
        HttpStore *store;
        HttpCall *http;
        StoreReplied replied;
        void *userdata;
        const char *method;
        char *target;
        const char *headers; /* or NULL */
        char *body;
        size_t body_length;
        Usec timeout;
        bool safe;      /* may be sent again after it may have reached a server */
        size_t attempts;
        Error error;    /* of the first endpoint that failed */
} HttpStoreCall;

static HttpStore *client_store(StoreClient *client) {
        return container_of(client, HttpStore, client);
}

static void call_free(HttpStoreCall *call) {
        list_unlink(&call->link);
        free(call->target);
        free(call->body);
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

static void build_query(const StoreRequest *request, Buffer *query) {
        query_add_true(query, "recursive", request->recursive);
        query_add_true(query, "sorted", request->sorted);
        query_add_true(query, "quorum", request->quorum);
        query_add_true(query, "dir", request->dir);
        query_add_true(query, "wait", request->verb == STORE_WATCH);
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

static int build_target(const StoreRequest *request, char **ret_target) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT, query = BUFFER_INIT;

        (void)buffer_append_string(&target, "/v2/keys");
        if (request->key[0] != '/')
                (void)buffer_append_byte(&target, '/');
        (void)url_encode(&target, URL_PATH, slice_from(request->key));
        build_query(request, &query);
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

static void call_finish(HttpStoreCall *call, StoreReply *reply) {
        StoreReplied replied = call->replied;
        void *userdata = call->userdata;

        call_free(call);
        replied(userdata, reply);
        store_reply_deinit(reply);
}

static void call_fail(HttpStoreCall *call, int r, const Error *error) {
        StoreReply reply = {.r = r, .error = *error};

        call_finish(call, &reply);
}

static uint64_t header_u64(const HttpCall *http, const char *name) {
        uint64_t value = 0;
        Slice text = http_call_header(http, name);

        if (!text.data || str_parse_u64(text, UINT64_MAX, &value) < 0)
                return 0;
        return value;
}

/* An endpoint that could not be reached, or (where that can do no harm) did not answer: the next one is asked. */
static bool call_may_go_on(const HttpStoreCall *call, int r) {
        bool unreached = r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ENOENT || r == -EACCES ||
                         r == -EPROTO; /* TLS did not come about */

        return call->attempts < call->store->endpoint_count && (unreached || call->safe);
}

static void on_done(HttpCall *http, int r, const Error *error) {
        HttpStoreCall *call = http_call_userdata(http);
        HttpStore *store = call->store;
        StoreReply reply = {0};

        call->http = NULL;
        if (r < 0) {
                if (!call->error.text[0])
                        call->error = *error;
                store->current = (store->current + 1) % store->endpoint_count;
                if (call_may_go_on(call, r) && call_try(call) >= 0)
                        return;
                call_fail(call, r, call->attempts == 1 ? error : &call->error);
                return;
        }
        r = reply_parse(http_call_body(http), http_call_status(http), header_u64(http, "x-etcd-index"), &reply);
        if (r < 0) {
                reply = (StoreReply){.r = r, .status = http_call_status(http)};
                (void)error_set(&reply.error, r, "the answer (HTTP %u) is not of etcd's v2 API", reply.status);
        }
        call_finish(call, &reply);
}

static const HttpCallOps http_ops = {.done = on_done};

static int call_try(HttpStoreCall *call) {
        HttpStore *store = call->store;
        const Url *url = &store->endpoints[store->current];
        HttpCallSpec spec = {
                .url = url,
                .method = call->method,
                .target = call->target,
                .headers = call->headers,
                .body = call->body ? (Slice){call->body, call->body_length} : (Slice){NULL, 0},
                .connect_timeout = CONNECT_TIMEOUT_SEC * USEC_PER_SEC,
                .head_timeout = call->timeout,
                .idle_timeout = call->timeout,
                .body_limit = STORECLIENT_ANSWER_MAX,
        };

        call->attempts++;
        return http_client_call(store->http, &spec, &http_ops, call, &call->http);
}

static HttpStoreCall *call_new(HttpStore *store, void *userdata) {
        HttpStoreCall *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        call->call.client = &store->client;
        call->store = store;
        call->userdata = userdata;
        list_init(&call->link);
        list_append(&store->calls, &call->link);
        return call;
}

static int store_send(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata,
                      StoreCall **ret_call) {
        HttpStoreCall *call = call_new(client_store(client), userdata);
        bool form = request->verb == STORE_SET || request->verb == STORE_CREATE_IN_ORDER;
        int r;

        if (!call)
                return -ENOMEM;
        call->replied = replied;
        call->headers = form ? call->store->form_headers ?: FORM_HEADER : call->store->headers;
        call->method = verb_method(request->verb);
        call->safe = request->verb == STORE_GET || request->verb == STORE_WATCH;
        call->timeout = request->verb == STORE_WATCH ? 0 : request->timeout ?: TIMEOUT_DEFAULT_SEC * USEC_PER_SEC;
        r = build_target(request, &call->target);
        if (r >= 0 && form)
                r = build_form(request, &call->body, &call->body_length);
        if (r >= 0)
                r = call_try(call);
        if (r < 0) {
                call_free(call);
                return r;
        }
        if (ret_call)
                *ret_call = &call->call;
        return 0;
}

static void store_cancel(StoreCall *call) {
        HttpStoreCall *one = container_of(call, HttpStoreCall, call);

        if (one->http)
                http_call_cancel(one->http);
        call_free(one);
}

static const StoreClientOps store_ops = {.send = store_send, .cancel = store_cancel};

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
        store->http = http_client_new(loop, NULL);
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
        list_foreach(&store->calls, node)
                store_cancel(&container_of(node, HttpStoreCall, link)->call);
        if (store->http)
                http_client_close(store->http);
        free(store->endpoints);
        free(store->headers);
        free(store->form_headers);
        free(store);
        return NULL;
}
