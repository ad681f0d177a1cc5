#include "fleet/server.h"

#include <errno.h>

#include "base/log.h"
#include "fleet/agent/agent.h"
#include "fleet/agent/health-probe.h"
#include "fleet/api/api.h"
#include "fleet/cluster.h"
#include "fleet/dump.h"
#include "fleet/engine.h"
#include "fleet/listeners.h"
#include "fleet/presence.h"
#include "storeclient/http-storeclient.h"

enum {
        LEASE_SEC_MAX = 10,
        GRACE_PARTS = 6,      /* of the TTL: the longest that a renewal under way takes to fail, see registry-write.c */
        GRACE_SEC = 2,        /* and a few tries after that */
        TEXT_AGE_TTLS = 4,
        TEXT_AGE_SEC_MIN = 10,
        LEAVE_MSEC = 60000,   /* longest wait for units to end, as fleet's */
        TELL_MSEC = 5000,     /* longest wait for the store when they have ended: what it keeps of this machine runs out by itself */
        YIELD_MSEC = 1000,    /* longest wait for requests under way */
        YIELD_STEP_MSEC = 20,
};

struct FleetServer {
        uv_loop_t *loop;
        const FleetSettings *settings;
        StoreClient *client;
        Registry *registry;
        Cluster cluster;
        Engine *engine;
        Agent *agent;
        Presence *presence;
        HealthProber *prober; /* of the agent */
        Supervisor *supervisor;
        HttpServer *http;
        HttpClient *others;   /* asks other machines' daemons */
        TlsContext *store_tls; /* to the store */
        TlsContext *api_tls;   /* of the API, here and on other machines */
        FleetApi api;
        uv_timer_t retry;     /* the registry's */
        void (*retry_expired)(void *registry);
        void *retry_data;
        uv_timer_t timer;     /* engine and presence */
        uv_timer_t leave;     /* also: yields */
        void (*yielded)(void *userdata);
        void *yielded_data;
        unsigned yield_steps;
        uv_check_t check;
        bool partitioned;     /* see presence_is_partitioned() */
        bool awake;           /* something has changed in this turn */
        bool handles_open, stopping, closing;
        bool telling;         /* stopping: all units have ended, the store is told */
};

static void server_run(FleetServer *server);
static void server_close(FleetServer *server);
static void server_note_leave(FleetServer *server);

/* ---- the registry ---- */

static void on_retry_timer(uv_timer_t *timer) {
        FleetServer *server = timer->data;

        server->retry_expired(server->retry_data);
}

static void retry_start(void *userdata, Usec after, void (*expired)(void *registry), void *registry) {
        FleetServer *server = userdata;

        server->retry_expired = expired;
        server->retry_data = registry;
        (void)uv_timer_start(&server->retry, on_retry_timer, after / USEC_PER_MSEC, 0);
}

static void retry_stop(void *userdata) {
        FleetServer *server = userdata;

        if (server->handles_open && !uv_is_closing((uv_handle_t *)&server->retry))
                (void)uv_timer_stop(&server->retry);
}

static const RegistryTimer retry_timer = {retry_start, retry_stop};

static void on_changed(void *userdata, RegistryChange change, const char *subject) {
        FleetServer *server = userdata;

        if (cluster_update(&server->cluster, change, subject) < 0) /* it is done anew by cluster_picture() */
                agent_touch_all(server->agent);
        agent_registry_changed(server->agent, change, subject);
        if (change == REGISTRY_STATE)
                engine_state_changed(server->engine, subject);
        else
                engine_touch(server->engine);
        fleet_api_changed(&server->api);
        server->awake = true;
}

static void on_reachable(void *userdata, int r, const Error *error) {
        (void)userdata;
        if (r < 0)
                log_warning("the store cannot be reached, units stay as they are: %s", error->text);
        else
                log_info("the store answers again");
}

static const RegistryEvents registry_events = {.changed = on_changed, .reachable = on_reachable};

/* ---- notes and wakes ---- */

static void on_note(void *userdata, const char *text) {
        (void)userdata;
        log_info("%s", text);
}

static void on_wake(void *userdata) {
        ((FleetServer *)userdata)->awake = true;
}

