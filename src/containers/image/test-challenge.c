#include "containers/image/challenge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_bearer(void **state) {
        Challenge challenge;

        (void)state;
        assert_int_equal(
                challenge_parse(slice_from(" Bearer realm=\"https://auth.example/token\",service=\"reg.example\", "
                                           "scope=\"repository:a/b:pull\"\r\n"),
                                &challenge),
                0);
        assert_string_equal(challenge.realm, "https://auth.example/token");
        assert_string_equal(challenge.service, "reg.example");
        assert_string_equal(challenge.scope, "repository:a/b:pull");
        assert_int_equal(challenge_parse(slice_from("bearer REALM=https://x/,error=\"a\\\"b\""), &challenge), 0);
        assert_string_equal(challenge.realm, "https://x/");
        assert_string_equal(challenge.scope, "");
}

static void test_basic(void **state) {
        Challenge challenge;

        (void)state;
        assert_int_equal(challenge_parse(slice_from("Basic realm=\"x\""), &challenge), 0);
        assert_true(challenge.basic);
}

static void test_damaged_ones_are_refused(void **state) {
        static const char *const rows[] = {"",
                                           "Bearer",
                                           "Bearer realm",
                                           "Bearer realm=",
                                           "Bearer realm=\"x",
                                           "Bearer service=\"x\"",
                                           "Digest realm=\"x\"",
                                           "Bearer realm=\"x\\"};
        Challenge challenge;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(challenge_parse(slice_from(rows[i]), &challenge), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bearer),
                cmocka_unit_test(test_basic),
                cmocka_unit_test(test_damaged_ones_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
