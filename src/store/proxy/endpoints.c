#include "store/proxy/endpoints.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

void endpoints_deinit(Endpoints *endpoints) {
        free(endpoints->items);
        string_list_deinit(&endpoints->peer_urls);
        *endpoints = (Endpoints){0};
}

static bool same_url(const Url *a, const Url *b) {
        return a->scheme == b->scheme && a->port == b->port && str_equals(a->host, b->host) && str_equals(a->path, b->path);
}

static Endpoint *find(const Endpoints *endpoints, const Url *url) {
        for (size_t i = 0; i < endpoints->length; i++)
                if (same_url(&endpoints->items[i].url, url))
                        return &endpoints->items[i];
        return NULL;
}

static int add(Endpoints *endpoints, const char *text, const Endpoints *before) {
        Endpoint *items, *known;
        Url url;

        if (!text || endpoints->length >= ENDPOINTS_MAX || url_parse(text, 0, &url, NULL) < 0 || find(endpoints, &url))
                return 0;
        if (url.scheme == URL_UNIX) /* a socket of that member's machine, not of this one */
                return 0;
        items = reallocarray(endpoints->items, endpoints->length + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        endpoints->items = items;
        known = find(before, &url);
        items[endpoints->length++] = (Endpoint){url, known ? known->held_until : 0};
        return 0;
}

static int add_member(Endpoints *endpoints, const json_t *member, const Endpoints *before) {
        const json_t *urls = json_object_get(member, "clientURLs"), *peers = json_object_get(member, "peerURLs");
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(urls); i++)
                r = add(endpoints, json_string_value(json_array_get(urls, i)), before);
        for (size_t i = 0; r >= 0 && i < json_array_size(peers) && endpoints->peer_urls.length < ENDPOINTS_MAX; i++)
                if (json_is_string(json_array_get(peers, i)))
                        r = string_list_add(&endpoints->peer_urls, json_string_value(json_array_get(peers, i)));
        return r;
}

int endpoints_take(Endpoints *endpoints, Slice text, Error *error) {
        /* ids, which nobody needs here, may be above 2^63, which jansson has no integer for */
        json_t *members = json_loadb(text.data, text.length, JSON_DECODE_INT_AS_REAL, NULL);
        Endpoints fresh = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(members); i++)
                r = add_member(&fresh, json_array_get(members, i), endpoints);
        json_decref(members);
        if (r >= 0 && fresh.length == 0)
                r = error_set(error, -EBADMSG, "the answer names no member that serves clients");
        if (r < 0) {
                endpoints_deinit(&fresh);
                return r;
        }
        endpoints_deinit(endpoints);
        *endpoints = fresh;
        return 0;
}

int endpoints_next(const Endpoints *endpoints, size_t from, Usec now) {
        for (size_t i = from; i < endpoints->length; i++)
                if (endpoints->items[i].held_until <= now)
                        return (int)i;
        return -1;
}

void endpoints_hold(Endpoints *endpoints, const Url *url, Usec until) {
        Endpoint *endpoint = find(endpoints, url);

        if (endpoint)
                endpoint->held_until = until;
}
