#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/environment-file.h"

static void assert_entries(const char *text, size_t n, const char *const *expected) {
        _cleanup_string_list_ StringList list = {0};
        Error error = ERROR_NONE;

        assert_int_equal(environment_file_parse(slice_from(text), &list, &error), 0);
        assert_int_equal(list.length, n);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(list.items[i], expected[i]);
}

#define ASSERT_ENTRIES(text, ...)                                             \
        do {                                                                  \
                const char *const _expected[] = {__VA_ARGS__};                \
                assert_entries((text), ARRAY_SIZE(_expected), _expected);     \
        } while (0)

static void test_plain_lines(void **state) {
        (void)state;
        ASSERT_ENTRIES("A=1\n  B = two words \t\nC=\nD=x=y", "A=1", "B=two words", "C=", "D=x=y");
        ASSERT_ENTRIES("A=1\r\nB=2\r\n", "A=1", "B=2");
}

static void test_comments_and_lines_that_are_none(void **state) {
        (void)state;
        ASSERT_ENTRIES("# A=1\n; B=2\n\nno assignment\nC=3 # kept\n1X=bad\nexport D=4\n# a \\\nE=5\nF=6", "C=3 # kept", "F=6");
}

static void test_quotes(void **state) {
        (void)state;
        ASSERT_ENTRIES("A=\"one  two\"\nB='$x \\n'\nC=\"a\\\"b\\$c\\n\"\nD=a'b 'c\"d \" \nE=\"two\nlines\"",
                       "A=one  two", "B=$x \\n", "C=a\"b$c\\n", "D=ab cd ", "E=two\nlines");
}

static void test_backslashes(void **state) {
        (void)state;
        ASSERT_ENTRIES("A=one\\\ntwo\nB=a\\ \nC=\\x\nD=\"a\\\nb\"", "A=onetwo", "B=a ", "C=x", "D=ab");
}

static void test_what_is_no_text_is_refused_and_adds_nothing(void **state) {
        _cleanup_string_list_ StringList list = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(environment_file_parse(slice_from("A=1\nB=\xff\n"), &list, &error), -EINVAL);
        assert_string_equal(error.text, "line 2: the value of B holds bytes that are no text");
        assert_int_equal(environment_file_parse((Slice){"A=\0", 3}, &list, &error), -EINVAL);
        assert_int_equal(list.length, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain_lines),
                cmocka_unit_test(test_comments_and_lines_that_are_none),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_backslashes),
                cmocka_unit_test(test_what_is_no_text_is_refused_and_adds_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
