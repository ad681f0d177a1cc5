#pragma once
/* Starting the daemon of local machines in the background. */
#include "base/error.h"
#include "base/str.h"

/* Starts it for `directory` (made if missing) and waits until it serves. *ret_starter is a socket: the daemon takes
 * everything down when it is closed before a byte was sent. `programs` may be NULL. On failure nothing is left. */
int machine_daemon_start(const char *directory, const char *programs, int *ret_starter, Error *error);

/* Lets the daemon go on without us. Closes the socket. */
void machine_daemon_release(int starter);

/* Gives up: everything goes down. Waits for that, and closes the socket. */
void machine_daemon_abandon(int starter);
