/* A member's answer at /members, as a proxy takes it: what is refused changes nothing, what is taken names somebody. */
#include <assert.h>
#include <errno.h>

#include "store/proxy/endpoints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char known[] = "[{\"clientURLs\":[\"http://127.0.0.1:2379\"],\"peerURLs\":[\"http://127.0.0.1:2380\"]}]";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Endpoints endpoints = {0};
        int r = endpoints_take(&endpoints, slice_from(known), NULL);

        assert(r == 0 && endpoints.length == 1);
        endpoints_hold(&endpoints, &endpoints.items[0].url, 10);
        r = endpoints_take(&endpoints, (Slice){(const char *)data, size}, NULL);
        assert(r == 0 || r == -EBADMSG);
        if (r < 0)
                assert(endpoints.length == 1 && endpoints_next(&endpoints, 0, 0) == -1);
        assert(endpoints.length > 0 && endpoints.length <= ENDPOINTS_MAX && endpoints.peer_urls.length <= ENDPOINTS_MAX);
        assert(endpoints_next(&endpoints, 0, 10) == 0);
        for (size_t i = 0; i < endpoints.length; i++)
                assert(endpoints.items[i].url.port != 0);
        endpoints_deinit(&endpoints);
        return 0;
}
