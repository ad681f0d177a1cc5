/* What is for the operator: /metrics, /debug/vars, the level of the log. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>

#include "base/json-write.h"
#include "base/log.h"
#include "store/api/handlers.h"
#include "store/api/process.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* ---- /metrics: Prometheus' text format, with etcd's names ---- */

static void head(Buffer *text, const char *name, const char *type, const char *help) {
        (void)buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void figure(Buffer *text, const char *name, const char *type, const char *help, uint64_t value) {
        head(text, name, type, help);
        (void)buffer_printf(text, "%s %" PRIu64 "\n", name, value);
}

static void figure_double(Buffer *text, const char *name, const char *type, const char *help, double value) {
        head(text, name, type, help);
        (void)buffer_printf(text, "%s %.15g\n", name, value);
}

/* `label`: such as method="GET", or "". */
static void histogram(Buffer *text, const char *name, const char *label, const Histogram *from) {
        uint64_t up_to[HISTOGRAM_BUCKETS_MAX + 1], sum;
        const char *comma = *label ? "," : "";
        const char *open = *label ? "{" : "", *close = *label ? "}" : "";

        histogram_read(from, up_to, &sum);
        for (unsigned i = 0; i < from->buckets; i++)
                (void)buffer_printf(text, "%s_bucket{%s%sle=\"%.15g\"} %" PRIu64 "\n", name, label, comma,
                                    (double)histogram_bound(from, i) / USEC_PER_SEC, up_to[i]);
        (void)buffer_printf(text, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, up_to[from->buckets]);
        (void)buffer_printf(text, "%s_sum%s%s%s %.15g\n", name, open, label, close, (double)sum / USEC_PER_SEC);
        (void)buffer_printf(text, "%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, up_to[from->buckets]);
}

static void write_server(Buffer *text, const StoreStatus *status, const StoreMetrics *metrics) {
        bool leads = status->leader_id == status->member_id;

        head(text, "etcd_server_id", "gauge",
             "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.");
        (void)buffer_printf(text, "etcd_server_id{server_id=\"%" PRIx64 "\"} 1\n", status->member_id);
        head(text, "etcd_server_version", "gauge",
             "Which version is running. 1 for 'server_version' label with current version.");
        (void)buffer_printf(text, "etcd_server_version{server_version=\"%s\"} 1\n", status->version);
        head(text, "etcd_cluster_version", "gauge",
             "Which version is running. 1 for 'cluster_version' label with current cluster version");
        (void)buffer_printf(text, "etcd_cluster_version{cluster_version=\"%.3s\"} 1\n", status->cluster_version);
        figure(text, "etcd_server_has_leader", "gauge", "Whether or not a leader exists. 1 is existence, 0 is not.",
               status->leader_id != 0);
        figure(text, "etcd_server_is_leader", "gauge", "Whether or not this member is a leader. 1 if is, 0 otherwise.",
               leads);
        figure(text, "etcd_server_is_learner", "gauge",
               "Whether or not this member is a learner. 1 if is, 0 otherwise.", metrics->stands_by);
        figure(text, "etcd_server_leader_changes_seen_total", "counter", "The number of leader changes seen.",
               metrics->leader_changes);
        figure(text, "etcd_server_heartbeat_send_failures_total", "counter",
               "The total number of messages to other members that could not be sent.", metrics->heartbeats_failed);
        figure(text, "etcd_server_proposals_committed_total", "gauge",
               "The total number of consensus proposals committed.", metrics->committed);
        figure(text, "etcd_server_proposals_applied_total", "gauge", "The total number of consensus proposals applied.",
               metrics->applied);
        figure(text, "etcd_server_proposals_pending", "gauge", "The current number of pending proposals to commit.",
               metrics->pending);
        figure(text, "etcd_server_proposals_failed_total", "counter", "The total number of failed proposals seen.",
               metrics->failed);
        figure(text, "etcd_server_read_indexes_failed_total", "counter",
               "The total number of failed read indexes seen.", metrics->reads_failed);
        figure(text, "faering_store_snapshots_sent_total", "counter", "Snapshots sent to members that lagged by more than is kept.",
               metrics->snapshots_sent);
        figure(text, "faering_store_snapshots_received_total", "counter", "Snapshots received for having lagged.",
               metrics->snapshots_received);
}

static void write_loop(Buffer *text, const StoreMetrics *metrics) {
        if (!metrics->turns)
                return;
        head(text, "faering_store_loop_turn_seconds", "histogram", "How long turns of the loop took, in which nobody else is served.");
        histogram(text, "faering_store_loop_turn_seconds", "", metrics->turns);
}

static void write_disk(Buffer *text, const StoreMetrics *metrics) {
        figure(text, "etcd_disk_wal_write_bytes_total", "gauge", "Total number of bytes written in WAL.",
               metrics->log_bytes);
        if (!metrics->log_syncs)
                return;
        head(text, "etcd_disk_wal_fsync_duration_seconds", "histogram",
             "The latency distributions of fsync called by WAL.");
        histogram(text, "etcd_disk_wal_fsync_duration_seconds", "", metrics->log_syncs);
        if (!metrics->snapshot_syncs)
                return;
        head(text, "etcd_snap_fsync_duration_seconds", "histogram",
             "The latency distributions of fsync called by snap.");
        histogram(text, "etcd_snap_fsync_duration_seconds", "", metrics->snapshot_syncs);
}

typedef enum PeerFigure { PEER_ACTIVE, PEER_SENT, PEER_RECEIVED, PEER_FAILED } PeerFigure;

static void write_peer_figure(Buffer *text, const StoreMetrics *metrics, const StoreStatus *status, PeerFigure which) {
        for (size_t i = 0; i < metrics->peer_count; i++) {
                const StorePeerMetrics *peer = &metrics->peers[i];

                switch (which) {
                case PEER_ACTIVE:
                        (void)buffer_printf(
                                text, "etcd_network_active_peers{Local=\"%" PRIx64 "\",Remote=\"%" PRIx64 "\"} %d\n",
                                status->member_id, peer->id, peer->connected);
                        break;
                case PEER_SENT:
                        (void)buffer_printf(text,
                                            "etcd_network_peer_sent_bytes_total{To=\"%" PRIx64 "\"} %" PRIu64 "\n",
                                            peer->id, peer->sent_bytes);
                        break;
                case PEER_RECEIVED:
                        (void)buffer_printf(
                                text, "etcd_network_peer_received_bytes_total{From=\"%" PRIx64 "\"} %" PRIu64 "\n",
                                peer->id, peer->received_bytes);
                        break;
                case PEER_FAILED:
                        (void)buffer_printf(text,
                                            "etcd_network_peer_sent_failures_total{To=\"%" PRIx64 "\"} %" PRIu64 "\n",
                                            peer->id, peer->sent_failures);
                        break;
                }
        }
}

static void write_peers(Buffer *text, const StoreStatus *status, const StoreMetrics *metrics) {
        if (metrics->peer_count == 0)
                return;
        head(text, "etcd_network_active_peers", "gauge", "The current number of active peer connections.");
        write_peer_figure(text, metrics, status, PEER_ACTIVE);
        head(text, "etcd_network_peer_sent_bytes_total", "counter", "The total number of bytes sent to peers.");
        write_peer_figure(text, metrics, status, PEER_SENT);
        head(text, "etcd_network_peer_received_bytes_total", "counter",
             "The total number of bytes received from peers.");
        write_peer_figure(text, metrics, status, PEER_RECEIVED);
        head(text, "etcd_network_peer_sent_failures_total", "counter", "The total number of send failures from peers.");
        write_peer_figure(text, metrics, status, PEER_FAILED);
        head(text, "etcd_network_peer_round_trip_time_seconds", "histogram",
             "Time from an append to its answer, as this leader measures it.");
        for (size_t i = 0; i < metrics->peer_count; i++) {
                char label[32];

                (void)snprintf(label, sizeof(label), "To=\"%" PRIx64 "\"", metrics->peers[i].id);
                if (metrics->peers[i].round_trips.buckets > 0)
                        histogram(text, "etcd_network_peer_round_trip_time_seconds", label,
                                  &metrics->peers[i].round_trips);
        }
}

static void write_tree(Buffer *text, const Tree *tree) {
        const TreeStats *s = &tree->stats;
        const struct {
                const char *action;
                OperationCount count;
        } writes[] = {
                {"set", s->sets},
                {"create", s->creates},
                {"update", s->updates},
                {"delete", s->deletes},
                {"compareAndSwap", s->compare_and_swaps},
                {"compareAndDelete", s->compare_and_deletes},
        };

        head(text, "etcd_debugging_store_reads_total", "counter",
             "Total number of reads action by (get/getRecursive), local to this member.");
        (void)buffer_printf(text, "etcd_debugging_store_reads_total{action=\"get\"} %" PRIu64 "\n", s->gets.success);
        head(text, "etcd_debugging_store_reads_failed_total", "counter",
             "Failed read actions by (get/getRecursive), local to this member.");
        (void)buffer_printf(text, "etcd_debugging_store_reads_failed_total{action=\"get\"} %" PRIu64 "\n",
                            s->gets.fail);
        head(text, "etcd_debugging_store_writes_total", "counter",
             "Total number of writes (e.g. set/compareAndDelete) seen by this member.");
        for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
                (void)buffer_printf(text, "etcd_debugging_store_writes_total{action=\"%s\"} %" PRIu64 "\n",
                                    writes[i].action, writes[i].count.success);
        head(text, "etcd_debugging_store_writes_failed_total", "counter",
             "Total number of failed write actions (e.g. set/compareAndDelete) seen by this member.");
        for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
                (void)buffer_printf(text, "etcd_debugging_store_writes_failed_total{action=\"%s\"} %" PRIu64 "\n",
                                    writes[i].action, writes[i].count.fail);
        figure(text, "etcd_debugging_store_expires_total", "counter", "Total number of expired keys.", s->expired);
        figure(text, "etcd_debugging_store_watchers", "gauge", "Count of currently active watchers.", tree->hub.count);
}

static void write_requests(Buffer *text, const Metrics *metrics) {
        static const char *const methods[KEYS_METHODS] = {"GET", "HEAD", "PUT", "POST", "DELETE"};

        head(text, "etcd_http_received_total", "counter",
             "Counter of requests received into the system (successfully parsed and authd).");
        for (size_t i = 0; i < KEYS_METHODS; i++)
                (void)buffer_printf(text, "etcd_http_received_total{method=\"%s\"} %" PRIu64 "\n", methods[i],
                                    metrics->received[i]);
        head(text, "etcd_http_failed_total", "counter",
             "Counter of handle failures of requests (non-watches), by method and code.");
        for (size_t i = 0; i < KEYS_METHODS; i++)
                for (size_t k = 0; k < METRICS_FAILURES; k++)
                        if (metrics->failed[i][k] > 0)
                                (void)buffer_printf(text,
                                                    "etcd_http_failed_total{code=\"%u\",method=\"%s\"} %" PRIu64 "\n",
                                                    metrics_failures[k], methods[i], metrics->failed[i][k]);
        head(text, "etcd_http_successful_duration_seconds", "histogram",
             "Bucketed histogram of processing time (s) of successfully handled requests (non-watches), by method.");
        for (size_t i = 0; i < KEYS_METHODS; i++) {
                char label[24];

                (void)snprintf(label, sizeof(label), "method=\"%s\"", methods[i]);
                histogram(text, "etcd_http_successful_duration_seconds", label, &metrics->succeeded[i]);
        }
}

static void write_process(Buffer *text) {
        ProcessFigures figures;

        process_figures(&figures);
        figure_double(text, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
                      figures.cpu_seconds);
        figure(text, "process_max_fds", "gauge", "Maximum number of open file descriptors.", figures.max_files);
        figure(text, "process_open_fds", "gauge", "Number of open file descriptors.", figures.open_files);
        figure(text, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
               figures.resident_bytes);
        figure_double(text, "process_start_time_seconds", "gauge",
                      "Start time of the process since unix epoch in seconds.", figures.started);
        figure(text, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", figures.virtual_bytes);
}

void metrics_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        StoreStatus status = api_status(api);
        StoreMetrics metrics;

        (void)path;
        api->backend->metrics(api->userdata, &metrics);
        write_server(&text, &status, &metrics);
        write_loop(&text, &metrics);
        write_disk(&text, &metrics);
        write_peers(&text, &status, &metrics);
        write_tree(&text, api->backend->tree(api->userdata));
        write_requests(&text, &api->metrics);
        write_process(&text);
        if (buffer_failed(&text))
                api_respond_no_memory(request);
        else
                api_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
                            (Slice){buffer_data(&text), buffer_length(&text)});
}

/* ---- /debug ---- */

static void write_command_line(JsonWriter *json) {
        _cleanup_buffer_ Buffer words = BUFFER_INIT;
        Slice rest, word;

        json_key(json, "cmdline");
        json_begin_array(json);
        if (process_command_line(&words) == 0 && buffer_length(&words) > 0) {
                rest = (Slice){buffer_data(&words), buffer_length(&words) - 1};
                while (slice_split(&rest, '\0', &word))
                        json_write_string(json, word);
        }
        json_end_array(json);
}

static void write_raft(JsonWriter *json, const StoreStatus *status, const StoreMetrics *metrics) {
        json_key(json, "raft.status");
        json_begin_object(json);
        json_field_hex(json, "id", status->member_id);
        json_field_u64(json, "term", status->raft_term);
        json_field_u64(json, "commit", metrics->committed);
        json_field_u64(json, "applied", metrics->applied);
        json_field_hex(json, "lead", status->leader_id);
        json_field_string(json, "raftState", status->leader_id == status->member_id ? "StateLeader" : "StateFollower");
        json_end_object(json);
}

void debug_vars_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        StoreStatus status = api_status(api);
        struct mallinfo2 memory = mallinfo2();
        ProcessFigures figures;
        StoreMetrics metrics;

        (void)path;
        if (!api_allow_method(request, "GET"))
                return;
        api->backend->metrics(api->userdata, &metrics);
        process_figures(&figures);
        json_begin_object(&json);
        write_command_line(&json);
        json_field_u64(&json, "file_descriptor_limit", figures.max_files);
        json_key(&json, "memstats");
        json_begin_object(&json);
        json_field_u64(&json, "Alloc", memory.uordblks + memory.hblkhd);
        json_field_u64(&json, "Sys", memory.arena + memory.hblkhd);
        json_field_u64(&json, "HeapAlloc", memory.uordblks + memory.hblkhd);
        json_field_u64(&json, "HeapIdle", memory.fordblks);
        json_end_object(&json);
        write_raft(&json, &status, &metrics);
        json_end_object(&json);
        (void)buffer_append_byte(&body, '\n');
        if (buffer_failed(&body))
                api_respond_no_memory(request);
        else
                api_respond(request, 200, "application/json; charset=utf-8", NULL,
                            (Slice){buffer_data(&body), buffer_length(&body)});
}

