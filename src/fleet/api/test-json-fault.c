/* Texts and complaints as Go's Decoder gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/api/json-fault.h"

static const struct {
        const char *text, *fault;
} cases[] = {
        {"{nope", "invalid character 'n' looking for beginning of object key string"},
        {"zz", "invalid character 'z' looking for beginning of value"},
        {"", "EOF"},
        {" \n", "EOF"},
        {"{\"a\"", "unexpected EOF"},
        {"{\"a\" 1}", "invalid character '1' after object key"},
        {"{\"a\":1 2}", "invalid character '2' after object key:value pair"},
        {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        {"[1 2]", "invalid character '2' after array element"},
        {"[1,]", "invalid character ']' looking for beginning of value"},
        {"[\"a\nb\"]", "invalid character '\\n' in string literal"},
        {"[\"\\q\"]", "invalid character 'q' in string escape code"},
        {"[\"\\u12g4\"]", "invalid character 'g' in \\u hexadecimal character escape"},
        {"[-x]", "invalid character 'x' in numeric literal"},
        {"[1.x]", "invalid character 'x' after decimal point in numeric literal"},
        {"[1e+]", "invalid character ']' in exponent of numeric literal"},
        {"[trie]", "invalid character 'i' in literal true (expecting 'u')"},
        {"[nul]", "invalid character ']' in literal null (expecting 'l')"},
        {"['a']", "invalid character '\\'' looking for beginning of value"},
};

static void test_faults_are_named_as_by_go(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_buffer_ Buffer message = BUFFER_INIT;

                assert_int_equal(json_fault_find(slice_from(cases[i].text), &message), 1);
                assert_string_equal(buffer_string(&message), cases[i].fault);
        }
}

static void test_sound_values_have_no_fault(void **state) {
        static const char *const sound[] = {
                "{}", "[]", " {\"a\":[1,-2.5e3,true,false,null,\"\\u00e9\\n\"],\"b\":{}} rest", "0", "\"x\""};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
                _cleanup_buffer_ Buffer message = BUFFER_INIT;

                assert_int_equal(json_fault_find(slice_from(sound[i]), &message), 0);
                assert_int_equal(buffer_length(&message), 0);
        }
}

static void test_endless_nesting_ends(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT, message = BUFFER_INIT;

        (void)state;
        for (size_t i = 0; i < JSON_FAULT_DEPTH_MAX + 1; i++)
                assert_int_equal(buffer_append_byte(&text, '['), 0);
        assert_int_equal(json_fault_find((Slice){buffer_data(&text), buffer_length(&text)}, &message), 1);
        assert_string_equal(buffer_string(&message), "invalid character '[' in a nesting that is too deep");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_faults_are_named_as_by_go),
                cmocka_unit_test(test_sound_values_have_no_fault),
                cmocka_unit_test(test_endless_nesting_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
