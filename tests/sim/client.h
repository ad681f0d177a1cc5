#pragma once
/* Clients: each does one operation after the other on some server, and goes to another when one fails it. */
#include "world.h"

void clients_begin(World *world);

/* Many of them go to that server: what a leader that is none any more tells must be asked of it. */
void clients_flock(World *world, Server *server);

/* No new operations; those under way end by themselves. */
void clients_end(World *world);
void clients_deinit(World *world);

/* Proposes a write at the server once, until it was done. */
void client_probe(Server *server, Probe *probe);
