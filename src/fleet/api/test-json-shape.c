/* Bodies that are JSON, but not what a resource asks for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "fleet/api/json-shape.h"

static json_t *load(const char *text) {
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

        assert_non_null(value);
        return value;
}

static void test_names_count_in_large_and_small_letters(void **state) {
        json_t *object = load("{\"DesiredState\":\"loaded\",\"NAME\":\"a\",\"name\":\"b\",\"Name\":null}");
        const char *text;

        (void)state;
        assert_int_equal(json_shape_string(object, "desiredState", "x", &text, NULL), 0);
        assert_string_equal(text, "loaded");
        assert_int_equal(json_shape_string(object, "name", "x", &text, NULL), 0);
        assert_string_equal(text, "b");
        json_decref(object);
}

static void test_what_is_left_out_is_empty(void **state) {
        json_t *object = load("{\"value\":null}");
        const char *text;

        (void)state;
        assert_int_equal(json_shape_string(object, "value", "x", &text, NULL), 0);
        assert_string_equal(text, "");
        assert_int_equal(json_shape_string(object, "name", "x", &text, NULL), 0);
        assert_string_equal(text, "");
        assert_null(json_shape_field(object, "value"));
        assert_int_equal(json_shape_check(json_object_get(object, "value"), JSON_ARRAY, "x", NULL), 0);
        json_decref(object);
}

static void test_wrong_types_are_named_as_by_go(void **state) {
        static const struct {
                const char *value, *kind;
        } cases[] = {{"1.5", "number"}, {"[]", "array"}, {"{}", "object"}, {"true", "bool"}, {"false", "bool"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = str_printf("{\"name\":%s}", cases[i].value);
                _cleanup_free_ char *expected =
                        str_printf("json: cannot unmarshal %s into Go struct field Unit.name of type string", cases[i].kind);
                json_t *object = load(text);
                Error error = ERROR_NONE;
                const char *unused;

                assert_int_equal(json_shape_string(object, "name", "Go struct field Unit.name of type string", &unused, &error), -EINVAL);
                assert_string_equal(error.text, expected);
                json_decref(object);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_count_in_large_and_small_letters),
                cmocka_unit_test(test_what_is_left_out_is_empty),
                cmocka_unit_test(test_wrong_types_are_named_as_by_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
