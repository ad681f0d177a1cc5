#include "store/server.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "net/http-server.h"
#include "store/api/api.h"
#include "store/ask.h"
#include "store/beginning.h"
#include "store/log/disk-directory.h"
#include "store/members.h"
#include "store/membership.h"
#include "store/peer/peers.h"
#include "store/replica/replica.h"

/* What /version says: the server whose v2 protocol this one speaks. */
#define ETCD_VERSION "3.4.23"
#define ETCD_CLUSTER_VERSION "3.4.0"

enum {
        STOP_MSEC = 1000,       /* longest wait, before a stop, for another leader and for what is under way */
        STOP_HEARTBEATS = 2,    /* a former leader stays for so long: others send to it until they hear of the next */
        PUBLISH_RETRY_MSEC = 1000,
};

/* A request of the API that waits for the replica. */
typedef struct Waiting {
        Server *server;
        StoreDone done;
        void *data;
} Waiting;

/* A disk job on a worker thread. */
typedef struct Work {
        uv_work_t request;
        Server *server;
        DiskJob *job;
        int r;
} Work;

struct Server {
        uv_loop_t *loop;
        const Settings *settings;
        Disk *disk;
        Beginning beginning;
        Replica *replica; /* of the beginning */
        Peers *peers;
        HttpServer *clients;      /* serves clients */
        HttpServer *members_http; /* serves other members */
        Api api;
        Members members;
        bool members_stale;
        Watcher *members_watch;
        StringList advertised;
        uv_check_t check;
        uv_idle_t idle;
        uv_timer_t tick;
        uv_timer_t stop;
        unsigned open_handles;
        unsigned works;           /* on worker threads */
        bool stopping, closing;
        bool handing_over;
        bool last_turn;
        bool removal_logged, urls_checked;
        Usec leader_changed;
        bool in_run;
        bool published, publishing;
        Usec publish_retry;
        uint64_t leader;
        WallUsec started, leader_since;
        Error failure;
        int failed;
};

static void server_run(Server *server);
static void server_close(Server *server);

static Usec now_monotonic(void) {
        return clock_monotonic();
}

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
        int r = replica_receive(server->replica, from, frame);

        if (r < 0 && r != -EPERM)
                log_warning("member %" PRIx64 " sent a frame that makes no sense: the connection is closed", from);
        return r;
}

static void on_unreachable(void *userdata, uint64_t to) {
        replica_report_unreachable(((Server *)userdata)->replica, to);
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
        .is_removed = on_is_removed,
        .removed = on_removed,
};

/* ---- members ---- */

static int parse_urls(const StringList *texts, Url **ret_urls) {
        Url *urls = calloc(texts->length + 1, sizeof(*urls));
        size_t count = 0;

        if (!urls)
                return -ENOMEM;
        for (size_t i = 0; i < texts->length; i++)
                if (url_parse(texts->items[i], 0, &urls[count], NULL) >= 0)
                        count++;
        *ret_urls = urls;
        return (int)count;
}

static void server_update_peers(Server *server) {
        uint64_t ids[RAFT_MEMBERS_MAX];
        size_t count = 0;

        for (size_t i = 0; i < server->members.length && count < RAFT_MEMBERS_MAX; i++) {
                const StoreMember *member = &server->members.items[i];
                _cleanup_free_ Url *urls = NULL;
                int n = parse_urls(&member->peer_urls, &urls);

                ids[count++] = member->id;
                if (n > 0)
                        (void)peers_set(server->peers, member->id, urls, (size_t)n); /* tried again at the next change */
        }
        if (count > 0)
                peers_keep_only(server->peers, ids, count);
}

static void on_members_event(Watcher *watcher, void *userdata) {
        Server *server = userdata;
        Event *event;

        while ((event = watcher_take(watcher)))
                event_unref(event);
        server->members_stale = true;
        if (watcher_state(watcher) != WATCHER_WAITING)
                server->members_watch = watcher_free(server->members_watch);
}

static void server_watch_members(Server *server) {
        const WatchOptions options = {
                .path = slice_from(TREE_SYSTEM "/members"),
                .recursive = true,
                .stream = true,
                .ready = on_members_event,
                .userdata = server,
        };

        if (!server->members_watch && tree_watch(replica_tree(server->replica), &options, &server->members_watch, NULL) != 0)
                server->members_watch = NULL;
}

