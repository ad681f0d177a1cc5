/* Whatever jansson takes has no fault. (Not the other way: jansson also refuses what is no UTF-8.) */
#include <jansson.h>

#include "fleet/api/json-fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer message = BUFFER_INIT;
        json_t *json = json_loadb((const char *)data, size, JSON_DISABLE_EOF_CHECK, NULL);
        int r = json_fault_find((Slice){(const char *)data, size}, &message);

        if (json && r == 1 && !strstr(buffer_string(&message), "too deep"))
                __builtin_trap();
        json_decref(json);
        return 0;
}
