/* Any bytes are either refused or a request that is written again as it was, but for forms of a number that mean the same. */
#include <assert.h>
#include <string.h>

#include "host/spawn-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static SpawnRequestRead read, again;
        _cleanup_buffer_ Buffer written = BUFFER_INIT;
        _cleanup_free_ char *copy = malloc(length + 1);
        int files[SPAWN_FILES_MAX], more[SPAWN_FILES_MAX];
        size_t n = length > 0 ? bytes[0] % SPAWN_FILES_MAX : 0, n_more;

        if (!copy || length == 0)
                return 0;
        memcpy(copy, bytes + 1, length - 1);
        for (size_t i = 0; i < SPAWN_FILES_MAX; i++)
                files[i] = 1000 + (int)i;
        if (spawn_request_read(copy, length - 1, files, n, &read) < 0)
                return 0;
        assert(spawn_request_write(&read.request, &written, more, &n_more) >= 0);
        assert(n_more == n && memcmp(files, more, n * sizeof(int)) == 0);
        assert(spawn_request_read(buffer_data(&written) + SPAWN_REQUEST_HEAD, spawn_request_length(buffer_data(&written)), files, n,
                                  &again) >= 0);
        spawn_request_read_deinit(&again);
        spawn_request_read_deinit(&read);
        return 0;
}
