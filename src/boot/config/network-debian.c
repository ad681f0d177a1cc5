/* /etc/network/interfaces of Debian, as far as coreos-cloudinit reads it. */
#include <errno.h>

#include "boot/config/network.h"

enum { OPTIONS_MAX = 128 }; /* of one stanza */

/* A stanza's lines below its first, in pieces: words[0] is the option. */
typedef struct Stanza {
        char *name, *method;
        StringList options; /* "name value …", blanks between words made one */
        unsigned line;
} Stanza;

typedef struct Reader {
        Network *network;
        Stanza stanza;
        bool open; /* `stanza` is an iface one that is being read */
        bool any;  /* of any kind */
        unsigned line;
        Error *error;
} Reader;

static void stanza_deinit(Stanza *stanza) {
        free(stanza->name);
        free(stanza->method);
        string_list_deinit(&stanza->options);
        *stanza = (Stanza){0};
}

static int refuse(const Reader *reader, unsigned line, const char *why, const char *what) {
        return error_set(reader->error, -EINVAL, "line %u: %s \"%.64s\"", line, why, what);
}

/* ---- options ---- */

/* The words after the name of the last option called so; NULL: there is none. */
static const char *option(const Stanza *stanza, const char *name) {
        size_t length = strlen(name);

        for (size_t i = stanza->options.length; i-- > 0;) {
                const char *one = stanza->options.items[i];

                if (strncmp(one, name, length) == 0 && (one[length] == ' ' || one[length] == '\0'))
                        return one[length] ? one + length + 1 : one + length;
        }
        return NULL;
}

/* The same if it is one word. */
static const char *single(const Stanza *stanza, const char *name) {
        const char *value = option(stanza, name);

        return value && *value && !strchr(value, ' ') ? value : NULL;
}

static int split_words(const char *text, StringList *words) {
        Slice rest = slice_from(text), word;
        int r = 0;

        while (rest.data && slice_split(&rest, ' ', &word) && r >= 0)
                if (word.length > 0)
                        r = string_list_add_slice(words, word);
        return r;
}

static int explain(const Reader *reader, int r) {
        return r == -EINVAL ? error_prefix(reader->error, r, "line %u: %s", reader->stanza.line, reader->stanza.name)
                            : r;
}

/* ---- methods ---- */

/* "route add -net 10.0.0.0 netmask 255.0.0.0 gw 10.0.0.1"; one that lacks a part is passed over. */
static int take_route(const Reader *reader, const char *command, Interface *interface) {
        _cleanup_string_list_ StringList words = {0};
        const char *net = NULL, *mask = NULL, *gateway = NULL;
        int r;

        if (!str_starts_with(command, "route add"))
                return 0;
        r = split_words(command, &words);
        for (size_t i = 0; i + 1 < words.length; i++) {
                if (str_equals(words.items[i], "-net"))
                        net = words.items[i + 1];
                else if (str_equals(words.items[i], "netmask"))
                        mask = words.items[i + 1];
                else if (str_equals(words.items[i], "gw"))
                        gateway = words.items[i + 1];
        }
        if (r < 0 || !net || !gateway || (!mask && !strchr(net, '/')))
                return r;
        r = strchr(net, '/') ? ip_add_cidr(&interface->destinations, slice_from(net), true, reader->error)
                             : ip_add_with_mask(&interface->destinations, slice_from(net), slice_from(mask), true,
                                                reader->error);
        return r < 0 ? r : ip_add(&interface->gateways, slice_from(gateway), reader->error);
}

static int take_routes(const Reader *reader, Interface *interface) {
        const Stanza *stanza = &reader->stanza;
        const char *gateway = single(stanza, "gateway");
        int r = 0;

        if (gateway) {
                r = string_list_add(&interface->destinations, "0.0.0.0/0");
                if (r >= 0)
                        r = ip_add(&interface->gateways, slice_from(gateway), reader->error);
        }
        for (size_t i = 0; i < stanza->options.length && r >= 0; i++)
                if (str_starts_with(stanza->options.items[i], "post-up "))
                        r = take_route(reader, stanza->options.items[i] + strlen("post-up "), interface);
        return r;
}

