/* --config-file: any text either sets options or is refused with a place. */
#include <assert.h>
#include <errno.h>

#include "store/settings-file.h"
#include "store/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(settings_deinit) Settings settings = {0};
        Error error = ERROR_NONE;
        int r;

        r = settings_file_parse((Slice){(const char *)data, size}, "FILE", settings_options(&settings), &error);
        assert(r == 0 || r == -EINVAL || r == -ERANGE);
        assert(r == 0 || strncmp(error.text, "FILE, line ", 11) == 0);
        return 0;
}
