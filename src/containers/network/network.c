#include "containers/network/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/map.h"
#include "containers/network/ports.h"
#include "containers/network/rules.h"
#include "host/file.h"
#include "host/link.h"

#define VETH_PREFIX "vf"
#define INSIDE "eth0"

typedef struct Member {
        char *id;
        char address[ADDRESS_TEXT];
        NetworkPort *ports;
        int *holders; /* -1: not ours to hold */
        size_t n_ports;
} Member;

struct ContainerNetwork {
        AddressPool pool;
        char *bridge_address, *directory;
        char gateway[ADDRESS_TEXT], subnet[ADDRESS_TEXT + 3];
        Map members; /* by id */
        size_t n_ports;
};

static Member *member_free(Member *member) {
        for (size_t i = 0; i < member->n_ports; i++)
                if (member->holders && member->holders[i] >= 0)
                        (void)close(member->holders[i]);
        free(member->holders);
        free(member->ports);
        free(member->id);
        free(member);
        return NULL;
}

CLEANUP_DEFINE(Member, member_free)

static int member_new(const char *id, const NetworkPlace *place, Member **ret) {
        _cleanup_(member_freep) Member *member = calloc(1, sizeof(*member));

        if (!member)
                return -ENOMEM;
        member->id = strdup(id);
        member->ports = calloc(place->n_ports + 1, sizeof(*member->ports));
        member->holders = calloc(place->n_ports + 1, sizeof(*member->holders));
        if (!member->id || !member->ports || !member->holders)
                return -ENOMEM;
        member->n_ports = place->n_ports;
        for (size_t i = 0; i < place->n_ports; i++) {
                member->ports[i] = place->ports[i];
                member->holders[i] = -1;
        }
        *ret = take_ptr(member);
        return 0;
}

/* ---- rules ---- */

static int apply_rules(ContainerNetwork *network, Error *error) {
        _cleanup_free_ PublishedPort *ports = calloc(network->n_ports + 1, sizeof(*ports));
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        RulesInput input = {.bridge = NETWORK_BRIDGE_NAME, .subnet = network->subnet, .ports = ports};

        if (!ports)
                return -ENOMEM;
        map_foreach (&network->members, entry) {
                const Member *member = entry->value;

                for (size_t i = 0; i < member->n_ports; i++) {
                        PublishedPort *port = &ports[input.n_ports++];

                        *port = (PublishedPort){.host = member->ports[i].host, .container = member->ports[i].container};
                        (void)snprintf(port->address, sizeof(port->address), "%s", member->ports[i].address);
                        (void)snprintf(port->protocol, sizeof(port->protocol), "%s", member->ports[i].protocol);
                        (void)snprintf(port->target, sizeof(port->target), "%s", member->address);
                }
        }
        if (rules_format(&input, &text) < 0 || !buffer_string(&text))
                return -ENOMEM;
        return rules_apply(buffer_string(&text), error);
}

/* ---- bridge ---- */

static int set_sysctl(const char *path, Error *error) {
        int r = file_write(path, "1");

        return r < 0 ? error_set_errno(error, r, "cannot set %s, which containers need for their network", path) : 0;
}

static int make_bridge(ContainerNetwork *network, Error *error) {
        int r = link_exists(NETWORK_BRIDGE_NAME) ? 0 : link_add_bridge(NETWORK_BRIDGE_NAME, error);

        if (r >= 0)
                r = link_add_address(NETWORK_BRIDGE_NAME, network->bridge_address, error);
        if (r >= 0)
                r = link_set_up(NETWORK_BRIDGE_NAME, error);
        if (r >= 0)
                r = set_sysctl("/proc/sys/net/ipv4/ip_forward", error);
        if (r >= 0)
                r = set_sysctl("/proc/sys/net/ipv4/conf/" NETWORK_BRIDGE_NAME "/route_localnet", error);
        return r < 0 ? r : apply_rules(network, error);
}

int container_network_new(const NetworkSettings *settings, ContainerNetwork **ret, Error *error) {
        ContainerNetwork *network = calloc(1, sizeof(*network));
        int r;

        if (!network)
                return error_set_errno(error, -ENOMEM, "cannot make the containers' network");
        network->bridge_address = strdup(settings->bridge_address);
        network->directory = strdup(settings->directory);
        r = network->bridge_address && network->directory ? 0 : -ENOMEM;
        if (r >= 0)
                r = address_pool_init(&network->pool, settings->bridge_address, error);
        if (r >= 0) {
                address_pool_gateway(&network->pool, network->gateway);
                address_pool_subnet(&network->pool, network->subnet);
                r = file_make_folder(network->directory, 0700, error);
        }
        if (r < 0) {
                container_network_free(network, false);
                return r;
        }
        r = make_bridge(network, error);
        if (r < 0) {
                container_network_free(network, false);
                return error_prefix(error, r, "cannot make the containers' network");
        }
        *ret = network;
        return 0;
}

