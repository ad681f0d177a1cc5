#pragma once
/* A terminal of the machine's own for `exec -t`, and the copying between it and ours. */
#include "base/error.h"

/* In the machine's mount namespace: opens a pair. */
int exec_terminal_open(int *ret_master, int *ret_slave, Error *error);

/* In the child: makes `slave` its controlling terminal and its standard streams. -errno. */
int exec_terminal_enter(int slave);

/* Copies until the other side is closed, with our terminal (if it is one) in raw mode; `done` (a pidfd) ends it, too,
 * once the output is through. */
void exec_terminal_copy(int master, int done);
