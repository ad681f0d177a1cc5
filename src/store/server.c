#include "store/server.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "store/api/auth.h"
#include "store/ask.h"
#include "store/data-directory.h"
#include "store/log/disk-directory.h"
#include "store/server-internal.h"

enum {
        STOP_MSEC = 1000,       /* longest wait, before a stop, for another leader and for what is under way */
        STALL_SECONDS = 60,     /* a watch whose client reads nothing of what waits for it ends */
        STOP_HEARTBEATS = 2,    /* a former leader stays for so long: others send to it until they hear of the next */
};

/* A disk job on a worker thread. */
typedef struct Work {
        uv_work_t request;
        Server *server;
        DiskJob *job;
        int r;
} Work;

static void server_run(Server *server);
static void server_close(Server *server);

/* ---- what the replica asks for ---- */

static void work_run(uv_work_t *request) {
        Work *work = container_of(request, Work, request);

        work->r = work->job->run(work->job);
}

static void work_done(uv_work_t *request, int status) {
        Work *work = container_of(request, Work, request);
        Server *server = work->server;

        (void)status; /* works are never cancelled */
        server->works--;
        replica_job_done(server->replica, work->job, work->r);
        free(work);
}

static void on_run_job(void *userdata, DiskJob *job) {
        Server *server = userdata;
        Work *work = malloc(sizeof(*work));

        if (!work) { /* the work must be done all the same: the loop waits for it */
                replica_job_done(server->replica, job, -ENOMEM);
                return;
        }
        *work = (Work){.server = server, .job = job};
        server->works++;
        (void)uv_queue_work(server->loop, &work->request, work_run, work_done);
}

static void on_send(void *userdata, uint64_t to, bool bulk, Slice frame) {
        Server *server = userdata;

        ServerPeer *peer = server_peer(server, to);

        if (peer)
                peer->sent_bytes += frame.length;
        /* a job that ends while the server closes still has answers to send, but the links are gone */
        if (!server->closing)
                peers_send(server->peers, to, bulk, frame);
}

static void on_members_changed(void *userdata) {
        ((Server *)userdata)->members_stale = true;
}

static const ReplicaOps replica_ops = {.run_job = on_run_job, .send = on_send, .members_changed = on_members_changed};

/* ---- what the links bring ---- */

static int on_frame(void *userdata, uint64_t from, RaftPayload *frame) {
        Server *server = userdata;
        ServerPeer *peer = server_peer(server, from);
        int r;

        if (peer)
                peer->received_bytes += frame->length;
        replica_note_time(server->replica, clock_monotonic());
        r = replica_receive(server->replica, from, frame);
        if (r < 0 && r != -EPERM)
                log_warning("member %" PRIx64 " sent a frame that makes no sense: the connection is closed", from);
        return r;
}

static void on_unreachable(void *userdata, uint64_t to) {
        Server *server = userdata;
        ServerPeer *peer = server_peer(server, to);

        if (peer)
                peer->failures++;
        replica_report_unreachable(server->replica, to);
}

static void on_troubled(void *userdata, uint64_t to, const char *why) {
        (void)userdata;
        log_warning("cannot reach member %" PRIx64 " by TLS: %s", to, why);
}

static bool on_is_removed(void *userdata, uint64_t id) {
        return replica_is_removed(((Server *)userdata)->replica, id);
}

static void on_removed(void *userdata, uint64_t by) {
        replica_hear_removed(((Server *)userdata)->replica, by);
}

static const PeersOps peers_ops = {
        .frame = on_frame,
        .unreachable = on_unreachable,
        .troubled = on_troubled,
        .is_removed = on_is_removed,
        .removed = on_removed,
};

/* ---- the loop ---- */

