#pragma once
/*
 * Network links, addresses and routes of the kernel, over rtnetlink. Each call opens a socket in the network namespace
 * that the calling thread is in, asks, waits for the kernel's answer (well under a millisecond) and closes it.
 *
 * Names of links have 1 to 15 characters. Errors name the link and say what was tried. -EPERM without CAP_NET_ADMIN.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define LINK_NAME_MAX 15
#define LINK_MAC_LENGTH 6

/* A bridge. -EEXIST: there is a link of that name. */
int link_add_bridge(const char *name, Error *error);

/* A pair of veth links: `name` here, `peer` in the network namespace of `peer_namespace` (a file descriptor; -1: here). `peer_mac`:
 * LINK_MAC_LENGTH bytes, or NULL for one that the kernel draws. -EEXIST. */
int link_add_veth(const char *name, const char *peer, int peer_namespace, const uint8_t *peer_mac, Error *error);

/* Makes `name` a port of the bridge. */
int link_set_master(const char *name, const char *bridge, Error *error);

/* Lets a port of a bridge send frames back to where they came from: who asks for its own published port needs it, on machines whose
 * firewall also sees what a bridge passes on. */
int link_set_hairpin(const char *name, Error *error);
int link_set_up(const char *name, Error *error);

/* The other end of a veth goes with it. Absence is success. */
int link_remove(const char *name, Error *error);
bool link_exists(const char *name);

/* "10.0.0.1/24" or with IPv6. One that is there already is success. */
int link_add_address(const char *name, const char *address, Error *error);

/* Default route by way of a gateway that is directly reachable, "10.0.0.1". One that is there already is replaced. */
int link_add_default_route(const char *gateway, Error *error);

/* ---- network namespaces ---- */

/* The namespace of a process, "/proc/PID/ns/net" open; pid 0: the calling thread's own. The caller closes it. -errno. */
int net_namespace_open(pid_t pid);

/* Calls `run` with the calling thread in that network namespace, and comes back to the own one; gives what it returned. When there is no
 * way back the program aborts: nothing may go on in a foreign network. */
int net_namespace_run(int namespace_fd, int (*run)(void *userdata, Error *error), void *userdata, Error *error);
