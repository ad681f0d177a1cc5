#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_whole_numbers_are_strict(void **state) {
        static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1a", "1.0"};
        uint64_t value = 77;

        (void)state;
        assert_int_equal(str_parse_u64(slice_from("0"), 10, &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(str_parse_u64(slice_from("18446744073709551615"), UINT64_MAX, &value), 0);
        assert_true(value == UINT64_MAX);
        value = 77;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(str_parse_u64(slice_from(bad[i]), UINT64_MAX, &value), -EINVAL);
        assert_int_equal(str_parse_u64(slice_from("18446744073709551616"), UINT64_MAX, &value), -ERANGE);
        assert_int_equal(str_parse_u64(slice_from("99999999999999999999999"), UINT64_MAX, &value), -ERANGE);
        assert_int_equal(str_parse_u64(slice_from("11"), 10, &value), -ERANGE);
        assert_int_equal(value, 77);
}

static void test_booleans_are_gos(void **state) {
        static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
        static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
        static const char *const bad[] = {"", "yes", "tRUE", "2", "true "};
        bool value;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                assert_int_equal(str_parse_bool(slice_from(yes[i]), &value), 0);
                assert_true(value);
                assert_int_equal(str_parse_bool(slice_from(no[i]), &value), 0);
                assert_false(value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(str_parse_bool(slice_from(bad[i]), &value), -EINVAL);
}

static void test_durations_are_gos(void **state) {
        static const struct {
                const char *text;
                int r;
                Usec usec;
        } cases[] = {
                {"0", 0, 0}, {"5s", 0, 5000000}, {"150ms", 0, 150000}, {"1h2m3.5s", 0, 3723500000}, {"1.5h", 0, 5400000000},
                {"20us", 0, 20}, {"20\xc2\xb5s", 0, 20}, {"20\xce\xbcs", 0, 20}, {".5s", 0, 500000}, {"1.s", 0, 1000000}, {"1m1m", 0, 120000000},
                {"", -EINVAL, 0}, {"5", -EINVAL, 0}, {"s", -EINVAL, 0}, {".s", -EINVAL, 0}, {"1d", -EINVAL, 0},
                {"5 s", -EINVAL, 0}, {"1s2", -EINVAL, 0}, {"-1s", -EINVAL, 0}, {"99999999999999h", -ERANGE, 0},
                {"999999999999999999999999s", -ERANGE, 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Usec usec = 0;
                int r = str_parse_duration(slice_from(cases[i].text), &usec);

                if (r != cases[i].r || usec != cases[i].usec)
                        fail_msg("\"%s\" gave %d, %llu", cases[i].text, r, (unsigned long long)usec);
        }
}

static void test_sizes_take_a_suffix(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t bytes;
        } cases[] = {
                {"0", 0, 0}, {"17", 0, 17}, {"64k", 0, 65536}, {"2M", 0, 2 << 20}, {"1g", 0, 1 << 30}, {"1gb", 0, 1 << 30},
                {"3KiB", 0, 3072}, {"1t", 0, (uint64_t)1 << 40},
                {"", -EINVAL, 0}, {"k", -EINVAL, 0}, {"1x", -EINVAL, 0}, {"1 k", -EINVAL, 0}, {"-1", -EINVAL, 0},
                {"1kk", -EINVAL, 0}, {"17000000t", -ERANGE, 0}, {"18446744073709551616", -ERANGE, 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                uint64_t bytes = 0;
                int r = str_parse_size(slice_from(cases[i].text), &bytes);

                if (r != cases[i].r || bytes != cases[i].bytes)
                        fail_msg("\"%s\" gave %d, %llu", cases[i].text, r, (unsigned long long)bytes);
        }
}

static void test_slices_are_cut_trimmed_and_ordered(void **state) {
        Slice rest = slice_from("a,,b"), part;
        char *text;

        (void)state;
        assert_true(slice_split(&rest, ',', &part) && slice_equals(part, slice_from("a")));
        assert_true(slice_split(&rest, ',', &part) && part.length == 0);
        assert_true(slice_split(&rest, ',', &part) && slice_equals(part, slice_from("b")));
        assert_false(slice_split(&rest, ',', &part));
        rest = slice_from("");
        assert_true(slice_split(&rest, ',', &part) && part.length == 0);
        assert_false(slice_split(&rest, ',', &part));
        assert_true(slice_equals(slice_trim(slice_from(" \t x y\r\n")), slice_from("x y")));
        assert_int_equal(slice_trim(slice_from(" \n")).length, 0);
        assert_true(slice_compare(slice_from("a"), slice_from("ab")) < 0);
        assert_true(slice_compare(slice_from("b"), slice_from("ab")) > 0);
        assert_true(slice_compare((Slice){"\xff", 1}, slice_from("a")) > 0);
        assert_int_equal(slice_compare(slice_from("a"), slice_from("a")), 0);
        assert_true(str_ends_with("x.service", ".service") && str_ends_with("x", ""));
        assert_false(str_ends_with("e", "service"));
        assert_true(str_starts_with("log-1", "log-") && !str_starts_with("lo", "log"));
        text = slice_dup((Slice){"abc", 2});
        assert_string_equal(text, "ab");
        free(text);
        text = str_printf("%s-%d", "x", 5);
        assert_string_equal(text, "x-5");
        free(text);
}

static void test_lists_own_what_is_in_them(void **state) {
        _cleanup_string_list_ StringList list = {0};

        (void)state;
        assert_false(string_list_contains(&list, "a"));
        for (int i = 30; i > 0; i--)
                assert_int_equal(string_list_take(&list, str_printf("%02d", i)), 0);
        assert_int_equal(string_list_take(&list, NULL), -ENOMEM);
        assert_int_equal(string_list_add(&list, "zz"), 0);
        assert_int_equal(string_list_add_slice(&list, (Slice){"abc", 1}), 0);
        string_list_sort(&list);
        assert_int_equal(list.length, 32);
        assert_string_equal(list.items[0], "01");
        assert_string_equal(list.items[30], "a");
        assert_null(list.items[32]);
        assert_true(string_list_contains(&list, "17"));
        assert_false(string_list_contains(&list, "31"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole_numbers_are_strict),
                cmocka_unit_test(test_booleans_are_gos),
                cmocka_unit_test(test_durations_are_gos),
                cmocka_unit_test(test_sizes_take_a_suffix),
                cmocka_unit_test(test_slices_are_cut_trimmed_and_ordered),
                cmocka_unit_test(test_lists_own_what_is_in_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