static void server_note_leader(Server *server) {
        uint64_t leader = raft_basic_status(replica_raft(server->replica)).soft_state.leader;

        if (leader == server->leader)
                return;
        server->leader = leader;
        server->leader_since = clock_wall();
        server->leader_changed = clock_monotonic();
        if (leader == RAFT_ID_NONE)
                log_info("no leader at present");
        else {
                server->leader_changes++;
                log_info("member %" PRIx64 " leads%s", leader, leader == replica_id(server->replica) ? ": this one" : "");
        }
}

/* What came before the stop is answered first, and whoever still takes this member for the leader is served. */
static bool server_may_close(const Server *server) {
        Usec stay = STOP_HEARTBEATS * server->settings->heartbeat_msec * USEC_PER_MSEC;

        if (!replica_is_quiet(server->replica))
                return false;
        return !server->handing_over || (server->leader != replica_id(server->replica) && server->leader != RAFT_ID_NONE &&
                                         clock_monotonic() - server->leader_changed >= stay);
}

/* In the next turn: what was answered in this one leaves first. */
static void server_close_soon(Server *server) {
        if (server->last_turn)
                server_close(server);
        server->last_turn = true;
}

static void server_log_removal(Server *server) {
        if (server->removal_logged)
                return;
        server->removal_logged = true;
        log_info("this member, %" PRIx64 ", was removed from its cluster: it ends, and cannot return under this id. To use the machine "
                 "again, delete %s and add it anew (faering store member add)",
                 replica_id(server->replica), server->settings->data_dir);
}

static void server_consider_end(Server *server) {
        if (replica_failure(server->replica, &server->failure) < 0) {
                server->failed = replica_failure(server->replica, NULL);
                server_close(server);
        } else if (replica_may_leave(server->replica)) {
                server_log_removal(server);
                server_close_soon(server);
        } else if (server->stopping && server_may_close(server)) {
                server_close_soon(server);
        }
}

static void on_idle(uv_idle_t *idle) {
        (void)idle; /* its being active keeps the loop from sleeping */
}

static void server_sleep(Server *server, bool may_sleep) {
        if (may_sleep)
                (void)uv_idle_stop(&server->idle);
        else
                (void)uv_idle_start(&server->idle, on_idle);
}

/* Once in a tick: the turns between are too many. */
static void server_tell_manager(Server *server) {
        ServiceManager *manager = &server->manager;
        size_t count = server->members.length;

        service_manager_alive(manager, clock_monotonic());
        if (server->leader == RAFT_ID_NONE)
                service_manager_status(manager, "waits for a leader");
        else if (server->leader == replica_id(server->replica))
                service_manager_status(manager, "leads a cluster of %zu", count);
        else
                service_manager_status(manager, "follows member %" PRIx64 " in a cluster of %zu", server->leader, count);
}

/* All that has come in this turn is one batch: carried out here, after the input and before the loop sleeps. */
/* --experimental-warning-apply-duration; once a second, or a slow machine would write a log instead of working. */
static void server_note_slow(Server *server, Usec begun) {
        Usec now = clock_monotonic();

        if (now - begun <= server->settings->warning_apply || (server->slow_told && now - server->slow_told < USEC_PER_SEC))
                return;
        server->slow_told = now;
        log_warning("carrying out entries up to %" PRIu64 " took %" PRIu64 " ms, and clients waited: more than %" PRIu64
                    " ms (--experimental-warning-apply-duration)",
                    replica_counts(server->replica).applied_index, (now - begun) / USEC_PER_MSEC, server->settings->warning_apply / USEC_PER_MSEC);
}

static void server_run(Server *server) {
        Usec begun;
        bool more;

        if (server->closing || server->in_run)
                return;
        server->in_run = true;
        begun = clock_monotonic();
        replica_tick(server->replica, begun, clock_wall());
        more = replica_run(server->replica);
        server_note_slow(server, begun);
        peers_flush(server->peers);
        server_note_leader(server);
        server_consider_end(server);
        if (!server->closing) {
                server_refresh_members(server);
                server_publish(server);
                /* the cluster has this member's name and addresses: it has a leader, and clients can find it */
                if (server->published)
                        service_manager_ready(&server->manager);
                server_sleep(server, !more && !server->last_turn);
        }
        server->in_run = false;
}

