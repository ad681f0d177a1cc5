/* Any text is either refused or written back to a text that reads the same; options are read without harm. */
#include <assert.h>

#include "unitfile/service-options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        const SpecifierFacts facts = {.unit = "web@1.service", .host_name = "host"};
        SpecifierSource source = specifier_source(&facts);
        _cleanup_unitfile_ UnitFile file = {0}, again = {0};
        _cleanup_buffer_ Buffer first = BUFFER_INIT, second = BUFFER_INIT;
        ServiceOptions options;
        Error error;

        if (unitfile_parse(&file, (Slice){(const char *)bytes, length}, NULL, &error) < 0)
                return 0;
        if (service_options_read(&file, &source, &options, &error) == 0)
                service_options_deinit(&options);
        assert(unitfile_write(&file, &first) == 0);
        if (buffer_length(&first) > UNITFILE_TEXT_MAX)
                return 0; /* blank lines between sections came on top */
        assert(unitfile_parse(&again, slice_from(buffer_string(&first)), NULL, &error) == 0);
        assert(unitfile_write(&again, &second) == 0);
        assert(strcmp(buffer_string(&first), buffer_string(&second)) == 0);
        return 0;
}
