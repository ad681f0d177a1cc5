/* Any text is judged without harm, and each finding can be written; the name and the cluster are given. */
#include <assert.h>

#include "fleet/unit/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static const char *const names[] = {"web@1.service", "a.timer", "a.socket", "web@.service", "a.mount"};
        static const char *const metadata[] = {"zone", "east", "disk", "ssd", NULL};
        const LintMachine machine = {.id = "11111111aa", .metadata = metadata, .memory = 1 << 30, .cpu = 2000};
        const LintCluster cluster = {&machine, 1};
        const Slice text = {(const char *)bytes, length};
        _cleanup_lint_report_ LintReport report = {0};
        _cleanup_buffer_ Buffer out = BUFFER_INIT;

        assert(lint_unit(names[length % ARRAY_SIZE(names)], text, &cluster, &report) == 0);
        for (size_t i = 0; i < report.length; i++) {
                buffer_clear(&out);
                assert(lint_finding_write(&report.items[i], "path", text, &out) == 0);
        }
        return 0;
}