/* The cluster decides where a member is found; it can only be told. */
static void server_check_urls(Server *server) {
        const StoreMember *self = members_find(&server->members, replica_id(server->replica));
        char text[URL_TEXT_MAX];

        if (!self || server->urls_checked)
                return;
        server->urls_checked = true;
        for (size_t i = 0; i < server->settings->advertise_peer.length; i++) {
                url_format(&server->settings->advertise_peer.items[i], text);
                if (!string_list_contains(&self->peer_urls, text))
                        log_warning("--initial-advertise-peer-urls has %s, but the cluster finds this member at %s: tell it with "
                                    "\"faering store member update %" PRIx64 " %s\", or correct the option",
                                    text, self->peer_urls.length ? self->peer_urls.items[0] : "no URL", self->id, text);
        }
}

static void server_refresh_members(Server *server) {
        server_watch_members(server);
        if (!server->members_stale)
                return;
        if (members_read(&server->members, replica_tree(server->replica)) < 0)
                return;
        server->members_stale = false;
        if (server->members.length > 0)
                server_update_peers(server);
        server_check_urls(server);
}

static bool server_is_published(const Server *server) {
        const StoreMember *self = members_find(&server->members, replica_id(server->replica));

        if (!self || !str_equals(self->name, server->settings->name) || self->client_urls.length != server->advertised.length)
                return false;
        for (size_t i = 0; i < server->advertised.length; i++)
                if (!str_equals(self->client_urls.items[i], server->advertised.items[i]))
                        return false;
        return true;
}

static void on_published(void *userdata, const ReplicaResult *result) {
        Server *server = userdata;

        server->publishing = false;
        if (result->r < 0)
                server->publish_retry = now_monotonic() + PUBLISH_RETRY_MSEC * USEC_PER_MSEC;
}

/* Tells the cluster this member's name and client URLs. */
static void server_publish(Server *server) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT, value = BUFFER_INIT;
        Command command = {.kind = COMMAND_SET};

        if (server->publishing || server->published || server->members_stale || server->members.length == 0 ||
            now_monotonic() < server->publish_retry)
                return;
        server->published = server_is_published(server);
        if (server->published || server->leader == RAFT_ID_NONE)
                return;
        if (members_attributes_path(&path, replica_id(server->replica)) < 0 ||
            members_format_attributes(&value, server->settings->name, &server->advertised) < 0)
                return;
        command.path = (Slice){buffer_data(&path), buffer_length(&path)};
        command.value = (Slice){buffer_data(&value), buffer_length(&value)};
        command.time = clock_wall();
        if (replica_propose(server->replica, &command, on_published, server, NULL) >= 0)
                server->publishing = true;
}

/* ---- the loop ---- */

static void server_note_leader(Server *server) {
        uint64_t leader = raft_basic_status(replica_raft(server->replica)).soft_state.leader;

        if (leader == server->leader)
                return;
        server->leader = leader;
        server->leader_since = clock_wall();
        server->leader_changed = now_monotonic();
        if (leader == RAFT_ID_NONE)
                log_info("no leader at present");
        else
                log_info("member %" PRIx64 " leads%s", leader, leader == replica_id(server->replica) ? ": this one" : "");
}

