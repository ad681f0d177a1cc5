#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fleet/unit/glob.h"

static bool match(const char *pattern, const char *name) {
        return glob_matches(slice_from(pattern), slice_from(name));
}

/* Each case is one of Go 1.19's own table for path.Match. */
static void test_as_path_match(void **state) {
        static const struct {
                const char *pattern, *name;
                bool matched;
        } cases[] = {
                {"abc", "abc", true},
                {"*", "abc", true},
                {"*c", "abc", true},
                {"a*", "a", true},
                {"a*", "abc", true},
                {"a*", "ab/c", false},
                {"a*/b", "abc/b", true},
                {"a*/b", "a/c/b", false},
                {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
                {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
                {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
                {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", false},
                {"a*b?c*x", "abxbbxdbxebxczzx", true},
                {"a*b?c*x", "abxbbxdbxebxczzy", false},
                {"ab[c]", "abc", true},
                {"ab[b-d]", "abc", true},
                {"ab[e-g]", "abc", false},
                {"ab[^c]", "abc", false},
                {"ab[^b-d]", "abc", false},
                {"ab[^e-g]", "abc", true},
                {"a\\*b", "a*b", true},
                {"a\\*b", "ab", false},
                {"a?b", "a☺b", true},
                {"a[^a]b", "a☺b", true},
                {"a???b", "a☺b", false},
                {"a[^a][^a][^a]b", "a☺b", false},
                {"[a-ζ]*", "α", true},
                {"*[a-ζ]", "A", false},
                {"a?b", "a/b", false},
                {"a*b", "a/b", false},
                {"[\\]a]", "]", true},
                {"[\\-]", "-", true},
                {"[x\\-]", "x", true},
                {"[x\\-]", "-", true},
                {"[x\\-]", "z", false},
                {"[\\-x]", "x", true},
                {"[\\-x]", "a", false},
                {"*x", "xxx", true},
                {"", "", true},
                {"*", "", true},
                {"a", "", false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (match(cases[i].pattern, cases[i].name) != cases[i].matched)
                        fail_msg("%s %s", cases[i].pattern, cases[i].name);
}

static void test_malformed_patterns_match_nothing(void **state) {
        static const char *const patterns[] = {"[]a]",    "[-]",   "[x-]", "[-x]", "\\", "[a-b-c]", "[",
                                               "[^",      "[^bc",  "a[",   "*[",   "[a", "[a-",     "[a\\"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
                assert_false(glob_is_valid(slice_from(patterns[i])));
                assert_false(match(patterns[i], "a"));
                assert_false(match(patterns[i], "-"));
        }
        assert_true(glob_is_valid(slice_from("web@*.service")));
}

static void test_literals(void **state) {
        (void)state;
        assert_true(glob_is_literal(slice_from("web@1.service")));
        assert_false(glob_is_literal(slice_from("web@?.service")));
        assert_false(glob_is_literal(slice_from("a\\x2db.service")));
}

static void test_many_stars_take_no_exponential_time(void **state) {
        char pattern[401], name[2001];

        (void)state;
        for (size_t i = 0; i < 400; i += 2)
                memcpy(pattern + i, "*a", 2);
        pattern[399] = 'b';
        pattern[400] = '\0';
        memset(name, 'a', 2000);
        name[2000] = '\0';
        assert_false(match(pattern, name));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_path_match),
                cmocka_unit_test(test_malformed_patterns_match_nothing),
                cmocka_unit_test(test_literals),
                cmocka_unit_test(test_many_stars_take_no_exponential_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
