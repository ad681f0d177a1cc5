#pragma once
/* The flags of etcd 0.4, which the cloud-configs of that time use, as what they mean today. */
#include "store/settings.h"

enum { SETTINGS_OLD_OPTIONS = 24 };

/* Rows for the table of options, with `settings` as their target; hidden from --help. How many. */
size_t settings_old_options(Settings *settings, Option options[static SETTINGS_OLD_OPTIONS]);

/* Fills what no option of today gave: addresses become URLs, peers the cluster. -EINVAL with `error`. */
int settings_old_take_up(Settings *settings, Error *error);
