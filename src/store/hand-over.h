#pragma once
/* Gives a store's folders to the user that it runs as: for the service manager, which does this with all privileges before it starts
 * the store itself. What an earlier version wrote as root becomes the user's. */
#include "store/settings.h"

/* Makes --data-dir and --wal-dir where they are missing. Those that are not the user's become so, with all that is in them. A folder
 * that holds other things than a store's data is refused. -ESRCH, -ENOTEMPTY and others with `error`. */
int hand_over(const Settings *settings, const char *user, Error *error);
