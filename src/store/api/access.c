#include "store/api/access.h"

#include <errno.h>

void access_deinit(Access *access) {
        string_list_deinit(&access->origins);
        string_list_deinit(&access->hosts);
        *access = (Access){0};
}

static int split(const char *option, const char *text, StringList *list, bool *ret_some, Error *error) {
        Slice rest = slice_from(text), part;
        bool any = text[0] == '\0';
        int r = 0;

        while (r == 0 && slice_split(&rest, ',', &part)) {
                part = slice_trim(part);
                any = any || slice_equals(part, slice_from("*"));
                if (list->length >= ACCESS_ENTRIES_MAX)
                        return error_set(error, -EINVAL, "--%s has more than %zu entries", option, ACCESS_ENTRIES_MAX);
                r = part.length > 0 ? string_list_add_slice(list, part) : 0;
        }
        *ret_some = !any;
        return r;
}

static int check_origin(const char *origin, Error *error) {
        if (str_equals(origin, "*") ||
            ((str_starts_with(origin, "http://") || str_starts_with(origin, "https://")) && !strpbrk(origin, " \r\n")))
                return 0;
        return error_set(error, -EINVAL,
                         "--cors: \"%s\" is no origin: it must be http://HOST[:PORT], https://HOST[:PORT], or *",
                         origin);
}

int access_init(Access *access, const char *origins, const char *hosts, Error *error) {
        _cleanup_access_ Access fresh = {0};
        int r;

        r = split("cors", origins, &fresh.origins, &fresh.some_origins, error);
        for (size_t i = 0; r == 0 && i < fresh.origins.length; i++)
                r = check_origin(fresh.origins.items[i], error);
        if (r == 0)
                r = split("host-whitelist", hosts, &fresh.hosts, &fresh.some_hosts, error);
        if (r < 0)
                return r;
        *access = fresh;
        fresh = (Access){0};
        return 0;
}

static bool list_has(const StringList *list, Slice text) {
        for (size_t i = 0; i < list->length; i++)
                if (slice_equals(slice_from(list->items[i]), text))
                        return true;
        return false;
}

Slice access_allowed_origin(const Access *access, Slice origin) {
        if (!access->some_origins)
                return slice_from("*");
        return origin.data && list_has(&access->origins, origin) ? origin : (Slice){NULL, 0};
}

Slice access_host_name(Slice host) {
        const char *end;

        if (host.length > 0 && host.data[0] == '[') {
                end = memchr(host.data, ']', host.length);
                return end ? (Slice){host.data + 1, (size_t)(end - host.data) - 1} : host;
        }
        end = host.length ? memchr(host.data, ':', host.length) : NULL;
        return end ? (Slice){host.data, (size_t)(end - host.data)} : host;
}

bool access_allows_host(const Access *access, Slice host) {
        return !access->some_hosts || list_has(&access->hosts, access_host_name(host));
}
