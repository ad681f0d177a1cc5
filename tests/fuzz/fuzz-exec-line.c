/* Any value is either refused or gives commands whose arguments can be expanded. */
#include <assert.h>

#include "unitfile/exec-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        const SpecifierFacts facts = {.unit = "web@1.service", .host_name = "host"};
        SpecifierSource source = specifier_source(&facts);
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        _cleanup_string_list_ StringList environment = {0};
        Error error;

        if (string_list_add(&environment, "A=b 'c d'") < 0 || string_list_add(&environment, "LONG=x y z") < 0)
                return 0;
        if (exec_line_parse((Slice){(const char *)bytes, length}, &source, &list, &error) < 0) {
                assert(list.length == 0);
                return 0;
        }
        for (size_t i = 0; i < list.length; i++) {
                _cleanup_string_list_ StringList arguments = {0};

                assert(list.items[i].path && list.items[i].arguments.length > 0);
                (void)exec_command_expand(&list.items[i], &environment, &arguments);
        }
        return 0;
}
