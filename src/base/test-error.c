#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_texts_are_set_extended_and_passed_through(void **state) {
        Error error = ERROR_NONE;

        (void)state;
        assert_string_equal(error.text, "");
        assert_int_equal(error_set(&error, -EINVAL, "line %d: %s", 7, "odd"), -EINVAL);
        assert_string_equal(error.text, "line 7: odd");
        assert_int_equal(error_prefix(&error, -EINVAL, "%s.conf", "x"), -EINVAL);
        assert_string_equal(error.text, "x.conf: line 7: odd");
        assert_int_equal(error_set_errno(&error, -ENOENT, "cannot open %s", "y"), -ENOENT);
        assert_string_equal(error.text, "cannot open y: No such file or directory");
        assert_int_equal(error_set(&error, 3, "new"), 3);
        assert_string_equal(error.text, "new");
        assert_int_equal(error_set(NULL, -EIO, "%s", "x"), -EIO);
        assert_int_equal(error_set_errno(NULL, -EIO, "x"), -EIO);
        assert_int_equal(error_prefix(NULL, -EIO, "x"), -EIO);
}

static void test_a_long_text_is_cut(void **state) {
        char text[ERROR_TEXT_MAX * 2];
        Error error = ERROR_NONE;

        (void)state;
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(error_set(&error, -EIO, "%s", text), -EIO);
        assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
        assert_int_equal(error_prefix(&error, -EIO, "front"), -EIO);
        assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
        assert_memory_equal(error.text, "front: xxx", 10);
        assert_int_equal(error_set_errno(&error, -EIO, "%s", text), -EIO);
        assert_true(strlen(error.text) < ERROR_TEXT_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_texts_are_set_extended_and_passed_through),
                cmocka_unit_test(test_a_long_text_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
