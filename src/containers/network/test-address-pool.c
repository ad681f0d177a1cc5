#include "containers/network/address-pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_lowest_free_address_comes_next(void **state) {
        char text[ADDRESS_TEXT], subnet[ADDRESS_TEXT + 3];
        AddressPool pool;

        (void)state;
        assert_int_equal(address_pool_init(&pool, "10.1.2.2/29", NULL), 0);
        address_pool_subnet(&pool, subnet);
        assert_string_equal(subnet, "10.1.2.0/29");
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.1");
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.3"); /* .2 is the gateway */
        address_pool_give_back(&pool, "10.1.2.1");
        assert_int_equal(address_pool_claim(&pool, "10.1.2.5"), 0);
        assert_int_equal(address_pool_claim(&pool, "10.1.2.5"), -EADDRINUSE);
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.1");
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.4");
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.6");
        assert_int_equal(address_pool_take(&pool, text, NULL), -ENOSPC);
        address_pool_deinit(&pool);
}

static void test_gateway_network_and_broadcast_are_never_given(void **state) {
        static const char *const outside[] = {"10.1.2.0", "10.1.2.1", "10.1.2.7", "10.1.3.1", "no", ""};
        char text[ADDRESS_TEXT];
        AddressPool pool;

        (void)state;
        assert_int_equal(address_pool_init(&pool, "10.1.2.1/29", NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
                assert_int_equal(address_pool_claim(&pool, outside[i]), -EADDRNOTAVAIL);
                address_pool_give_back(&pool, outside[i]);
        }
        assert_int_equal(address_pool_take(&pool, text, NULL), 0);
        assert_string_equal(text, "10.1.2.2");
        address_pool_deinit(&pool);
}

static void test_bad_bridge_addresses_are_refused(void **state) {
        static const char *const bad[] = {"",
                                          "10.0.0.1",
                                          "10.0.0.1/",
                                          "10.0.0.1/7",
                                          "10.0.0.1/30",
                                          "10.0.0.0/24",
                                          "10.0.0.255/24",
                                          "x/24",
                                          "1000.1000.1000.1000/24"};
        AddressPool pool;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(address_pool_init(&pool, bad[i], NULL), -EINVAL);
}

static void test_hardware_address_follows_the_address(void **state) {
        static const uint8_t expected[6] = {0x02, 0x42, 0xac, 0x11, 0x00, 0x02};
        uint8_t mac[6];

        (void)state;
        assert_int_equal(address_to_mac("172.17.0.2", mac), 0);
        assert_memory_equal(mac, expected, sizeof(mac));
        assert_int_equal(address_to_mac("172.17.0", mac), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lowest_free_address_comes_next),
                cmocka_unit_test(test_gateway_network_and_broadcast_are_never_given),
                cmocka_unit_test(test_bad_bridge_addresses_are_refused),
                cmocka_unit_test(test_hardware_address_follows_the_address),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
