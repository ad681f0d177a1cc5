#include "store/settings.h"

#include <errno.h>

#include "store/api/access.h"
#include "base/log.h"
#include "store/settings-file.h"
#include "store/settings-old.h"
#include "store/tree/hub.h"

#define DEFAULT_CLIENT_URLS "http://127.0.0.1:2379,http://127.0.0.1:4001"
#define DEFAULT_PEER_URLS "http://127.0.0.1:2380"

enum {
        SETTINGS_OPTIONS = 40 + SETTINGS_DISCOVERY_OPTIONS + SETTINGS_PROXY_OPTIONS + SETTINGS_OLD_OPTIONS + SETTINGS_TLS_OPTIONS + SETTINGS_FOREIGN_OPTIONS,
        /* An election must wait for several heartbeats, or leaders change for no reason. */
        ELECTION_HEARTBEATS_MIN = 5,
        ELECTION_MSEC_MAX = 50000,
};

const Option *settings_options(Settings *s) {
        static Option options[SETTINGS_OPTIONS];
        const Option table[] = {
                {"name", 0, OPTION_STRING, "NAME", "ETCD_NAME", "this member's name (default: default)", &s->name, NULL},
                {"data-dir", 0, OPTION_STRING, "DIR", "ETCD_DATA_DIR", "where the data lives (default: NAME.etcd)", &s->data_dir,
                 NULL},
                {"wal-dir", 0, OPTION_STRING, "DIR", "ETCD_WAL_DIR", "where the log lives, apart from the data (default: in data-dir)",
                 &s->wal_dir, NULL},
                {"config-file", 0, OPTION_STRING, "FILE", "ETCD_CONFIG_FILE",
                 "all settings as keys of a YAML file; what else is given counts for nothing", &s->config_file, NULL},
                {"hand-over-to", 0, OPTION_STRING, "USER", NULL, "only make data-dir and wal-dir USER's, as root", &s->hand_over_to, NULL},
                {"listen-client-urls", 0, OPTION_STRING, "URLS", "ETCD_LISTEN_CLIENT_URLS",
                 "where clients are served (default: " DEFAULT_CLIENT_URLS ")", &s->listen_client_urls, NULL},
                {"advertise-client-urls", 0, OPTION_STRING, "URLS", "ETCD_ADVERTISE_CLIENT_URLS",
                 "where clients find this member (default: as listen-client-urls)", &s->advertise_client_urls, NULL},
                {"listen-peer-urls", 0, OPTION_STRING, "URLS", "ETCD_LISTEN_PEER_URLS",
                 "where other members are served (default: " DEFAULT_PEER_URLS ")", &s->listen_peer_urls, NULL},
                {"initial-advertise-peer-urls", 0, OPTION_STRING, "URLS", "ETCD_INITIAL_ADVERTISE_PEER_URLS",
                 "where other members find this one (default: as listen-peer-urls)", &s->initial_advertise_peer_urls, NULL},
                {"initial-cluster", 0, OPTION_STRING, "NAME=URL,…", "ETCD_INITIAL_CLUSTER",
                 "all members of a cluster that begins (default: this one alone)", &s->initial_cluster, NULL},
                {"initial-cluster-state", 0, OPTION_STRING, "new|existing", "ETCD_INITIAL_CLUSTER_STATE",
                 "whether the cluster begins now, or has added this member (default: new)", &s->initial_cluster_state, NULL},
                {"initial-cluster-token", 0, OPTION_STRING, "TOKEN", "ETCD_INITIAL_CLUSTER_TOKEN",
                 "tells clusters apart that were given the same URLs (default: etcd-cluster)", &s->initial_cluster_token, NULL},
                {"force-new-cluster", 0, OPTION_SWITCH, NULL, "ETCD_FORCE_NEW_CLUSTER",
                 "go on alone with this member's data, when a majority is lost for good", &s->force_new_cluster, NULL},
                {"strict-reconfig-check", 0, OPTION_SWITCH, NULL, "ETCD_STRICT_RECONFIG_CHECK",
                 "refuse a removal after which the cluster would stand still (default: true)", &s->strict_reconfig_check, NULL},
                {"heartbeat-interval", 0, OPTION_U64, "MSEC", "ETCD_HEARTBEAT_INTERVAL",
                 "time between a leader's heartbeats (default: 100)", &s->heartbeat_msec, NULL},
                {"election-timeout", 0, OPTION_U64, "MSEC", "ETCD_ELECTION_TIMEOUT",
                 "silence after which a member stands for election (default: 1000)", &s->election_msec, NULL},
                {"snapshot-count", 0, OPTION_U64, "N", "ETCD_SNAPSHOT_COUNT",
                 "entries after which a snapshot is made (default: 10000)", &s->snapshot_count, NULL},
                {"snapshot-catchup-entries", 0, OPTION_U64, "N", "ETCD_SNAPSHOT_CATCHUP_ENTRIES",
                 "entries kept behind a snapshot, for members that lag (default: 5000)", &s->catchup_entries, NULL},
                {"experimental-snapshot-catchup-entries", 0, OPTION_U64, "N", "ETCD_EXPERIMENTAL_SNAPSHOT_CATCHUP_ENTRIES", NULL,
                 &s->catchup_entries, NULL},
                {"listen-metrics-urls", 0, OPTION_STRING, "URLS", "ETCD_LISTEN_METRICS_URLS",
                 "where only /metrics and /health are served, besides (default: nowhere)", &s->listen_metrics_urls, NULL},
                {"experimental-warning-apply-duration", 0, OPTION_DURATION, "TIME", "ETCD_EXPERIMENTAL_WARNING_APPLY_DURATION",
                 "work on entries that takes longer is told in the log (default: 100ms)", &s->warning_apply, NULL},
                {"cors", 0, OPTION_STRING, "ORIGIN,…", "ETCD_CORS",
                 "sites whose scripts may use this store from a browser (default: * for all)", &s->cors, NULL},
                {"host-whitelist", 0, OPTION_STRING, "HOST,…", "ETCD_HOST_WHITELIST",
                 "host names that plain HTTP may ask for (default: * for all)", &s->host_whitelist, NULL},
                {"max-connections", 0, OPTION_U64, "N", "ETCD_MAX_CONNECTIONS",
                 "clients at a time; further ones are answered 503 (default: 20000)", &s->max_connections, NULL},
                {"max-request-bytes", 0, OPTION_U64, "N", "ETCD_MAX_REQUEST_BYTES",
                 "largest body of a request; above it is answered 413 (default: 67108864)", &s->max_request_bytes, NULL},
                {"max-waiting-bytes", 0, OPTION_U64, "N", "ETCD_MAX_WAITING_BYTES",
                 "memory for bodies that come, and as much for answers that go, of all clients together; then large ones are "
                 "answered 503 (default: 536870912)",
                 &s->max_waiting_bytes, NULL},
                {"max-watch-events", 0, OPTION_U64, "N", "ETCD_MAX_WATCH_EVENTS",
                 "events that wait for a client that watches and is slow; then its watch ends (default: 100)",
                 &s->max_watch_events, NULL},
                {"enable-v2", 0, OPTION_SWITCH, NULL, "ETCD_ENABLE_V2", "accepted: this server speaks v2", &s->enable_v2, NULL},
                {"log-level", 0, OPTION_STRING, "LEVEL", "ETCD_LOG_LEVEL", "debug, info, warn or error (default: info)", &s->log_level,
                 NULL},
                {"debug", 0, OPTION_SWITCH, NULL, "ETCD_DEBUG", "log more", &s->debug, NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &s->version, NULL},
                {"help", 0, OPTION_SWITCH, NULL, NULL, "print this", &s->help, NULL},
        };
        size_t n = ARRAY_SIZE(table);

        _Static_assert(ARRAY_SIZE(table) + SETTINGS_DISCOVERY_OPTIONS + SETTINGS_PROXY_OPTIONS + SETTINGS_OLD_OPTIONS + SETTINGS_TLS_OPTIONS +
                                       SETTINGS_FOREIGN_OPTIONS <
                               SETTINGS_OPTIONS,
                       "room for all options");
        memcpy(options, table, sizeof(table));
        n += settings_discovery_options(&s->discovery, options + n);
        n += settings_proxy_options(&s->proxy, options + n);
        n += settings_tls_options(s, options + n);
        n += settings_old_options(s, options + n);
        n += settings_foreign_options(&s->foreign, options + n);
        options[n] = (Option){0};
        return options;
}

