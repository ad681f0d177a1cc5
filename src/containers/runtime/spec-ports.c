#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "containers/runtime/json-fields.h"
#include "containers/runtime/spec.h"

int spec_port_parse(const char *text, uint16_t *ret_port, char ret_protocol[static 4], Error *error) {
        Slice rest = slice_from(text), number, protocol = slice_from("tcp");
        uint64_t port;

        (void)slice_split(&rest, '/', &number);
        if (rest.data)
                protocol = rest;
        if (str_parse_u64(number, UINT16_MAX, &port) < 0 || port == 0)
                return error_set(error, -EINVAL,
                                 "invalid port \"%.64s\": it must be a number from 1 to 65535, as 80/tcp", text);
        if (!slice_equals(protocol, slice_from("tcp")) && !slice_equals(protocol, slice_from("udp")))
                return error_set(error, -EINVAL, "invalid port \"%.64s\": tcp and udp can be published", text);
        *ret_port = (uint16_t)port;
        (void)snprintf(ret_protocol, 4, "%.*s", (int)protocol.length, protocol.data);
        return 0;
}

static int add_port(ContainerSpec *spec, const SpecPort *port, Error *error) {
        SpecPort *more;

        if (spec->n_ports >= SPEC_PORTS_MAX)
                return error_set(error, -EINVAL, "more than %d ports are published", SPEC_PORTS_MAX);
        more = reallocarray(spec->ports, spec->n_ports + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        spec->ports = more;
        spec->ports[spec->n_ports++] = *port;
        return 0;
}

static int parse_address(const char *text, SpecPort *port, Error *error) {
        struct in_addr address;

        if (text[0] == '\0' || str_equals(text, "::"))
                text = "0.0.0.0";
        if (inet_pton(AF_INET, text, &address) != 1)
                return error_set(error, -EINVAL,
                                 "invalid host address \"%.64s\" of a published port: it must be an IPv4 address",
                                 text);
        (void)snprintf(port->address, sizeof(port->address), "%s", text);
        return 0;
}

static int parse_binding(const json_t *binding, SpecPort port, ContainerSpec *spec, Error *error) {
        const char *host = json_text(binding, "HostPort");
        uint64_t number = 0;
        int r;

        if (!json_is_object(binding))
                return error_set(error, -EINVAL, "an entry of PortBindings must be an object");
        if (host[0] != '\0' && str_parse_u64(slice_from(host), UINT16_MAX, &number) < 0)
                return error_set(error, -EINVAL, "invalid host port \"%.64s\": it must be a number from 1 to 65535",
                                 host);
        port.host = (uint16_t)number;
        r = parse_address(json_text(binding, "HostIp"), &port, error);
        return r < 0 ? r : add_port(spec, &port, error);
}

int spec_ports_parse(const json_t *bindings, ContainerSpec *spec, Error *error) {
        const char *key;
        json_t *list;

        json_object_foreach ((json_t *)(uintptr_t)bindings, key, list) {
                SpecPort port = {0};
                int r = spec_port_parse(key, &port.container, port.protocol, error);

                if (r < 0)
                        return r;
                if (json_is_null(list) || (json_is_array(list) && json_array_size(list) == 0)) {
                        (void)snprintf(port.address, sizeof(port.address), "0.0.0.0");
                        r = add_port(spec, &port, error);
                } else if (!json_is_array(list)) {
                        r = error_set(error, -EINVAL, "PortBindings: %.64s must have a list", key);
                }
                for (size_t i = 0; r >= 0 && i < json_array_size(list); i++)
                        r = parse_binding(json_array_get(list, i), port, spec, error);
                if (r < 0)
                        return r;
        }
        return 0;
}
