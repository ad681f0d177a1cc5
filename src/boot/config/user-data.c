#include "boot/config/user-data.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

#include "boot/config/node.h"

/* ---- kind ---- */

static Slice first_line(Slice text) {
        const char *end = memchr(text.data, '\n', text.length);

        return end ? (Slice){text.data, (size_t)(end - text.data)} : text;
}

/* Blanks, and what else Go's unicode.IsSpace has among ASCII. */
static Slice trim_right(Slice line) {
        while (line.length > 0 && memchr(" \t\r\v\f", line.data[line.length - 1], 5))
                line.length--;
        return line;
}

static bool is_ignition(Slice text) {
        json_t *json = json_loadb(text.data, text.length, 0, NULL);
        bool is = json_is_integer(json_object_get(json, "ignitionVersion")) ||
                  json_is_string(json_object_get(json_object_get(json, "ignition"), "version"));

        json_decref(json);
        return is;
}

UserDataKind user_data_kind(Slice text) {
        Slice line;

        if (text.length == 0)
                return USER_DATA_EMPTY;
        line = first_line(text);
        if (line.length >= 2 && memcmp(line.data, "#!", 2) == 0)
                return USER_DATA_SCRIPT;
        if (slice_equals(trim_right(line), slice_from("#cloud-config")))
                return USER_DATA_CLOUD_CONFIG;
        return is_ignition(text) ? USER_DATA_IGNITION : USER_DATA_UNKNOWN;
}

/* ---- gzip ---- */

bool gzip_is(Slice bytes) {
        return bytes.length >= 2 && (unsigned char)bytes.data[0] == 0x1f && (unsigned char)bytes.data[1] == 0x8b;
}

enum { GZIP_STEP = 16 * 1024, GZIP_WINDOW = 15 + 16 /* zlib: only gzip's own head and check */ };

static int inflate_all(z_stream *stream, size_t max, Buffer *to) {
        size_t before = buffer_length(to);

        for (;;) {
                unsigned char *room = buffer_reserve(to, GZIP_STEP);
                int z;

                if (!room)
                        return buffer_failed(to);
                stream->next_out = room;
                stream->avail_out = GZIP_STEP;
                z = inflate(stream, Z_NO_FLUSH);
                buffer_commit(to, GZIP_STEP - stream->avail_out);
                if (buffer_length(to) - before > max)
                        return -EMSGSIZE;
                if (z == Z_MEM_ERROR)
                        return -ENOMEM;
                if (z == Z_STREAM_END && stream->avail_in > 0)
                        z = inflateReset(stream); /* a gzip file may be several, one after the other */
                else if (z == Z_STREAM_END)
                        return 0;
                if (z != Z_OK)
                        return -EBADMSG;
        }
}

int gzip_decode(Slice bytes, size_t max, Buffer *to, Error *error) {
        size_t before = buffer_length(to);
        z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes.data, .avail_in = (uInt)bytes.length};
        int r;

        if (bytes.length > CONFIG_TEXT_MAX)
                return error_set(error, -EMSGSIZE, "the gzip data has %zu bytes, more than %zu", bytes.length,
                                 CONFIG_TEXT_MAX);
        if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
                return -ENOMEM;
        r = inflate_all(&stream, max, to);
        (void)inflateEnd(&stream);
        if (r >= 0)
                return 0;
        buffer_truncate(to, before);
        if (r == -EMSGSIZE)
                return error_set(error, r, "the gzip data holds more than %zu bytes", max);
        return error_set(error, r, "the gzip data is damaged or cut off");
}

/* ---- addresses ---- */

static const char *const names[] = {
        [ADDRESS_PUBLIC_IPV4] = "$public_ipv4",
        [ADDRESS_PRIVATE_IPV4] = "$private_ipv4",
        [ADDRESS_PUBLIC_IPV6] = "$public_ipv6",
        [ADDRESS_PRIVATE_IPV6] = "$private_ipv6",
};

