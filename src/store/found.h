#pragma once
/* Finding the other founders of a cluster by --discovery or --discovery-srv, before this member begins. */
#include <uv.h>

#include "store/settings.h"

/*
 * Fills in `settings->bootstrap`. Does nothing without these flags, for a member that joins a running cluster, and for one with
 * data: its log knows the others. Blocks until all founders have come, running the loop; says in the log what it waits for.
 * Errors with `error`: the token or the domain cannot be used, or its cluster is full.
 */
int found_by_discovery(uv_loop_t *loop, Settings *settings, Error *error);
