#include <assert.h>
#include <errno.h>

#include "store/api/auth.h"
#include "store/api/handlers.h"
#include "store/api/keys-request.h"
#include "store/api/keys-response.h"

/* A stream whose client lags behind by more gets no further events until it has caught up; the watcher's queue fills
 * meanwhile, and when that is full the watch is over. */
#define KEYS_STREAM_BACKLOG ((size_t)256 * 1024)

/* A request that waits: for the cluster, or for events. */
typedef struct KeysCall {
        Api *api;
        HttpRequest *http; /* NULL: its connection is lost */
        KeysRequest request;
        Watcher *watcher;
        WallUsec begun;
        bool busy; /* the pump is writing: who learns meanwhile that the connection is lost leaves the rest to it */
} KeysCall;

static void keys_call_free(KeysCall *call) {
        if (call->http) {
                http_request_set_data(call->http, NULL);
                http_request_set_gone(call->http, NULL, false);
                http_request_set_drained(call->http, NULL);
        }
        (void)watcher_free(call->watcher);
        keys_request_deinit(&call->request);
        free(call);
}

static KeysCall *keys_call_new(Api *api, HttpRequest *http, KeysRequest *request) {
        KeysCall *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        *call = (KeysCall){.api = api, .http = http, .request = *request};
        *request = (KeysRequest){0};
        http_request_set_data(http, call);
        return call;
}

static void append_number(Buffer *headers, const char *name, uint64_t value) {
        (void)buffer_append_string(headers, name);
        (void)buffer_append_u64(headers, value);
}

/* Without the end of its line. */
static void append_cluster_header(Buffer *headers, const StoreStatus *status) {
        (void)buffer_append_string(headers, "X-Etcd-Cluster-Id: ");
        (void)buffer_append_hex(headers, status->cluster_id);
}

enum { HEADERS_ROOM = 448 }; /* the headers of a success fit: they are not to grow by and by */

/* The fields of a success. */
static void append_index_headers(Buffer *headers, const StoreStatus *status, uint64_t index) {
        (void)buffer_reserve(headers, HEADERS_ROOM);
        append_cluster_header(headers, status);
        append_number(headers, "\r\nX-Etcd-Index: ", index);
        append_number(headers, "\r\nX-Raft-Index: ", status->raft_index);
        append_number(headers, "\r\nX-Raft-Term: ", status->raft_term);
        (void)buffer_append_string(headers, "\r\n");
}

static void keys_fail(Api *api, HttpRequest *http, int code, Slice cause, uint64_t index) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT, body = BUFFER_INIT;
        StoreStatus status = api_status(api);

        append_cluster_header(&headers, &status);
        append_number(&headers, "\r\nX-Etcd-Index: ", index);
        (void)buffer_append_string(&headers, "\r\n");
        if (keys_write_error(&body, code, cause, index) < 0) {
                api_respond_no_memory(http);
                return;
        }
        api_respond(http, keys_error_text(code)->status, "application/json", &headers,
                    (Slice){buffer_data(&body), buffer_length(&body)});
}

static void keys_fail_tree(Api *api, HttpRequest *http, const TreeError *error) {
        Slice cause = {buffer_data(&error->cause), buffer_length(&error->cause)};

        keys_fail(api, http, error->code, keys_trim_path(cause), error->index);
}

static void keys_succeed(Api *api, HttpRequest *http, unsigned code, uint64_t index, Buffer *body) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        StoreStatus status = api_status(api);

        if (buffer_failed(body)) {
                api_respond_no_memory(http);
                return;
        }
        append_index_headers(&headers, &status, index);
        api_respond(http, code, "application/json", &headers, (Slice){buffer_data(body), buffer_length(body)});
}

static void keys_read(Api *api, HttpRequest *http, const KeysRequest *request, WallUsec begun) {
        _cleanup_tree_error_ TreeError error = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        Tree *tree = api->backend->tree(api->userdata);
        const Node *node;
        WallUsec now;
        int r;

        r = tree_get(tree, request->path, &node, &error);
        if (r > 0) {
                metrics_fail(&api->metrics, request->method, (unsigned)keys_error_text(error.code)->status);
                keys_fail_tree(api, http, &error);
                return;
        }
        if (r < 0) {
                api_respond_no_memory(http);
                return;
        }
        now = api->backend->now(api->userdata);
        (void)keys_write_get(&body, node, request->recursive, now);
        keys_succeed(api, http, 200, tree->index, &body);
        metrics_succeed(&api->metrics, request->method, begun, api->backend->now(api->userdata));
}

