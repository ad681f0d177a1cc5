#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "store/proxy/endpoints.h"

static const char two[] = "[{\"id\":18446744073709551615,\"peerURLs\":[\"http://a:2380\"],\"name\":\"a\",\"clientURLs\":[\"http://a:1\",\"http://a:2\"]},"
                          "{\"id\":2,\"peerURLs\":[\"http://b:2380\"],\"name\":\"b\",\"clientURLs\":[\"http://b:1\",\"nonsense\"]}]";

static void test_members_are_taken(void **state) {
        Endpoints endpoints = {0};

        (void)state;
        assert_int_equal(endpoints_take(&endpoints, slice_from(two), NULL), 0);
        assert_int_equal(endpoints.length, 3);
        assert_string_equal(endpoints.items[2].url.host, "b");
        assert_int_equal(endpoints.peer_urls.length, 2);
        endpoints_deinit(&endpoints);
}

static void test_what_failed_is_held_also_over_a_refresh(void **state) {
        Endpoints endpoints = {0};
        Url url;

        (void)state;
        assert_int_equal(endpoints_take(&endpoints, slice_from(two), NULL), 0);
        url = endpoints.items[0].url;
        endpoints_hold(&endpoints, &url, 50);
        assert_int_equal(endpoints_next(&endpoints, 0, 49), 1);
        assert_int_equal(endpoints_take(&endpoints, slice_from(two), NULL), 0);
        assert_int_equal(endpoints_next(&endpoints, 0, 49), 1);
        assert_int_equal(endpoints_next(&endpoints, 0, 50), 0);
        assert_int_equal(endpoints_next(&endpoints, 3, 50), -1);
        endpoints_deinit(&endpoints);
}

static void test_other_answers_leave_what_was(void **state) {
        static const char *const wrong[] = {"", "{}", "[]", "[7]", "404 page not found\n", "[{\"clientURLs\":[]}]", "[{\"clientURLs\":[7,\"x\"]}]",
                                            "[{\"clientURLs\":[\"unix:///run/x.sock\"]}]"};
        Endpoints endpoints = {0};
        Error error;

        (void)state;
        assert_int_equal(endpoints_take(&endpoints, slice_from(two), NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(endpoints_take(&endpoints, slice_from(wrong[i]), &error), -EBADMSG);
        assert_int_equal(endpoints.length, 3);
        endpoints_deinit(&endpoints);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members_are_taken),
                cmocka_unit_test(test_what_failed_is_held_also_over_a_refresh),
                cmocka_unit_test(test_other_answers_leave_what_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