void settings_deinit(Settings *s) {
        char *strings[] = {s->name, s->data_dir, s->wal_dir, s->config_file, s->hand_over_to, s->listen_client_urls, s->advertise_client_urls, s->listen_peer_urls,
                           s->initial_advertise_peer_urls, s->initial_cluster, s->initial_cluster_state,
                           s->initial_cluster_token, s->cors, s->host_whitelist, s->log_level, s->listen_metrics_urls,
                           s->cipher_suites};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        settings_discovery_deinit(&s->discovery);
        free(s->proxy.mode);
        settings_old_deinit(&s->old);
        settings_foreign_deinit(&s->foreign);
        settings_tls_deinit(&s->client_tls);
        settings_tls_deinit(&s->peer_tls);
        free(s->listen_client.items);
        free(s->advertise_client.items);
        free(s->listen_peer.items);
        free(s->advertise_peer.items);
        free(s->listen_metrics.items);
        bootstrap_deinit(&s->bootstrap);
        *s = (Settings){0};
}

static int set_default(char **target, const char *value) {
        if (*target && **target)
                return 0;
        free(*target);
        *target = strdup(value);
        return *target ? 0 : -ENOMEM;
}

static int parse_urls(const char *option, const char *text, UrlList *ret, Error *error) {
        int r = url_parse_list(text, 0, &ret->items, &ret->length, error);

        return r < 0 ? error_prefix(error, r, "--%s", option) : 0;
}

