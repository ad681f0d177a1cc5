#include <inttypes.h>
#include <stdio.h>

#include "base/json-write.h"
#include "store/api/handlers.h"
#include "store/api/keys-response.h"

/* A member that cannot prove within this time that it is part of a working cluster is not healthy. */
#define HEALTH_TIMEOUT USEC_PER_SEC

static void respond_json(HttpRequest *request, unsigned status, Buffer *body) {
        if (buffer_failed(body))
                api_respond_no_memory(request);
        else
                api_respond(request, status, "application/json", NULL,
                            (Slice){buffer_data(body), buffer_length(body)});
}

static void field_time(JsonWriter *json, const char *key, WallUsec time) {
        char text[40];

        keys_format_time(time, text);
        json_field_string(json, key, text);
}

/* As Go prints a Duration: "1h2m3.5s". */
static void field_duration(JsonWriter *json, const char *key, WallUsec length) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint64_t usec = length > 0 ? (uint64_t)length : 0, seconds = usec / USEC_PER_SEC;

        if (seconds >= 3600)
                (void)buffer_printf(&text, "%" PRIu64 "h", seconds / 3600);
        if (seconds >= 60)
                (void)buffer_printf(&text, "%" PRIu64 "m", seconds / 60 % 60);
        (void)buffer_printf(&text, "%.6gs", (double)(seconds % 60) + (double)(usec % USEC_PER_SEC) / 1e6);
        json_field_slice(json, key, (Slice){buffer_data(&text), buffer_length(&text)});
}

void stats_store_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        const Tree *tree = api->backend->tree(api->userdata);
        const TreeStats *s = &tree->stats;

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        json_begin_object(&json);
        json_field_u64(&json, "getsSuccess", s->gets.success);
        json_field_u64(&json, "getsFail", s->gets.fail);
        json_field_u64(&json, "setsSuccess", s->sets.success);
        json_field_u64(&json, "setsFail", s->sets.fail);
        json_field_u64(&json, "deleteSuccess", s->deletes.success);
        json_field_u64(&json, "deleteFail", s->deletes.fail);
        json_field_u64(&json, "updateSuccess", s->updates.success);
        json_field_u64(&json, "updateFail", s->updates.fail);
        json_field_u64(&json, "createSuccess", s->creates.success);
        json_field_u64(&json, "createFail", s->creates.fail);
        json_field_u64(&json, "compareAndSwapSuccess", s->compare_and_swaps.success);
        json_field_u64(&json, "compareAndSwapFail", s->compare_and_swaps.fail);
        json_field_u64(&json, "compareAndDeleteSuccess", s->compare_and_deletes.success);
        json_field_u64(&json, "compareAndDeleteFail", s->compare_and_deletes.fail);
        json_field_u64(&json, "expireCount", s->expired);
        json_field_u64(&json, "watchers", tree->hub.count);
        json_end_object(&json);
        respond_json(request, 200, &body);
}

static void field_double(JsonWriter *json, const char *key, double value) {
        json_key(json, key);
        json_write_double(json, value);
}

static void write_rate(JsonWriter *json, const char *count_key, const char *bytes_key, const Rate *rate) {
        field_double(json, count_key, rate->per_second);
        field_double(json, bytes_key, rate->bytes_per_second);
}

void stats_self_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        StoreStatus status = api_status(api);
        bool leads = status.leader_id == status.member_id;
        StoreMetrics metrics;

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        api->backend->metrics(api->userdata, &metrics);
        json_begin_object(&json);
        json_field_string(&json, "name", status.name);
        json_field_hex(&json, "id", status.member_id);
        json_field_string(&json, "state", leads ? "StateLeader" : "StateFollower");
        field_time(&json, "startTime", status.started);
        json_key(&json, "leaderInfo");
        json_begin_object(&json);
        json_field_hex(&json, "leader", status.leader_id);
        field_duration(&json, "uptime", api->backend->now(api->userdata) - status.leader_since);
        field_time(&json, "startTime", status.leader_since);
        json_end_object(&json);
        json_field_u64(&json, "recvAppendRequestCnt", status.received_appends);
        if (metrics.has_received_rate)
                write_rate(&json, "recvPkgRate", "recvBandwidthRate", &metrics.received_rate);
        json_field_u64(&json, "sendAppendRequestCnt", status.sent_appends);
        if (metrics.has_sent_rate)
                write_rate(&json, "sendPkgRate", "sendBandwidthRate", &metrics.sent_rate);
        json_end_object(&json);
        respond_json(request, 200, &body);
}

static void write_follower(JsonWriter *json, const StoreFollower *follower) {
        char id[17];

        (void)snprintf(id, sizeof(id), "%" PRIx64, follower->id);
        json_key(json, id);
        json_begin_object(json);
        json_key(json, "latency");
        json_begin_object(json);
        field_double(json, "current", follower->latency);
        field_double(json, "average", follower->latency_average);
        field_double(json, "standardDeviation", follower->latency_deviation);
        field_double(json, "minimum", follower->latency_minimum);
        field_double(json, "maximum", follower->latency_maximum);
        json_end_object(json);
        json_key(json, "counts");
        json_begin_object(json);
        json_field_u64(json, "fail", follower->fail);
        json_field_u64(json, "success", follower->success);
        json_end_object(json);
        json_end_object(json);
}

void stats_leader_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        StoreStatus status = api_status(api);
        const StoreFollower *followers;
        size_t count;
        bool leads;

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        leads = api->backend->followers(api->userdata, &followers, &count);
        json_begin_object(&json);
        if (leads) {
                json_field_hex(&json, "leader", status.member_id);
                json_key(&json, "followers");
                json_begin_object(&json);
                for (size_t i = 0; i < count; i++)
                        write_follower(&json, &followers[i]);
                json_end_object(&json);
        } else
                json_field_string(&json, "message", "not current leader");
        json_end_object(&json);
        respond_json(request, leads ? 200 : 403, &body);
}

void version_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        StoreStatus status = api_status(api);

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        json_begin_object(&json);
        json_field_string(&json, "etcdserver", status.version);
        json_field_string(&json, "etcdcluster", status.cluster_version);
        json_end_object(&json);
        respond_json(request, 200, &body);
}

static void health_gone(HttpRequest *request) {
        *(HttpRequest **)http_request_data(request) = NULL;
}

static void health_outcome(void *data, const StoreOutcome *outcome) {
        _cleanup_free_ HttpRequest **waiting = data;
        HttpRequest *request = *waiting;
        bool healthy = outcome->r == 0;

        if (!request)
                return;
        http_request_set_gone(request, NULL, false);
        api_respond(request, healthy ? 200 : 503, "text/plain; charset=utf-8", NULL,
                    slice_from(healthy ? "{\"health\":\"true\"}" : "{\"health\":\"false\"}"));
}

void health_handle(Api *api, HttpRequest *request, Slice path) {
        HttpRequest **waiting;

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        waiting = malloc(sizeof(*waiting));
        if (!waiting) {
                api_respond_no_memory(request);
                return;
        }
        *waiting = request;
        http_request_set_data(request, waiting);
        http_request_set_gone(request, health_gone, false);
        api->backend->read_index(api->userdata, HEALTH_TIMEOUT, health_outcome, waiting);
}
