/* Amounts in unit files: what is read is within its bounds, and can be told to people. */
#include <assert.h>
#include <errno.h>

#include "fleet/unit/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        _cleanup_free_ char *text = strndup((const char *)bytes, length);
        _cleanup_buffer_ Buffer words = BUFFER_INIT;
        UnitResources found = {.memory = 1, .memory_percent = 2};
        uint64_t cpu = 3;
        int r;

        if (!text)
                return 0;
        r = unit_parse_memory(text, &found);
        if (r < 0) {
                assert(r == -EINVAL && found.memory == 1 && found.memory_percent == 2);
        } else {
                assert(found.memory == 0 || found.memory_percent == 0);
                assert(found.memory_percent <= 10000);
                assert(found.memory_percent == 0 || unit_resources_memory(&found, UINT64_MAX) <= UINT64_MAX / 10000 * 10000);
                unit_format_memory(found.memory, &words);
                assert(buffer_length(&words) > 0);
        }
        r = unit_parse_cpu(text, &cpu);
        if (r < 0) {
                assert(r == -EINVAL && cpu == 3);
                return 0;
        }
        assert(cpu <= (uint64_t)UINT32_MAX * 1000);
        unit_format_cpu(cpu, &words);
        return 0;
}