static const EngineEvents engine_events = {.note = on_note, .wake = on_wake};
static bool rests(void *userdata, const RegistryUnit *unit) {
        FleetServer *server = userdata;
        const Picture *picture = server->partitioned ? cluster_picture(&server->cluster) : NULL;
        const PictureUnit *known = picture ? picture_unit(picture, unit->name) : NULL;

        return known && known->requirements->stop_on_partition;
}

static const AgentEvents agent_events = {.note = on_note, .wake = on_wake, .rests = rests};
static const PresenceEvents presence_events = {.note = on_note, .wake = on_wake};

static bool runs_global(void *userdata, const char *unit, bool is_here) {
        FleetServer *server = userdata;

        return cluster_runs_global(&server->cluster, server->settings->machine.id, unit, is_here);
}

/* ---- the API ---- */

static Picture *api_picture(void *userdata) {
        return cluster_picture(&((FleetServer *)userdata)->cluster);
}

static bool api_registered(void *userdata) {
        return presence_is_registered(((FleetServer *)userdata)->presence);
}

static void on_refused(void *userdata, const char *peer, const char *why, size_t more) {
        (void)userdata;
        log_warning("a client at %s was refused (%zu others before it): %s", peer, more, why);
}

static const HttpServerOps http_ops = {.handle = fleet_api_handle, .refused = on_refused};

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer) {
        FleetServer *server = timer->data;

        server->awake = true;
        server_run(server);
}

static Usec server_next(const FleetServer *server) {
        Usec next = min_of(engine_next(server->engine), presence_next(server->presence));

        return min_of(next, agent_next(server->agent));
}

static void server_arm(FleetServer *server, Usec now) {
        Usec next = server_next(server);

        if (next == USEC_INFINITY)
                (void)uv_timer_stop(&server->timer);
        else
                (void)uv_timer_start(&server->timer, on_timer, next > now ? (next - now) / USEC_PER_MSEC + 1 : 1, 0);
}

static void server_note_partition(FleetServer *server, bool partitioned) {
        if (partitioned == server->partitioned)
                return;
        server->partitioned = partitioned;
        agent_touch_all(server->agent);
        if (partitioned)
                log_warning("the store has not been reached for too long: units with OnPartition=stop end before others start them");
        else
                log_info("what has become of this machine's units is known again");
}

/* All that has changed in this turn is looked at once. */
static void server_run(FleetServer *server) {
        Usec now = clock_monotonic();

        /* the timer is set anew at the end of each turn, also of the one that it has ended: what is due is done here */
        if (!server->closing && server_next(server) <= now)
                server->awake = true;
        while (server->awake && !server->closing) {
                server->awake = false;
                presence_run(server->presence, now);
                server_note_partition(server, presence_is_partitioned(server->presence, now));
                if (presence_is_troubled(server->presence, now))
                        engine_doubt(server->engine, now);
                engine_run(server->engine, now);
                if (cluster_globals_have_changed(&server->cluster, server->settings->machine.id))
                        agent_touch_all(server->agent);
                agent_run(server->agent, now);
                server_note_leave(server);
        }
        if (!server->closing)
                server_arm(server, now);
}

static void on_check(uv_check_t *check) {
        server_run(check->data);
}

/* ---- beginning ---- */

static void server_init_handles(FleetServer *server) {
        (void)uv_timer_init(server->loop, &server->retry);
        (void)uv_timer_init(server->loop, &server->timer);
        (void)uv_timer_init(server->loop, &server->leave);
        (void)uv_check_init(server->loop, &server->check);
        server->retry.data = server->timer.data = server->leave.data = server->check.data = server;
        server->handles_open = true;
}

static int server_open_tls(FleetServer *server, Error *error) {
        const FleetSettings *settings = server->settings;
        const TlsSettings store = {
                .cert_file = settings->etcd_certfile,
                .key_file = settings->etcd_keyfile,
                .ca_file = settings->etcd_cafile,
                .ca_option = "etcd_cafile",
                .note = tls_log_note,
        };
        const TlsSettings api = {
                .cert_file = settings->cert_file,
                .key_file = settings->key_file,
                .ca_file = settings->ca_file,
                .ca_option = "--ca-file",
                .need_client_cert = true,
                .note = tls_log_note,
        };
        int r = 0;

        if (urls_have_https(settings->servers, settings->server_count))
                r = tls_context_new(&store, &server->store_tls, error);
        if (r >= 0 && settings->cert_file && *settings->cert_file)
                r = tls_context_new(&api, &server->api_tls, error);
        return r;
}

