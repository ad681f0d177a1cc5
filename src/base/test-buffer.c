#include "base/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"

static void test_appends_and_consumes_as_a_queue(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        uint8_t next_in = 0, next_out = 0;
        size_t length = 0;
        Random random;

        (void)state;
        random_seed(&random, 1);
        for (int i = 0; i < 20000; i++) {
                size_t n = random_below(&random, 50);

                if (random_chance(&random, 1, 2)) {
                        char piece[50];

                        for (size_t at = 0; at < n; at++)
                                piece[at] = (char)next_in++;
                        assert_int_equal(buffer_append(&buffer, piece, n), 0);
                        length += n;
                } else {
                        n = min_of(n, length);
                        for (size_t at = 0; at < n; at++)
                                assert_int_equal((uint8_t)buffer_data(&buffer)[at], next_out++);
                        buffer_consume(&buffer, n);
                        length -= n;
                }
                assert_int_equal(buffer_length(&buffer), length);
        }
        buffer_consume(&buffer, SIZE_MAX);
        assert_int_equal(buffer_length(&buffer), 0);
}

static void test_the_limit_refuses_and_is_remembered(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT_LIMIT(10);

        (void)state;
        assert_int_equal(buffer_append_string(&buffer, "1234567"), 0);
        assert_int_equal(buffer_append_string(&buffer, "8901"), -EMSGSIZE);
        assert_string_equal(buffer_string(&buffer), "1234567");
        assert_int_equal(buffer_failed(&buffer), -EMSGSIZE);
        assert_null(buffer_steal_string(&buffer, NULL));
        buffer_clear(&buffer);
        assert_int_equal(buffer_failed(&buffer), 0);
        assert_int_equal(buffer_append_string(&buffer, "1234567890"), 0);
        assert_string_equal(buffer_string(&buffer), "1234567890"); /* the NUL does not count */
        assert_null(buffer_reserve(&buffer, 1));
}

static void test_sizes_that_overflow_are_refused(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        (void)state;
        assert_int_equal(buffer_append_byte(&buffer, 'x'), 0);
        assert_null(buffer_reserve(&buffer, SIZE_MAX));
        assert_int_equal(buffer_length(&buffer), 1);
        assert_int_equal(buffer_failed(&buffer), -ENOMEM);
}

static void test_texts_and_numbers(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        char *text;
        size_t length;

        (void)state;
        assert_string_equal(buffer_string(&buffer), "");
        assert_int_equal(buffer_append_u64(&buffer, 0), 0);
        assert_int_equal(buffer_append_byte(&buffer, ' '), 0);
        assert_int_equal(buffer_append_u64(&buffer, UINT64_MAX), 0);
        assert_int_equal(buffer_printf(&buffer, " %s-%d", "x", -5), 0);
        buffer_consume(&buffer, 2);
        assert_string_equal(buffer_string(&buffer), "18446744073709551615 x--5");
        buffer_truncate(&buffer, 100);
        buffer_truncate(&buffer, 20);
        text = buffer_steal_string(&buffer, &length);
        assert_string_equal(text, "18446744073709551615");
        assert_int_equal(length, 20);
        assert_int_equal(buffer_length(&buffer), 0);
        free(text);
        for (int i = 0; i < 2000; i++)
                assert_int_equal(buffer_printf(&buffer, "%d,", i), 0);
        assert_int_equal(buffer_length(&buffer), 10 * 2 + 90 * 3 + 900 * 4 + 1000 * 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appends_and_consumes_as_a_queue),
                cmocka_unit_test(test_the_limit_refuses_and_is_remembered),
                cmocka_unit_test(test_sizes_that_overflow_are_refused),
                cmocka_unit_test(test_texts_and_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
