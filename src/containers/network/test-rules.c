#include "containers/network/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_rules_of_two_ports(void **state) {
        static const PublishedPort ports[] = {
                {.address = "0.0.0.0", .host = 8080, .container = 80, .protocol = "tcp", .target = "172.17.0.2"},
                {.address = "127.0.0.1", .host = 53, .container = 5353, .protocol = "udp", .target = "172.17.0.3"},
        };
        const RulesInput input = {.bridge = "br", .subnet = "172.17.0.0/16", .ports = ports, .n_ports = 2};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(rules_format(&input, &text), 0);
        assert_string_equal(
                buffer_string(&text),
                "table ip faering\ndelete table ip faering\ntable ip faering {\n"
                "  chain guard {\n    type filter hook prerouting priority raw; policy accept;\n"
                "    iifname \"br\" ip daddr 127.0.0.0/8 drop\n  }\n"
                "  chain prerouting {\n    type nat hook prerouting priority dstnat; policy accept;\n"
                "    fib daddr type local tcp dport 8080 dnat to 172.17.0.2:80\n"
                "    ip daddr 127.0.0.1 fib daddr type local udp dport 53 dnat to 172.17.0.3:5353\n  }\n"
                "  chain output {\n    type nat hook output priority -100; policy accept;\n"
                "    fib daddr type local tcp dport 8080 dnat to 172.17.0.2:80\n"
                "    ip daddr 127.0.0.1 fib daddr type local udp dport 53 dnat to 172.17.0.3:5353\n  }\n"
                "  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n"
                "    ip saddr 172.17.0.0/16 oifname != \"br\" masquerade\n"
                "    ip saddr 127.0.0.0/8 oifname \"br\" masquerade\n"
                "    ip saddr 172.17.0.0/16 oifname \"br\" ct status dnat masquerade\n  }\n"
                "  chain forward {\n    type filter hook forward priority filter; policy accept;\n"
                "    oifname \"br\" ct state established,related accept\n    oifname \"br\" ct status dnat accept\n"
                "    iifname \"br\" accept\n    oifname \"br\" drop\n  }\n}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules_of_two_ports),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