static const char *const variables[] = {
        [ADDRESS_PUBLIC_IPV4] = "COREOS_PUBLIC_IPV4",
        [ADDRESS_PRIVATE_IPV4] = "COREOS_PRIVATE_IPV4",
        [ADDRESS_PUBLIC_IPV6] = "COREOS_PUBLIC_IPV6",
        [ADDRESS_PRIVATE_IPV6] = "COREOS_PRIVATE_IPV6",
};

enum { ADDRESS_LENGTH_MAX = 128 };

const char *address_name(Address address) {
        return names[address];
}

const char *address_variable(Address address) {
        return variables[address];
}

void addresses_deinit(Addresses *addresses) {
        for (size_t i = 0; i < ADDRESSES_COUNT; i++)
                free(addresses->values[i]);
        *addresses = (Addresses){0};
}

int addresses_set(Addresses *addresses, Address address, Slice value, Error *error) {
        char *copy;

        if (value.length == 0)
                return 0;
        if (value.length > ADDRESS_LENGTH_MAX)
                return error_set(error, -EINVAL, "%s is longer than %d characters: it must be an address",
                                 variables[address], ADDRESS_LENGTH_MAX);
        for (size_t i = 0; i < value.length; i++)
                if ((unsigned char)value.data[i] <= ' ' || value.data[i] == 0x7f)
                        return error_set(error, -EINVAL, "%s is \"%.*s\": it must be an address, without blanks",
                                         variables[address], (int)value.length, value.data);
        copy = slice_dup(value);
        if (!copy)
                return -ENOMEM;
        free(addresses->values[address]);
        addresses->values[address] = copy;
        return 0;
}

/* ADDRESSES_COUNT: none of the names begins here. */
static Address name_at(Slice rest) {
        size_t i = 0;

        while (i < ADDRESSES_COUNT &&
               (rest.length < strlen(names[i]) || memcmp(rest.data, names[i], strlen(names[i])) != 0))
                i++;
        return (Address)i;
}

int addresses_substitute(const Addresses *addresses, Slice text, Buffer *to, unsigned *ret_missing) {
        size_t before = buffer_length(to), plain = 0;
        unsigned missing = 0;

        for (size_t at = 0; at < text.length;) {
                Address which =
                        text.data[at] == '$' ? name_at((Slice){text.data + at, text.length - at}) : ADDRESSES_COUNT;
                bool escaped = at > 0 && text.data[at - 1] == '\\';

                if (which == ADDRESSES_COUNT) {
                        at++;
                        continue;
                }
                if (escaped) {
                        (void)buffer_append(to, text.data + plain, at - 1 - plain);
                        (void)buffer_append_string(to, names[which]);
                } else {
                        (void)buffer_append(to, text.data + plain, at - plain);
                        (void)buffer_append_string(to, addresses->values[which] ?: "");
                        missing |= addresses->values[which] ? 0 : 1U << which;
                }
                at += strlen(names[which]);
                plain = at;
                if (buffer_length(to) - before > CONFIG_TEXT_MAX)
                        return -EMSGSIZE;
        }
        (void)buffer_append(to, text.data + plain, text.length - plain);
        if (buffer_failed(to) < 0)
                return buffer_failed(to);
        if (buffer_length(to) - before > CONFIG_TEXT_MAX)
                return -EMSGSIZE;
        if (ret_missing)
                *ret_missing = missing;
        return 0;
}

/* ---- URLs ---- */

int url_format_shown(const char *url, Buffer *to) {
        const char *host = strstr(url, "://");
        size_t authority, path;
        const char *at;

        host = host ? host + 3 : url;
        authority = strcspn(host, "/?#");
        at = memrchr(host, '@', authority);
        path = strcspn(host + authority, "?#");
        (void)buffer_append(to, url, (size_t)(host - url));
        if (at) {
                authority -= (size_t)(at + 1 - host);
                host = at + 1;
        }
        return buffer_append(to, host, authority + path);
}
