#include "store/settings-discovery.h"

#include <errno.h>

#include "store/settings.h"

size_t settings_discovery_options(SettingsDiscovery *d, Option options[static SETTINGS_DISCOVERY_OPTIONS]) {
        const Option table[] = {
                {"discovery", 0, OPTION_STRING, "URL", "ETCD_DISCOVERY",
                 "a token in a v2 store, where the founders of a cluster meet", &d->url, NULL},
                {"discovery-proxy", 0, OPTION_STRING, "URL", "ETCD_DISCOVERY_PROXY", "HTTP proxy on the way to the token", &d->proxy,
                 NULL},
                {"discovery-fallback", 0, OPTION_STRING, "proxy|exit", "ETCD_DISCOVERY_FALLBACK",
                 "what to become when the token's cluster is full (default: proxy)", &d->fallback, NULL},
                {"discovery-srv", 0, OPTION_STRING, "DOMAIN", "ETCD_DISCOVERY_SRV",
                 "whose SRV records _etcd-server._tcp name the founders", &d->srv, NULL},
                {"discovery-srv-name", 0, OPTION_STRING, "NAME", "ETCD_DISCOVERY_SRV_NAME",
                 "put behind the records' name, as in _etcd-server-NAME._tcp", &d->srv_name, NULL},
        };

        _Static_assert(ARRAY_SIZE(table) == SETTINGS_DISCOVERY_OPTIONS, "room for all options");
        memcpy(options, table, sizeof(table));
        return ARRAY_SIZE(table);
}

void settings_discovery_deinit(SettingsDiscovery *d) {
        free(d->url);
        free(d->proxy);
        free(d->fallback);
        free(d->srv);
        free(d->srv_name);
        *d = (SettingsDiscovery){0};
}

static bool is_given(const char *text) {
        return text && *text;
}

int settings_discovery_check(const Settings *settings, Error *error) {
        const SettingsDiscovery *d = &settings->discovery;

        if (is_given(settings->initial_cluster) + is_given(d->url) + is_given(d->srv) > 1)
                return error_set(error, -EINVAL,
                                 "--initial-cluster, --discovery and --discovery-srv each say who founds the cluster: give only one of them");
        if (is_given(d->fallback) && !str_equals(d->fallback, "exit") && !str_equals(d->fallback, "proxy"))
                return error_set(error, -EINVAL, "--discovery-fallback is \"%s\": it must be exit or proxy", d->fallback);
        return 0;
}
