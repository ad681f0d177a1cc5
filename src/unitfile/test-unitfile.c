#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/unitfile.h"

static void assert_normal_form(const char *text, const char *expected) {
        _cleanup_unitfile_ UnitFile file = {0}, again = {0};
        _cleanup_buffer_ Buffer written = BUFFER_INIT, twice = BUFFER_INIT;
        Error error = ERROR_NONE;

        if (unitfile_parse(&file, slice_from(text), NULL, &error) < 0)
                fail_msg("%s: %s", text, error.text);
        assert_int_equal(unitfile_write(&file, &written), 0);
        assert_string_equal(buffer_string(&written), expected);
        assert_int_equal(unitfile_parse(&again, slice_from(buffer_string(&written)), NULL, NULL), 0);
        assert_int_equal(unitfile_write(&again, &twice), 0);
        assert_string_equal(buffer_string(&twice), expected);
}

static void assert_refused(const char *text, uint32_t line, uint32_t column, const char *what) {
        _cleanup_unitfile_ UnitFile file = {0};
        Error error = ERROR_NONE;
        TextPosition at = {0};

        assert_int_equal(unitfile_parse(&file, slice_from(text), &at, &error), -EINVAL);
        assert_int_equal(at.line, line);
        assert_int_equal(at.column, column);
        if (!strstr(error.text, what))
                fail_msg("\"%s\" does not say \"%s\"", error.text, what);
        assert_int_equal(file.n_sections, 0);
}

static void test_normal_form_drops_comments_and_blanks(void **state) {
        (void)state;
        assert_normal_form("", "");
        assert_normal_form("[Unit]\n", "");
        assert_normal_form("# c\n[Unit]\n  Description  =  a  b  \n;x\n\n[Service]\nExecStart=\n",
                           "[Unit]\nDescription=a  b\n\n[Service]\nExecStart=\n");
        assert_normal_form("[A]\r\nx=1\r\n[B]\r\ny=2\r\n", "[A]\nx=1\n\n[B]\ny=2\n");
        assert_normal_form("[A]\nx=\xc2\xa0 1 \xe2\x80\x83\n", "[A]\nx=1\n");
}

static void test_sections_are_gathered_in_order_of_appearance(void **state) {
        (void)state;
        assert_normal_form("[B]\nx=1\n[A]\ny=2\n[B]\nz=3\nx=4\n", "[B]\nx=1\nz=3\nx=4\n\n[A]\ny=2\n");
}

static void test_continuation_stays_in_the_value(void **state) {
        (void)state;
        assert_normal_form("[S]\nE=a \\\n  b \\\n# in it \\\nc\nF=1\n", "[S]\nE=a \\\n  b \\\n# in it \\\nc\nF=1\n");
        /* a blank line ends the value, and its line end stays */
        assert_normal_form("[S]\nE=a \\\n\nF=1\n", "[S]\nE=a \\\n\nF=1\n");
        /* a comment's continuation is part of the comment */
        assert_normal_form("[S]\n# c \\\nE=1\nF=2\n", "[S]\nF=2\n");
}

static void test_positions_are_those_of_the_text(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};
        const UnitOption *option;
        TextPosition at;

        (void)state;
        assert_int_equal(unitfile_parse(&file, slice_from("# c\n[Ä]\n  Küche = a \\\n   bß c\n"), NULL, NULL), 0);
        assert_int_equal(file.sections[0].at.line, 2);
        option = &file.options[0];
        assert_int_equal(option->name_at.line, 3);
        assert_int_equal(option->name_at.column, 3);
        assert_int_equal(option->value_at.column, 11);
        assert_string_equal(option->value, "a \\\n   bß c");
        at = unitfile_value_position(option, (size_t)(strchr(option->value, 'c') - option->value));
        assert_int_equal(at.line, 4);
        assert_int_equal(at.column, 7);
}

