#include "boot/fake-fetch.h"

#include <errno.h>

static int fake_get(Fetch *base, const char *url, const char *header, size_t max, Buffer *to, unsigned *ret_status,
                    Error *error) {
        FakeFetch *fetch = container_of(base, FakeFetch, base);

        fetch->gets++;
        if (fetch->header && (!header || !str_equals(header, fetch->header))) {
                *ret_status = 403;
                return 0;
        }
        for (FakePage *page = fetch->pages; page->url; page++) {
                if (!str_equals(page->url, url))
                        continue;
                if (page->failures != 0) {
                        page->failures -= page->failures > 0;
                        return error_set(error, -ECONNREFUSED, "nobody is there");
                }
                if (strlen(page->body) > max)
                        return error_set(error, -EMSGSIZE, "the answer has more than %zu bytes", max);
                *ret_status = page->status;
                return buffer_append_string(to, page->body);
        }
        *ret_status = 404;
        return 0;
}

static int fake_pause(Fetch *base, Usec time) {
        container_of(base, FakeFetch, base)->paused += time;
        return 0;
}

void fake_fetch_init(FakeFetch *fetch, FakePage *pages) {
        static const FetchOps ops = {.get = fake_get, .pause = fake_pause};

        *fetch = (FakeFetch){.base = {&ops}, .pages = pages};
}