/* By a token's URL the cluster is told from others that had the same addresses. */
static const char *settings_token(const Settings *s) {
        return s->discovery.url && *s->discovery.url ? s->discovery.url : s->initial_cluster_token;
}

static int settle_cluster(Settings *s, Error *error) {
        _cleanup_buffer_ Buffer alone = BUFFER_INIT;
        char text[URL_TEXT_MAX];
        int r;

        for (size_t i = 0; i < s->advertise_peer.length; i++) {
                url_format(&s->advertise_peer.items[i], text);
                (void)buffer_printf(&alone, "%s%s=%s", i ? "," : "", s->name, text);
        }
        if (!buffer_string(&alone))
                return -ENOMEM;
        r = set_default(&s->initial_cluster, buffer_string(&alone));
        return r < 0 ? r : bootstrap_parse(s->initial_cluster, settings_token(s), &s->bootstrap, error);
}

static int check_limit(const char *option, uint64_t value, uint64_t least, uint64_t most, Error *error) {
        if (value >= least && value <= most)
                return 0;
        return error_set(error, -EINVAL, "--%s is %llu: it must be from %llu to %llu", option, (unsigned long long)value,
                         (unsigned long long)least, (unsigned long long)most);
}

static int settings_check_limits(const Settings *s, Error *error) {
        int r;

        r = check_limit("max-connections", s->max_connections, 1, 1000000, error);
        if (r >= 0)
                r = check_limit("max-request-bytes", s->max_request_bytes, 1024, (uint64_t)512 << 20, error);
        if (r >= 0)
                r = check_limit("max-waiting-bytes", s->max_waiting_bytes, 1 << 20, (uint64_t)1 << 40, error);
        if (r >= 0)
                r = check_limit("max-watch-events", s->max_watch_events, 10, WATCHER_QUEUE_LIMIT, error);
        if (r >= 0)
                r = check_limit("snapshot-catchup-entries", s->catchup_entries, 1, 100000000, error);
        return r;
}

/* etcd's names; those above error end the program there, which nothing does here. */
int settings_log_level(const Settings *s) {
        static const struct {
                const char *name;
                LogLevel level;
        } levels[] = {{"debug", LOG_LEVEL_DEBUG}, {"info", LOG_LEVEL_INFO},   {"warn", LOG_LEVEL_WARNING}, {"warning", LOG_LEVEL_WARNING},
                      {"error", LOG_LEVEL_ERROR}, {"dpanic", LOG_LEVEL_ERROR}, {"panic", LOG_LEVEL_ERROR}, {"fatal", LOG_LEVEL_ERROR}};

        if (s->debug || !s->log_level || !*s->log_level)
                return s->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
        for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
                if (str_equals(levels[i].name, s->log_level))
                        return (int)levels[i].level;
        return -EINVAL;
}

static int settings_check(Settings *s, Error *error) {
        _cleanup_access_ Access access = {0};
        int r;

        if (!str_equals(s->initial_cluster_state, "new") && !str_equals(s->initial_cluster_state, "existing"))
                return error_set(error, -EINVAL, "--initial-cluster-state is \"%s\": it must be new or existing",
                                 s->initial_cluster_state);
        if (s->heartbeat_msec == 0 || s->election_msec < s->heartbeat_msec * ELECTION_HEARTBEATS_MIN)
                return error_set(error, -EINVAL, "--election-timeout (%llu ms) must be at least %d times --heartbeat-interval (%llu ms)",
                                 (unsigned long long)s->election_msec, ELECTION_HEARTBEATS_MIN,
                                 (unsigned long long)s->heartbeat_msec);
        if (s->election_msec > ELECTION_MSEC_MAX)
                return error_set(error, -EINVAL, "--election-timeout may be at most %d ms", ELECTION_MSEC_MAX);
        r = settings_log_level(s);
        if (r < 0)
                return error_set(error, r, "--log-level is \"%s\": it must be debug, info, warn or error", s->log_level);
        r = settings_check_limits(s, error);
        if (r >= 0)
                r = settings_proxy_check(&s->proxy, error);
        if (r < 0)
                return r;
        r = access_init(&access, s->cors, s->host_whitelist, error);
        if (r >= 0)
                r = parse_urls("listen-client-urls", s->listen_client_urls, &s->listen_client, error);
        if (r >= 0)
                r = parse_urls("advertise-client-urls", s->advertise_client_urls, &s->advertise_client, error);
        if (r >= 0)
                r = parse_urls("listen-peer-urls", s->listen_peer_urls, &s->listen_peer, error);
        if (r >= 0)
                r = parse_urls("initial-advertise-peer-urls", s->initial_advertise_peer_urls, &s->advertise_peer, error);
        if (r >= 0 && s->listen_metrics_urls && *s->listen_metrics_urls)
                r = parse_urls("listen-metrics-urls", s->listen_metrics_urls, &s->listen_metrics, error);
        if (r >= 0)
                r = settings_tls_check(s, error);
        return r < 0 ? r : settle_cluster(s, error);
}

