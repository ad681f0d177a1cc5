#pragma once
/* Clients: each does one operation after the other on some server, and goes to another when one fails it. */
#include "world.h"

void clients_begin(World *world);

/* No new operations; those under way end by themselves. */
void clients_end(World *world);
void clients_deinit(World *world);

/* Proposes a write at the server once, until it was done. */
void client_probe(Server *server, Probe *probe);
