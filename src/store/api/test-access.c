#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/api/access.h"

static bool allows(const Access *access, const char *origin) {
        return access_allowed_origin(access, origin ? slice_from(origin) : (Slice){NULL, 0}).data;
}

static void test_all_are_let_in_unless_named(void **state) {
        Access access = {0};

        (void)state;
        assert_true(allows(&access, NULL) && allows(&access, "http://a"));
        assert_true(access_allows_host(&access, slice_from("x")));
        assert_int_equal(access_init(&access, "", "", NULL), 0);
        assert_true(slice_equals(access_allowed_origin(&access, slice_from("http://a")), slice_from("*")));
        assert_true(access_allows_host(&access, slice_from("x")));
        access_deinit(&access);
        assert_int_equal(access_init(&access, "http://a,*", "h,*", NULL), 0);
        assert_true(allows(&access, NULL) && access_allows_host(&access, slice_from("x")));
        access_deinit(&access);
}

static void test_only_those_in_the_lists(void **state) {
        _cleanup_access_ Access access = {0};

        (void)state;
        assert_int_equal(access_init(&access, "http://a:80, https://b", "localhost,::1", NULL), 0);
        assert_true(slice_equals(access_allowed_origin(&access, slice_from("https://b")), slice_from("https://b")));
        assert_false(allows(&access, NULL) || allows(&access, "http://a") || allows(&access, "https://b.evil"));
        assert_true(access_allows_host(&access, slice_from("localhost")) &&
                    access_allows_host(&access, slice_from("localhost:4001")));
        assert_true(access_allows_host(&access, slice_from("[::1]:4001")));
        assert_false(access_allows_host(&access, slice_from("evil:4001")) ||
                     access_allows_host(&access, slice_from("")));
}

static void test_what_is_no_origin_is_refused(void **state) {
        Access access = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(access_init(&access, "http://a,b", "", &error), -EINVAL);
        assert_non_null(strstr(error.text, "\"b\" is no origin"));
        assert_int_equal(access_init(&access, "http://a\r\nx", "", &error), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_are_let_in_unless_named),
                cmocka_unit_test(test_only_those_in_the_lists),
                cmocka_unit_test(test_what_is_no_origin_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