static int server_open_store(FleetServer *server) {
        const FleetSettings *settings = server->settings;
        int r = http_storeclient_new(server->loop, settings->servers, settings->server_count, &server->client);

        if (r >= 0)
                http_storeclient_set_tls(server->client, server->store_tls);
        if (r >= 0 && settings->etcd_username && *settings->etcd_username)
                r = http_storeclient_set_user(server->client, settings->etcd_username, settings->etcd_password);
        return r;
}

int fleet_server_new(uv_loop_t *loop, const FleetSettings *settings, FleetServer **ret_server, Error *error) {
        FleetServer *server = calloc(1, sizeof(*server));
        const EngineConfig engine = {
                .machine = settings->machine.id,
                .lease_ttl = min_of(settings->agent_ttl, LEASE_SEC_MAX * USEC_PER_SEC),
                .text_age = max_of(TEXT_AGE_TTLS * settings->agent_ttl, TEXT_AGE_SEC_MIN * USEC_PER_SEC),
                .grace = settings->agent_ttl / GRACE_PARTS + GRACE_SEC * USEC_PER_SEC,
                .disabled = settings->disable_engine,
        };
        const PartitionRule partition = {
                .ttl = settings->agent_ttl,
                .drift = (unsigned)settings->clock_drift,
                .margin = settings->partition_margin,
        };
        int r;

        if (!server)
                return -ENOMEM;
        server->loop = loop;
        server->settings = settings;
        server_init_handles(server);
        *ret_server = server;
        r = server_open_tls(server, error);
        if (r < 0)
                return r;
        r = server_open_store(server);
        if (r >= 0)
                r = registry_new(server->client, settings->etcd_key_prefix, &retry_timer, server, &registry_events, server,
                                 &server->registry);
        if (r >= 0) {
                cluster_init(&server->cluster, server->registry);
                r = engine_new(&engine, server->registry, &server->cluster, &engine_events, server, &server->engine);
        }
        if (r >= 0)
                r = agent_new(settings->machine.id, server->registry, &agent_events, runs_global, server, &server->agent);
        if (r >= 0) {
                server->prober = health_prober_new(loop);
                r = server->prober ? agent_enable_health(server->agent, &health_prober_ops, server->prober) : -ENOMEM;
        }
        if (r >= 0)
                r = presence_new(&settings->machine, &partition, server->registry, &presence_events, server,
                                 &server->presence);
        return r < 0 ? error_set_errno(error, r, "cannot begin") : 0;
}

void *fleet_server_agent(FleetServer *server) {
        return server->agent;
}

int fleet_server_start(FleetServer *server, Supervisor *supervisor, Error *error) {
        int r;

        server->supervisor = supervisor;
        server->others = http_client_new(server->loop, &(HttpClientConfig){.tls = server->api_tls});
        if (!server->others)
                return error_set(error, -ENOMEM, "no memory for the API");
        server->api = (FleetApi){
                .registry = server->registry,
                .machine = server->settings->machine.id,
                .state_dir = server->settings->state_dir,
                .supervisor = supervisor,
                .http = server->others,
                .picture = api_picture,
                .registered = api_registered,
                .userdata = server,
                .changes = 1,
        };
        list_init(&server->api.waiters);
        server->http = http_server_new(server->loop, &http_ops, &server->api, NULL);
        if (!server->http)
                return error_set(error, -ENOMEM, "no memory for the API");
        http_server_set_tls(server->http, server->api_tls);
        r = fleet_listeners_open(server->http, server->settings, error);
        if (r < 0)
                return r;
        (void)uv_check_start(&server->check, on_check);
        agent_start(server->agent, supervisor);
        registry_start(server->registry);
        return 0;
}