/* ---- what goes through the cluster ---- */

static void keys_call_gone(HttpRequest *http) {
        KeysCall *call = http_request_data(http);

        /* the outcome still comes, and then finds nobody */
        call->http = NULL;
}

static void keys_count(const KeysCall *call, const StoreOutcome *outcome) {
        Metrics *metrics = &call->api->metrics;

        if (outcome->r != 0)
                metrics_fail(metrics, call->request.method,
                             (unsigned)keys_error_text(outcome->r < 0 ? KEYS_RAFT_INTERNAL : outcome->error->code)->status);
        else if (call->request.method != KEYS_GET) /* a read counts itself */
                metrics_succeed(metrics, call->request.method, call->begun, call->api->backend->now(call->api->userdata));
}

static void keys_outcome(void *data, const StoreOutcome *outcome) {
        KeysCall *call = data;
        HttpRequest *http = call->http;

        keys_count(call, outcome);
        if (http) {
                _cleanup_buffer_ Buffer body = BUFFER_INIT;

                http_request_set_data(http, NULL);
                http_request_set_gone(http, NULL, false);
                call->http = NULL;
                if (outcome->r < 0)
                        keys_fail(call->api, http, KEYS_RAFT_INTERNAL, slice_from(outcome->reason), 0);
                else if (outcome->r > 0)
                        keys_fail_tree(call->api, http, outcome->error);
                else if (call->request.method == KEYS_GET)
                        keys_read(call->api, http, &call->request, call->begun);
                else {
                        (void)keys_write_event(&body, outcome->event, call->request.no_value_on_success);
                        keys_succeed(call->api, http, event_created(outcome->event) ? 201 : 200,
                                     event_index(outcome->event), &body);
                }
        }
        keys_call_free(call);
}

static void keys_submit(Api *api, HttpRequest *http, KeysRequest *request, WallUsec begun) {
        KeysCall *call = keys_call_new(api, http, request);

        if (!call) {
                api_respond_no_memory(http);
                return;
        }
        call->begun = begun;
        http_request_set_gone(http, keys_call_gone, false);
        if (call->request.method == KEYS_GET)
                api->backend->read_index(api->userdata, 0, keys_outcome, call);
        else
                api->backend->propose(api->userdata, &call->request.command, keys_outcome, call);
}

/* ---- watches ---- */

static void keys_watch_gone(HttpRequest *http) {
        KeysCall *call = http_request_data(http);

        call->http = NULL;
        if (!call->busy)
                keys_call_free(call);
}

static void keys_watch_end(KeysCall *call) {
        HttpRequest *http = take_ptr(call->http);

        http_request_set_data(http, NULL);
        http_request_set_gone(http, NULL, false);
        http_request_set_drained(http, NULL);
        http_respond_end(http);
        keys_call_free(call);
}

/* Renders an event once, however many watchers it has. */
static int keys_send_event(HttpRequest *http, Event *event) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        size_t length;
        char *json;
        int r;

        if (event->json)
                return http_respond_write(http, (Slice){event->json, event->json_length});
        r = keys_write_event(&body, event, false);
        if (r < 0)
                return r;
        r = http_respond_write(http, (Slice){buffer_data(&body), buffer_length(&body)});
        json = buffer_steal_string(&body, &length);
        if (json)
                event_keep_json(event, json, length);
        return r;
}

/* Sends what the client can take. False when the connection is of no more use. */
static bool keys_watch_send(KeysCall *call) {
        while (call->http && http_request_queued(call->http) < KEYS_STREAM_BACKLOG) {
                _cleanup_event_ Event *event = watcher_take(call->watcher);

                if (!event)
                        break;
                if (keys_send_event(call->http, event) < 0)
                        return false;
        }
        return call->http;
}

/* Sends what there is; ends the answer when nothing more will come. */
static void keys_watch_pump(KeysCall *call) {
        WatcherState state = watcher_state(call->watcher);
        bool sent;

        if (call->busy)
                return;
        call->busy = true;
        sent = keys_watch_send(call);
        call->busy = false;
        if (!sent) {
                HttpRequest *http = take_ptr(call->http);

                /* half an event is worse than none: the client must see that the answer is not whole */
                if (http)
                        http_respond_abort(http);
                keys_call_free(call);
                return;
        }
        if (state != WATCHER_WAITING && state != WATCHER_SILENT && watcher_queued(call->watcher) == 0)
                keys_watch_end(call);
}

