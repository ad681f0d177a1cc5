/* User-data: any bytes give a report, and are refused or give a plan whose steps are whole and lie below the root. */
#include <assert.h>

#include "boot/config/content.h"
#include "boot/config/plan.h"
#include "boot/config/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_step(const Step *step) {
        if (step->path) {
                char *clean = path_clean(slice_from(step->path));

                assert(clean && str_equals(clean, step->path));
                free(clean);
        }
        assert(step->path || (step->kind != STEP_FILE && step->kind != STEP_MASK && step->kind != STEP_UNMASK));
        assert(step->text || step->kind != STEP_FILE);
        assert(step->unit || (step->kind != STEP_ENABLE && step->kind != STEP_COMMAND));
        assert(!step->unit || !strchr(step->unit, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        char address[] = "10.0.0.1";
        const BootFacts facts = {.hostname = "h",
                                 .script_name = "1",
                                 .workspace = "/w",
                                 .environment_file = {"A=1", 3},
                                 .update_conf = {"GROUP=a\n", 8},
                                 .addresses = {.values = {[ADDRESS_PRIVATE_IPV4] = address}}};
        const Slice text = {length ? (const char *)bytes : "", length};
        _cleanup_report_ Report report = {0};
        _cleanup_boot_plan_ BootPlan plan = {0};
        _cleanup_buffer_ Buffer shown = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r;

        if (length > CONFIG_TEXT_MAX)
                return 0;
        assert(report_check(text, &report) == 0);
        assert(report_format(&report, REPORT_OURS, &shown, NULL) == 0);
        r = boot_plan_make(&facts, text, &plan, &error);
        assert(r >= 0 || (plan.length == 0 && error.text[0]));
        for (size_t i = 0; i < plan.length; i++) {
                check_step(&plan.steps[i]);
                assert(boot_plan_format_step(&plan.steps[i], &shown) == 0);
        }
        assert(boot_plan_format_json(&plan, NULL, &shown) == 0);
        return 0;
}
