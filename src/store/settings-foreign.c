#include "store/settings-foreign.h"

#include <assert.h>

#define V3 "it belongs to etcd's v3 API, which this server does not speak"
#define BOLT "it belongs to etcd's v3 database, which is not here"
#define GRPC "gRPC is not spoken here"
#define LOGS "log lines go to standard error, and from there into the journal"
#define KEEPS "what is not needed any more is removed by itself"
#define NOTHING "there is nothing like it here"

static const struct {
        const char *name;
        const char *environment;
        bool is_switch;
        const char *why;
} flags[] = {
        {"quota-backend-bytes", "ETCD_QUOTA_BACKEND_BYTES", false, BOLT},
        {"backend-batch-interval", "ETCD_BACKEND_BATCH_INTERVAL", false, BOLT},
        {"backend-batch-limit", "ETCD_BACKEND_BATCH_LIMIT", false, BOLT},
        {"backend-bbolt-freelist-type", "ETCD_BACKEND_BBOLT_FREELIST_TYPE", false, BOLT},
        {"experimental-backend-bbolt-freelist-type", "ETCD_EXPERIMENTAL_BACKEND_BBOLT_FREELIST_TYPE", false, BOLT},
        {"experimental-compaction-batch-limit", "ETCD_EXPERIMENTAL_COMPACTION_BATCH_LIMIT", false, BOLT},
        {"experimental-initial-corrupt-check", "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK", true, BOLT},
        {"experimental-corrupt-check-time", "ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME", false, BOLT},
        {"auto-compaction-retention", "ETCD_AUTO_COMPACTION_RETENTION", false, V3},
        {"auto-compaction-mode", "ETCD_AUTO_COMPACTION_MODE", false, V3},
        {"max-txn-ops", "ETCD_MAX_TXN_OPS", false, V3},
        {"experimental-enable-v2v3", "ETCD_EXPERIMENTAL_ENABLE_V2V3", false, V3},
        {"experimental-enable-lease-checkpoint", "ETCD_EXPERIMENTAL_ENABLE_LEASE_CHECKPOINT", true, V3},
        {"experimental-watch-progress-notify-interval", "ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL", false, V3},
        {"auth-token", "ETCD_AUTH_TOKEN", false, V3},
        {"auth-token-ttl", "ETCD_AUTH_TOKEN_TTL", false, V3},
        {"bcrypt-cost", "ETCD_BCRYPT_COST", false, "passwords are hashed at cost 10, as in etcd's v2"},
        {"grpc-keepalive-min-time", "ETCD_GRPC_KEEPALIVE_MIN_TIME", false, GRPC},
        {"grpc-keepalive-interval", "ETCD_GRPC_KEEPALIVE_INTERVAL", false, GRPC},
        {"grpc-keepalive-timeout", "ETCD_GRPC_KEEPALIVE_TIMEOUT", false, GRPC},
        {"max-concurrent-streams", "ETCD_MAX_CONCURRENT_STREAMS", false, "HTTP/2 is not spoken here; see --max-connections"},
        {"enable-grpc-gateway", "ETCD_ENABLE_GRPC_GATEWAY", true, GRPC},
        {"logger", "ETCD_LOGGER", false, LOGS},
        {"log-output", "ETCD_LOG_OUTPUT", false, LOGS},
        {"log-outputs", "ETCD_LOG_OUTPUTS", false, LOGS},
        {"log-package-levels", "ETCD_LOG_PACKAGE_LEVELS", false, "there is one level for all; see --log-level"},
        {"max-snapshots", "ETCD_MAX_SNAPSHOTS", false, KEEPS},
        {"max-wals", "ETCD_MAX_WALS", false, KEEPS},
        {"pre-vote", "ETCD_PRE_VOTE", true, "members always ask before they stand for election"},
        {"initial-election-tick-advance", "ETCD_INITIAL_ELECTION_TICK_ADVANCE", true,
         "a member that votes alone leads at once, and others wait for the election time-out"},
        {"metrics", "ETCD_METRICS", false, "there is one set of metrics"},
        {"enable-pprof", "ETCD_ENABLE_PPROF", true, "perf(1) sees into this program"},
        {"experimental-peer-skip-client-san-verification", "ETCD_EXPERIMENTAL_PEER_SKIP_CLIENT_SAN_VERIFICATION", true, NOTHING},
};

static_assert(ARRAY_SIZE(flags) <= SETTINGS_FOREIGN_OPTIONS, "room for all flags");

size_t settings_foreign_options(SettingsForeign *foreign, Option options[static SETTINGS_FOREIGN_OPTIONS]) {
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                options[i] = (Option){
                        .name = flags[i].name,
                        .type = flags[i].is_switch ? OPTION_SWITCH : OPTION_STRING,
                        .argument = flags[i].is_switch ? NULL : "VALUE",
                        .environment = flags[i].environment,
                        .target = flags[i].is_switch ? (void *)&foreign->switches[i] : (void *)&foreign->values[i],
                };
        return ARRAY_SIZE(flags);
}

void settings_foreign_deinit(SettingsForeign *foreign) {
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                free(foreign->values[i]);
        *foreign = (SettingsForeign){0};
}

void settings_foreign_tell(const SettingsForeign *foreign, void (*tell)(const char *flag, const char *why)) {
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (foreign->switches[i] || foreign->values[i])
                        tell(flags[i].name, flags[i].why);
}
