#include "store/settings-old.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"

static int ignore(void *target, const char *value, Error *error) {
        (void)target; /* what it set there is not needed, or not there, here */
        (void)value;
        (void)error;
        return 0;
}

size_t settings_old_options(Settings *s, Option options[static SETTINGS_OLD_OPTIONS]) {
        SettingsOld *old = &s->old;
        const Option table[] = {
                {"addr", 0, OPTION_STRING, "HOST:PORT", "ETCD_ADDR", NULL, &old->addr, NULL},
                {"bind-addr", 0, OPTION_STRING, "HOST[:PORT]", "ETCD_BIND_ADDR", NULL, &old->bind_addr, NULL},
                {"peer-addr", 0, OPTION_STRING, "HOST:PORT", "ETCD_PEER_ADDR", NULL, &old->peer_addr, NULL},
                {"peer-bind-addr", 0, OPTION_STRING, "HOST[:PORT]", "ETCD_PEER_BIND_ADDR", NULL, &old->peer_bind_addr,
                 NULL},
                {"peers", 0, OPTION_STRING, "HOST:PORT,…", "ETCD_PEERS", NULL, &old->peers, NULL},
                {"peer-heartbeat-interval", 0, OPTION_U64, "MSEC", "ETCD_PEER_HEARTBEAT_INTERVAL", NULL,
                 &s->heartbeat_msec, NULL},
                {"peer-election-timeout", 0, OPTION_U64, "MSEC", "ETCD_PEER_ELECTION_TIMEOUT", NULL, &s->election_msec,
                 NULL},
                {"snapshot", 0, OPTION_SWITCH, NULL, "ETCD_SNAPSHOT", NULL, &old->ignored, NULL},
                {"force", 0, OPTION_SWITCH, NULL, "ETCD_FORCE", NULL, &old->ignored, NULL},
                {"v", 0, OPTION_SWITCH, NULL, "ETCD_VERBOSE", NULL, &old->ignored, NULL},
                {"vv", 0, OPTION_SWITCH, NULL, "ETCD_VERY_VERBOSE", NULL, &s->debug, NULL},
                {"vvv", 0, OPTION_SWITCH, NULL, "ETCD_VERY_VERY_VERBOSE", NULL, &s->debug, NULL},
                {"max-result-buffer", 0, OPTION_CALL, "N", "ETCD_MAX_RESULT_BUFFER", NULL, NULL, ignore},
                {"max-retry-attempts", 0, OPTION_CALL, "N", "ETCD_MAX_RETRY_ATTEMPTS", NULL, NULL, ignore},
                {"retry-interval", 0, OPTION_CALL, "SEC", "ETCD_RETRY_INTERVAL", NULL, NULL, ignore},
                {"cluster-active-size", 0, OPTION_CALL, "N", "ETCD_CLUSTER_ACTIVE_SIZE", NULL, NULL, ignore},
                {"cluster-remove-delay", 0, OPTION_CALL, "SEC", "ETCD_CLUSTER_REMOVE_DELAY", NULL, NULL, ignore},
                {"cluster-sync-interval", 0, OPTION_CALL, "SEC", "ETCD_CLUSTER_SYNC_INTERVAL", NULL, NULL, ignore},
        };

        _Static_assert(ARRAY_SIZE(table) <= SETTINGS_OLD_OPTIONS, "room for all options");
        memcpy(options, table, sizeof(table));
        return ARRAY_SIZE(table);
}

void settings_old_deinit(SettingsOld *old) {
        free(old->addr);
        free(old->bind_addr);
        free(old->peer_addr);
        free(old->peer_bind_addr);
        free(old->peers);
        *old = (SettingsOld){0};
}

static int parse_address(const char *option, const char *scheme, Slice address, uint16_t default_port, Url *ret, Error *error) {
        _cleanup_free_ char *text = str_printf("%s://%.*s", scheme, (int)address.length, address.data);
        int r;

        if (!text)
                return -ENOMEM;
        r = url_parse(text, default_port, ret, error);
        if (r >= 0 && ret->path[0])
                r = error_set(error, -EINVAL, "\"%.*s\" must be HOST:PORT", (int)address.length, address.data);
        return r < 0 ? error_prefix(error, r, "--%s", option) : 0;
}

static int give(char **target, const Url *url) {
        char text[URL_TEXT_MAX];

        url_format(url, text);
        return option_default(target, text);
}

/* With a certificate, etcd 0.4 spoke https. */
static const char *scheme_of(const SettingsTls *tls) {
        return tls->cert_file && *tls->cert_file ? "https" : "http";
}

/* etcd 0.4 listened at the advertised port on all addresses, unless told better. */
static int take_up_pair(const char *option, const char *scheme, const char *address, const char *bind, uint16_t port, char **advertise,
                        char **listen, Error *error) {
        Url url, at;
        int r = 0;

        if (address) {
                r = parse_address(option, scheme, slice_from(address), port, &url, error);
                if (r >= 0)
                        r = give(advertise, &url);
                port = r >= 0 ? url.port : port;
        }
        if (r < 0 || (!address && !bind))
                return r;
        r = parse_address(option, scheme, slice_from(bind ?: "0.0.0.0"), port, &at, error);
        return r < 0 ? r : give(listen, &at);
}

/* Ids follow from URLs alone, so that all members reckon alike although none knows the others' names. */
static int take_up_peers(Settings *s, Error *error) {
        _cleanup_buffer_ Buffer cluster = BUFFER_INIT;
        Slice rest = slice_from(s->old.peers), part;
        char text[URL_TEXT_MAX];
        unsigned number = 0;
        Url url;
        int r;

        if (!s->initial_advertise_peer_urls)
                return error_set(
                        error, -EINVAL,
                        "--peers needs --peer-addr, or --initial-advertise-peer-urls: where the others find this one");
        (void)buffer_printf(&cluster, "%s=%s", s->name && *s->name ? s->name : "default",
                            s->initial_advertise_peer_urls);
        while (slice_split(&rest, ',', &part)) {
                r = parse_address("peers", scheme_of(&s->peer_tls), slice_trim(part), 7001, &url, error);
                if (r < 0)
                        return r;
                url_format(&url, text);
                if (!str_equals(text, s->initial_advertise_peer_urls))
                        (void)buffer_printf(&cluster, ",peer%u=%s", ++number, text);
        }
        return buffer_string(&cluster) ? option_default(&s->initial_cluster, buffer_string(&cluster)) : -ENOMEM;
}

int settings_old_take_up(Settings *s, Error *error) {
        const SettingsOld *old = &s->old;
        int r;

        r = take_up_pair("addr", scheme_of(&s->client_tls), old->addr, old->bind_addr, 4001, &s->advertise_client_urls, &s->listen_client_urls,
                         error);
        if (r >= 0)
                r = take_up_pair("peer-addr", scheme_of(&s->peer_tls), old->peer_addr, old->peer_bind_addr, 7001,
                                 &s->initial_advertise_peer_urls, &s->listen_peer_urls, error);
        if (r >= 0 && old->peers && *old->peers)
                r = take_up_peers(s, error);
        return r;
}
