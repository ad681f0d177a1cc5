#include "base/encode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void check_base64(Base64Alphabet alphabet, const char *plain, const char *encoded) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT, back = BUFFER_INIT;

        assert_int_equal(encode_base64(&out, alphabet, plain, strlen(plain)), 0);
        assert_string_equal(buffer_string(&out), encoded);
        assert_int_equal(decode_base64(&back, alphabet, slice_from(encoded)), 0);
        assert_string_equal(buffer_string(&back), plain);
}

static void test_base64_vectors_of_rfc_4648(void **state) {
        (void)state;
        check_base64(BASE64_STANDARD, "", "");
        check_base64(BASE64_STANDARD, "f", "Zg==");
        check_base64(BASE64_STANDARD, "fo", "Zm8=");
        check_base64(BASE64_STANDARD, "foo", "Zm9v");
        check_base64(BASE64_STANDARD, "foob", "Zm9vYg==");
        check_base64(BASE64_STANDARD, "fooba", "Zm9vYmE=");
        check_base64(BASE64_STANDARD, "foobar", "Zm9vYmFy");
        check_base64(BASE64_URL, "foob", "Zm9vYg");
        check_base64(BASE64_STANDARD, "\xfb\xff\xfe", "+//+");
        check_base64(BASE64_URL, "\xfb\xff\xfe", "-__-");
}

static void test_bad_base64_is_refused_and_changes_nothing(void **state) {
        static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Zm9v=", "Zm9v!", "Zm 9v", "Zg==Zg==", "Zm9-", "Z===", "===="};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT;

                assert_int_equal(buffer_append_string(&out, "kept"), 0);
                if (decode_base64(&out, BASE64_STANDARD, slice_from(bad[i])) != -EINVAL)
                        fail_msg("\"%s\" was taken", bad[i]);
                assert_string_equal(buffer_string(&out), "kept");
        }
        {
                _cleanup_buffer_ Buffer out = BUFFER_INIT;

                assert_int_equal(decode_base64(&out, BASE64_STANDARD, slice_from("Zm9v\r\nYmFy\n")), 0);
                assert_string_equal(buffer_string(&out), "foobar");
        }
}

static void test_hexadecimal(void **state) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT, back = BUFFER_INIT;

        (void)state;
        assert_int_equal(encode_hex(&out, "\x00\x7f\xff\xa5", 4), 0);
        assert_string_equal(buffer_string(&out), "007fffa5");
        assert_int_equal(decode_hex(&back, slice_from("007FffA5")), 0);
        assert_int_equal(buffer_length(&back), 4);
        assert_memory_equal(buffer_data(&back), "\x00\x7f\xff\xa5", 4);
        assert_int_equal(decode_hex(&back, slice_from("0")), -EINVAL);
        assert_int_equal(decode_hex(&back, slice_from("11g1")), -EINVAL);
        assert_int_equal(buffer_length(&back), 4);
}

static void test_utf8_takes_only_the_shortest_form(void **state) {
        static const struct {
                const char *bytes;
                size_t length;
        } cases[] = {
                {"a", 1}, {"\xc2\x80", 2}, {"\xdf\xbf", 2}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3},
                {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
                {"\x80", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0}, {"\xf0\x8f\xbf\xbf", 0},
                {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xff", 0}, {"\xe2\x82", 0}, {"\xe2(", 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(utf8_sequence_length(cases[i].bytes, strlen(cases[i].bytes)), cases[i].length);
        assert_int_equal(utf8_sequence_length("", 0), 0);
        assert_true(utf8_is_valid(slice_from("f\xc3\xa6ring")));
        assert_true(utf8_is_valid((Slice){"", 0}));
        assert_true(utf8_is_valid((Slice){"a\0b", 3}));
        assert_false(utf8_is_valid(slice_from("f\xc3")));
        assert_false(utf8_is_valid(slice_from("\xffx")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_base64_vectors_of_rfc_4648),
                cmocka_unit_test(test_bad_base64_is_refused_and_changes_nothing),
                cmocka_unit_test(test_hexadecimal),
                cmocka_unit_test(test_utf8_takes_only_the_shortest_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
