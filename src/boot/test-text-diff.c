#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/text-diff.h"

static void diff_is(const char *before, const char *after, const char *expected) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_int_equal(text_diff(slice_from(before), slice_from(after), &text), 0);
        assert_string_equal(buffer_length(&text) ? buffer_string(&text) : "", expected);
}

static void test_changed_lines_stand_between_others(void **state) {
        (void)state;
        diff_is("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\nx\ny\n5\n6\n7\n",
                "    2\n    3\n  - 4\n  + x\n  + y\n    5\n    6\n");
        diff_is("a\n", "a\nb\n", "    a\n  + b\n");
        diff_is("a\nb\n", "b\n", "  - a\n    b\n");
        diff_is("a\na\n", "a\n", "    a\n  - a\n");
        diff_is("", "a\n", "  + a\n");
        diff_is("a\n", "", "  - a\n");
        diff_is("same\n", "same\n", "    same\n");
}

static void test_line_ends_and_control_characters_show(void **state) {
        (void)state;
        diff_is("a", "a\n", "  - a (no line end)\n  + a\n");
        diff_is("", "\x1b[2Jx\n", "  + ?[2Jx\n");
        diff_is("", "\xff\n", "  0 bytes before, 2 after\n");
}

static void test_long_texts_are_cut(void **state) {
        _cleanup_buffer_ Buffer many = BUFFER_INIT, text = BUFFER_INIT;
        size_t lines = 0;

        (void)state;
        for (size_t i = 0; i < TEXT_DIFF_LINES_MAX * 2; i++)
                (void)buffer_append_string(&many, "x\n");
        assert_int_equal(text_diff((Slice){"", 0}, (Slice){buffer_data(&many), buffer_length(&many)}, &text), 0);
        for (const char *at = buffer_string(&text); *at; at++)
                lines += *at == '\n';
        assert_int_equal(lines, TEXT_DIFF_LINES_MAX + 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_changed_lines_stand_between_others),
                cmocka_unit_test(test_line_ends_and_control_characters_show),
                cmocka_unit_test(test_long_texts_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
