#include "boot/config/metadata.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>

void metadata_deinit(Metadata *metadata) {
        free(metadata->hostname);
        string_list_deinit(&metadata->keys);
        addresses_deinit(&metadata->addresses);
        buffer_deinit(&metadata->network);
        free(metadata->content_path);
        *metadata = (Metadata){0};
}

static bool is_address(Slice value) {
        char text[INET6_ADDRSTRLEN + 1];
        unsigned char bytes[16];

        if (value.length >= sizeof(text) || memchr(value.data, '\0', value.length))
                return false;
        memcpy(text, value.data, value.length);
        text[value.length] = '\0';
        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

int metadata_set_address(Metadata *metadata, Address address, Slice value, Error *error) {
        if (value.length == 0)
                return 0;
        if (!is_address(value))
                return error_set(error, -EINVAL, "the meta-data's %s is \"%.*s\", which is no address",
                                 address_name(address) + 1, (int)min_of(value.length, (size_t)64), value.data);
        return addresses_set(&metadata->addresses, address, value, error);
}

int metadata_take_address(Metadata *metadata, Address address, Slice value) {
        return value.length > 0 && is_address(value) ? addresses_set(&metadata->addresses, address, value, NULL) : 0;
}

int metadata_set_hostname(Metadata *metadata, Slice value) {
        const char *blank = value.length ? memchr(value.data, ' ', value.length) : NULL;
        char *copy;

        if (blank)
                value.length = (size_t)(blank - value.data);
        value = slice_trim(value);
        if (value.length == 0 || memchr(value.data, '\0', value.length))
                return 0;
        copy = slice_dup(value);
        if (!copy)
                return -ENOMEM;
        free(metadata->hostname);
        metadata->hostname = copy;
        return 0;
}

int metadata_add_key(Metadata *metadata, Slice key, Error *error) {
        if (metadata->keys.length == METADATA_KEYS_MAX)
                return error_set(error, -EMSGSIZE, "the meta-data has more than %zu SSH keys", METADATA_KEYS_MAX);
        if (key.length > 0 && memchr(key.data, '\0', key.length))
                return error_set(error, -EINVAL, "an SSH key of the meta-data has a NUL in it");
        return string_list_add_slice(&metadata->keys, key);
}

/* ---- JSON ---- */

static Slice string_of(const json_t *value) {
        return json_is_string(value) ? (Slice){json_string_value(value), json_string_length(value)} : (Slice){"", 0};
}

static Slice member(const json_t *object, const char *name) {
        return string_of(json_object_get(object, name));
}

static json_t *parse_object(Slice text, const char *what, Error *error) {
        json_error_t why;
        json_t *json = text.length <= METADATA_DOCUMENT_MAX ? json_loadb(text.data, text.length, 0, &why) : NULL;

        if (json_is_object(json))
                return json;
        if (text.length > METADATA_DOCUMENT_MAX)
                (void)error_set(error, -EINVAL, "%s has more than %zu bytes", what, METADATA_DOCUMENT_MAX);
        else if (json)
                (void)error_set(error, -EINVAL, "%s is no JSON object", what);
        else
                (void)error_set(error, -EINVAL, "%s is no JSON: line %d: %s", what, why.line, why.text);
        json_decref(json);
        return NULL;
}

/* A list, or the values of an object. */
static int add_keys(Metadata *metadata, json_t *keys, Error *error) {
        const char *name;
        json_t *key;
        size_t i;
        int r = 0;

        if (json_is_object(keys)) {
                json_object_foreach (keys, name, key)
                        if (r >= 0)
                                r = metadata_add_key(metadata, string_of(key), error);
                return r;
        }
        json_array_foreach (keys, i, key)
                if (r >= 0)
                        r = metadata_add_key(metadata, string_of(key), error);
        return r;
}

static int take_openstack(const json_t *json, Metadata *metadata, Error *error) {
        Slice path = member(json_object_get(json, "network_config"), "content_path");
        int r = metadata_set_hostname(metadata, member(json, "hostname"));

        if (r >= 0)
                r = add_keys(metadata, json_object_get(json, "public_keys"), error);
        if (r < 0 || path.length == 0)
                return r;
        if (memchr(path.data, '\0', path.length))
                return error_set(error, -EINVAL, "content_path has a NUL in it");
        metadata->content_path = slice_dup(path);
        return metadata->content_path ? 0 : -ENOMEM;
}

int metadata_parse_openstack(Slice text, Metadata *metadata, Error *error) {
        json_t *json = parse_object(text, "meta_data.json", error);
        int r = json ? take_openstack(json, metadata, error) : -EINVAL;

        json_decref(json);
        return r;
}

static int take_interface(const json_t *interfaces, const char *kind, Address ipv4, Address ipv6, Metadata *metadata) {
        const json_t *first = json_array_get(json_object_get(interfaces, kind), 0);
        int r = metadata_take_address(metadata, ipv4, member(json_object_get(first, "ipv4"), "ip_address"));

        return r < 0 ? r : metadata_take_address(metadata, ipv6, member(json_object_get(first, "ipv6"), "ip_address"));
}

int metadata_parse_digitalocean(Slice text, Metadata *metadata, Error *error) {
        json_t *json = parse_object(text, "DigitalOcean's meta-data", error);
        const json_t *interfaces = json_object_get(json, "interfaces");
        int r = json ? metadata_set_hostname(metadata, member(json, "hostname")) : -EINVAL;

        if (r >= 0)
                r = take_interface(interfaces, "public", ADDRESS_PUBLIC_IPV4, ADDRESS_PUBLIC_IPV6, metadata);
        if (r >= 0)
                r = take_interface(interfaces, "private", ADDRESS_PRIVATE_IPV4, ADDRESS_PRIVATE_IPV6, metadata);
        if (r >= 0)
                r = add_keys(metadata, json_object_get(json, "public_keys"), error);
        json_decref(json);
        return r;
}

static int take_netblocks(const json_t *network, Metadata *metadata) {
        size_t i;
        json_t *block;
        int r = 0;

        json_array_foreach (json_object_get(network, "addresses"), i, block) {
                Address address = ADDRESS_PUBLIC_IPV6;

                if (json_integer_value(json_object_get(block, "address_family")) == 4)
                        address = json_is_true(json_object_get(block, "public")) ? ADDRESS_PUBLIC_IPV4
                                                                                 : ADDRESS_PRIVATE_IPV4;
                if (r >= 0)
                        r = metadata_take_address(metadata, address, member(block, "address"));
        }
        return r;
}

/* The network's part is kept as JSON. */
static int keep_network(const json_t *network, Metadata *metadata) {
        char *text = json_is_object(network) ? json_dumps(network, JSON_COMPACT) : NULL;
        int r = text ? buffer_append_string(&metadata->network, text) : 0;

        metadata->has_network = text;
        free(text);
        return r;
}

int metadata_parse_packet(Slice text, Metadata *metadata, Error *error) {
        json_t *json = parse_object(text, "Packet's meta-data", error);
        const json_t *network = json_object_get(json, "network");
        int r = json ? metadata_set_hostname(metadata, member(json, "hostname")) : -EINVAL;

        if (r >= 0)
                r = take_netblocks(network, metadata);
        if (r >= 0)
                r = add_keys(metadata, json_object_get(json, "ssh_keys"), error);
        if (r >= 0)
                r = keep_network(network, metadata);
        json_decref(json);
        return r;
}

/* ---- the kernel's command line ---- */

Slice cmdline_find_url(Slice cmdline) {
        Slice rest = slice_trim(cmdline), token, found = {NULL, 0};

        while (rest.data && slice_split(&rest, ' ', &token)) {
                static const char name[] = "cloud-config-url";
                size_t length = sizeof(name) - 1;
                bool same = token.length > length && token.data[length] == '=';

                for (size_t i = 0; i < length && same; i++)
                        same = token.data[i] == name[i] || (name[i] == '-' && token.data[i] == '_');
                if (same)
                        found = (Slice){token.data + length + 1, token.length - length - 1};
        }
        return found;
}
