#include "store/api/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_added(Form *form, const char *encoded) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;

        assert_int_equal(form_add(form, slice_from(encoded), &cause), 0);
}

static void assert_value(const Form *form, FormField field, const char *value) {
        assert_int_equal(form->fields[field].present, value != NULL);
        if (value)
                assert_true(slice_equals(form_get(form, field), slice_from(value)));
}

static void test_first_value_wins_and_body_comes_first(void **state) {
        Form form = {0};

        (void)state;
        assert_added(&form, "value=body&dir=&value=again");
        assert_added(&form, "value=query&ttl=5&unknown=1&&wait");
        assert_value(&form, FORM_VALUE, "body");
        assert_value(&form, FORM_TTL, "5");
        assert_value(&form, FORM_DIR, "");
        assert_value(&form, FORM_WAIT, "");
        assert_value(&form, FORM_REFRESH, NULL);
        form_deinit(&form);
}

static void test_decoding(void **state) {
        Form form = {0};

        (void)state;
        assert_added(&form, "v%61lue=a+b%2Bc%00%ff&prevValue=x=y");
        assert_true(slice_equals(form_get(&form, FORM_VALUE), (Slice){"a b+c\0\xff", 7}));
        assert_value(&form, FORM_PREV_VALUE, "x=y");
        form_deinit(&form);
}

static void assert_refused(const char *encoded, const char *reason) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        Form form = {0};

        assert_int_equal(form_add(&form, slice_from(encoded), &cause), 1);
        assert_string_equal(buffer_string(&cause), reason);
        form_deinit(&form);
}

static void test_bad_pairs_are_refused_even_in_unknown_fields(void **state) {
        (void)state;
        assert_refused("value=%zz", "invalid URL escape \"%zz\"");
        assert_refused("value=%2", "invalid URL escape \"%2\"");
        assert_refused("%=1", "invalid URL escape \"%\"");
        assert_refused("nobody=%g1&value=1", "invalid URL escape \"%g1\"");
        assert_refused("value=1;ttl=5", "invalid semicolon separator in query");
        assert_refused("a=1;b&value=%zz", "invalid semicolon separator in query");
}

static void test_good_pairs_beside_a_bad_one_count(void **state) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        Form form = {0};

        (void)state;
        assert_int_equal(form_add(&form, slice_from("value=%zz&dir=true&value=2"), &cause), 1);
        assert_value(&form, FORM_DIR, "true");
        assert_value(&form, FORM_VALUE, "2");
        form_deinit(&form);
}

static void assert_type(const char *type, int expected, bool is_form) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        bool form;

        assert_int_equal(form_check_content_type(slice_from(type), &form, &cause), expected);
        assert_int_equal(form, is_form);
        assert_int_equal(buffer_length(&cause) > 0, expected > 0);
}

static void test_content_types(void **state) {
        (void)state;
        assert_type("application/x-www-form-urlencoded", 0, true);
        assert_type("APPLICATION/X-www-form-urlencoded;charset=utf-8", 0, true);
        assert_type("application/x-www-form-urlencoded ; a=\"b;\\\"c\" ;", 0, true);
        assert_type("", 0, false);
        assert_type("text/plain", 0, false);
        assert_type("text", 0, false);
        assert_type("not a mime type;;;", 1, false);
        assert_type("/", 1, false);
        assert_type("text/", 1, false);
        assert_type("text/plain more", 1, false);
        assert_type("application/x-www-form-urlencoded; charset", 1, false);
        assert_type("application/x-www-form-urlencoded; a=\"open", 1, false);
        assert_type(";", 1, false);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_value_wins_and_body_comes_first),
                cmocka_unit_test(test_decoding),
                cmocka_unit_test(test_bad_pairs_are_refused_even_in_unknown_fields),
                cmocka_unit_test(test_good_pairs_beside_a_bad_one_count),
                cmocka_unit_test(test_content_types),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
