/* A DNS answer with SRV records: what is accepted gives whole URLs. */
#include <assert.h>
#include <errno.h>

#include "store/discovery/srv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_string_list_ StringList urls = {0};
        int r = srv_parse((Slice){(const char *)data, size}, "https", &urls);

        assert(r == 0 || r == -EBADMSG);
        for (size_t i = 0; i < urls.length; i++)
                assert(str_starts_with(urls.items[i], "https://") && strchr(urls.items[i] + 8, ':'));
        return 0;
}
