#include "net/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

enum { URL_LIST_MAX = 256 };

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)tolower((unsigned char)c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int url_decode(Buffer *buffer, Slice text, bool plus_is_space, Slice *ret_bad) {
        size_t start = buffer_length(buffer), i = 0;
        char *to = buffer_reserve(buffer, max_of(text.length, (size_t)1));
        size_t used = 0;

        if (!to)
                return buffer_failed(buffer);
        while (i < text.length) {
                char c = text.data[i];

                if (c == '%') {
                        int high = i + 2 < text.length ? hex_value(text.data[i + 1]) : -1;
                        int low = i + 2 < text.length ? hex_value(text.data[i + 2]) : -1;

                        if (high < 0 || low < 0) {
                                if (ret_bad)
                                        *ret_bad = (Slice){text.data + i, min_of((size_t)3, text.length - i)};
                                buffer_truncate(buffer, start);
                                return -EINVAL;
                        }
                        to[used++] = (char)(high << 4 | low);
                        i += 3;
                        continue;
                }
                to[used++] = plus_is_space && c == '+' ? ' ' : c;
                i++;
        }
        buffer_commit(buffer, used);
        return 0;
}

static bool url_is_unreserved(char c, UrlPart part) {
        return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_' || c == '~' ||
               (part == URL_PATH && c == '/');
}

int url_encode(Buffer *buffer, UrlPart part, Slice text) {
        static const char digits[] = "0123456789ABCDEF";

        for (size_t i = 0; i < text.length; i++) {
                uint8_t c = (uint8_t)text.data[i];
                char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

                if (url_is_unreserved(text.data[i], part))
                        (void)buffer_append_byte(buffer, text.data[i]);
                else
                        (void)buffer_append(buffer, escape, sizeof(escape));
        }
        return buffer_failed(buffer);
}

bool url_query_next(Slice *rest, Slice *ret_name, Slice *ret_value) {
        Slice pair;

        while (slice_split(rest, '&', &pair)) {
                const char *equals;

                if (pair.length == 0)
                        continue;
                equals = memchr(pair.data, '=', pair.length);
                *ret_name = (Slice){pair.data, equals ? (size_t)(equals - pair.data) : pair.length};
                *ret_value = equals ? (Slice){equals + 1, pair.length - ret_name->length - 1} : (Slice){"", 0};
                return true;
        }
        return false;
}

int url_query_get(Slice query, const char *name, Buffer *value) {
        Slice rest = query, key, text;

        while (url_query_next(&rest, &key, &text)) {
                _cleanup_buffer_ Buffer decoded = BUFFER_INIT;
                int r = url_decode(&decoded, key, true, NULL);

                if (r < 0)
                        return r;
                if (!slice_equals((Slice){buffer_data(&decoded), buffer_length(&decoded)}, slice_from(name)))
                        continue;
                r = url_decode(value, text, true, NULL);
                return r < 0 ? r : 1;
        }
        return 0;
}

static int url_copy(char *to, size_t size, Slice text) {
        if (text.length >= size)
                return -ENAMETOOLONG;
        if (text.length)
                memcpy(to, text.data, text.length);
        to[text.length] = '\0';
        return 0;
}

static int url_parse_unix(const char *text, const char *path, Url *ret, Error *error) {
        if (str_starts_with(path, "//"))
                path += 2;
        if (path[0] != '/')
                return error_set(error, -EINVAL, "%s: a unix socket needs an absolute path, as in unix:///run/x.sock", text);
        if (strlen(path) >= 108)
                return error_set(error, -EINVAL, "%s: the path of a unix socket has at most 107 bytes", text);
        *ret = (Url){.scheme = URL_UNIX};
        return url_copy(ret->host, sizeof(ret->host), slice_from(path));
}

/* Cuts "host[:port]" at the front of *rest, up to '/'. */
static int url_parse_authority(const char *text, Slice authority, uint16_t default_port, Url *ret, Error *error) {
        Slice host = authority, port = {NULL, 0};
        uint64_t number = default_port;

        if (memchr(authority.data, '@', authority.length))
                return error_set(error, -EINVAL, "%s: user names do not belong into this URL", text);
        if (authority.length > 0 && authority.data[0] == '[') {
                const char *end = memchr(authority.data, ']', authority.length);

                if (!end)
                        return error_set(error, -EINVAL, "%s: missing ']' after the IPv6 address", text);
                host = (Slice){authority.data + 1, (size_t)(end - authority.data) - 1};
                port = (Slice){end + 1, authority.length - host.length - 2};
                if (port.length > 0 && port.data[0] != ':')
                        return error_set(error, -EINVAL, "%s: expected ':' and a port after ']'", text);
        } else {
                const char *colon = memchr(authority.data, ':', authority.length);

                if (colon) {
                        host.length = (size_t)(colon - authority.data);
                        port = (Slice){colon, authority.length - host.length};
                }
        }
        if (port.length > 0) {
                port.data++;
                port.length--;
                if (str_parse_u64(port, UINT16_MAX, &number) < 0 || number == 0)
                        return error_set(error, -EINVAL, "%s: \"%.*s\" is not a port (1 to 65535)", text,
                                         (int)min_of(port.length, (size_t)32), port.data);
        }
        if (number == 0)
                return error_set(error, -EINVAL, "%s: the port is missing, as in http://host:2379", text);
        ret->port = (uint16_t)number;
        if (host.length == 0)
                return error_set(error, -EINVAL, "%s: the host is missing", text);
        if (url_copy(ret->host, sizeof(ret->host), host) < 0)
                return error_set(error, -EINVAL, "%s: the host name is too long", text);
        return 0;
}

int url_parse(const char *text, uint16_t default_port, Url *ret, Error *error) {
        Url url = {0};
        const char *rest, *slash;
        size_t length;
        int r;

        if (str_starts_with(text, "unix:"))
                return url_parse_unix(text, text + strlen("unix:"), ret, error);
        if (str_starts_with(text, "http://"))
                url.scheme = URL_HTTP;
        else if (str_starts_with(text, "https://"))
                url.scheme = URL_HTTPS;
        else
                return error_set(error, -EINVAL, "\"%.200s\" is no URL: it must begin with http://, https:// or unix://", text);
        rest = strstr(text, "://") + 3;
        slash = rest + strcspn(rest, "/?#");
        length = (size_t)(slash - rest);
        r = url_parse_authority(text, (Slice){rest, length}, default_port, &url, error);
        if (r < 0)
                return r;
        if (*slash == '?' || *slash == '#' || url_copy(url.path, sizeof(url.path), slice_from(slash)) < 0)
                return error_set(error, -EINVAL, "%s: the path is too long, or has a query", text);
        *ret = url;
        return 0;
}

void url_format(const Url *url, char text[static URL_TEXT_MAX]) {
        bool ipv6 = strchr(url->host, ':') != NULL;

        if (url->scheme == URL_UNIX) {
                (void)snprintf(text, URL_TEXT_MAX, "unix://%s", url->host);
                return;
        }
        (void)snprintf(text, URL_TEXT_MAX, "%s://%s%s%s:%u%s", url->scheme == URL_HTTPS ? "https" : "http",
                       ipv6 ? "[" : "", url->host, ipv6 ? "]" : "", url->port, url->path);
}

bool urls_have_https(const Url *urls, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (urls[i].scheme == URL_HTTPS)
                        return true;
        return false;
}

int url_parse_list(const char *text, uint16_t default_port, Url **ret, size_t *ret_count, Error *error) {
        _cleanup_free_ Url *urls = NULL;
        Slice rest = slice_from(text), part;
        size_t count = 0;

        while (slice_split(&rest, ',', &part)) {
                _cleanup_free_ char *one = slice_dup(slice_trim(part));
                Url *more;
                int r;

                if (!one)
                        return -ENOMEM;
                if (count == URL_LIST_MAX)
                        return error_set(error, -E2BIG, "more than %d URLs in one list", URL_LIST_MAX);
                more = reallocarray(urls, count + 1, sizeof(*urls));
                if (!more)
                        return -ENOMEM;
                urls = more;
                r = url_parse(one, default_port, &urls[count], error);
                if (r < 0)
                        return r;
                count++;
        }
        *ret = take_ptr(urls);
        *ret_count = count;
        return 0;
}