static void keys_watch_ready(Watcher *watcher, void *userdata) {
        (void)watcher;
        keys_watch_pump(userdata);
}

static void keys_watch_drained(HttpRequest *http) {
        KeysCall *call = http_request_data(http);

        if (call)
                keys_watch_pump(call);
}

static void keys_watch(Api *api, HttpRequest *http, KeysRequest *request) {
        _cleanup_tree_error_ TreeError error = {0};
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        KeysCall *call = keys_call_new(api, http, request);
        StoreStatus status = api_status(api);
        WatchOptions options;
        int r;

        if (!call) {
                api_respond_no_memory(http);
                return;
        }
        options = (WatchOptions){
                .path = call->request.path,
                .recursive = call->request.recursive,
                .stream = call->request.stream,
                .since = call->request.wait_index,
                .ready = keys_watch_ready,
                .userdata = call,
        };
        r = tree_watch(api->backend->tree(api->userdata), &options, &call->watcher, &error);
        if (r == 0) {
                append_index_headers(&headers, &status, watcher_start_index(call->watcher));
                api_append_cors(http, &headers);
                (void)buffer_append_string(&headers, "Content-Type: application/json\r\n");
        }
        if (r != 0 || buffer_failed(&headers) || !buffer_string(&headers)) {
                keys_call_free(call);
                if (r > 0)
                        keys_fail_tree(api, http, &error);
                else
                        api_respond_no_memory(http);
                return;
        }
        /* clients rely on seeing the head before the first event */
        http_request_set_gone(http, keys_watch_gone, true);
        http_request_set_drained(http, keys_watch_drained);
        call->busy = true;
        http_respond_begin(http, 200, buffer_string(&headers), UINT64_MAX);
        call->busy = false;
        keys_watch_pump(call);
}

static KeysMethod keys_method(HttpMethod method) {
        switch (method) {
        case HTTP_METHOD_GET:
                return KEYS_GET;
        case HTTP_METHOD_HEAD:
                return KEYS_HEAD;
        case HTTP_METHOD_PUT:
                return KEYS_PUT;
        case HTTP_METHOD_POST:
                return KEYS_POST;
        default:
                return KEYS_DELETE;
        }
}

static void keys_refuse(Api *api, HttpRequest *http, AuthVerdict verdict) {
        if (verdict == AUTH_REFUSED)
                keys_fail(api, http, KEYS_UNAUTHORIZED, slice_from("Insufficient credentials"), 0);
        else if (verdict == AUTH_BUSY)
                keys_fail(api, http, KEYS_RAFT_INTERNAL, slice_from(AUTH_BUSY_TEXT), 0);
        else if (verdict == AUTH_NO_MEMORY)
                api_respond_no_memory(http);
}

static void keys_carry_out(Api *api, HttpRequest *http, KeysRequest *request, WallUsec begun) {
        if (!request->wait)
                metrics_receive(&api->metrics, request->method);
        if (request->wait)
                keys_watch(api, http, request);
        else if (request->method == KEYS_HEAD || (request->method == KEYS_GET && !request->quorum))
                keys_read(api, http, request, begun);
        else
                keys_submit(api, http, request, begun);
}

void keys_handle(Api *api, HttpRequest *http, Slice path) {
        _cleanup_keys_request_ KeysRequest request = {0};
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        KeysInput input = {
                .method = keys_method(http_request_method(http)),
                .path = path,
                .query = http_request_query(http),
                .content_type = http_request_header(http, "Content-Type"),
                .body = http_request_body(http),
                .now = api->backend->now(api->userdata),
        };
        AuthVerdict verdict;
        int r;

        if (!api_allow_method(http, "HEAD,GET,PUT,POST,DELETE"))
                return;
        r = keys_request_parse(&input, &request, &cause);
        if (r > 0)
                keys_fail(api, http, r, (Slice){buffer_data(&cause), buffer_length(&cause)}, 0);
        if (r < 0)
                api_respond_no_memory(http);
        if (r != 0)
                return;
        verdict = auth_judge_key(api, http, path, request.recursive);
        if (verdict == AUTH_GRANTED)
                keys_carry_out(api, http, &request, input.now);
        else
                keys_refuse(api, http, verdict);
}
