#pragma once
/*
 * Published ports: a socket of ours is bound to each, so that the kernel refuses it to others and others' ports are
 * refused to us. No connection reaches it, the rules lead them to the container.
 */
#include "base/error.h"
#include "containers/network/network.h"

/* The bound socket; port->host is set when it was 0. -EADDRINUSE with Docker's text. */
int port_hold(NetworkPort *port, int *ret_fd, Error *error);
