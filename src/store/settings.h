#pragma once
/* faering-store's settings: etcd's flags, their ETCD_* variables, and what follows from them. */
#include "base/options.h"
#include "store/bootstrap.h"
#include "store/settings-discovery.h"
#include "store/settings-foreign.h"
#include "store/settings-proxy.h"
#include "store/settings-tls.h"

typedef struct UrlList {
        Url *items;
        size_t length;
} UrlList;

/* What flags of etcd 0.4 gave: settings-old.h. */
typedef struct SettingsOld {
        char *addr, *bind_addr, *peer_addr, *peer_bind_addr, *peers;
        bool ignored;
} SettingsOld;

void settings_old_deinit(SettingsOld *old);

struct Settings {
        char *name;
        char *data_dir;
        char *wal_dir;       /* NULL or "": in data_dir */
        char *config_file;   /* NULL or "": none. With one, nothing else that was given counts */
        char *hand_over_to;  /* only this is done: hand-over.h */
        char *listen_client_urls, *advertise_client_urls, *listen_peer_urls, *initial_advertise_peer_urls;
        char *initial_cluster, *initial_cluster_state, *initial_cluster_token;
        char *cors, *host_whitelist;
        uint64_t heartbeat_msec, election_msec;
        uint64_t snapshot_count, catchup_entries;
        uint64_t max_connections, max_request_bytes, max_waiting_bytes, max_watch_events;
        bool force_new_cluster;
        bool strict_reconfig_check;
        bool enable_v2;
        bool debug;
        bool help, version;

        char *log_level;
        char *listen_metrics_urls; /* NULL or "": none of their own */
        char *cipher_suites;       /* by Go's names; NULL or "": the default */
        Usec warning_apply;        /* longer work of one turn is told in the log */

        SettingsOld old;
        SettingsForeign foreign;
        SettingsDiscovery discovery;
        SettingsProxy proxy;
        SettingsTls client_tls, peer_tls;

        UrlList listen_client, advertise_client, listen_peer, advertise_peer, listen_metrics;
        Bootstrap bootstrap;
};

/* The table of options with `settings` as their target; valid until the next call. */
const Option *settings_options(Settings *settings);

/* From the command line and the environment; checked. -EINVAL with `error`. */
int settings_parse(int argc, char *const *argv, Settings *ret_settings, Error *error);
void settings_deinit(Settings *settings);

/* A LogLevel; -EINVAL: --log-level names none. */
int settings_log_level(const Settings *settings);

/* -ENOMEM. The text of --help. */
int settings_format_help(Buffer *buffer);
