#pragma once
/* etcd's flags for a proxy. */
#include "base/options.h"

enum { SETTINGS_PROXY_OPTIONS = 6 };

typedef struct SettingsProxy {
        char *mode; /* off, on or readonly; owned */
        uint64_t failure_wait_msec, refresh_interval_msec, dial_timeout_msec, write_timeout_msec, read_timeout_msec;
} SettingsProxy;

#define SETTINGS_PROXY_DEFAULT \
        ((SettingsProxy){.failure_wait_msec = 5000, .refresh_interval_msec = 30000, .dial_timeout_msec = 1000, .write_timeout_msec = 5000})

typedef struct Settings Settings;

/* Fills in the table; returns how many. */
size_t settings_proxy_options(SettingsProxy *proxy, Option options[static SETTINGS_PROXY_OPTIONS]);

/* After defaults are filled in. -EINVAL with `error`. */
int settings_proxy_check(const SettingsProxy *proxy, Error *error);

static inline bool settings_proxy_is_on(const SettingsProxy *proxy) {
        return proxy->mode && strcmp(proxy->mode, "off") != 0;
}
