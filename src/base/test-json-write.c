#include "base/json-write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void check_string(Slice text, const char *expected) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter writer = json_writer(&buffer);

        json_write_string(&writer, text);
        assert_string_equal(buffer_string(&buffer), expected);
}

/* What Go's encoding/json prints for the same strings. */
static void test_strings_are_escaped_as_go_does(void **state) {
        (void)state;
        check_string(slice_from(""), "\"\"");
        check_string(slice_from("plain / text"), "\"plain / text\"");
        check_string(slice_from("\"\\"), "\"\\\"\\\\\"");
        check_string(slice_from("\n\r\t"), "\"\\n\\r\\t\"");
        check_string((Slice){"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\"");
        check_string(slice_from("<a href='x'>&"), "\"\\u003ca href='x'\\u003e\\u0026\"");
        check_string(slice_from("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"), "\"\\u2028\\u2029\xe2\x80\xaa\"");
        check_string(slice_from("\xc3\xa6\xf0\x9f\x9a\xa3"), "\"\xc3\xa6\xf0\x9f\x9a\xa3\"");
        check_string(slice_from("a\xff" "b\xc3"), "\"a\\ufffdb\\ufffd\"");
        check_string(slice_from("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}

static void test_objects_and_arrays_get_their_commas(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter writer = json_writer(&buffer);

        (void)state;
        json_begin_object(&writer);
        json_field_string(&writer, "a", "x");
        json_key(&writer, "b");
        json_begin_array(&writer);
        json_write_u64(&writer, UINT64_MAX);
        json_write_i64(&writer, INT64_MIN);
        json_begin_array(&writer);
        json_end_array(&writer);
        json_begin_object(&writer);
        json_end_object(&writer);
        json_write_bool(&writer, true);
        json_write_null(&writer);
        json_write_raw(&writer, slice_from("{\"r\":1}"));
        json_end_array(&writer);
        json_field_u64(&writer, "c", 0);
        json_field_i64(&writer, "d", -1);
        json_field_bool(&writer, "e", false);
        json_field_slice(&writer, "f", (Slice){"yz", 1});
        json_end_object(&writer);
        assert_string_equal(buffer_string(&buffer),
                            "{\"a\":\"x\",\"b\":[18446744073709551615,-9223372036854775808,[],{},true,null,{\"r\":1}],\"c\":0,"
                            "\"d\":-1,\"e\":false,\"f\":\"y\"}");
}

static void test_lists_and_ids_are_fields_of_their_own(void **state) {
        _cleanup_string_list_ StringList strings = {0};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter writer = json_writer(&buffer);

        (void)state;
        json_begin_object(&writer);
        json_field_strings(&writer, "none", &strings);
        assert_int_equal(string_list_add(&strings, "a"), 0);
        assert_int_equal(string_list_add(&strings, "\"b\""), 0);
        json_field_strings(&writer, "two", &strings);
        json_field_hex(&writer, "zero", 0);
        json_field_hex(&writer, "most", UINT64_MAX);
        json_field_hex(&writer, "id", 0x8a025eacf1a9f7a8);
        json_end_object(&writer);
        assert_string_equal(buffer_string(&buffer),
                            "{\"none\":[],\"two\":[\"a\",\"\\\"b\\\"\"],\"zero\":\"0\",\"most\":\"ffffffffffffffff\","
                            "\"id\":\"8a025eacf1a9f7a8\"}");
}

static void test_numbers_that_are_none_become_zero(void **state) {
        static const double values[] = {0, 1.5, -2, 1e100, 0.1, NAN, INFINITY, -INFINITY};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
                JsonWriter writer = json_writer(&buffer);

                json_write_double(&writer, values[i]);
                assert_true(strtod(buffer_string(&buffer), NULL) == (isfinite(values[i]) ? values[i] : 0));
                assert_null(strpbrk(buffer_string(&buffer), "nN"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strings_are_escaped_as_go_does),
                cmocka_unit_test(test_objects_and_arrays_get_their_commas),
                cmocka_unit_test(test_lists_and_ids_are_fields_of_their_own),
                cmocka_unit_test(test_numbers_that_are_none_become_zero),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
