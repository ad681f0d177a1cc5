#pragma once
/* What the daemon knows, as JSON: for people who look for a fault (SIGUSR1). */
#include "fleet/registry/registry.h"

/* -ENOMEM. */
int fleet_dump(const Registry *registry, const char *machine, bool registered, Buffer *text);
