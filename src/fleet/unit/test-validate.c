#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fleet/unit/validate.h"

static void assert_name(const char *name, const char *expected) {
        Error error = ERROR_NONE;

        assert_int_equal(unit_validate_name(name, &error), expected ? -EINVAL : 0);
        assert_string_equal(error.text, expected ? expected : "");
}

static void test_names(void **state) {
        char long_name[300];

        (void)state;
        assert_name("web@1.service", NULL);
        assert_name("a.busname", NULL);
        assert_name("", "unit name cannot be empty");
        assert_name("web", "unit name must contain \".\"");
        assert_name("web.", "unit name cannot end in \".\"");
        assert_name("a.foo", "invalid unit type: \"foo\"");
        assert_name("a@.mount", "invalid unit type for template: \"mount\"");
        assert_name("a b.service", "invalid character ' ' in unit name");
        assert_name("a\nb.service", "invalid character '\\n' in unit name");
        assert_name("a'.service", "invalid character '\\'' in unit name");
        assert_name("aß.service", "invalid character 'ß' in unit name");
        assert_name("@a.service", "unit name cannot start in \"@\"");
        memset(long_name, 'a', sizeof(long_name));
        memcpy(long_name + 249, ".service", 9);
        assert_name(long_name, "unit name exceeds maximum length (256)");
        assert_name(long_name + 1, NULL);
}

static void assert_options(const char *section, const char *expected) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_free_ char *text = str_printf("[Service]\nExecStart=/bin/true\n[X-Fleet]\n%s\n", section);
        Error error = ERROR_NONE;

        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        assert_int_equal(unit_validate_options(&file, &error), expected ? -EINVAL : 0);
        assert_string_equal(error.text, expected ? expected : "");
}

/* The texts were recorded from fleetd 1.0. */
static void test_options(void **state) {
        (void)state;
        assert_options("Bogus=1", NULL);
        assert_options("Global=true\nConflicts=a*\nMachineMetadata=a=b", NULL);
        assert_options("MachineID=x\nMachineOf=y.service", "MachineID cannot be used with Peers");
        assert_options("MachineID=x\nConflicts=y*", "MachineID cannot be used with Conflicts");
        assert_options("MachineID=x\nGlobal=true", "MachineID cannot be used with Global");
        assert_options("MachineID=x\nReplaces=q.service", "MachineID cannot be used with Replaces");
        assert_options("Global=true\nMachineOf=y.service", "Global cannot be used with Peers");
        assert_options("Global=true\nReplaces=y.service", "Global cannot be used with Replaces");
        assert_options("Conflicts=z\nReplaces=y.service", "Conflicts cannot be used with Replaces");
        assert_options("MachineOf=web.service\nConflicts=web*",
                       "unresolvable requirements: peer \"web.service\" matches conflict \"web*\"");
        assert_options("MachineOf=web.service\nReplaces=web.service",
                       "unresolvable requirements: peer \"web.service\" matches replace \"web.service\"");
}

static void test_templates_can_only_be_inactive(void **state) {
        Error error = ERROR_NONE;
        UnitState wanted;

        (void)state;
        assert_int_equal(unit_validate_state("hello@.service", UNIT_LAUNCHED, &error), -EINVAL);
        assert_string_equal(error.text, "cannot activate template \"hello@.service\"");
        assert_int_equal(unit_validate_state("hello@.service", UNIT_INACTIVE, NULL), 0);
        assert_int_equal(unit_validate_state("hello@1.service", UNIT_LOADED, NULL), 0);
        assert_int_equal(unit_state_from_string("launched", &wanted, NULL), 0);
        assert_int_equal(wanted, UNIT_LAUNCHED);
        assert_int_equal(unit_state_from_string("bogus", &wanted, &error), -EINVAL);
        assert_string_equal(error.text, "invalid value \"bogus\" for JobState");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_templates_can_only_be_inactive),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