static void on_check(uv_check_t *check) {
        server_run(check->data);
}

static void on_tick(uv_timer_t *timer) {
        Server *server = timer->data;

        server_run(server);
        if (!server->closing)
                server_tell_manager(server);
}

/* ---- what other members ask over HTTP ---- */

static void respond_view(Server *server, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        const RaftConfState *state = raft_configuration(replica_raft(server->replica));

        if (cluster_view_format(&body, replica_cluster(server->replica), &server->members, state, replica_tree(server->replica)) < 0)
                http_respond_text(request, 503, "out of memory\n");
        else
                http_respond(request, 200, "Content-Type: application/json\r\n",
                             (Slice){buffer_data(&body), buffer_length(&body)});
}

/* As etcd has it at its peer URLs: for proxies. */
static void respond_members(Server *server, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        if (members_format(&body, &server->members) < 0)
                http_respond_text(request, 503, "out of memory\n");
        else
                http_respond(request, 200, "Content-Type: application/json\r\n", (Slice){buffer_data(&body), buffer_length(&body)});
}

static void on_member_request(void *userdata, HttpRequest *request) {
        Server *server = userdata;
        Slice path = http_request_path(request);

        if (slice_equals(path, slice_from(PEERS_PATH)))
                peers_handle(server->peers, request);
        else if (slice_equals(path, slice_from(ASK_PATH)))
                respond_view(server, request);
        else if (slice_equals(path, slice_from("/members")))
                respond_members(server, request);
        else
                http_respond_text(request, 404, "404 page not found\n");
}

/* At --listen-metrics-urls: as in etcd these two and nothing else. */
static void on_metrics_request(void *userdata, HttpRequest *request) {
        Slice path = http_request_path(request);

        if (slice_equals(path, slice_from("/metrics")) || slice_equals(path, slice_from("/health")))
                api_handle(userdata, request);
        else
                http_respond_text(request, 404, "404 page not found\n");
}

static void log_refused(const char *who, const char *peer, const char *why, size_t more) {
        if (more > 0)
                log_warning("%s at %s was refused, and %zu before it: %s", who, peer, more, why);
        else
                log_warning("%s at %s was refused: %s", who, peer, why);
}

static void on_client_refused(void *userdata, const char *peer, const char *why, size_t more) {
        (void)userdata;
        log_refused("a client", peer, why, more);
}

static void on_member_refused(void *userdata, const char *peer, const char *why, size_t more) {
        (void)userdata;
        log_refused("a member", peer, why, more);
}

static const HttpServerOps client_ops = {.handle = api_handle, .refused = on_client_refused};
static const HttpServerOps metrics_ops = {.handle = on_metrics_request, .refused = on_client_refused};
static const HttpServerOps member_ops = {.handle = on_member_request, .refused = on_member_refused};

/* ---- beginning ---- */

static HttpServerLimits server_client_limits(const Settings *settings) {
        HttpServerLimits limits = http_server_limits_default;

        limits.connections = (size_t)settings->max_connections;
        limits.body_bytes = settings->max_request_bytes;
        limits.output_total = limits.body_total = (size_t)settings->max_waiting_bytes;
        limits.stall_timeout = STALL_SECONDS * USEC_PER_SEC;
        return limits;
}

static int server_start_handles(Server *server) {
        const HttpServerLimits limits = server_client_limits(server->settings);
        const PeersConfig peers = {replica_cluster(server->replica), replica_id(server->replica), server->peer_tls};

        server->peers = peers_new(server->loop, &peers, &peers_ops, server);
        server->clients = http_server_new(server->loop, &client_ops, &server->api, &limits);
        server->members_http = http_server_new(server->loop, &member_ops, server, NULL);
        if (!server->peers || !server->clients || !server->members_http)
                return -ENOMEM;
        if (server->settings->listen_metrics.length > 0) {
                server->metrics_http = http_server_new(server->loop, &metrics_ops, &server->api, NULL);
                if (!server->metrics_http)
                        return -ENOMEM;
                http_server_set_tls(server->metrics_http, server->client_tls);
        }
        replica_tree(server->replica)->hub.queue_max = (size_t)server->settings->max_watch_events;
        http_server_set_tls(server->clients, server->client_tls);
        http_server_set_tls(server->members_http, server->peer_tls);
        return 0;
}

