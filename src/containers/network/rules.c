#include "containers/network/rules.h"

#include "base/str.h"

/* A port of the machine's becomes one of a container's, whoever asks: others (prerouting) or the machine itself
 * (output). */
static void format_ports(const RulesInput *input, Buffer *buffer) {
        for (size_t i = 0; i < input->n_ports; i++) {
                const PublishedPort *port = &input->ports[i];

                (void)buffer_append_string(buffer, "    ");
                if (!str_equals(port->address, "0.0.0.0"))
                        (void)buffer_printf(buffer, "ip daddr %s ", port->address);
                (void)buffer_printf(buffer, "fib daddr type local %s dport %u dnat to %s:%u\n", port->protocol,
                                    port->host, port->target, port->container);
        }
}

int rules_format(const RulesInput *input, Buffer *buffer) {
        (void)rules_format_removal(buffer);
        (void)buffer_append_string(buffer, "table ip " RULES_TABLE " {\n");
        /* route_localnet lets the machine reach containers from 127.0.0.1; nobody else may come in by that door */
        (void)buffer_printf(buffer,
                            "  chain guard {\n    type filter hook prerouting priority raw; policy accept;\n"
                            "    iifname \"%s\" ip daddr 127.0.0.0/8 drop\n  }\n",
                            input->bridge);
        (void)buffer_append_string(
                buffer, "  chain prerouting {\n    type nat hook prerouting priority dstnat; policy accept;\n");
        format_ports(input, buffer);
        (void)buffer_append_string(buffer,
                                   "  }\n  chain output {\n    type nat hook output priority -100; policy accept;\n");
        format_ports(input, buffer);
        /* outwards; from 127.0.0.1 of the machine; and from one container to another, or itself, by a published port */
        (void)buffer_printf(
                buffer,
                "  }\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n"
                "    ip saddr %s oifname != \"%s\" masquerade\n"
                "    ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n"
                "    ip saddr %s oifname \"%s\" ct status dnat masquerade\n  }\n",
                input->subnet, input->bridge, input->bridge, input->subnet, input->bridge);
        /* from outside only what is published comes in */
        (void)buffer_printf(buffer,
                            "  chain forward {\n    type filter hook forward priority filter; policy accept;\n"
                            "    oifname \"%s\" ct state established,related accept\n"
                            "    oifname \"%s\" ct status dnat accept\n"
                            "    iifname \"%s\" accept\n"
                            "    oifname \"%s\" drop\n  }\n}\n",
                            input->bridge, input->bridge, input->bridge, input->bridge);
        return buffer_failed(buffer);
}

int rules_format_removal(Buffer *buffer) {
        /* to delete what may not be there, it is named first, which makes it */
        return buffer_append_string(buffer, "table ip " RULES_TABLE "\ndelete table ip " RULES_TABLE "\n");
}
