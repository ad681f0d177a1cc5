#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/value.h"

static void assert_span(const char *text, Usec expected) {
        Usec span = 12345;

        assert_int_equal(value_parse_span(slice_from(text), &span), 0);
        assert_int_equal(span, expected);
}

static void test_spans(void **state) {
        Usec span;

        (void)state;
        assert_span("5", 5000000);
        assert_span("5s", 5000000);
        assert_span("1min 30s", 90000000);
        assert_span("1min30s", 90000000);
        assert_span("1.5h", 5400000000);
        assert_span("2 days 3ms", 172800003000);
        assert_span("100us", 100);
        assert_span("100\xc2\xb5s", 100);
        assert_span("1M", 2629800000000);
        assert_span("0.1", 100000);
        assert_span(" infinity ", USEC_INFINITY);
        assert_int_equal(value_parse_span(slice_from(""), &span), -EINVAL);
        assert_int_equal(value_parse_span(slice_from("-1"), &span), -EINVAL);
        assert_int_equal(value_parse_span(slice_from("5x"), &span), -EINVAL);
        assert_int_equal(value_parse_span(slice_from("s"), &span), -EINVAL);
        assert_int_equal(value_parse_span(slice_from("1."), &span), -EINVAL);
        assert_int_equal(value_parse_span(slice_from("99999999999y"), &span), -ERANGE);
        assert_int_equal(value_parse_span(slice_from("99999999999999999999"), &span), -ERANGE);
}

static void test_booleans(void **state) {
        bool value = false;

        (void)state;
        assert_int_equal(value_parse_bool(slice_from("Yes"), &value), 0);
        assert_true(value);
        assert_int_equal(value_parse_bool(slice_from("off"), &value), 0);
        assert_false(value);
        assert_int_equal(value_parse_bool(slice_from("maybe"), &value), -EINVAL);
        assert_int_equal(value_parse_bool(slice_from(""), &value), -EINVAL);
}

static void test_sizes(void **state) {
        uint64_t size;

        (void)state;
        assert_int_equal(value_parse_size(slice_from("512M"), &size), 0);
        assert_int_equal(size, 512 << 20);
        assert_int_equal(value_parse_size(slice_from("1.5K"), &size), 0);
        assert_int_equal(size, 1536);
        assert_int_equal(value_parse_size(slice_from("7B"), &size), 0);
        assert_int_equal(size, 7);
        assert_int_equal(value_parse_size(slice_from("7X"), &size), -EINVAL);
        assert_int_equal(value_parse_size(slice_from("99E"), &size), -ERANGE);
}

static void test_signals(void **state) {
        int signal;

        (void)state;
        assert_int_equal(value_parse_signal(slice_from("SIGINT"), &signal), 0);
        assert_int_equal(signal, SIGINT);
        assert_int_equal(value_parse_signal(slice_from("9"), &signal), 0);
        assert_int_equal(signal, SIGKILL);
        assert_int_equal(value_parse_signal(slice_from("RTMIN+3"), &signal), 0);
        assert_int_equal(signal, SIGRTMIN + 3);
        assert_int_equal(value_parse_signal(slice_from("SIGRTMAX-1"), &signal), 0);
        assert_int_equal(signal, SIGRTMAX - 1);
        assert_int_equal(value_parse_signal(slice_from("RTMIN+99"), &signal), -EINVAL);
        assert_int_equal(value_parse_signal(slice_from("0"), &signal), -EINVAL);
        assert_int_equal(value_parse_signal(slice_from("SIGFOO"), &signal), -EINVAL);
}

static void test_modes_and_numbers(void **state) {
        unsigned mode;
        int64_t number;

        (void)state;
        assert_int_equal(value_parse_mode(slice_from("0750"), &mode), 0);
        assert_int_equal(mode, 0750);
        assert_int_equal(value_parse_mode(slice_from("789"), &mode), -EINVAL);
        assert_int_equal(value_parse_mode(slice_from("10000"), &mode), -ERANGE);
        assert_int_equal(value_parse_number(slice_from("-5"), -20, 19, &number), 0);
        assert_int_equal(number, -5);
        assert_int_equal(value_parse_number(slice_from("20"), -20, 19, &number), -ERANGE);
        assert_int_equal(value_parse_number(slice_from("--5"), -20, 19, &number), -EINVAL);
}

static void test_limits(void **state) {
        uint64_t soft, hard;

        (void)state;
        assert_int_equal(value_parse_limit(slice_from("1024:4096"), LIMIT_PLAIN, &soft, &hard), 0);
        assert_int_equal(soft, 1024);
        assert_int_equal(hard, 4096);
        assert_int_equal(value_parse_limit(slice_from("64K:infinity"), LIMIT_BYTES, &soft, &hard), 0);
        assert_int_equal(soft, 65536);
        assert_int_equal(hard, VALUE_LIMIT_INFINITY);
        assert_int_equal(value_parse_limit(slice_from("1500ms"), LIMIT_SECONDS, &soft, &hard), 0);
        assert_int_equal(soft, 2);
        assert_int_equal(value_parse_limit(slice_from("-5"), LIMIT_NICE, &soft, &hard), 0);
        assert_int_equal(soft, 25);
        assert_int_equal(value_parse_limit(slice_from("5:1"), LIMIT_PLAIN, &soft, &hard), -EINVAL);
        assert_int_equal(value_parse_limit(slice_from(""), LIMIT_PLAIN, &soft, &hard), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spans),   cmocka_unit_test(test_booleans),
                cmocka_unit_test(test_sizes),   cmocka_unit_test(test_signals),
                cmocka_unit_test(test_modes_and_numbers), cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