/* The addresses of the first moment; from the first applied entry on the tree knows them. */
static void server_set_first_peers(Server *server) {
        const Bootstrap *founders = &server->settings->bootstrap;
        const ClusterView *view = &server->beginning.view;

        for (size_t i = 0; i < view->count; i++) {
                _cleanup_free_ Url *urls = NULL;
                int n = server_parse_urls(&view->members[i].peer_urls, &urls);

                if (n > 0)
                        (void)peers_set(server->peers, view->members[i].id, urls, (size_t)n);
        }
        if (server->beginning.has_data || view->count > 0)
                return;
        for (size_t i = 0; i < founders->count; i++)
                (void)peers_set(server->peers, founders->members[i].id, founders->members[i].urls, founders->members[i].url_count);
}

static void server_log_recovery(const Server *server) {
        const ReplicaRecovery *found = replica_recovery(server->replica);

        log_info("member %" PRIx64 " \"%s\" of cluster %" PRIx64 ": snapshot at index %" PRIu64 " and %zu entries in %s",
                 replica_id(server->replica), server->settings->name, replica_cluster(server->replica), found->snapshot_index,
                 found->entries, server->settings->data_dir);
        if (found->cut_bytes > 0)
                log_info("%s: an unfinished batch of at most %" PRIu64 " bytes at byte %" PRIu64
                         " was cut: it had not been acknowledged",
                         found->cut_segment, found->cut_bytes, found->cut_offset);
}

static void on_reading(void *userdata) {
        service_manager_begins(&((Server *)userdata)->manager, clock_monotonic());
}

/* A long log or a large snapshot is no reason to be ended: the manager hears that it is being read. */
static int server_begin(Server *server, Error *error) {
        int r;

        service_manager_status(&server->manager, "reads %s", server->settings->data_dir);
        disk_directory_set_progress(server->disk, on_reading, server);
        r = beginning_open(server->loop, server->settings, server->peer_tls, server->disk, &replica_ops, server, &server->beginning, error);
        disk_directory_set_progress(server->disk, NULL, NULL); /* from now on worker threads read, too */
        server->replica = server->beginning.replica;
        return r;
}

static int server_init(Server *server, Inherited *inherited, Error *error) {
        const Settings *settings = server->settings;
        char text[URL_TEXT_MAX];
        int r;

        for (size_t i = 0; i < settings->advertise_client.length; i++) {
                url_format(&settings->advertise_client.items[i], text);
                r = string_list_add(&server->advertised, text);
                if (r < 0)
                        return r;
        }
        r = data_directory_open(settings->data_dir, settings->wal_dir, &server->disk, error);
        if (r >= 0)
                r = settings_tls_context(settings, false, tls_log_note, &server->client_tls, error);
        if (r >= 0)
                r = settings_tls_context(settings, true, tls_log_note, &server->peer_tls, error);
        if (r >= 0)
                r = server_begin(server, error);
        if (r >= 0)
                r = server_start_handles(server);
        if (r >= 0)
                r = inherited_listen(inherited, INHERITED_PEER, &settings->listen_peer, server->members_http, error);
        if (r >= 0)
                r = inherited_listen(inherited, INHERITED_CLIENT, &settings->listen_client, server->clients, error);
        if (r >= 0 && server->metrics_http)
                r = inherited_listen(NULL, INHERITED_CLIENT, &settings->listen_metrics, server->metrics_http, error);
        return r;
}

