/* Environment files: any bytes are refused or give entries that name a variable. */
#include <assert.h>

#include "unitfile/environment-file.h"
#include "unitfile/exec-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        _cleanup_string_list_ StringList list = {0};
        Error error;

        if (environment_file_parse((Slice){(const char *)bytes, length}, &list, &error) < 0) {
                assert(list.length == 0);
                return 0;
        }
        for (size_t i = 0; i < list.length; i++) {
                const char *equals = strchr(list.items[i], '=');

                assert(equals && environment_name_is_valid((Slice){list.items[i], (size_t)(equals - list.items[i])}));
        }
        return 0;
}
