#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/specifier.h"

static const SpecifierFacts facts = {
        .unit = "my-web@a\\x2db-c.service",
        .machine_id = "0123456789abcdef0123456789abcdef",
        .host_name = "core1.example.com",
        .runtime_root = "/run",
};

static void assert_expanded(const char *text, const char *expected) {
        SpecifierSource source = specifier_source(&facts);
        _cleanup_buffer_ Buffer to = BUFFER_INIT;

        assert_int_equal(specifier_expand(slice_from(text), &source, &to, NULL), 0);
        assert_string_equal(buffer_string(&to), expected);
}

static void test_names(void **state) {
        (void)state;
        assert_expanded("%n|%N|%p|%i", "my-web@a\\x2db-c.service|my-web@a\\x2db-c|my-web|a\\x2db-c");
        assert_expanded("%P|%I|%j|%J|%f", "my/web|a-b/c|web|web|/a-b/c");
}

static void test_host(void **state) {
        (void)state;
        assert_expanded("%H %l %t/x %m", "core1.example.com core1 /run/x 0123456789abcdef0123456789abcdef");
}

static void test_percent_signs(void **state) {
        (void)state;
        assert_expanded("100%% 50% %", "100% 50% %");
        assert_expanded("%%i", "%i");
}

static void test_unknown_and_missing(void **state) {
        SpecifierSource source = specifier_source(&facts);
        _cleanup_buffer_ Buffer to = BUFFER_INIT;
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(specifier_expand(slice_from("%z"), &source, &to, &error), -EINVAL);
        assert_non_null(strstr(error.text, "%z"));
        assert_int_equal(specifier_expand(slice_from("%b"), &source, &to, &error), -ENODATA);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_host),
                cmocka_unit_test(test_percent_signs),
                cmocka_unit_test(test_unknown_and_missing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
