/* Internet addresses, prefixes and hardware addresses, in and out of text. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

#include "boot/config/network.h"

typedef struct Ip {
        int family;
        size_t length;
        unsigned char bytes[16];
} Ip;

static int ip_parse(Slice text, Ip *ret, Error *error) {
        char copy[INET6_ADDRSTRLEN + 1] = "";

        if (text.length > 0 && text.length < sizeof(copy) && !memchr(text.data, '\0', text.length)) {
                memcpy(copy, text.data, text.length);
                *ret = (Ip){.family = AF_INET, .length = 4};
                if (inet_pton(AF_INET, copy, ret->bytes) == 1)
                        return 0;
                *ret = (Ip){.family = AF_INET6, .length = 16};
                if (inet_pton(AF_INET6, copy, ret->bytes) == 1)
                        return 0;
        }
        return error_set(error, -EINVAL, "\"%.*s\" is no address", (int)min_of(text.length, (size_t)64), text.data);
}

int ip_add(StringList *list, Slice address, Error *error) {
        char text[INET6_ADDRSTRLEN];
        Ip ip;
        int r = ip_parse(address, &ip, error);

        if (r < 0)
                return r;
        return inet_ntop(ip.family, ip.bytes, text, sizeof(text)) ? string_list_add(list, text) : -EINVAL;
}

/* The number of leading ones; -EINVAL when others follow a zero. */
static int mask_length(const Ip *mask) {
        unsigned bits = (unsigned)mask->length * 8, length = 0;

        while (length < bits && mask->bytes[length / 8] & 0x80U >> length % 8)
                length++;
        for (unsigned i = length; i < bits; i++)
                if (mask->bytes[i / 8] & 0x80U >> i % 8)
                        return -EINVAL;
        return (int)length;
}

static int add_prefixed(StringList *list, Ip *ip, unsigned prefix, bool network) {
        char text[INET6_ADDRSTRLEN];

        for (unsigned i = prefix; network && i < ip->length * 8; i++)
                ip->bytes[i / 8] &= (unsigned char)~(0x80U >> i % 8);
        if (!inet_ntop(ip->family, ip->bytes, text, sizeof(text)))
                return -EINVAL;
        return string_list_take(list, str_printf("%s/%u", text, prefix));
}

int ip_add_with_mask(StringList *list, Slice address, Slice netmask, bool network, Error *error) {
        Ip ip, mask;
        int r = ip_parse(address, &ip, error), prefix;

        if (r >= 0)
                r = ip_parse(netmask, &mask, error);
        if (r < 0)
                return r;
        prefix = mask_length(&mask);
        if (mask.family != ip.family || prefix < 0)
                return error_set(error, -EINVAL, "\"%.*s\" is no netmask for the address %.*s", (int)netmask.length,
                                 netmask.data, (int)address.length, address.data);
        return add_prefixed(list, &ip, (unsigned)prefix, network);
}

int ip_add_cidr(StringList *list, Slice cidr, bool network, Error *error) {
        const char *slash = cidr.length ? memchr(cidr.data, '/', cidr.length) : NULL;
        size_t at = slash ? (size_t)(slash - cidr.data) : cidr.length;
        uint64_t prefix;
        Ip ip;
        int r = ip_parse((Slice){cidr.data, at}, &ip, error);

        if (r < 0)
                return r;
        if (!slash || str_parse_u64((Slice){slash + 1, cidr.length - at - 1}, ip.length * 8, &prefix) < 0)
                return error_set(error, -EINVAL, "\"%.*s\" is no ADDRESS/PREFIX", (int)min_of(cidr.length, (size_t)64),
                                 cidr.data);
        return add_prefixed(list, &ip, (unsigned)prefix, network);
}

int mac_parse(Slice text, char **ret, Error *error) {
        char *copy;
        bool good = text.length == 17;

        for (size_t i = 0; i < text.length && good; i++)
                good = i % 3 == 2 ? text.data[i] == ':' || text.data[i] == '-'
                                  : isxdigit((unsigned char)text.data[i]) != 0;
        if (!good)
                return error_set(error, -EINVAL, "\"%.*s\" is no hardware address such as 52:54:00:12:34:56",
                                 (int)min_of(text.length, (size_t)64), text.data);
        copy = slice_dup(text);
        if (!copy)
                return -ENOMEM;
        for (char *at = copy; *at; at++)
                *at = *at == '-' ? ':' : (char)tolower((unsigned char)*at);
        *ret = copy;
        return 0;
}
