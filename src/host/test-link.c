/* In a network namespace of its own, made through a user namespace where we are not root. */
#include "host/link.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/file.h"

static bool have_namespace;

/* Where nothing can be tried but the texts, because the kernel gives us no namespace, those are tried all the same. */
static void need_namespace(void) {
        if (!have_namespace)
                skip();
}

static void test_bad_names_are_refused(void **state) {
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(link_add_bridge("", &error), -EINVAL);
        assert_int_equal(link_add_bridge("sixteen-letters-", &error), -EINVAL);
        assert_non_null(strstr(error.text, "sixteen-letters-"));
        assert_int_equal(link_add_bridge("a/b", &error), -EINVAL);
        assert_int_equal(link_add_veth("v0", "", -1, NULL, &error), -EINVAL);
}

static void test_bad_addresses_are_refused(void **state) {
        static const char *const bad[] = {"", "10.0.0.1/33", "10.0.0.1/", "10.0.0", "10.0.0.1/x", "::1/129"};
        Error error = ERROR_NONE;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(link_add_address("lo", bad[i], &error), -EINVAL);
        assert_int_equal(link_add_default_route("gateway", &error), -EINVAL);
}

static void test_missing_link_is_named(void **state) {
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(link_set_up("nowhere0", &error), -ENODEV);
        assert_non_null(strstr(error.text, "nowhere0"));
        assert_int_equal(link_remove("nowhere0", &error), 0);
        assert_false(link_exists("nowhere0"));
}

static void test_bridge_with_ports_and_addresses(void **state) {
        static const uint8_t mac[LINK_MAC_LENGTH] = {2, 0, 10, 9, 0, 2};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        (void)state;
        need_namespace();
        assert_int_equal(link_add_bridge("tb0", &error), 0);
        assert_int_equal(link_add_bridge("tb0", &error), -EEXIST);
        assert_int_equal(link_add_veth("tv0", "tv1", -1, mac, &error), 0);
        assert_int_equal(link_set_master("tv0", "tb0", &error), 0);
        assert_int_equal(link_set_hairpin("tv0", &error), 0);
        assert_int_equal(link_set_up("tb0", &error), 0);
        assert_int_equal(link_set_up("tv0", &error), 0);
        assert_int_equal(link_set_up("tv1", &error), 0);
        assert_int_equal(link_add_address("tb0", "10.9.0.1/24", &error), 0);
        assert_int_equal(link_add_address("tb0", "10.9.0.1/24", &error), 0);
        assert_int_equal(link_add_default_route("10.9.0.254", &error), 0);
        assert_int_equal(link_add_default_route("10.9.0.253", &error), 0);
        assert_int_equal(file_read("/proc/thread-self/net/route", FILE_SMALL_MAX, &text, NULL), 0);
        assert_non_null(strstr(buffer_string(&text), "tb0\t00000000\tFD00090A"));
        assert_int_equal(link_remove("tv0", &error), 0);
        assert_false(link_exists("tv1"));
        assert_int_equal(link_remove("tb0", &error), 0);
}

static int has_no_link(void *userdata, Error *error) {
        (void)error;
        return link_exists(userdata) ? 1 : 0;
}

static void test_peer_in_another_namespace(void **state) {
        _cleanup_close_ int first = -1, second = -1;
        Error error = ERROR_NONE;

        (void)state;
        need_namespace();
        first = net_namespace_open(0);
        assert_int_equal(unshare(CLONE_NEWNET), 0);
        second = net_namespace_open(getpid());
        assert_int_equal(setns(first, CLONE_NEWNET), 0);
        assert_int_equal(link_add_veth("here0", "there0", second, NULL, &error), 0);
        assert_true(link_exists("here0"));
        assert_false(link_exists("there0"));
        assert_int_equal(net_namespace_run(second, has_no_link, (void *)(uintptr_t) "there0", &error), 1);
        assert_int_equal(net_namespace_run(second, has_no_link, (void *)(uintptr_t) "here0", &error), 0);
        assert_true(link_exists("here0"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bad_names_are_refused),
                cmocka_unit_test(test_bad_addresses_are_refused),
                cmocka_unit_test(test_missing_link_is_named),
                cmocka_unit_test(test_bridge_with_ports_and_addresses),
                cmocka_unit_test(test_peer_in_another_namespace),
        };

        have_namespace = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
