#pragma once
/*
 * Where faering-fleet's API is served: its own addresses, sockets of the service manager (LISTEN_FDS), and those that the program
 * has handed to itself when it was executed anew. These keep their names: "faering-api", "faering-logs".
 */
#include "fleet/settings.h"
#include "net/http-server.h"

#define LISTENERS_MAX 16

/* Takes inherited sockets first, then opens what is missing. A socket of TCP is served with TLS only. An own socket that was inherited and
 * is not in the settings any more is closed. */
int fleet_listeners_open(HttpServer *http, const FleetSettings *settings, Error *error);

/* Just before the program is executed anew: makes all sockets known to it. What is open stays open until then. */
int fleet_listeners_hand_over(const HttpServer *http, const FleetSettings *settings, Error *error);