static int settings_fill(Settings *s) {
        _cleanup_free_ char *directory = NULL;
        int r;

        r = set_default(&s->name, "default");
        if (r >= 0)
                r = set_default(&s->cors, "*");
        if (r >= 0)
                r = set_default(&s->proxy.mode, "off");
        if (r >= 0)
                r = set_default(&s->discovery.fallback, "proxy");
        if (r >= 0)
                r = set_default(&s->host_whitelist, "*");
        if (r < 0)
                return r;
        directory = str_printf("%s.etcd", s->name);
        if (!directory)
                return -ENOMEM;
        r = set_default(&s->data_dir, directory);
        if (r >= 0)
                r = set_default(&s->listen_client_urls, DEFAULT_CLIENT_URLS);
        if (r >= 0)
                r = set_default(&s->advertise_client_urls, s->listen_client_urls);
        if (r >= 0)
                r = set_default(&s->listen_peer_urls, DEFAULT_PEER_URLS);
        if (r >= 0)
                r = set_default(&s->initial_advertise_peer_urls, s->listen_peer_urls);
        if (r >= 0)
                r = set_default(&s->initial_cluster_state, "new");
        if (r >= 0)
                r = set_default(&s->initial_cluster_token, "etcd-cluster");
        return r;
}

#define SETTINGS_DEFAULTS                                                                                                       \
        ((Settings){                                                                                                            \
                .heartbeat_msec = 100,                                                                                          \
                .election_msec = 1000,                                                                                          \
                .snapshot_count = 10000,                                                                                        \
                .catchup_entries = 5000,                                                                                        \
                .warning_apply = 100 * USEC_PER_MSEC,                                                                           \
                .strict_reconfig_check = true,                                                                                  \
                .proxy = SETTINGS_PROXY_DEFAULT,                                                                                \
                .max_connections = 20000,                                                                                       \
                .max_request_bytes = (uint64_t)64 << 20,                                                                        \
                .max_waiting_bytes = (uint64_t)512 << 20,                                                                       \
                .max_watch_events = WATCHER_QUEUE_MAX,                                                                          \
        })

/* As etcd has it: a file stands alone; flags and variables beside it count for nothing. */
static int settings_from_file(Settings *s, Error *error) {
        Settings fresh = SETTINGS_DEFAULTS;

        fresh.config_file = take_ptr(s->config_file);
        fresh.hand_over_to = take_ptr(s->hand_over_to);
        settings_deinit(s);
        *s = fresh;
        return settings_file_read(s->config_file, settings_options(s), error);
}

int settings_parse(int argc, char *const *argv, Settings *ret_settings, Error *error) {
        _cleanup_(settings_deinit) Settings settings = SETTINGS_DEFAULTS;
        _cleanup_string_list_ StringList arguments = {0};
        int r;

        r = options_parse(settings_options(&settings), OPTIONS_GO, argc, argv, &arguments, error);
        if (r < 0)
                return r;
        if (!settings.help && !settings.version) {
                if (arguments.length > 0)
                        return error_set(error, -EINVAL, "\"%s\" is no option; see --help", arguments.items[0]);
                r = settings.config_file && *settings.config_file ? settings_from_file(&settings, error) : 0;
                if (r >= 0)
                        r = settings_old_take_up(&settings, error);
                if (r >= 0)
                        r = settings_discovery_check(&settings, error);
                if (r >= 0)
                        r = settings_fill(&settings);
                if (r >= 0)
                        r = settings_check(&settings, error);
                if (r < 0)
                        return r;
        }
        *ret_settings = settings;
        settings = (Settings){0};
        return 0;
}