void debug_pprof_handle(Api *api, HttpRequest *request, Slice path) {
        (void)api;
        (void)path;
        api_respond_text(
                request, 404, NULL,
                "404 page not found: this server keeps no Go profiles; /metrics and /debug/vars have its figures");
}

/* ---- /config/local/log ---- */

/* False: no such level. */
static bool parse_level(const char *name, LogLevel *ret_level) {
        static const struct {
                const char *names[3];
                LogLevel level;
        } levels[] = {
                {{"CRITICAL", "C", "C"}, LOG_LEVEL_ERROR},  {{"ERROR", "0", "E"}, LOG_LEVEL_ERROR},
                {{"WARNING", "1", "W"}, LOG_LEVEL_WARNING}, {{"NOTICE", "2", "N"}, LOG_LEVEL_INFO},
                {{"INFO", "3", "I"}, LOG_LEVEL_INFO},       {{"DEBUG", "4", "D"}, LOG_LEVEL_DEBUG},
                {{"TRACE", "5", "T"}, LOG_LEVEL_DEBUG},
        };

        for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
                for (size_t k = 0; k < ARRAY_SIZE(levels[i].names); k++)
                        if (strcasecmp(levels[i].names[k], name) == 0) {
                                *ret_level = levels[i].level;
                                return true;
                        }
        return false;
}

void config_log_handle(Api *api, HttpRequest *request, Slice path) {
        Slice body = http_request_body(request);
        _cleanup_free_ char *message = NULL;
        const char *key, *name = "";
        json_t *root, *value;
        LogLevel level;

        (void)api;
        (void)path;
        if (!api_allow_method(request, "PUT"))
                return;
        root = json_loadb(body.data ?: "", body.length, JSON_DISABLE_EOF_CHECK, NULL);
        json_object_foreach(root, key, value) {
                if (strcasecmp(key, "Level") == 0)
                        name = json_is_string(value) ? json_string_value(value) : NULL;
        }
        if (!json_is_object(root) || !name)
                api_respond_message(request, 400, NULL, "Invalid json body");
        else if (parse_level(name, &level)) {
                log_set_level(level);
                api_respond(request, 204, NULL, NULL, (Slice){"", 0});
        } else {
                message = str_printf("Invalid log level %s", name);
                api_respond_message(request, 400, NULL, message ?: "Invalid log level");
        }
        json_decref(root);
}
