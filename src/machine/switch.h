#pragma once
/* The switch: a network namespace that holds a bridge with 10.66.0.1, to which each machine has a cable. Nothing of
 * it is in the host's own network; it is gone with its last file descriptor. */
#include <sys/types.h>

#include "base/error.h"

/* *ret is the namespace; the caller closes it. */
int switch_new(int *ret, Error *error);

/* A cable to the network of process `pid`, where its end is eth0. Its hardware address goes by the machine's number:
 * one that changed at each power-on would leave the others with the old one in their tables, and so without a way,
 * for a minute. */
int switch_plug_in(int network, const char *machine, unsigned number, pid_t pid, Error *error);

/* A TCP socket whose connections begin at the switch. */
int switch_socket(int network, int *ret, Error *error);

/* In a machine's own network: brings up the loopback and eth0, with its address and the way out. */
int switch_configure_machine(const char *address, Error *error);