/* What came before the stop is answered first, and whoever still takes this member for the leader is served. */
static bool server_may_close(const Server *server) {
        Usec stay = STOP_HEARTBEATS * server->settings->heartbeat_msec * USEC_PER_MSEC;

        if (!replica_is_quiet(server->replica))
                return false;
        return !server->handing_over || (server->leader != replica_id(server->replica) && server->leader != RAFT_ID_NONE &&
                                         now_monotonic() - server->leader_changed >= stay);
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

/* All that has come in this turn is one batch: carried out here, after the input and before the loop sleeps. */
static void server_run(Server *server) {
        bool more;

        if (server->closing || server->in_run)
                return;
        server->in_run = true;
        replica_tick(server->replica, now_monotonic(), clock_wall());
        more = replica_run(server->replica);
        peers_flush(server->peers);
        server_note_leader(server);
        server_consider_end(server);
        if (!server->closing) {
                server_refresh_members(server);
                server_publish(server);
                server_sleep(server, !more && !server->last_turn);
        }
        server->in_run = false;
}

static void on_check(uv_check_t *check) {
        server_run(check->data);
}

static void on_tick(uv_timer_t *timer) {
        server_run(timer->data);
}

/* ---- what the API asks for ---- */

static Tree *backend_tree(void *userdata) {
        return replica_tree(((Server *)userdata)->replica);
}

static WallUsec backend_now(void *userdata) {
        (void)userdata;
        return clock_wall();
}

static const char *reason_text(int r) {
        switch (r) {
        case -ETIMEDOUT:
                return "etcdserver: request timed out";
        case -ECANCELED:
        case -ESHUTDOWN:
                return "etcdserver: server stopped";
        case -EBUSY:
                return "etcdserver: too many requests";
        case -ENOMEM:
                return "etcdserver: out of memory";
        default:
                return "etcdserver: request failed";
        }
}

static void on_replica_done(void *userdata, const ReplicaResult *result) {
        Waiting waiting = *(Waiting *)userdata;
        StoreOutcome outcome = {
                .r = result->r < 0 ? result->r : result->code,
                .event = result->event,
                .error = result->error,
                .reason = result->r < 0 ? reason_text(result->r) : NULL,
        };

        free(userdata);
        waiting.done(waiting.data, &outcome);
}

static void refuse(StoreDone done, void *data, int r) {
        done(data, &(StoreOutcome){.r = r, .reason = reason_text(r)});
}

static Waiting *waiting_new(Server *server, StoreDone done, void *data) {
        Waiting *waiting = malloc(sizeof(*waiting));

        if (waiting)
                *waiting = (Waiting){server, done, data};
        return waiting;
}

static void backend_propose(void *userdata, const Command *command, StoreDone done, void *data) {
        Server *server = userdata;
        Waiting *waiting = waiting_new(server, done, data);
        int r = server->stopping ? -ESHUTDOWN
                : waiting        ? replica_propose(server->replica, command, on_replica_done, waiting, NULL)
                                 : -ENOMEM;

        if (r >= 0)
                return;
        free(waiting);
        refuse(done, data, r);
}

static void backend_read_index(void *userdata, Usec timeout, StoreDone done, void *data) {
        Server *server = userdata;
        Waiting *waiting = waiting_new(server, done, data);
        int r = waiting ? replica_read(server->replica, timeout, on_replica_done, waiting, NULL) : -ENOMEM;

        if (r >= 0)
                return;
        free(waiting);
        refuse(done, data, r);
}

static void backend_change_member(void *userdata, const StoreMemberChange *change, StoreDone done, void *data) {
        Server *server = userdata;
        const Membership membership = {
                .replica = server->replica,
                .members = &server->members,
                .peers = server->peers,
                .strict = server->settings->strict_reconfig_check,
        };

        if (server->stopping)
                refuse(done, data, -ESHUTDOWN);
        else
                membership_change(&membership, change, reason_text, done, data);
}

static void backend_status(void *userdata, StoreStatus *ret_status) {
        Server *server = userdata;
        ReplicaCounts counts = replica_counts(server->replica);

        *ret_status = (StoreStatus){
                .cluster_id = replica_cluster(server->replica),
                .member_id = replica_id(server->replica),
                .leader_id = server->leader,
                .raft_index = counts.applied_index,
                .raft_term = raft_basic_status(replica_raft(server->replica)).hard_state.term,
                .name = server->settings->name,
                .version = ETCD_VERSION,
                .cluster_version = ETCD_CLUSTER_VERSION,
                .started = server->started,
                .leader_since = server->leader_since,
                .received_appends = counts.appends_received,
                .sent_appends = counts.appends_sent,
        };
}

static const StoreMember *backend_members(void *userdata, size_t *ret_count) {
        Server *server = userdata;

        *ret_count = server->members.length;
        return server->members.items;
}

static bool backend_followers(void *userdata, const StoreFollower **ret_followers, size_t *ret_count) {
        static StoreFollower followers[RAFT_MEMBERS_MAX];
        Server *server = userdata;
        size_t count = 0;

        if (server->leader != replica_id(server->replica))
                return false;
        for (size_t i = 0; i < server->members.length && count < RAFT_MEMBERS_MAX; i++) {
                uint64_t id = server->members.items[i].id;
                ReplicaFollower follower;

                if (id == replica_id(server->replica))
                        continue;
                follower = replica_follower(server->replica, id);
                followers[count++] = (StoreFollower){
                        .id = id,
                        .latency = follower.latency,
                        .latency_average = follower.average,
                        .latency_deviation = follower.deviation,
                        .latency_minimum = follower.minimum,
                        .latency_maximum = follower.maximum,
                        .success = follower.answers,
                        .fail = follower.failures,
                };
        }
        *ret_followers = followers;
        *ret_count = count;
        return true;
}

static const StoreBackend server_backend = {
        .tree = backend_tree,
        .now = backend_now,
        .propose = backend_propose,
        .read_index = backend_read_index,
        .change_member = backend_change_member,
        .status = backend_status,
        .members = backend_members,
        .followers = backend_followers,
};

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

static void on_member_request(void *userdata, HttpRequest *request) {
        Server *server = userdata;
        Slice path = http_request_path(request);

        if (slice_equals(path, slice_from(PEERS_PATH)))
                peers_handle(server->peers, request);
        else if (slice_equals(path, slice_from(ASK_PATH)))
                respond_view(server, request);
        else
                http_respond_text(request, 404, "404 page not found\n");
}

static const HttpServerOps client_ops = {.handle = api_handle};
static const HttpServerOps member_ops = {.handle = on_member_request};

/* ---- beginning ---- */

static int server_listen(HttpServer *http, const UrlList *urls, Error *error) {
        for (size_t i = 0; i < urls->length; i++) {
                int r = http_server_listen(http, &urls->items[i], 0660, NULL, NULL, error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int server_start_handles(Server *server) {
        const PeersConfig peers = {replica_cluster(server->replica), replica_id(server->replica)};

        server->peers = peers_new(server->loop, &peers, &peers_ops, server);
        server->clients = http_server_new(server->loop, &client_ops, &server->api, NULL);
        server->members_http = http_server_new(server->loop, &member_ops, server, NULL);
        return server->peers && server->clients && server->members_http ? 0 : -ENOMEM;
}

/* The addresses of the first moment; from the first applied entry on the tree knows them. */
static void server_set_first_peers(Server *server) {
        const Bootstrap *founders = &server->settings->bootstrap;
        const ClusterView *view = &server->beginning.view;

        for (size_t i = 0; i < view->count; i++) {
                _cleanup_free_ Url *urls = NULL;
                int n = parse_urls(&view->members[i].peer_urls, &urls);

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

static int server_init(Server *server, Error *error) {
        const Settings *settings = server->settings;
        char text[URL_TEXT_MAX];
        int r;

        for (size_t i = 0; i < settings->advertise_client.length; i++) {
                url_format(&settings->advertise_client.items[i], text);
                r = string_list_add(&server->advertised, text);
                if (r < 0)
                        return r;
        }
        r = disk_directory_new(settings->data_dir, &server->disk, error);
        if (r >= 0)
                r = beginning_open(server->loop, settings, server->disk, &replica_ops, server, &server->beginning, error);
        server->replica = server->beginning.replica;
        if (r >= 0)
                r = server_start_handles(server);
        if (r >= 0)
                r = server_listen(server->members_http, &settings->listen_peer, error);
        if (r >= 0)
                r = server_listen(server->clients, &settings->listen_client, error);
        return r;
}

static void server_start_loop(Server *server) {
        (void)uv_check_init(server->loop, &server->check);
        (void)uv_idle_init(server->loop, &server->idle);
        (void)uv_timer_init(server->loop, &server->tick);
        (void)uv_timer_init(server->loop, &server->stop);
        server->check.data = server->idle.data = server->tick.data = server->stop.data = server;
        server->open_handles = 4;
        (void)uv_check_start(&server->check, on_check);
        (void)uv_timer_start(&server->tick, on_tick, 0, server->settings->heartbeat_msec);
}

int server_new(uv_loop_t *loop, const Settings *settings, Server **ret_server, Error *error) {
        Server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return -ENOMEM;
        *server = (Server){.loop = loop, .settings = settings, .members_stale = true, .started = clock_wall()};
        server->api = (Api){&server_backend, server};
        r = server_init(server, error);
        if (r < 0) {
                if (server->peers)
                        peers_close(server->peers, NULL, NULL);
                if (server->clients)
                        http_server_close(server->clients, NULL, NULL);
                if (server->members_http)
                        http_server_close(server->members_http, NULL, NULL);
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
        peers_close(server->peers, NULL, NULL);
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
        free(server);
        return r;
}
