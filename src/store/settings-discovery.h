#pragma once
/* etcd's flags for finding the other founders. */
#include "base/options.h"

enum { SETTINGS_DISCOVERY_OPTIONS = 5 };

/* Texts are owned; NULL or "": not given. */
typedef struct SettingsDiscovery {
        char *url, *proxy, *fallback, *srv, *srv_name;
} SettingsDiscovery;

typedef struct Settings Settings;

/* Fills in the table; returns how many. */
size_t settings_discovery_options(SettingsDiscovery *discovery, Option options[static SETTINGS_DISCOVERY_OPTIONS]);
void settings_discovery_deinit(SettingsDiscovery *discovery);

/* Before defaults are filled in. -EINVAL with `error`: flags that exclude each other, or a wrong word. */
int settings_discovery_check(const Settings *settings, Error *error);
