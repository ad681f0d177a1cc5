/* Bodies that add or change a member: what is accepted has URLs, in order. */
#include <assert.h>
#include <errno.h>

#include "store/api/members-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_string_list_ StringList urls = {0};
        Error error = ERROR_NONE;
        int r;

        r = members_parse_urls((Slice){(const char *)data, size}, &urls, &error);
        assert(r == 0 || r == -EINVAL);
        assert(r == 0 ? urls.length > 0 : error.text[0] != '\0');
        for (size_t i = 1; i < urls.length; i++)
                assert(strcmp(urls.items[i - 1], urls.items[i]) <= 0);
        return 0;
}
