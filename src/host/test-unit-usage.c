#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "host/unit-usage.h"

static void test_processor_time_and_pages_of_a_process(void **state) {
        uint64_t ticks, pages;

        (void)state;
        assert_int_equal(usage_parse_stat("123 (a) b (c)) S 1 1 1 0 -1 4194560 100 200 0 0 7 3 20 10 20 0 1 0 123456 9000000 321 18446744073709551615\n",
                                          &ticks, &pages),
                         0);
        assert_int_equal(ticks, 40);
        assert_int_equal(pages, 321);
        assert_int_equal(usage_parse_stat("123 (a) S 1", &ticks, &pages), -EBADMSG);
        assert_int_equal(usage_parse_stat("", &ticks, &pages), -EBADMSG);
}

static void test_processor_time_of_a_group(void **state) {
        uint64_t usec;

        (void)state;
        assert_int_equal(usage_parse_cpu_stat("usage_usec 1234\nuser_usec 1000\n", &usec), 0);
        assert_int_equal(usec, 1234);
        assert_int_equal(usage_parse_cpu_stat("nr_periods 1\nusage_usec 99\n", &usec), 0);
        assert_int_equal(usec, 99);
        assert_int_equal(usage_parse_cpu_stat("other_usage_usec 1\n", &usec), -EBADMSG);
}

static void assert_folder(const char *path, const char *unit, const char *expected) {
        assert_true(slice_equals(usage_unit_folder(path, unit), slice_from(expected)));
}

static void test_group_below_the_units_counts_for_it(void **state) {
        (void)state;
        assert_folder("/sys/fs/cgroup/system.slice/web.service", "web.service", "/sys/fs/cgroup/system.slice/web.service");
        assert_folder("/sys/fs/cgroup/system.slice/web.service/a/b", "web.service", "/sys/fs/cgroup/system.slice/web.service");
        assert_folder("/x/my-web.service/web.service/a", "web.service", "/x/my-web.service/web.service");
        assert_folder("/x/group-1", "web.service", "/x/group-1");
}

static void test_process_that_is_gone_or_shares_our_group(void **state) {
        _cleanup_usage_reader_ UsageReader reader;
        UnitUsage usage;

        (void)state;
        assert_int_equal(usage_reader_init(&reader), 0);
        assert_int_equal(usage_read(&reader, "a.service", 0x3fffffff, &usage), -ESRCH);
        assert_int_equal(usage_read(&reader, "a.service", getpid(), &usage), -ENODATA);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_processor_time_and_pages_of_a_process),
                cmocka_unit_test(test_processor_time_of_a_group),
                cmocka_unit_test(test_group_below_the_units_counts_for_it),
                cmocka_unit_test(test_process_that_is_gone_or_shares_our_group),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
