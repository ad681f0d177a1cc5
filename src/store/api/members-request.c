#include "store/api/members-request.h"

#include <errno.h>
#include <jansson.h>

#include "net/url.h"

static int add_peer_url(StringList *urls, const char *text, Error *error) {
        Url url;
        int r;

        r = url_parse(text, 0, &url, error);
        if (r < 0)
                return r;
        if (url.path[0] != '\0')
                return error_set(error, -EINVAL, "URL must not contain a path: %s", text);
        return string_list_add(urls, text);
}

int members_parse_urls(Slice body, StringList *urls, Error *error) {
        json_error_t why;
        json_t *root = json_loadb(body.data, body.length, 0, &why), *list, *item;
        size_t i;
        int r = 0;

        if (!root)
                return error_set(error, -EINVAL, "body is not JSON: %s", why.text);
        list = json_object_get(root, "peerURLs");
        if (list && !json_is_array(list) && !json_is_null(list))
                r = error_set(error, -EINVAL, "peerURLs must be a list of URLs");
        else if (json_array_size(list) == 0)
                r = error_set(error, -EINVAL, "no valid URLs given");
        for (i = 0; r == 0 && i < json_array_size(list); i++) {
                item = json_array_get(list, i);
                r = json_is_string(item) ? add_peer_url(urls, json_string_value(item), error)
                                         : error_set(error, -EINVAL, "peerURLs must be a list of URLs");
        }
        json_decref(root);
        string_list_sort(urls);
        return r;
}
