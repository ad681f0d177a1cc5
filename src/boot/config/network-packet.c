/* The part "network" of Packet's meta-data: all its interfaces become one bond. */
#include <errno.h>
#include <jansson.h>

#include "boot/config/network.h"

enum { LIST_MAX = 128 };

static Slice member(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return json_is_string(value) ? (Slice){json_string_value(value), json_string_length(value)} : (Slice){"", 0};
}

static int check_length(const json_t *list, const char *what, Error *error) {
        return json_array_size(list) > LIST_MAX ? error_set(error, -EINVAL, "more than %d %s", LIST_MAX, what) : 0;
}

static int take_nameservers(const json_t *dns, StringList *servers, Error *error) {
        size_t i;
        json_t *one;
        int r = check_length(dns, "name servers", error);

        if (r >= 0 && !json_is_array(dns)) {
                r = string_list_add(servers, "8.8.8.8");
                return r < 0 ? r : string_list_add(servers, "8.8.4.4");
        }
        json_array_foreach (dns, i, one)
                if (r >= 0)
                        r = ip_add(servers, json_is_string(one) ? slice_from(json_string_value(one)) : (Slice){"", 0},
                                   error);
        return r;
}

static int take_block(const json_t *block, Interface *bond, Error *error) {
        bool public = json_is_true(json_object_get(block, "public"));
        bool ipv4 = json_integer_value(json_object_get(block, "address_family")) == 4;
        int r = ip_add_with_mask(&bond->addresses, member(block, "address"), member(block, "netmask"), false, error);

        if (r >= 0)
                r = string_list_add(&bond->destinations, !public ? "10.0.0.0/8" : ipv4 ? "0.0.0.0/0" : "::/0");
        return r < 0 ? r : ip_add(&bond->gateways, member(block, "gateway"), error);
}

static int take_blocks(const json_t *blocks, Interface *bond, Error *error) {
        size_t i;
        json_t *block;
        int r = check_length(blocks, "addresses", error);

        json_array_foreach (blocks, i, block)
                if (r >= 0)
                        r = take_block(block, bond, error);
        return r;
}

/* In the order of their names. */
static int take_options(Interface *bond) {
        static const char *const options[] = {"DownDelaySec=.2", "LACPTransmitRate=fast", "MIIMonitorSec=.2",
                                              "Mode=802.3ad", "UpDelaySec=.2"};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(options) && r >= 0; i++)
                r = string_list_add(&bond->options, options[i]);
        return r;
}

static int copy_list(const StringList *from, StringList *to) {
        int r = 0;

        for (size_t i = 0; i < from->length && r >= 0; i++)
                r = string_list_add(to, from->items[i]);
        return r;
}

/* The cards carry no addresses; they are numbered as they come. */
static int take_cards(const json_t *cards, Interface *bond, Network *network, Error *error) {
        size_t i;
        json_t *card;
        int r = check_length(cards, "interfaces", error);

        json_array_foreach (cards, i, card) {
                Interface *interface;

                if (r >= 0)
                        r = string_list_add_slice(&bond->below, member(card, "name"));
                if (r >= 0)
                        r = network_add(network, bond->below.items[i], &interface, NULL, error);
                if (r < 0)
                        return r;
                if (interface == bond)
                        return error_set(error, -EINVAL, "an interface is called %s, as the bond of all", bond->name);
                interface->depth = (unsigned)i;
                r = copy_list(&bond->nameservers, &interface->nameservers);
        }
        return r;
}

static int take_network(const json_t *json, Network *network, Error *error) {
        const json_t *cards = json_object_get(json, "interfaces");
        Interface *bond;
        int r;

        if (json_array_size(cards) == 0)
                return error_set(error, -EINVAL, "it names no interfaces");
        r = network_add(network, "bond0", &bond, NULL, error);
        if (r < 0)
                return r;
        bond->kind = INTERFACE_BOND;
        r = mac_parse(member(json_array_get(cards, 0), "mac"), &bond->mac, error);
        if (r >= 0)
                r = take_nameservers(json_object_get(json, "dns"), &bond->nameservers, error);
        if (r >= 0)
                r = take_blocks(json_object_get(json, "addresses"), bond, error);
        if (r >= 0)
                r = take_options(bond);
        return r < 0 ? r : take_cards(cards, bond, network, error);
}

int network_parse_packet(Slice text, Network *network, Error *error) {
        json_t *json = json_loadb(text.data, text.length, 0, NULL);
        int r = json_is_object(json) ? take_network(json, network, error)
                                     : error_set(error, -EINVAL, "it is no JSON object");

        json_decref(json);
        return r;
}
