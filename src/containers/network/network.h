#pragma once
/*
 * The containers' network on this machine: a bridge with a subnet, a network namespace and a veth for each container,
 * addresses, and published ports by NAT. All calls are short (milliseconds) and block.
 */
#include "base/error.h"
#include "base/str.h"
#include "containers/network/address-pool.h"

#define NETWORK_BRIDGE_NAME "faering0"

enum { NETWORK_PORTS_MAX = 8192 };

typedef struct ContainerNetwork ContainerNetwork;

typedef struct NetworkSettings {
        const char *bridge_address; /* "172.17.0.1/16" */
        const char *directory;      /* for the files that hold network namespaces; on a tmpfs */
} NetworkSettings;

typedef struct NetworkPort {
        char address[16];
        uint16_t host, container; /* host 0: is chosen, and written here */
        char protocol[4];
} NetworkPort;

/* What a container has of it; kept in its record. */
typedef struct NetworkPlace {
        char address[ADDRESS_TEXT]; /* "": none */
        NetworkPort *ports;         /* borrowed */
        size_t n_ports;
} NetworkPlace;

/* Makes bridge and rules, unless they are there. */
int container_network_new(const NetworkSettings *settings, ContainerNetwork **ret, Error *error);

/* With `remove` the bridge and the rules go; else they stay for what runs. */
ContainerNetwork *container_network_free(ContainerNetwork *network, bool remove);

const char *container_network_gateway(const ContainerNetwork *network);
unsigned container_network_prefix(const ContainerNetwork *network);
const char *container_network_subnet(const ContainerNetwork *network);

/* The path of a container's network namespace; the caller frees. */
char *container_network_namespace(const ContainerNetwork *network, const char *id);

/* Makes a namespace with only its loopback. What is left of an earlier one of that id goes before. */
int container_network_make(ContainerNetwork *network, const char *id, Error *error);

/* Joins it to the bridge: an address (place->address when it is free, else the lowest free one) and the ports of
 * `place`, whose host ports are chosen where they are 0. -EADDRINUSE: "Bind for 0.0.0.0:80 failed: port is already
 * allocated". On failure nothing stays. */
int container_network_join(ContainerNetwork *network, const char *id, NetworkPlace *place, Error *error);

/* A container that runs since before we did: its address and its ports are taken down again as its own. */
int container_network_claim(ContainerNetwork *network, const char *id, const NetworkPlace *place, Error *error);

/* Gives back all that a container has, and removes its namespace. Absence is success. */
void container_network_leave(ContainerNetwork *network, const char *id);

/* Removes the namespaces and veths of all containers that have no claim: after a crash. */
void container_network_sweep(ContainerNetwork *network);