static void server_start_loop(Server *server) {
        turns_start(&server->turns, server->loop);
        (void)uv_check_init(server->loop, &server->check);
        (void)uv_idle_init(server->loop, &server->idle);
        (void)uv_timer_init(server->loop, &server->tick);
        (void)uv_timer_init(server->loop, &server->stop);
        server->check.data = server->idle.data = server->tick.data = server->stop.data = server->turns.prepare.data = server;
        server->open_handles = 5;
        (void)uv_check_start(&server->check, on_check);
        (void)uv_timer_start(&server->tick, on_tick, 0, server->settings->heartbeat_msec);
}

int server_new(uv_loop_t *loop, const Settings *settings, Inherited *inherited, Server **ret_server, Error *error) {
        Server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (Server){.loop = loop, .settings = settings, .members_stale = true, .started = clock_wall()};
        api_init(&server->api, &server_backend, server, auth_new(loop));
        server->api.is_secure = http_request_is_tls;
        service_manager_init(&server->manager);
        if (settings->client_tls.client_cert_auth)
                server->api.common_name = http_request_peer_cn;
        r = server->api.auth ? access_init(&server->api.access, settings->cors, settings->host_whitelist, error) : -ENOMEM;
        if (r >= 0)
                r = server_init(server, inherited, error);
        if (r < 0) {
                if (server->peers)
                        peers_close(server->peers, NULL, NULL);
                if (server->clients)
                        http_server_close(server->clients, NULL, NULL);
                if (server->members_http)
                        http_server_close(server->members_http, NULL, NULL);
                if (server->metrics_http)
                        http_server_close(server->metrics_http, NULL, NULL);
                server->closing = true;
                (void)uv_run(loop, UV_RUN_DEFAULT);
                (void)server_free(server, NULL);
                return r;
        }
        server_set_first_peers(server);
        server_log_recovery(server);
        server_start_loop(server);
        *ret_server = server;
        return 0;
}

/* ---- ending ---- */

static void on_handle_closed(uv_handle_t *handle) {
        ((Server *)handle->data)->open_handles--;
}

/* The worker threads' jobs still end by themselves: the loop waits for them. */
static void server_close(Server *server) {
        if (server->closing)
                return;
        server->closing = true;
        http_server_close(server->clients, NULL, NULL);
        http_server_close(server->members_http, NULL, NULL);
        if (server->metrics_http)
                http_server_close(server->metrics_http, NULL, NULL);
        peers_close(server->peers, NULL, NULL);
        turns_close(&server->turns, on_handle_closed);
        uv_close((uv_handle_t *)&server->check, on_handle_closed);
        uv_close((uv_handle_t *)&server->idle, on_handle_closed);
        uv_close((uv_handle_t *)&server->tick, on_handle_closed);
        uv_close((uv_handle_t *)&server->stop, on_handle_closed);
}

static void on_stop_timeout(uv_timer_t *timer) {
        server_close(timer->data);
}

void server_stop(Server *server) {
        if (server->stopping || server->closing)
                return;
        server->stopping = true;
        service_manager_stopping();
        http_server_stop_listening(server->clients);
        if (server->leader == replica_id(server->replica) && replica_hand_over(server->replica)) {
                log_info("handing leadership over");
                server->handing_over = true;
        }
        (void)uv_timer_start(&server->stop, on_stop_timeout, STOP_MSEC, 0);
        server_run(server);
}

int server_free(Server *server, Error *error) {
        int r = server->failed;

        assert(server->works == 0);
        if (r < 0 && error)
                *error = server->failure;
        server->members_watch = watcher_free(server->members_watch);
        replica_free(server->replica, false);
        cluster_view_deinit(&server->beginning.view);
        disk_directory_free(server->disk);
        members_deinit(&server->members);
        string_list_deinit(&server->advertised);
        (void)auth_free(server->api.auth);
        api_deinit(&server->api);
        (void)tls_context_free(server->client_tls);
        (void)tls_context_free(server->peer_tls);
        free(server);
        return r;
}
