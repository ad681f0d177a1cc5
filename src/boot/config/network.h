#pragma once
/*
 * The network's configuration in a meta-data, and the units of systemd-networkd it becomes: a parser for each format
 * fills a Network, one writer makes the texts, in coreos-cloudinit's form.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define NETWORK_INTERFACES_MAX ((size_t)256)
#define NETWORK_DEPTH_MAX 8u /* interfaces above interfaces: a VLAN over a bond over two cards */
#define NETWORK_NAME_MAX ((size_t)15)

typedef enum NetworkFormat {
        NETWORK_NONE,
        NETWORK_DEBIAN,
        NETWORK_PACKET,
        NETWORK_VMWARE,
        NETWORK_UNKNOWN,
} NetworkFormat;

/* "debian", …; "" is NETWORK_NONE. */
NetworkFormat network_format_find(const char *name);

typedef enum InterfaceKind {
        INTERFACE_PHYSICAL,
        INTERFACE_BOND,
        INTERFACE_VLAN,
} InterfaceKind;

typedef struct Interface {
        InterfaceKind kind;
        char *name; /* NULL: found by its mac */
        char *mac;  /* of the interface, or NULL */
        bool dhcp;
        StringList addresses; /* "10.0.0.5/24" */
        StringList nameservers, domains;
        StringList destinations, gateways; /* of routes, side by side */
        unsigned vlan_id;
        char *vlan_mac;     /* that the new device gets, or NULL */
        StringList below;   /* of a bond its slaves, of a VLAN its device: names */
        StringList options; /* of a bond: "mode=4" */
        unsigned depth;     /* of interfaces above it, once network_sort() has found them */
} Interface;

typedef struct Network {
        Interface *items;
        size_t length, capacity;
} Network;

void network_deinit(Network *network);
#define _cleanup_network_ _cleanup_(network_deinit)

/* A new interface, or the one that is there: *ret_new (may be NULL) tells. -EMSGSIZE, -EINVAL: no such name can be. */
int network_add(Network *network, const char *name, Interface **ret, bool *ret_new, Error *error);

/* Leaves nothing but the name. */
void interface_clear(Interface *interface);
Interface *network_find(const Network *network, const char *name);

/* Orders by name and finds depths. -EINVAL: interfaces stand on each other in a circle. */
int network_sort(Network *network, Error *error);

/* The text of the unit; empty when the interface needs no such unit. */
int network_format_netdev(const Interface *interface, Buffer *to);
int network_format_network(const Network *network, const Interface *interface, Buffer *to);

/* Each fills an empty Network. -EINVAL with `error`, -ENOMEM. */
int network_parse_debian(Slice text, Network *network, Error *error);
int network_parse_packet(Slice text, Network *network, Error *error);
int network_parse_vmware(Slice text, Network *network, Error *error);

/* ---- addresses ---- */

/* Adds the address, which must be one, in its usual form. -EINVAL. */
int ip_add(StringList *list, Slice address, Error *error);

/* "ADDRESS/PREFIX" of an address and a netmask. With `network` the bits behind the prefix are 0. -EINVAL. */
int ip_add_with_mask(StringList *list, Slice address, Slice netmask, bool network, Error *error);

/* The same of "ADDRESS/PREFIX". */
int ip_add_cidr(StringList *list, Slice cidr, bool network, Error *error);

/* "aa:bb:cc:dd:ee:ff", small letters; the caller frees. -EINVAL. */
int mac_parse(Slice text, char **ret, Error *error);