ContainerNetwork *container_network_free(ContainerNetwork *network, bool remove) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!network)
                return NULL;
        map_foreach (&network->members, entry)
                member_free(entry->value);
        map_deinit(&network->members);
        if (remove) {
                if (rules_format_removal(&text) >= 0 && buffer_string(&text))
                        (void)rules_apply(buffer_string(&text), NULL);
                (void)link_remove(NETWORK_BRIDGE_NAME, NULL);
        }
        address_pool_deinit(&network->pool);
        free(network->bridge_address);
        free(network->directory);
        free(network);
        return NULL;
}

const char *container_network_gateway(const ContainerNetwork *network) {
        return network->gateway;
}

unsigned container_network_prefix(const ContainerNetwork *network) {
        return network->pool.prefix;
}

const char *container_network_subnet(const ContainerNetwork *network) {
        return network->subnet;
}

/* ---- namespaces ---- */

char *container_network_namespace(const ContainerNetwork *network, const char *id) {
        return str_printf("%s/%s", network->directory, id);
}

static void remove_namespace(const char *path) {
        (void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        (void)unlink(path);
}

/* Runs in the new namespace. */
static int prepare_inside(void *userdata, Error *error) {
        (void)userdata;
        return link_set_up("lo", error);
}

/* The thread leaves for a namespace of its own, which is bound to the file, and comes back. */
static int bind_new_namespace(const char *path, Error *error) {
        _cleanup_close_ int home = net_namespace_open(0);
        int r = 0;

        if (home < 0)
                return error_set_errno(error, home, "cannot open the own network namespace");
        if (unshare(CLONE_NEWNET) < 0)
                return error_set_errno(error, -errno, "cannot make a network namespace");
        if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
                r = error_set_errno(error, -errno, "cannot keep the network namespace at %s", path);
        if (setns(home, CLONE_NEWNET) < 0)
                abort(); /* nothing may go on in a foreign network */
        return r;
}

int container_network_make(ContainerNetwork *network, const char *id, Error *error) {
        _cleanup_free_ char *path = container_network_namespace(network, id);
        _cleanup_close_ int file = -1, inside = -1;
        int r;

        if (!path)
                return -ENOMEM;
        remove_namespace(path);
        file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
        if (file < 0)
                return error_set_errno(error, -errno, "cannot make %s", path);
        r = bind_new_namespace(path, error);
        if (r >= 0) {
                inside = open(path, O_RDONLY | O_CLOEXEC);
                r = inside < 0 ? error_set_errno(error, -errno, "cannot open %s", path)
                               : net_namespace_run(inside, prepare_inside, NULL, error);
        }
        if (r < 0)
                remove_namespace(path);
        return r;
}

/* ---- members ---- */

/* A link's name has 15 characters at most: the beginning of the id must do. */
static void veth_name(const char *id, char name[static LINK_NAME_MAX + 1]) {
        (void)snprintf(name, LINK_NAME_MAX + 1, VETH_PREFIX "%.12s", id);
}

typedef struct Inside {
        char address[ADDRESS_TEXT + 3];
        const char *gateway;
} Inside;

static int configure_inside(void *userdata, Error *error) {
        const Inside *inside = userdata;
        int r = link_add_address(INSIDE, inside->address, error);

        if (r >= 0)
                r = link_set_up(INSIDE, error);
        return r < 0 ? r : link_add_default_route(inside->gateway, error);
}

static int connect_namespace(ContainerNetwork *network, const Member *member, Error *error) {
        _cleanup_free_ char *path = container_network_namespace(network, member->id);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        Inside inside = {.gateway = network->gateway};
        char name[LINK_NAME_MAX + 1];
        uint8_t mac[LINK_MAC_LENGTH];
        int r;

        if (fd < 0)
                return error_set_errno(error, path ? -errno : -ENOMEM, "cannot open the container's network namespace");
        veth_name(member->id, name);
        (void)snprintf(inside.address, sizeof(inside.address), "%s/%u", member->address, network->pool.prefix);
        (void)link_remove(name, NULL);
        r = address_to_mac(member->address, mac);
        if (r >= 0)
                r = link_add_veth(name, INSIDE, fd, mac, error);
        if (r >= 0)
                r = link_set_master(name, NETWORK_BRIDGE_NAME, error);
        if (r >= 0)
                r = link_set_hairpin(name, error);
        if (r >= 0)
                r = link_set_up(name, error);
        if (r >= 0)
                r = net_namespace_run(fd, configure_inside, &inside, error);
        if (r < 0)
                (void)link_remove(name, NULL);
        return r;
}

static int hold_ports(ContainerNetwork *network, Member *member, Error *error) {
        if (network->n_ports + member->n_ports > NETWORK_PORTS_MAX)
                return error_set(error, -ENOSPC, "more than %d ports would be published on this machine",
                                 NETWORK_PORTS_MAX);
        for (size_t i = 0; i < member->n_ports; i++) {
                int r = port_hold(&member->ports[i], &member->holders[i], error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_member(ContainerNetwork *network, Member *member) {
        int r = map_put(&network->members, slice_from(member->id), member, NULL);

        if (r >= 0)
                network->n_ports += member->n_ports;
        return r;
}

static void drop_member(ContainerNetwork *network, Member *member) {
        map_remove(&network->members, slice_from(member->id));
        network->n_ports -= member->n_ports;
        address_pool_give_back(&network->pool, member->address);
        member_free(member);
}

int container_network_join(ContainerNetwork *network, const char *id, NetworkPlace *place, Error *error) {
        _cleanup_(member_freep) Member *member = NULL;
        int r = member_new(id, place, &member);

        if (r < 0)
                return r;
        r = hold_ports(network, member, error);
        if (r < 0)
                return r;
        if (place->address[0] && address_pool_claim(&network->pool, place->address) >= 0)
                (void)snprintf(member->address, sizeof(member->address), "%s", place->address);
        else
                r = address_pool_take(&network->pool, member->address, error);
        if (r < 0)
                return r;
        r = connect_namespace(network, member, error);
        if (r >= 0)
                r = add_member(network, member);
        if (r < 0) {
                address_pool_give_back(&network->pool, member->address);
                return r;
        }
        r = member->n_ports > 0 ? apply_rules(network, error) : 0;
        if (r < 0) {
                char name[LINK_NAME_MAX + 1];

                veth_name(id, name);
                (void)link_remove(name, NULL);
                drop_member(network, take_ptr(member));
                return r;
        }
        (void)snprintf(place->address, sizeof(place->address), "%s", member->address);
        for (size_t i = 0; i < member->n_ports; i++)
                place->ports[i].host = member->ports[i].host;
        member = NULL;
        return 0;
}

int container_network_claim(ContainerNetwork *network, const char *id, const NetworkPlace *place, Error *error) {
        _cleanup_(member_freep) Member *member = NULL;
        int r = address_pool_claim(&network->pool, place->address);

        if (r < 0)
                return error_set_errno(error, r, "the address %s of a container that runs cannot be kept",
                                       place->address);
        r = member_new(id, place, &member);
        if (r < 0)
                return r;
        (void)snprintf(member->address, sizeof(member->address), "%s", place->address);
        r = add_member(network, member);
        if (r < 0)
                return r;
        /* when another program took a port meanwhile, the container's rule still stands */
        (void)hold_ports(network, member, error);
        member = NULL;
        return apply_rules(network, error);
}

void container_network_leave(ContainerNetwork *network, const char *id) {
        _cleanup_free_ char *path = container_network_namespace(network, id);
        Member *member = map_get(&network->members, slice_from(id));
        char name[LINK_NAME_MAX + 1];

        if (member) {
                bool had_ports = member->n_ports > 0;

                /* before the namespace goes, which takes its end of the pair only some time later */
                veth_name(id, name);
                (void)link_remove(name, NULL);
                drop_member(network, member);
                if (had_ports)
                        (void)apply_rules(network, NULL);
        }
        if (path)
                remove_namespace(path);
}

void container_network_sweep(ContainerNetwork *network) {
        DIR *directory = opendir(network->directory);
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                char name[LINK_NAME_MAX + 1];

                if (entry->d_name[0] == '.' || map_get(&network->members, slice_from(entry->d_name)))
                        continue;
                veth_name(entry->d_name, name);
                (void)link_remove(name, NULL);
                container_network_leave(network, entry->d_name);
        }
        if (directory)
                (void)closedir(directory);
}
