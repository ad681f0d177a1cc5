#include "containers/image/reference.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static bool is_lower_or_digit(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Runs of lower-case letters and digits, parted by one '.', one or two '_', or any number of '-'. */
static bool component_is_valid(Slice part) {
        size_t i = 0;

        if (part.length == 0 || !is_lower_or_digit(part.data[0]) || !is_lower_or_digit(part.data[part.length - 1]))
                return false;
        while (i < part.length) {
                size_t run = 0;
                char c = part.data[i];

                if (is_lower_or_digit(c)) {
                        i++;
                        continue;
                }
                while (i + run < part.length && part.data[i + run] == c)
                        run++;
                if (!(c == '-' || (c == '.' && run == 1) || (c == '_' && run <= 2)) ||
                    !is_lower_or_digit(part.data[i + run]))
                        return false;
                i += run;
        }
        return true;
}

static bool path_is_valid(Slice path) {
        Slice rest = path, part;

        while (slice_split(&rest, '/', &part))
                if (!component_is_valid(part))
                        return false;
        return true;
}

static bool tag_is_valid(Slice tag) {
        if (tag.length == 0 || tag.length > 128 || tag.data[0] == '.' || tag.data[0] == '-')
                return false;
        for (size_t i = 0; i < tag.length; i++)
                if (!isalnum((unsigned char)tag.data[i]) && !strchr("_.-", tag.data[i]))
                        return false;
        return true;
}

/* One part of a host's name: letters, digits, and '-' but at its ends. */
static bool label_is_valid(Slice label) {
        if (label.length == 0 || label.data[0] == '-' || label.data[label.length - 1] == '-')
                return false;
        for (size_t i = 0; i < label.length; i++)
                if (!isalnum((unsigned char)label.data[i]) && label.data[i] != '-')
                        return false;
        return true;
}

/* Labels parted by '.', or an IPv6 address in brackets, and perhaps ":PORT". */
static bool host_is_valid(Slice host) {
        Slice name = host, part;
        const char *colon;
        uint64_t port;

        if (host.length > 0 && host.data[0] == '[') {
                colon = memchr(host.data, ']', host.length);
                if (!colon)
                        return false;
                colon = colon + 1 < host.data + host.length ? colon + 1 : NULL;
        } else {
                colon = memchr(host.data, ':', host.length);
                name.length = colon ? (size_t)(colon - host.data) : host.length;
                while (slice_split(&name, '.', &part))
                        if (!label_is_valid(part))
                                return false;
        }
        if (!colon)
                return host.length > 0;
        return *colon == ':' && colon > host.data &&
               str_parse_u64((Slice){colon + 1, (size_t)(host.data + host.length - colon - 1)}, UINT16_MAX, &port) >= 0;
}

/* The first part is a host when it cannot be anything else, or is localhost. */
static bool begins_with_host(Slice first, bool more) {
        if (!more)
                return false;
        return memchr(first.data, '.', first.length) || memchr(first.data, ':', first.length) ||
               slice_equals(first, slice_from("localhost"));
}

static void copy(char *to, size_t size, Slice from) {
        size_t length = min_of(from.length, size - 1);

        memcpy(to, from.data, length);
        to[length] = '\0';
}

static int split_host(Slice *rest, Reference *ret, Error *error) {
        const char *slash = memchr(rest->data, '/', rest->length);
        Slice first = {rest->data, slash ? (size_t)(slash - rest->data) : rest->length};

        if (!begins_with_host(first, slash != NULL)) {
                copy(ret->host, sizeof(ret->host), slice_from(REFERENCE_HOST_DEFAULT));
                return 0;
        }
        if (!host_is_valid(first) || first.length >= sizeof(ret->host))
                return error_set(error, -EINVAL, "\"%.*s\" is not the name of a registry", (int)first.length,
                                 first.data);
        copy(ret->host, sizeof(ret->host),
             str_starts_with(first.data, "index.docker.io/") ? slice_from(REFERENCE_HOST_DEFAULT) : first);
        *rest = (Slice){slash + 1, rest->length - first.length - 1};
        return 0;
}

static int read_path(Slice path, Reference *ret, Error *error) {
        bool single = str_equals(ret->host, REFERENCE_HOST_DEFAULT) && !memchr(path.data, '/', path.length);

        for (size_t i = 0; i < path.length; i++)
                if (isupper((unsigned char)path.data[i]))
                        return error_set(error, -EINVAL, "invalid reference format: repository name must be lowercase");
        if (!path_is_valid(path) || path.length + 9 >= sizeof(ret->path))
                return error_set(error, -EINVAL, "invalid reference format: \"%.*s\" is not the name of a repository",
                                 (int)path.length, path.data);
        (void)snprintf(ret->path, sizeof(ret->path), "%s%.*s", single ? "library/" : "", (int)path.length, path.data);
        return 0;
}

int reference_parse(const char *text, Reference *ret, Error *error) {
        Slice rest = slice_from(text);
        Reference result = {0};
        const char *at, *colon;
        int r;

        if (rest.length == 0 || rest.length >= REFERENCE_TEXT_MAX)
                return error_set(error, -EINVAL, "invalid reference format: a name of an image has 1 to %d characters",
                                 REFERENCE_TEXT_MAX - 1);
        at = memchr(rest.data, '@', rest.length);
        if (at) {
                Slice digest = slice_from(at + 1);

                if (!digest_is_valid(digest))
                        return error_set(error, -EINVAL,
                                         "invalid reference format: \"%s\" is not a digest (sha256: and 64 digits)",
                                         at + 1);
                copy(result.digest, sizeof(result.digest), digest);
                rest.length = (size_t)(at - rest.data);
        }
        r = split_host(&rest, &result, error);
        if (r < 0)
                return r;
        colon = memrchr(rest.data, ':', rest.length);
        if (colon) {
                Slice tag = {colon + 1, (size_t)(rest.data + rest.length - colon - 1)};

                if (!tag_is_valid(tag))
                        return error_set(error, -EINVAL, "invalid reference format: \"%.*s\" is not a tag",
                                         (int)tag.length, tag.data);
                copy(result.tag, sizeof(result.tag), tag);
                rest.length = (size_t)(colon - rest.data);
        } else if (!result.digest[0]) {
                copy(result.tag, sizeof(result.tag), slice_from("latest"));
        }
        r = read_path(rest, &result, error);
        if (r < 0)
                return r;
        *ret = result;
        return 0;
}

static void append_version(const Reference *reference, char *text) {
        size_t length = strlen(text);

        (void)snprintf(text + length, REFERENCE_TEXT_MAX - length, "%s%s%s%s", reference->tag[0] ? ":" : "",
                       reference->tag, reference->digest[0] ? "@" : "", reference->digest);
}

void reference_format(const Reference *reference, char text[static REFERENCE_TEXT_MAX]) {
        (void)snprintf(text, REFERENCE_TEXT_MAX, "%s/%s", reference->host, reference->path);
        append_version(reference, text);
}

void reference_format_repository(const Reference *reference, char text[static REFERENCE_TEXT_MAX]) {
        const char *path = reference->path;

        if (!str_equals(reference->host, REFERENCE_HOST_DEFAULT)) {
                (void)snprintf(text, REFERENCE_TEXT_MAX, "%s/%s", reference->host, path);
                return;
        }
        if (str_starts_with(path, "library/"))
                path += strlen("library/");
        (void)snprintf(text, REFERENCE_TEXT_MAX, "%s", path);
}

void reference_format_short(const Reference *reference, char text[static REFERENCE_TEXT_MAX]) {
        reference_format_repository(reference, text);
        append_version(reference, text);
}
