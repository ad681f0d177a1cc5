#pragma once
/*
 * Makes shims, and each of them the one process that it is the parent of, for the supervisor at the other end of a connection. It is a
 * small process so that a fork costs little, and it has no state. A spare process waits for the next request, so that no fork has to be
 * waited for: it becomes the shim.
 */
#include "host/spawn-request.h"

/* Where this program's arguments lie: what ps(1) shows can be written there. */
typedef struct ProcessTitle {
        char *start;
        size_t length;
} ProcessTitle;

/* Until the connection ends; the program's exit status. */
int spawner_run(int connection, ProcessTitle title);

/* ---- birth.c ---- */

/* In a process of its own: makes the child that was asked for, and is its shim, to the end. */
_Noreturn void birth_of_shim(const SpawnRequest *request, ProcessTitle title);
