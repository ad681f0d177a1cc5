#include "store/settings-proxy.h"

#include <errno.h>

size_t settings_proxy_options(SettingsProxy *p, Option options[static SETTINGS_PROXY_OPTIONS]) {
        const Option table[] = {
                {"proxy", 0, OPTION_STRING, "off|on|readonly", "ETCD_PROXY", "hand clients' requests to the members (default: off)",
                 &p->mode, NULL},
                {"proxy-failure-wait", 0, OPTION_U64, "MSEC", "ETCD_PROXY_FAILURE_WAIT",
                 "how long a member that failed is left alone (default: 5000)", &p->failure_wait_msec, NULL},
                {"proxy-refresh-interval", 0, OPTION_U64, "MSEC", "ETCD_PROXY_REFRESH_INTERVAL",
                 "how often members are asked who they are (default: 30000)", &p->refresh_interval_msec, NULL},
                {"proxy-dial-timeout", 0, OPTION_U64, "MSEC", "ETCD_PROXY_DIAL_TIMEOUT", "to reach a member (default: 1000)",
                 &p->dial_timeout_msec, NULL},
                {"proxy-write-timeout", 0, OPTION_U64, "MSEC", "ETCD_PROXY_WRITE_TIMEOUT", "accepted: the kernel's holds",
                 &p->write_timeout_msec, NULL},
                {"proxy-read-timeout", 0, OPTION_U64, "MSEC", "ETCD_PROXY_READ_TIMEOUT",
                 "longest silence of a member within an answer; also ends watches (default: 0, none)", &p->read_timeout_msec, NULL},
        };

        _Static_assert(ARRAY_SIZE(table) == SETTINGS_PROXY_OPTIONS, "room for all options");
        memcpy(options, table, sizeof(table));
        return ARRAY_SIZE(table);
}

int settings_proxy_check(const SettingsProxy *p, Error *error) {
        const uint64_t msecs[] = {p->failure_wait_msec, p->refresh_interval_msec, p->dial_timeout_msec, p->read_timeout_msec};

        if (!str_equals(p->mode, "off") && !str_equals(p->mode, "on") && !str_equals(p->mode, "readonly"))
                return error_set(error, -EINVAL, "--proxy is \"%s\": it must be off, on or readonly", p->mode);
        for (size_t i = 0; i < ARRAY_SIZE(msecs); i++)
                if (msecs[i] > UINT32_MAX)
                        return error_set(error, -ERANGE, "a time of the proxy is %llu ms: at most %u are possible",
                                         (unsigned long long)msecs[i], UINT32_MAX);
        if (p->refresh_interval_msec == 0 || p->dial_timeout_msec == 0)
                return error_set(error, -EINVAL, "--proxy-refresh-interval and --proxy-dial-timeout must be above 0");
        return 0;
}