static int take_static(const Reader *reader, Interface *interface) {
        const char *address = single(&reader->stanza, "address"), *netmask = single(&reader->stanza, "netmask");
        _cleanup_string_list_ StringList servers = {0};
        int r;

        if (!address || !netmask)
                return error_set(reader->error, -EINVAL, "a static interface must have an address and a netmask");
        r = ip_add_with_mask(&interface->addresses, slice_from(address), slice_from(netmask), false, reader->error);
        if (r >= 0)
                r = split_words(option(&reader->stanza, "dns-nameservers") ?: "", &servers);
        for (size_t i = 0; i < servers.length && r >= 0; i++)
                r = ip_add(&interface->nameservers, slice_from(servers.items[i]), reader->error);
        return r < 0 ? r : take_routes(reader, interface);
}

/* "hwaddress ether MAC" */
static int take_hardware_address(const Reader *reader, Interface *interface) {
        const char *value = option(&reader->stanza, "hwaddress");

        if (!value || !str_starts_with(value, "ether ") || strchr(value + strlen("ether "), ' '))
                return 0;
        return mac_parse(slice_from(value + strlen("ether ")), &interface->vlan_mac, reader->error);
}

static int take_method(const Reader *reader, Interface *interface) {
        const char *method = reader->stanza.method;
        int r = 0;

        if (str_equals(method, "manual"))
                return 0;
        if (str_equals(method, "static"))
                r = take_static(reader, interface);
        else if (str_equals(method, "dhcp"))
                interface->dhcp = true;
        else
                return error_set(reader->error, -EINVAL,
                                 "the method \"%.64s\" is unknown: static, dhcp, manual and loopback are known",
                                 method);
        return r < 0 ? r : take_hardware_address(reader, interface);
}

/* ---- kinds ---- */

/* An interface that others name is there too, even without a stanza of its own. */
static int have_below(const Reader *reader, Interface *interface) {
        int r = 0;

        for (size_t i = 0; i < interface->below.length && r >= 0; i++) {
                Interface *below;

                r = network_add(reader->network, interface->below.items[i], &below, NULL, reader->error);
        }
        return r;
}

/* "eth0.42", "vlan42" */
static int take_vlan(const Reader *reader, Interface *interface) {
        const char *dot = strrchr(interface->name, '.'), *raw = single(&reader->stanza, "vlan_raw_device");
        const char *id = dot ? dot + 1 : interface->name + strlen("vlan");
        uint64_t number;

        if ((!dot && !str_starts_with(interface->name, "vlan")) || str_parse_u64(slice_from(id), 4095, &number) < 0)
                return error_set(reader->error, -EINVAL,
                                 "the name of a VLAN must end with its number, as eth0.42 or vlan42");
        interface->kind = INTERFACE_VLAN;
        interface->vlan_id = (unsigned)number;
        return raw ? string_list_add(&interface->below, raw) : 0;
}

/* Options in the order of their names. */
static int take_bond(const Reader *reader, Interface *interface) {
        static const char *const names[] = {"lacp-rate", "miimon", "mode"};
        int r = split_words(option(&reader->stanza, "bond-slaves"), &interface->below);

        interface->kind = INTERFACE_BOND;
        for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++) {
                _cleanup_free_ char *name = str_printf("bond-%s", names[i]);
                const char *value = name ? option(&reader->stanza, name) : NULL;

                if (!name)
                        return -ENOMEM;
                if (value && *value)
                        r = string_list_take(&interface->options,
                                             str_printf("%s=%.*s", names[i], (int)strcspn(value, " "), value));
        }
        return r;
}

static int take_interface(const Reader *reader) {
        const Stanza *stanza = &reader->stanza;
        bool vlan = option(stanza, "vlan_raw_device") || strchr(stanza->name, '.');
        Interface *interface;
        int r;

        if (str_equals(stanza->method, "loopback"))
                return 0;
        r = network_add(reader->network, stanza->name, &interface, NULL, reader->error);
        if (r < 0)
                return r;
        interface_clear(interface); /* of several stanzas for one interface the last counts */
        if (vlan)
                r = take_vlan(reader, interface);
        else if (option(stanza, "bond-slaves"))
                r = take_bond(reader, interface);
        if (r >= 0)
                r = take_method(reader, interface);
        return r < 0 ? r : have_below(reader, interface);
}

