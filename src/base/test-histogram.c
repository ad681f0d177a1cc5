#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/rate.h"

static void test_bounds_are_inclusive_and_counts_sum_up(void **state) {
        Histogram histogram = HISTOGRAM_INIT(1000, 3);
        uint64_t up_to[HISTOGRAM_BUCKETS_MAX + 1], sum;

        (void)state;
        histogram_add(&histogram, 0);
        histogram_add(&histogram, 1000);
        histogram_add(&histogram, 1001);
        histogram_add(&histogram, 4000);
        histogram_add(&histogram, 4001);
        histogram_read(&histogram, up_to, &sum);
        assert_int_equal(up_to[0], 2);
        assert_int_equal(up_to[1], 3);
        assert_int_equal(up_to[2], 4);
        assert_int_equal(up_to[3], 5);
        assert_int_equal(sum, 10002);
}

static void test_rate_is_that_of_the_last_ones(void **state) {
        static RateWindow window;
        Rate rate;

        (void)state;
        assert_false(rate_window_read(&window, 0, &rate));
        /* slow at first: forgotten once there are enough fast ones */
        for (Usec i = 0; i < 50; i++)
                rate_window_add(&window, i * USEC_PER_SEC, 1);
        for (Usec i = 0; i < RATE_WINDOW_EVENTS; i++)
                rate_window_add(&window, 50 * USEC_PER_SEC + i * USEC_PER_MSEC, 100);
        assert_true(rate_window_read(&window, 51 * USEC_PER_SEC, &rate));
        assert_true(rate.per_second > 1000 && rate.per_second < 1010);
        assert_true(rate.bytes_per_second > 100000 && rate.bytes_per_second < 101000);
        /* nothing for a second: no rate, and a new beginning */
        assert_false(rate_window_read(&window, 52 * USEC_PER_SEC, &rate));
        rate_window_add(&window, 52 * USEC_PER_SEC, 1);
        assert_false(rate_window_read(&window, 52 * USEC_PER_SEC, &rate));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bounds_are_inclusive_and_counts_sum_up),
                cmocka_unit_test(test_rate_is_that_of_the_last_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
