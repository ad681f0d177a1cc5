#include "containers/runtime/rootfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const names[] = {"gate:host-gateway", "six:fe80::1", "broken"};
static const char *const servers[] = {"10.0.0.53"};
static const char *const domains[] = {"a.example", "b.example"};
static const StringList none = {0};
static const StringList extra = {(char **)(uintptr_t)names, 3, 3}, dns = {(char **)(uintptr_t)servers, 1, 1},
                        search = {(char **)(uintptr_t)domains, 2, 2};

static void test_hosts_names_the_container_and_what_is_added(void **state) {
        const HostFiles files = {.host_name = "box",
                                 .domain = "example",
                                 .address = "172.17.0.2",
                                 .gateway = "172.17.0.1",
                                 .extra_hosts = &extra};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(hosts_format(&files, &text), 0);
        assert_string_equal(buffer_string(&text),
                            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n172.17.0.1\tgate\n"
                            "fe80::1\tsix\n172.17.0.2\tbox.example box\n");
}

static void test_name_servers_on_the_host_s_loopback_are_left_out(void **state) {
        HostFiles files = {.dns = &none,
                           .dns_search = &none,
                           .dns_options = &none,
                           .drop_loopback = true,
                           .host_resolv = slice_from(
                                   "# c\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch x\noptions edns0\n")};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(resolv_format(&files, &text), 0);
        assert_string_equal(buffer_string(&text), "# c\nnameserver 10.0.0.1\nsearch x\noptions edns0\n");
        buffer_clear(&text);
        files.drop_loopback = false;
        assert_int_equal(resolv_format(&files, &text), 0);
        assert_non_null(strstr(buffer_string(&text), "127.0.0.53"));
}

static void test_own_name_servers_take_the_place_of_the_host_s(void **state) {
        const HostFiles files = {.dns = &dns,
                                 .dns_search = &search,
                                 .dns_options = &none,
                                 .drop_loopback = true,
                                 .host_resolv = slice_from("nameserver 10.0.0.1\nsearch x\n")};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(resolv_format(&files, &text), 0);
        assert_string_equal(buffer_string(&text), "nameserver 10.0.0.53\nsearch a.example b.example\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hosts_names_the_container_and_what_is_added),
                cmocka_unit_test(test_name_servers_on_the_host_s_loopback_are_left_out),
                cmocka_unit_test(test_own_name_servers_take_the_place_of_the_host_s),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
