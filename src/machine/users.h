#pragma once
/* Users that our units name (User=): a machine shows the host's /etc/passwd, where they need not be. */
#include "base/error.h"

/* Adds those that are missing to passwd and group below `upper`/etc, which take the host's place. */
int users_add(const char *upper, Error *error);
