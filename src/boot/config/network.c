#include "boot/config/network.h"

#include <errno.h>

#include "boot/config/plan.h"

NetworkFormat network_format_find(const char *name) {
        static const char *const names[] = {[NETWORK_NONE] = "",
                                            [NETWORK_DEBIAN] = "debian",
                                            [NETWORK_PACKET] = "packet",
                                            [NETWORK_VMWARE] = "vmware"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_equals(names[i], name))
                        return (NetworkFormat)i;
        return NETWORK_UNKNOWN;
}

void interface_clear(Interface *interface) {
        StringList *lists[] = {&interface->addresses,    &interface->nameservers, &interface->domains,
                               &interface->destinations, &interface->gateways,    &interface->below,
                               &interface->options};

        free(interface->mac);
        free(interface->vlan_mac);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                string_list_deinit(lists[i]);
        *interface = (Interface){.name = interface->name};
}

void network_deinit(Network *network) {
        for (size_t i = 0; i < network->length; i++) {
                interface_clear(&network->items[i]);
                free(network->items[i].name);
        }
        free(network->items);
        *network = (Network){0};
}

/* ---- interfaces ---- */

Interface *network_find(const Network *network, const char *name) {
        for (size_t i = 0; i < network->length; i++)
                if (network->items[i].name && str_equals(network->items[i].name, name))
                        return &network->items[i];
        return NULL;
}

/* It becomes part of a file's name, and of lines. */
static bool name_is_valid(const char *name) {
        size_t length = strlen(name);

        if (length == 0 || length > NETWORK_NAME_MAX || name[0] == '.')
                return false;
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == 0x7f)
                        return false;
        return true;
}

int network_add(Network *network, const char *name, Interface **ret, bool *ret_new, Error *error) {
        Interface *there = name ? network_find(network, name) : NULL;
        char *copy = NULL;

        if (ret_new)
                *ret_new = !there;
        if (there) {
                *ret = there;
                return 0;
        }
        if (name && !name_is_valid(name))
                return error_set(error, -EINVAL,
                                 "\"%.64s\" cannot be the name of a network interface: at most %zu "
                                 "characters, no blanks, no '/'",
                                 name, NETWORK_NAME_MAX);
        if (network->length == NETWORK_INTERFACES_MAX)
                return error_set(error, -EMSGSIZE, "more than %zu network interfaces", NETWORK_INTERFACES_MAX);
        if (!network->items) {
                /* once and for all: pointers into it stay */
                network->items = calloc(NETWORK_INTERFACES_MAX, sizeof(*network->items));
                if (!network->items)
                        return -ENOMEM;
        }
        if (name && !(copy = strdup(name)))
                return -ENOMEM;
        *ret = &network->items[network->length++];
        **ret = (Interface){.name = copy};
        return 0;
}

static const char *sort_key(const Interface *interface) {
        return interface->name ?: interface->mac ?: "";
}

static int compare(const void *a, const void *b) {
        return strcmp(sort_key(a), sort_key(b));
}

static bool stands_on(const Interface *above, const Interface *below) {
        return below->name && string_list_contains(&above->below, below->name);
}

int network_sort(Network *network, Error *error) {
        bool changed = true;

        if (network->length > 0)
                qsort(network->items, network->length, sizeof(*network->items), compare);
        for (unsigned round = 0; changed; round++) {
                changed = false;
                if (round > NETWORK_DEPTH_MAX)
                        return error_set(error, -EINVAL,
                                         "network interfaces stand on each other in a circle, or more "
                                         "than %u deep",
                                         NETWORK_DEPTH_MAX);
                for (size_t i = 0; i < network->length; i++)
                        for (size_t j = 0; j < network->length; j++) {
                                Interface *below = &network->items[i];
                                const Interface *above = &network->items[j];

                                if (stands_on(above, below) && below->depth < above->depth + 1) {
                                        below->depth = above->depth + 1;
                                        changed = true;
                                }
                        }
        }
        return 0;
}

/* ---- units ---- */

int network_format_netdev(const Interface *interface, Buffer *to) {
        const char *mac = interface->kind == INTERFACE_VLAN ? interface->vlan_mac : interface->mac;

        if (interface->kind == INTERFACE_PHYSICAL)
                return 0;
        (void)buffer_printf(to, "[NetDev]\nKind=%s\nName=%s\n", interface->kind == INTERFACE_BOND ? "bond" : "vlan",
                            interface->name);
        if (mac)
                (void)buffer_printf(to, "MACAddress=%s\n", mac);
        if (interface->kind == INTERFACE_VLAN)
                return buffer_printf(to, "\n[VLAN]\nId=%u\n", interface->vlan_id);
        (void)buffer_append_string(to, "\n[Bond]\n");
        for (size_t i = 0; i < interface->options.length; i++)
                (void)buffer_printf(to, "%s\n", interface->options.items[i]);
        return buffer_failed(to);
}