static void test_refusals_name_the_place(void **state) {
        (void)state;
        assert_refused("[Unit\nx=1\n", 1, 1, "end of section");
        assert_refused("[Unit] x\n", 1, 8, "garbage");
        assert_refused("[Unit]\nx=1\n\n oops\n", 4, 2, "no '='");
        assert_refused("[Unit]\nx=a\xff\n", 2, 4, "UTF-8");
        /* fleet took these, and the next line went into the value when the text was read again */
        assert_refused("[Unit]\nx=a\\", 2, 1, "backslash");
        assert_refused("[Unit]\r\nx=a \\\r\n b\r\n", 2, 1, "backslash");
}

static void test_nul_byte_is_refused(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};

        (void)state;
        assert_int_equal(unitfile_parse(&file, (Slice){"[A]\nx=\0y\n", 9}, NULL, NULL), -EINVAL);
}

static void test_text_before_the_first_section_is_noted(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};

        (void)state;
        assert_int_equal(unitfile_parse(&file, slice_from("\nx=1\n[A]\ny=2\n"), NULL, NULL), 0);
        assert_int_equal(file.n_options, 1);
        assert_int_equal(file.notes.length, 1);
        assert_int_equal(file.notes.items[0].at.line, 2);
}

static void test_too_many_sections_are_refused(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        for (int i = 0; i <= UNITFILE_SECTIONS_MAX; i++)
                assert_true(buffer_printf(&text, "[s%d]\n", i) >= 0);
        assert_int_equal(unitfile_parse(&file, slice_from(buffer_string(&text)), NULL, NULL), -EMSGSIZE);
}

static void test_add_takes_only_what_can_be_written(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const Slice section = slice_from("Service"), name = slice_from("ExecStart");

        (void)state;
        assert_int_equal(unitfile_add(&file, section, name, slice_from("/a \\\n b"), NULL), 0);
        assert_int_equal(unitfile_add(&file, section, name, slice_from("/a\nb"), NULL), -EINVAL);
        assert_int_equal(unitfile_add(&file, section, name, slice_from("/a\\"), NULL), -EINVAL);
        assert_int_equal(unitfile_add(&file, slice_from("a]b"), name, slice_from("1"), NULL), -EINVAL);
        assert_int_equal(unitfile_add(&file, section, slice_from("a=b"), slice_from("1"), NULL), -EINVAL);
        assert_int_equal(unitfile_add(&file, section, slice_from("#a"), slice_from("1"), NULL), -EINVAL);
        assert_int_equal(unitfile_write(&file, &text), 0);
        assert_string_equal(buffer_string(&text), "[Service]\nExecStart=/a \\\n b\n");
}

static void test_next_finds_all_of_a_name(void **state) {
        _cleanup_unitfile_ UnitFile file = {0};
        const UnitOption *option;

        (void)state;
        assert_int_equal(unitfile_parse(&file, slice_from("[A]\nx=1\n[B]\nx=2\n[A]\ny=3\nx=4\n"), NULL, NULL), 0);
        option = unitfile_next(&file, "A", "x", NULL);
        assert_string_equal(option->value, "1");
        option = unitfile_next(&file, "A", "x", option);
        assert_string_equal(option->value, "4");
        assert_null(unitfile_next(&file, "A", "x", option));
        assert_null(unitfile_next(&file, "C", "x", NULL));
}

static void test_joined_value_is_what_systemd_sees(void **state) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;

        (void)state;
        assert_int_equal(unitfile_join_value("a \\\n  # no\n b \\\n", &joined), 0);
        assert_string_equal(buffer_string(&joined), "a   b");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_normal_form_drops_comments_and_blanks),
                cmocka_unit_test(test_sections_are_gathered_in_order_of_appearance),
                cmocka_unit_test(test_continuation_stays_in_the_value),
                cmocka_unit_test(test_positions_are_those_of_the_text),
                cmocka_unit_test(test_refusals_name_the_place),
                cmocka_unit_test(test_nul_byte_is_refused),
                cmocka_unit_test(test_text_before_the_first_section_is_noted),
                cmocka_unit_test(test_too_many_sections_are_refused),
                cmocka_unit_test(test_add_takes_only_what_can_be_written),
                cmocka_unit_test(test_next_finds_all_of_a_name),
                cmocka_unit_test(test_joined_value_is_what_systemd_sees),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
