#include "cli/human.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_durations(void **state) {
        static const struct {
                uint64_t seconds;
                const char *text;
        } rows[] = {
                {0, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},    {60, "About a minute"},
                {119, "About a minute"},   {120, "2 minutes"},       {3000, "50 minutes"},  {3600, "About an hour"},
                {7200, "2 hours"},         {47 * 3600, "47 hours"},  {49 * 3600, "2 days"}, {15 * 86400, "2 weeks"},
                {61 * 86400, "2 months"},  {800 * 86400, "2 years"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                human_duration(rows[i].seconds * USEC_PER_SEC, &text);
                assert_string_equal(buffer_string(&text), rows[i].text);
        }
}

static void test_sizes(void **state) {
        static const struct {
                uint64_t bytes;
                const char *text;
        } rows[] = {{0, "0B"}, {999, "999B"}, {1000, "1kB"}, {1984172, "1.98MB"}, {12345678901, "12.3GB"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                human_size(rows[i].bytes, &text);
                assert_string_equal(buffer_string(&text), rows[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations), cmocka_unit_test(test_sizes)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
