#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/content.h"
#include "boot/config/node.h"
#include "boot/config/user-data.h"

static void test_kind_is_told_by_the_first_line(void **state) {
        (void)state;
        assert_int_equal(user_data_kind(slice_from("")), USER_DATA_EMPTY);
        assert_int_equal(user_data_kind(slice_from("#cloud-config\nhostname: x\n")), USER_DATA_CLOUD_CONFIG);
        assert_int_equal(user_data_kind(slice_from("#cloud-config \t\r\nhostname: x\n")), USER_DATA_CLOUD_CONFIG);
        assert_int_equal(user_data_kind(slice_from("#cloud-config")), USER_DATA_CLOUD_CONFIG);
        assert_int_equal(user_data_kind(slice_from(" #cloud-config\n")), USER_DATA_UNKNOWN);
        assert_int_equal(user_data_kind(slice_from("#cloud-configs\n")), USER_DATA_UNKNOWN);
        assert_int_equal(user_data_kind(slice_from("\n#cloud-config\n")), USER_DATA_UNKNOWN);
        assert_int_equal(user_data_kind(slice_from("#!/bin/sh\n")), USER_DATA_SCRIPT);
        assert_int_equal(user_data_kind(slice_from("{\"ignition\": {\"version\": \"2.0.0\"}}")), USER_DATA_IGNITION);
        assert_int_equal(user_data_kind(slice_from("{\"ignitionVersion\": 1}")), USER_DATA_IGNITION);
        assert_int_equal(user_data_kind(slice_from("{}")), USER_DATA_UNKNOWN);
}

static void substitute(const char *text, const char *expected, unsigned expected_missing) {
        _cleanup_addresses_ Addresses addresses = {0};
        _cleanup_buffer_ Buffer to = BUFFER_INIT;
        unsigned missing;

        assert_int_equal(addresses_set(&addresses, ADDRESS_PUBLIC_IPV4, slice_from("1.2.3.4"), NULL), 0);
        assert_int_equal(addresses_set(&addresses, ADDRESS_PRIVATE_IPV4, slice_from("10.0.0.1"), NULL), 0);
        assert_int_equal(addresses_set(&addresses, ADDRESS_PRIVATE_IPV6, slice_from(""), NULL), 0);
        assert_int_equal(addresses_substitute(&addresses, slice_from(text), &to, &missing), 0);
        assert_string_equal(buffer_string(&to), expected);
        assert_int_equal(missing, expected_missing);
}

static void test_addresses_are_put_in(void **state) {
        (void)state;
        substitute("http://$private_ipv4:2380,$public_ipv4", "http://10.0.0.1:2380,1.2.3.4", 0);
        substitute("$public_ipv4$private_ipv4", "1.2.3.410.0.0.1", 0);
        substitute("$public_ipv44 x$public_ipv4x", "1.2.3.44 x1.2.3.4x", 0);
        substitute("${public_ipv4} $PUBLIC_IPV4 $ $private", "${public_ipv4} $PUBLIC_IPV4 $ $private", 0);
        substitute("", "", 0);
}

static void test_backslash_keeps_the_name(void **state) {
        (void)state;
        substitute("a\\$private_ipv4 b\\\\ \\n", "a$private_ipv4 b\\\\ \\n", 0);
}

static void test_unknown_addresses_become_nothing_and_are_told(void **state) {
        (void)state;
        substitute("[$public_ipv6|$private_ipv6]", "[|]", 1U << ADDRESS_PUBLIC_IPV6 | 1U << ADDRESS_PRIVATE_IPV6);
        substitute("\\$public_ipv6", "$public_ipv6", 0);
}

static void test_addresses_without_blanks_only(void **state) {
        _cleanup_addresses_ Addresses addresses = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(addresses_set(&addresses, ADDRESS_PUBLIC_IPV4, slice_from("1\nusers: x"), &error), -EINVAL);
        assert_non_null(strstr(error.text, "COREOS_PUBLIC_IPV4"));
        assert_null(addresses.values[ADDRESS_PUBLIC_IPV4]);
}

static void test_substitution_cannot_grow_without_end(void **state) {
        static const char name[] = "$public_ipv4";
        _cleanup_addresses_ Addresses addresses = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT, to = BUFFER_INIT;
        char address[101];

        (void)state;
        memset(address, '1', sizeof(address) - 1);
        address[sizeof(address) - 1] = '\0';
        assert_int_equal(addresses_set(&addresses, ADDRESS_PUBLIC_IPV4, slice_from(address), NULL), 0);
        while (buffer_length(&text) < CONFIG_TEXT_MAX / 4)
                assert_int_equal(buffer_append_string(&text, name), 0);
        assert_int_equal(addresses_substitute(&addresses, (Slice){buffer_data(&text), buffer_length(&text)}, &to, NULL),
                         -EMSGSIZE);
}

static void decode(const char *content, const char *encoding, int expected_r, const char *expected) {
        _cleanup_buffer_ Buffer to = BUFFER_INIT;

        assert_int_equal(content_decode(slice_from(content), slice_from(encoding), &to, NULL), expected_r);
        assert_string_equal(buffer_string(&to), expected);
}

static void test_contents_are_decoded(void **state) {
        (void)state;
        decode("plain", "", 0, "plain");
        decode("aGVs\nbG8=\n", "b64", 0, "hello");
        decode("aGVsbG8=", "base64", 0, "hello");
        decode("H4sIAAAAAAAC/wMAAAAAAAAAAAA=", "gz+b64", 0, "");
        decode("@@@", "b64", -EINVAL, "");
        decode("aGVsbG8=", "gzip+base64", -EBADMSG, "");
        decode("", "gz", -EBADMSG, "");
        decode("x", "rot13", -EINVAL, "");
        decode("x", "b64+gz", -EINVAL, "");
        decode("x", "gz+", -EINVAL, "");
}

static void clean(const char *path, const char *expected) {
        _cleanup_free_ char *got = path_clean(slice_from(path));

        assert_string_equal(got, expected);
}

static void test_paths_are_taken_from_the_root(void **state) {
        (void)state;
        clean("/a/b", "/a/b");
        clean("a//b/./c/", "/a/b/c");
        clean("/../../etc/x", "/etc/x");
        clean("/a/../../b", "/b");
        clean("", "/");
        clean("..", "/");
}

static void test_permissions_are_octal(void **state) {
        mode_t mode;

        (void)state;
        assert_int_equal(permissions_parse(slice_from(""), &mode), 0);
        assert_int_equal(mode, 0644);
        assert_int_equal(permissions_parse(slice_from("0755"), &mode), 0);
        assert_int_equal(mode, 0755);
        assert_int_equal(permissions_parse(slice_from("4755"), &mode), 0);
        assert_int_equal(mode, 04755);
        assert_int_equal(permissions_parse(slice_from("493"), &mode), -EINVAL);
        assert_int_equal(permissions_parse(slice_from("rw"), &mode), -EINVAL);
        assert_int_equal(permissions_parse(slice_from("77777"), &mode), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kind_is_told_by_the_first_line),
                cmocka_unit_test(test_addresses_are_put_in),
                cmocka_unit_test(test_backslash_keeps_the_name),
                cmocka_unit_test(test_unknown_addresses_become_nothing_and_are_told),
                cmocka_unit_test(test_addresses_without_blanks_only),
                cmocka_unit_test(test_substitution_cannot_grow_without_end),
                cmocka_unit_test(test_contents_are_decoded),
                cmocka_unit_test(test_paths_are_taken_from_the_root),
                cmocka_unit_test(test_permissions_are_octal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
