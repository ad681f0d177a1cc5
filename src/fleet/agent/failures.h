#pragma once
/* Failures of a unit on this machine, and when. Pure. */
#include "host/supervisor.h"

/* Zeroed: none. The oldest first; those that are older than `within` are dropped. */
typedef struct Failures {
        Usec *at;
        size_t length;
        Usec within;
} Failures;

void failures_deinit(Failures *failures);

/* Whether the unit has failed between these two states: it is failed now and was not, or it was restarted after a failure. */
bool failures_are_more(const SupervisorState *before, const SupervisorState *after);

/* Without memory it is not counted. */
void failures_add(Failures *failures, Usec now, Usec within);

/* Drops those that are too old. True when there were any. */
bool failures_forget(Failures *failures, Usec now);
