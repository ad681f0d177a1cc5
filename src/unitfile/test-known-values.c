#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/known-options.h"
#include "unitfile/known-values.h"

static void test_values_by_the_option_they_belong_to(void **state) {
        (void)state;
        assert_null(known_value_fault("RestartSec", slice_from("1min 30s")));
        assert_non_null(strstr(known_value_fault("RestartSec", slice_from("soon")), "a time span"));
        assert_non_null(strstr(known_value_fault("OnUnitActiveSec", slice_from("5 minits")), "a time span"));
        assert_null(known_value_fault("Persistent", slice_from("On")));
        assert_string_equal(known_value_fault("Persistent", slice_from("ja")), "yes or no");
        assert_null(known_value_fault("MemoryMax", slice_from("infinity")));
        assert_non_null(known_value_fault("MemoryMax", slice_from("lots")));
        assert_non_null(known_value_fault("UMask", slice_from("0999")));
        assert_null(known_value_fault("OnCalendar", slice_from("Mon..Fri *-*-* 10:00")));
        assert_null(known_value_fault("OnCalendar", slice_from("*:0/15 Europe/Berlin")));
        assert_null(known_value_fault("OnCalendar", slice_from("weekly UTC")));
        assert_null(known_value_fault("OnCalendar", slice_from("Wed, 17:48")));
        assert_null(known_value_fault("OnCalendar", slice_from("@1395716396")));
        assert_non_null(strstr(known_value_fault("OnCalendar", slice_from("Mon..Fry 10:00")), "a calendar event"));
        assert_non_null(known_value_fault("OnCalendar", slice_from("25:00")));
        assert_non_null(known_value_fault("KillSignal", slice_from("SIGNOTHING")));
}

static void test_nothing_is_said_of_what_is_not_known(void **state) {
        (void)state;
        assert_null(known_value_fault("Description", slice_from("anything")));
        assert_null(known_value_fault("RestartSec", slice_from(""))); /* takes the value back */
        assert_null(known_value_fault("RestartSec", slice_from("%i")));
}

static void test_words_depend_on_the_section(void **state) {
        (void)state;
        assert_string_equal(known_value_words("Service", "Type")[0], "simple");
        assert_null(known_value_words("Mount", "Type")); /* a file system */
        assert_non_null(known_value_words("Socket", "KillMode"));
}

static void test_options_are_looked_up_by_section(void **state) {
        (void)state;
        assert_true(known_option("Service", "ExecStart"));
        assert_true(known_option("Socket", "Environment"));
        assert_false(known_option("Timer", "ExecStart"));
        assert_string_equal(known_option_near("Unit", "Aftr"), "After");
        assert_string_equal(known_option_near("Service", "restartsec"), "RestartSec");
        assert_null(known_option_near("Unit", "Zzzzzz"));
        assert_string_equal(known_option_section("OnCalendar"), "Timer");
        assert_string_equal(known_section_near("Servce"), "Service");
        assert_string_equal(known_section_near("X-fleet"), "X-Fleet");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_by_the_option_they_belong_to),
                cmocka_unit_test(test_nothing_is_said_of_what_is_not_known),
                cmocka_unit_test(test_words_depend_on_the_section),
                cmocka_unit_test(test_options_are_looked_up_by_section),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
