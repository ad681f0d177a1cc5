#pragma once
/* Flags of etcd 2 and 3 that set what this server does not have. They are taken, so that an old command line or unit works as it
 * is, and it is said once that they do nothing, and why. */
#include "base/options.h"

enum { SETTINGS_FOREIGN_OPTIONS = 48 };

typedef struct SettingsForeign {
        char *values[SETTINGS_FOREIGN_OPTIONS];  /* as given, or NULL */
        bool switches[SETTINGS_FOREIGN_OPTIONS];
} SettingsForeign;

/* Appends the options, hidden from --help; how many. */
size_t settings_foreign_options(SettingsForeign *foreign, Option options[static SETTINGS_FOREIGN_OPTIONS]);
void settings_foreign_deinit(SettingsForeign *foreign);

/* Calls `tell` for each that was given. */
void settings_foreign_tell(const SettingsForeign *foreign, void (*tell)(const char *flag, const char *why));
