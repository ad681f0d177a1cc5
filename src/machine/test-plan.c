#include "machine/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_names_and_addresses_belong_to_numbers(void **state) {
        char name[PLAN_NAME_MAX], address[PLAN_ADDRESS_MAX];
        unsigned number = 0;

        (void)state;
        plan_name(12, name);
        assert_string_equal(name, "m12");
        plan_address(12, address);
        assert_string_equal(address, "10.66.0.22");
        assert_int_equal(plan_parse_name("m12", &number, NULL), 0);
        assert_int_equal(number, 12);
}

static void test_other_names_are_refused_with_what_they_should_be(void **state) {
        static const char *const bad[] = {"",    "m",  "m0",   "m01", "m65",
                                          "m1x", "M1", "host", "m-1", "m99999999999999999999"};
        unsigned number = 7;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Error error = ERROR_NONE;

                assert_int_equal(plan_parse_name(bad[i], &number, &error), -EINVAL);
                assert_non_null(strstr(error.text, "m1 to m64"));
        }
        assert_int_equal(number, 7);
}

static void test_initial_cluster_lists_all(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(plan_initial_cluster(2, &text), 0);
        assert_string_equal(buffer_string(&text),
                            "10.66.0.11=http://10.66.0.11:2380,10.66.0.12=http://10.66.0.12:2380");
}

static void test_forward_takes_name_or_address(void **state) {
        PlanForward forward;

        (void)state;
        assert_int_equal(plan_parse_forward("8080:m3:80", &forward, NULL), 0);
        assert_int_equal(forward.host_port, 8080);
        assert_string_equal(forward.address, "10.66.0.13");
        assert_int_equal(forward.port, 80);
        assert_int_equal(plan_parse_forward("1:10.66.0.1:65535", &forward, NULL), 0);
        assert_string_equal(forward.address, "10.66.0.1");
        assert_int_equal(forward.port, 65535);
}

static void test_bad_forwards_are_refused(void **state) {
        static const char *const bad[] = {"",
                                          "80",
                                          "80:m1",
                                          "80:m1:",
                                          "0:m1:80",
                                          "80:m1:0",
                                          "65536:m1:80",
                                          "80:m1:80:1",
                                          "a:m1:80",
                                          "80::80",
                                          "80:nowhere:80",
                                          "80:10.66.0.999:80",
                                          "80:1111111111111111111111:80"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                PlanForward forward = {0};
                Error error = ERROR_NONE;

                assert_int_equal(plan_parse_forward(bad[i], &forward, &error), -EINVAL);
                assert_non_null(strstr(error.text, "HOSTPORT"));
                assert_int_equal(forward.host_port, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_and_addresses_belong_to_numbers),
                cmocka_unit_test(test_other_names_are_refused_with_what_they_should_be),
                cmocka_unit_test(test_initial_cluster_lists_all),
                cmocka_unit_test(test_forward_takes_name_or_address),
                cmocka_unit_test(test_bad_forwards_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
