#pragma once
/*
 * Makes shims, and each of them the one process that it is the parent of, for the supervisor at the other end of a connection. It is a
 * small process so that a fork costs little, and has no state: all that it knows of a shim it has forgotten when that one is there.
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
