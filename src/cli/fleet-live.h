#pragma once
/* Output that goes on until the user ends it. */
#include "cli/fleet.h"

/* Ends the program with exit code 0 at SIGINT, with the terminal's cursor at the beginning of a line. */
void fleet_live_catch_signals(void);

/* On a terminal: empties it, for what is printed next. */
void fleet_live_clear(void);

/* Waits until something has changed in the cluster since *number, which becomes the new one, or for a while at most; 0 for the first
 * call, which comes back at once. A daemon that knows no changes (fleet 1.0's) is looked at every two seconds. 0 or the exit code. */
int fleet_live_wait(FleetGroup *group, uint64_t *number);