static void format_above(const Network *network, const Interface *interface, Buffer *to) {
        for (size_t i = 0; i < network->length; i++)
                if (stands_on(&network->items[i], interface))
                        (void)buffer_printf(to, "%s=%s\n", network->items[i].kind == INTERFACE_VLAN ? "VLAN" : "Bond",
                                            network->items[i].name);
}

int network_format_network(const Network *network, const Interface *interface, Buffer *to) {
        (void)buffer_append_string(to, "[Match]\n");
        if (interface->name)
                (void)buffer_printf(to, "Name=%s\n", interface->name);
        if (interface->mac)
                (void)buffer_printf(to, "MACAddress=%s\n", interface->mac);
        (void)buffer_append_string(to, "\n[Network]\n");
        format_above(network, interface, to);
        for (size_t i = 0; i < interface->domains.length; i++)
                (void)buffer_printf(to, "%s%s%s", i ? " " : "Domains=", interface->domains.items[i],
                                    i + 1 == interface->domains.length ? "\n" : "");
        for (size_t i = 0; i < interface->nameservers.length; i++)
                (void)buffer_printf(to, "DNS=%s\n", interface->nameservers.items[i]);
        for (size_t i = 0; i < interface->addresses.length; i++)
                (void)buffer_printf(to, "\n[Address]\nAddress=%s\n", interface->addresses.items[i]);
        for (size_t i = 0; i < interface->destinations.length; i++)
                (void)buffer_printf(to, "\n[Route]\nDestination=%s\nGateway=%s\n", interface->destinations.items[i],
                                    interface->gateways.items[i]);
        if (interface->dhcp)
                (void)buffer_append_string(to, "DHCP=true\n");
        return buffer_failed(to);
}

/* ---- the plan ---- */

static int plan_unit(Planner *planner, const Interface *interface, const char *suffix, Buffer *text) {
        _cleanup_free_ char *path =
                str_printf("/run/systemd/network/%02x-%s.%s", interface->depth, sort_key(interface), suffix);

        if (buffer_failed(text) < 0 || !path)
                return -ENOMEM;
        planner->reload = planner->network = true;
        return buffer_length(text) ? planner_add_file(planner, 0, path, buffer_steal_string(text, NULL)) : 0;
}

static int plan_interface(Planner *planner, const Network *network, const Interface *interface) {
        _cleanup_buffer_ Buffer netdev = BUFFER_INIT, text = BUFFER_INIT;
        int r;

        (void)network_format_netdev(interface, &netdev);
        (void)network_format_network(network, interface, &text);
        r = plan_unit(planner, interface, "netdev", &netdev);
        return r < 0 ? r : plan_unit(planner, interface, "network", &text);
}

/* The first of each kind names the module's options, as modprobe takes them only once. */
static int plan_module(Planner *planner, const Network *network, InterfaceKind kind, const char *module) {
        for (size_t i = 0; i < network->length; i++) {
                Step step = {.kind = STEP_MODULE};
                int r = 0;

                if (network->items[i].kind != kind)
                        continue;
                step.unit = strdup(module);
                for (size_t j = 0; j < network->items[i].options.length && r >= 0; j++)
                        r = string_list_add(&step.options, network->items[i].options.items[j]);
                return planner_add(planner, step, step.unit && r >= 0);
        }
        return 0;
}

static int parse(NetworkFormat format, Slice text, Network *network, Error *error) {
        switch (format) {
        case NETWORK_DEBIAN:
                return network_parse_debian(text, network, error);
        case NETWORK_PACKET:
                return network_parse_packet(text, network, error);
        case NETWORK_VMWARE:
                return network_parse_vmware(text, network, error);
        case NETWORK_NONE:
        case NETWORK_UNKNOWN:
        default:
                return -EINVAL;
        }
}

int plan_network(Planner *planner) {
        const Metadata *metadata = planner->facts->metadata;
        _cleanup_network_ Network network = {0};
        int r;

        if (planner->facts->network == NETWORK_NONE)
                return 0;
        if (!metadata || !metadata->has_network)
                return planner_warn(planner,
                                    "the network's configuration is to be converted, but the meta-data has none");
        r = parse(planner->facts->network,
                  (Slice){buffer_length(&metadata->network) ? buffer_data(&metadata->network) : "",
                          buffer_length(&metadata->network)},
                  &network, planner->error);
        if (r < 0 && r != -ENOMEM)
                return error_prefix(planner->error, r, "the network's configuration of the meta-data");
        if (r >= 0)
                r = plan_module(planner, &network, INTERFACE_VLAN, "8021q");
        if (r >= 0)
                r = plan_module(planner, &network, INTERFACE_BOND, "bonding");
        for (size_t i = 0; i < network.length && r >= 0; i++)
                r = plan_interface(planner, &network, &network.items[i]);
        return r;
}
