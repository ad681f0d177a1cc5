#pragma once
/*
 * Watchers that follow all changes below a path, from server to server by index. Each must see every change once and in
 * order, unless it is told that some are lost.
 */
#include "world.h"

void watches_begin(World *world);

/* The server is about to go: those who watch there go elsewhere. */
void watches_leave(World *world, Server *server);

/* After the server has worked: compares what its watchers got with the ledger. */
void watches_check(World *world, Server *server);

/* At the end: all must have seen all there is. */
void watches_check_end(World *world);
void watches_deinit(World *world);
