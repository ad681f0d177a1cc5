/* VMware's guest information: values by name, numbered from 0 until one is missing. */
#include <errno.h>

#include "boot/config/metadata.h"

enum {
        NUMBERS_MAX = 256, /* interfaces, addresses, routes, servers: of each */
        VALUE_MAX = 4096,
};

typedef struct Guest {
        GuestInfo read;
        void *userdata;
        Metadata *metadata;
        Error *error;
} Guest;

/* Reads the value; `keep` adds it to the network's lines. 1: there is one, 0: none. */
static int read_value(Guest *guest, bool keep, char *key, Buffer *value) {
        _cleanup_free_ char *name = key;
        int r = name ? guest->read(guest->userdata, name, value, guest->error) : -ENOMEM;
        const char *text;

        if (r < 0 || buffer_length(value) == 0)
                return r < 0 ? r : 0;
        text = buffer_string(value);
        if (!text)
                return -ENOMEM;
        if (buffer_length(value) > VALUE_MAX || strlen(text) != buffer_length(value) || strpbrk(text, "\r\n"))
                return error_set(guest->error, -EINVAL, "guestinfo.%s is longer than %d bytes, or has line ends", name,
                                 VALUE_MAX);
        if (keep)
                r = buffer_printf(&guest->metadata->network, "%s=%s\n", name, text);
        return r < 0 ? r : 1;
}

/* KEY.0, KEY.1, … */
static int read_list(Guest *guest, const char *key) {
        int r = 1;

        for (int i = 0; i < NUMBERS_MAX && r > 0; i++) {
                _cleanup_buffer_ Buffer value = BUFFER_INIT;

                r = read_value(guest, true, str_printf("%s.%d", key, i), &value);
        }
        return min_of(r, 0);
}

static int take_role_address(Guest *guest, const char *role, const char *address) {
        size_t length = strcspn(address, "/");
        bool ipv6 = strchr(address, ':');
        Address which;

        if (address[length] != '/')
                return error_set(guest->error, -EINVAL, "the address \"%s\" of the guest information has no /PREFIX",
                                 address);
        if (str_equals(role, "public"))
                which = ipv6 ? ADDRESS_PUBLIC_IPV6 : ADDRESS_PUBLIC_IPV4;
        else if (str_equals(role, "private"))
                which = ipv6 ? ADDRESS_PRIVATE_IPV6 : ADDRESS_PRIVATE_IPV4;
        else if (*role)
                return error_set(guest->error, -EINVAL,
                                 "the role \"%s\" of an interface is unknown: public and private "
                                 "are known",
                                 role);
        else
                return 0;
        return metadata_set_address(guest->metadata, which, (Slice){address, length}, guest->error);
}

static int read_addresses(Guest *guest, int interface, bool *found) {
        _cleanup_buffer_ Buffer role = BUFFER_INIT;
        int r = read_value(guest, false, str_printf("interface.%d.role", interface), &role);

        for (int i = 0; i < NUMBERS_MAX && r >= 0; i++) {
                _cleanup_buffer_ Buffer value = BUFFER_INIT;

                r = read_value(guest, true, str_printf("interface.%d.ip.%d.address", interface, i), &value);
                if (r <= 0)
                        return r;
                *found = true;
                r = take_role_address(guest, buffer_length(&role) ? buffer_string(&role) : "", buffer_string(&value));
        }
        return r;
}

static int read_routes(Guest *guest, int interface, bool *found) {
        for (int i = 0; i < NUMBERS_MAX; i++) {
                _cleanup_buffer_ Buffer gateway = BUFFER_INIT, destination = BUFFER_INIT;
                int one = read_value(guest, true, str_printf("interface.%d.route.%d.gateway", interface, i), &gateway);
                int two =
                        one < 0 ? one
                                : read_value(guest, true, str_printf("interface.%d.route.%d.destination", interface, i),
                                             &destination);

                if (two < 0 || (one == 0 && two == 0))
                        return two;
                *found = true;
        }
        return 0;
}

static int read_interface(Guest *guest, int interface, bool *found) {
        static const char *const fields[] = {"name", "mac", "dhcp"};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(fields) && r >= 0; i++) {
                _cleanup_buffer_ Buffer value = BUFFER_INIT;

                r = read_value(guest, true, str_printf("interface.%d.%s", interface, fields[i]), &value);
                *found = *found || r > 0;
        }
        if (r >= 0)
                r = read_addresses(guest, interface, found);
        return r < 0 ? r : read_routes(guest, interface, found);
}

int metadata_read_vmware(GuestInfo read, void *userdata, Metadata *metadata, Error *error) {
        Guest guest = {read, userdata, metadata, error};
        _cleanup_buffer_ Buffer hostname = BUFFER_INIT;
        bool found = true;
        int r = read_value(&guest, false, strdup("hostname"), &hostname);

        if (r > 0)
                r = metadata_set_hostname(metadata, slice_from(buffer_string(&hostname)));
        if (r >= 0)
                r = read_list(&guest, "dns.server");
        if (r >= 0)
                r = read_list(&guest, "dns.domain");
        for (int i = 0; i < NUMBERS_MAX && r >= 0 && found; i++) {
                found = false;
                r = read_interface(&guest, i, &found);
        }
        metadata->has_network = r >= 0;
        return min_of(r, 0);
}
