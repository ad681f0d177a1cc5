/* "key=value" lines of VMware's guest information: metadata_read_vmware() makes them. */
#include <errno.h>
#include <stdio.h>

#include "boot/config/network.h"

typedef struct Reader {
        Slice text;
        Network *network;
        StringList nameservers, domains;
        Error *error;
} Reader;

/* data NULL: there is none. */
static Slice value_of(const Reader *reader, const char *key) {
        Slice rest = reader->text, line;
        size_t length = strlen(key);

        while (rest.data && slice_split(&rest, '\n', &line))
                if (line.length > length && line.data[length] == '=' && memcmp(line.data, key, length) == 0)
                        return (Slice){line.data + length + 1, line.length - length - 1};
        return (Slice){NULL, 0};
}

static Slice numbered(const Reader *reader, const char *before, size_t number, const char *behind) {
        char key[128];
        int length = snprintf(key, sizeof(key), "%s%zu%s", before, number, behind);

        return length > 0 && (size_t)length < sizeof(key) ? value_of(reader, key) : (Slice){NULL, 0};
}

static int take_servers(Reader *reader) {
        Slice value;
        int r = 0;

        for (size_t i = 0; r >= 0 && (value = numbered(reader, "dns.server.", i, "")).data; i++)
                r = ip_add(&reader->nameservers, value, reader->error);
        for (size_t i = 0; r >= 0 && (value = numbered(reader, "dns.domain.", i, "")).data; i++)
                r = memchr(value.data, ' ', value.length)
                            ? error_set(reader->error, -EINVAL, "a search domain has a blank in it")
                            : string_list_add_slice(&reader->domains, value);
        return r;
}

static int take_addresses(const Reader *reader, const char *prefix, Interface *interface) {
        _cleanup_free_ char *before = str_printf("%sip.", prefix);
        Slice value;
        int r = before ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && (value = numbered(reader, before, i, ".address")).data; i++)
                r = ip_add_cidr(&interface->addresses, value, false, reader->error);
        return r;
}

static int take_routes(const Reader *reader, const char *prefix, Interface *interface) {
        _cleanup_free_ char *before = str_printf("%sroute.", prefix);
        int r = before ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0; i++) {
                Slice gateway = numbered(reader, before, i, ".gateway"),
                      destination = numbered(reader, before, i, ".destination");

                if (!gateway.data && !destination.data)
                        break;
                if (!gateway.data || !destination.data)
                        return error_set(reader->error, -EINVAL, "%s%zu has no %s", before, i,
                                         gateway.data ? "destination" : "gateway");
                r = ip_add(&interface->gateways, gateway, reader->error);
                if (r >= 0)
                        r = ip_add_cidr(&interface->destinations, destination, true, reader->error);
        }
        return r;
}

static int copy_list(const StringList *from, StringList *to) {
        int r = 0;

        for (size_t i = 0; i < from->length && r >= 0; i++)
                r = string_list_add(to, from->items[i]);
        return r;
}

static int take_identity(const Reader *reader, size_t number, Interface **ret) {
        Slice name = numbered(reader, "interface.", number, ".name"),
              mac = numbered(reader, "interface.", number, ".mac");
        _cleanup_free_ char *copy = name.data ? slice_dup(name) : NULL;
        bool is_new;
        int r;

        if (!name.data && !mac.data)
                return error_set(reader->error, -EINVAL, "interface.%zu has neither name nor mac", number);
        if (name.data && !copy)
                return -ENOMEM;
        r = network_add(reader->network, copy, ret, &is_new, reader->error);
        if (r >= 0 && !is_new)
                r = error_set(reader->error, -EINVAL, "two interfaces are called %s", copy);
        return r < 0 || !mac.data ? r : mac_parse(mac, &(*ret)->mac, reader->error);
}

static int take_static(const Reader *reader, Interface *interface) {
        int r = copy_list(&reader->nameservers, &interface->nameservers);

        return r < 0 ? r : copy_list(&reader->domains, &interface->domains);
}

/* 1: there is such an interface; 0: it was the last. */
static int take_interface(const Reader *reader, size_t number) {
        _cleanup_free_ char *prefix = str_printf("interface.%zu.", number);
        Slice dhcp = numbered(reader, "interface.", number, ".dhcp");
        bool any = numbered(reader, "interface.", number, ".ip.0.address").data ||
                   numbered(reader, "interface.", number, ".route.0.gateway").data ||
                   numbered(reader, "interface.", number, ".route.0.destination").data;
        Interface *interface;
        int r;

        if (!prefix)
                return -ENOMEM;
        if (dhcp.data && !slice_equals(dhcp, slice_from("yes")) && !slice_equals(dhcp, slice_from("no")))
                return error_set(reader->error, -EINVAL, "%sdhcp must be yes or no", prefix);
        if (!any && !(dhcp.data && slice_equals(dhcp, slice_from("yes"))))
                return 0;
        r = take_identity(reader, number, &interface);
        if (r < 0)
                return r;
        interface->dhcp = !any;
        if (any)
                r = take_static(reader, interface);
        if (r >= 0)
                r = take_addresses(reader, prefix, interface);
        if (r >= 0)
                r = take_routes(reader, prefix, interface);
        return r < 0 ? r : 1;
}

int network_parse_vmware(Slice text, Network *network, Error *error) {
        Reader reader = {.text = text, .network = network, .error = error};
        int r = take_servers(&reader);

        if (r >= 0)
                r = 1;
        for (size_t i = 0; r > 0; i++)
                r = take_interface(&reader, i);
        string_list_deinit(&reader.nameservers);
        string_list_deinit(&reader.domains);
        return r;
}