/* ---- ending ---- */

static void server_close_handle(uv_handle_t *handle) {
        if (!uv_is_closing(handle))
                uv_close(handle, NULL);
}

/* Until here the ends of the supervisor's work could still be told to the store. */
static void on_supervisor_closed(void *userdata) {
        FleetServer *server = userdata;

        server->supervisor = NULL;
        server->registry = registry_free(server->registry);
        server->client = http_storeclient_free(server->client);
}

static void server_close(FleetServer *server) {
        if (server->closing)
                return;
        server->closing = true;
        if (server->http)
                http_server_close(server->http, NULL, NULL);
        if (server->agent)
                agent_disable_health(server->agent);
        health_prober_close(server->prober);
        server->prober = NULL;
        if (server->others) /* after the server: its requests end their calls themselves */
                http_client_close(server->others);
        if (server->supervisor)
                server->supervisor->ops->close(server->supervisor, on_supervisor_closed, server);
        server_close_handle((uv_handle_t *)&server->retry);
        server_close_handle((uv_handle_t *)&server->timer);
        server_close_handle((uv_handle_t *)&server->leave);
        server_close_handle((uv_handle_t *)&server->check);
}

static void on_unregistered(void *userdata, const StoreReply *reply) {
        (void)reply; /* if the store did not hear of it, the registration runs out by itself */
        server_close(userdata);
}

/* Nothing runs here any more: the lease goes first, then the machine, and when the store has taken that, the program. */
static void on_left(void *userdata) {
        FleetServer *server = userdata;

        engine_release(server->engine);
        if (presence_leave(server->presence, on_unregistered, server) < 0)
                server_close(server);
}

static void on_leave_timeout(uv_timer_t *timer) {
        FleetServer *server = timer->data;

        log_warning("%s", server->telling ? "the store does not answer: what it has of this machine will run out by itself"
                                          : "some units have not ended in time: they are left as they are");
        server_close(server);
}

static void server_note_leave(FleetServer *server) {
        if (!server->stopping || server->yielded || server->telling || !agent_is_idle(server->agent))
                return;
        server->telling = true;
        (void)uv_timer_start(&server->leave, on_leave_timeout, TELL_MSEC, 0);
}

void fleet_server_stop(FleetServer *server) {
        if (server->stopping)
                return;
        server->stopping = true;
        (void)uv_timer_start(&server->leave, on_leave_timeout, LEAVE_MSEC, 0);
        agent_leave(server->agent, on_left);
        server->awake = true;
}

/* ---- the next life ---- */

static void on_yield_step(uv_timer_t *timer) {
        FleetServer *server = timer->data;

        if (http_server_busy(server->http) > 0 && ++server->yield_steps < YIELD_MSEC / YIELD_STEP_MSEC)
                return;
        (void)uv_timer_stop(timer);
        server->yielded(server->yielded_data);
}

void fleet_server_yield(FleetServer *server, void (*ready)(void *userdata), void *userdata) {
        if (server->stopping)
                return;
        server->stopping = true;
        server->yielded = ready;
        server->yielded_data = userdata;
        engine_release(server->engine);
        (void)uv_timer_start(&server->leave, on_yield_step, YIELD_STEP_MSEC, YIELD_STEP_MSEC);
}

int fleet_server_hand_over(FleetServer *server, Error *error) {
        return fleet_listeners_hand_over(server->http, server->settings, error);
}

int fleet_server_dump(const FleetServer *server, Buffer *text) {
        return fleet_dump(server->registry, server->settings->machine.id, presence_is_registered(server->presence), text);
}

FleetServer *fleet_server_free(FleetServer *server) {
        if (!server)
                return NULL;
        server_close(server);
        (void)uv_run(server->loop, UV_RUN_NOWAIT);
        if (!server->supervisor)
                on_supervisor_closed(server);
        (void)uv_run(server->loop, UV_RUN_DEFAULT);
        engine_free(server->engine);
        agent_free(server->agent);
        presence_free(server->presence);
        cluster_deinit(&server->cluster);
        (void)tls_context_free(server->store_tls);
        (void)tls_context_free(server->api_tls);
        free(server);
        return NULL;
}
