/* Any text is either refused or written back to a text that reads the same; options of each type, with specifiers, are read without harm. */
#include <assert.h>

#include "unitfile/service-options.h"
#include "unitfile/trigger-options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void read_service(const UnitFile *file) {
        const SpecifierFacts facts = {.unit = "web-a@x-\\x20.service", .host_name = "host.example", .machine_id = "0123", .runtime_root = "/run",
                                      .user = "root", .group = "root"}; /* others are not known: an error of their own */
        const SpecifierSource source = specifier_source(&facts);
        ServiceOptions options;
        Error error;

        if (service_options_read(file, &source, &options, &error) == 0)
                service_options_deinit(&options);
}

static void read_trigger(const UnitFile *file, const char *name, const char *section) {
        const SpecifierFacts facts = {.unit = name, .runtime_root = "/run"};
        const SpecifierSource source = specifier_source(&facts);
        ServiceOptions options;
        TriggerOptions trigger;
        Error error;

        if (service_options_read_unit(file, &source, section, &options, &error) == 0)
                service_options_deinit(&options);
        if (trigger_options_read(file, name, &source, &trigger, &error) == 0)
                trigger_options_deinit(&trigger);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        _cleanup_unitfile_ UnitFile file = {0}, again = {0};
        _cleanup_buffer_ Buffer first = BUFFER_INIT, second = BUFFER_INIT;
        Error error;

        if (unitfile_parse(&file, (Slice){(const char *)bytes, length}, NULL, &error) < 0)
                return 0;
        read_service(&file);
        read_trigger(&file, "a@1.socket", "Socket");
        read_trigger(&file, "a.timer", "Timer");
        read_trigger(&file, "a.path", "Path");
        assert(unitfile_write(&file, &first) == 0);
        if (buffer_length(&first) > UNITFILE_TEXT_MAX)
                return 0; /* blank lines between sections came on top */
        assert(unitfile_parse(&again, slice_from(buffer_string(&first)), NULL, &error) == 0);
        assert(unitfile_write(&again, &second) == 0);
        assert(strcmp(buffer_string(&first), buffer_string(&second)) == 0);
        return 0;
}
