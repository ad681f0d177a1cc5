/* Requests to /v2/keys: "path\nquery\ncontent type\nbody", the first byte chooses the method. */
#include <assert.h>

#include "store/api/keys-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_keys_request_ KeysRequest request = {0};
        _cleanup_buffer_ Buffer cause = BUFFER_INIT, clean = BUFFER_INIT, again = BUFFER_INIT;
        KeysInput input = {.now = (WallUsec)1500000000 * 1000000};
        Slice rest = {(const char *)data + 1, size - 1}, path;
        int r;

        if (size < 2)
                return 0;
        input.method = (KeysMethod)(data[0] % 5);
        if (!slice_split(&rest, '\n', &path) || !slice_split(&rest, '\n', &input.query) ||
            !slice_split(&rest, '\n', &input.content_type))
                return 0;
        input.body = rest.data ? rest : (Slice){"", 0};
        assert(keys_clean_path(path, &clean) == 0);
        input.path = (Slice){buffer_data(&clean), buffer_length(&clean)};
        assert(keys_clean_path(input.path, &again) == 0);
        assert(slice_equals(input.path, (Slice){buffer_data(&again), buffer_length(&again)}));
        r = keys_request_parse(&input, &request, &cause);
        assert(r == 0 ? buffer_length(&cause) == 0 : r > 0 && buffer_length(&cause) > 0);
        if (r == 0 && input.method >= KEYS_PUT)
                assert(command_check(&request.command) == 0);
        return 0;
}