/* ---- lines ---- */

static int end_stanza(Reader *reader) {
        int r = reader->open ? explain(reader, take_interface(reader)) : 0;

        reader->open = false;
        stanza_deinit(&reader->stanza);
        return r;
}

static bool begins_stanza(const char *word) {
        return str_equals(word, "auto") || str_equals(word, "iface") || str_equals(word, "mapping") ||
               str_starts_with(word, "allow-");
}

static int begin_stanza(Reader *reader, const StringList *words) {
        int r = end_stanza(reader);

        reader->any = true;
        if (r < 0)
                return r;
        if (words->length < 2)
                return refuse(reader, reader->line, "nothing follows", words->items[0]);
        if (str_equals(words->items[0], "auto"))
                return 0;
        if (!str_equals(words->items[0], "iface"))
                return refuse(reader, reader->line, "unknown stanza", words->items[0]);
        if (words->length != 4)
                return refuse(reader, reader->line, "NAME, FAMILY and METHOD must follow", words->items[0]);
        reader->open = true;
        reader->stanza.line = reader->line;
        reader->stanza.name = strdup(words->items[1]);
        reader->stanza.method = strdup(words->items[3]);
        return reader->stanza.name && reader->stanza.method ? 0 : -ENOMEM;
}

static int add_option(Reader *reader, const StringList *words) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;

        if (reader->stanza.options.length == OPTIONS_MAX)
                return refuse(reader, reader->line, "too many options in front of", words->items[0]);
        for (size_t i = 0; i < words->length; i++)
                (void)buffer_printf(&joined, "%s%s", i ? " " : "", words->items[i]);
        return string_list_take(&reader->stanza.options, buffer_steal_string(&joined, NULL));
}

/* One line, with those it goes on in put together; tabs are blanks. */
static int take_line(Reader *reader, char *text) {
        _cleanup_string_list_ StringList words = {0};
        int r;

        for (char *at = text; *at; at++)
                if (strchr("\t\r\v\f", *at))
                        *at = ' ';
        r = split_words(text, &words);
        if (r < 0 || words.length == 0 || words.items[0][0] == '#')
                return r;
        if (begins_stanza(words.items[0]))
                return begin_stanza(reader, &words);
        if (!reader->any)
                return refuse(reader, reader->line, "no stanza has begun in front of", words.items[0]);
        return reader->open ? add_option(reader, &words) : 0;
}

/* A backslash at the end joins a line with the next. */
static int read_lines(Reader *reader, Slice text) {
        while (text.length > 0) {
                _cleanup_buffer_ Buffer line = BUFFER_INIT;
                unsigned ends = 0;
                bool more = true;
                int r;

                while (more && text.length > 0) {
                        const char *end = memchr(text.data, '\n', text.length);
                        size_t length = end ? (size_t)(end - text.data) : text.length;

                        more = end && length > 0 && text.data[length - 1] == '\\';
                        (void)buffer_append(&line, text.data, length - more);
                        text.data += length + (end ? 1 : 0);
                        text.length -= length + (end ? 1 : 0);
                        ends++;
                }
                reader->line++;
                if (!buffer_string(&line))
                        return -ENOMEM;
                r = take_line(reader, buffer_data(&line));
                if (r < 0)
                        return r;
                reader->line += ends - 1;
        }
        return 0;
}

int network_parse_debian(Slice text, Network *network, Error *error) {
        Reader reader = {.network = network, .error = error};
        int r;

        if (text.length > 0 && memchr(text.data, '\0', text.length))
                return error_set(error, -EINVAL, "the text has a NUL in it");
        r = read_lines(&reader, text);
        if (r >= 0)
                r = end_stanza(&reader);
        stanza_deinit(&reader.stanza);
        return r < 0 ? r : network_sort(network, error);
}
