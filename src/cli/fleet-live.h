#pragma once
/* Output that goes on until the user ends it. */
#include "cli/fleet.h"

/* From here on the program ends with exit code 0 at SIGINT, with the terminal's cursor at the beginning of a line, and when nobody
 * reads its output any more. */
void fleet_live_begin(FleetGroup *group);

/* What goes on has come to an end by itself. */
void fleet_live_end(void);

/* On a terminal: empties it, for what is printed next; lines that are too long for it are cut. */
void fleet_live_clear(void);

/* Behind that. Ends the program when nobody reads it any more. */
void fleet_live_printed(void);

/* Lines that a terminal has room for; 0 where the output is none. */
size_t fleet_live_lines(void);

/* Waits until something has changed in the cluster since *number, which becomes the new one, or for a while at most; 0 for the first
 * call, which comes back at once. A daemon that knows no changes (fleet 1.0's) is looked at every two seconds. 0 or the exit code. */
int fleet_live_wait(FleetGroup *group, uint64_t *number);
