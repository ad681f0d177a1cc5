#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/metadata.h"

typedef int (*Parser)(Slice text, Metadata *metadata, Error *error);

static const char *address(const Metadata *metadata, Address which) {
        return metadata->addresses.values[which] ?: "";
}

static void is_refused(Parser parse, const char *text, const char *expected) {
        _cleanup_metadata_ Metadata metadata = {0};
        Error error = ERROR_NONE;

        assert_int_equal(parse(slice_from(text), &metadata, &error), -EINVAL);
        assert_non_null(strstr(error.text, expected));
}

static void test_openstack(void **state) {
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(
                metadata_parse_openstack(
                        slice_from("{\"hostname\": \"a.b other\", \"public_keys\": {\"x\": \"ssh-rsa A\", \"y\": "
                                   "\"ssh-rsa B\"}, \"network_config\": {\"content_path\": \"/content/0000\"}}"),
                        &metadata, NULL),
                0);
        assert_string_equal(metadata.hostname, "a.b");
        assert_int_equal(metadata.keys.length, 2);
        assert_string_equal(metadata.keys.items[1], "ssh-rsa B");
        assert_string_equal(metadata.content_path, "/content/0000");
        is_refused(metadata_parse_openstack, "{\"hostname\": ", "meta_data.json is no JSON: line 1");
        is_refused(metadata_parse_openstack, "[]", "no JSON object");
        is_refused(metadata_parse_openstack, "", "no JSON");
}

static void test_host_name_with_a_nul_is_none(void **state) {
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(metadata_set_hostname(&metadata, (Slice){"\0a", 2}), 0);
        assert_int_equal(metadata_set_hostname(&metadata, (Slice){"web\0a", 5}), 0);
        assert_null(metadata.hostname);
}

static void test_digitalocean(void **state) {
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(
                metadata_parse_digitalocean(
                        slice_from(
                                "{\"hostname\":\"drop\",\"public_keys\":[\"k1\",\"k2\"],\"interfaces\":{\"public\":[{"
                                "\"ipv4\":{\"ip_address\":\"1.2.3.4\"},\"ipv6\":{\"ip_address\":\"fe00::1\"}},{"
                                "\"ipv4\":"
                                "{\"ip_address\":\"9.9.9.9\"}}],\"private\":[{\"ipv4\":{\"ip_address\":\"10.0.0.4\"}}]}"
                                "}"),
                        &metadata, NULL),
                0);
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV4), "1.2.3.4");
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV6), "fe00::1");
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV4), "10.0.0.4");
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV6), "");
        assert_int_equal(metadata.keys.length, 2);
}

static void test_packet(void **state) {
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(
                metadata_parse_packet(slice_from("{\"hostname\":\"p\",\"ssh_keys\":[\"k\"],\"network\":{\"addresses\":["
                                                 "{\"address\":\"1.1.1.1\",\"address_family\":4,\"public\":true},"
                                                 "{\"address\":\"10.1.1.1\",\"address_family\":4,\"public\":false},"
                                                 "{\"address\":\"2001::1\",\"address_family\":6,\"public\":true}]}}"),
                                      &metadata, NULL),
                0);
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV4), "1.1.1.1");
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV4), "10.1.1.1");
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV6), "2001::1");
        assert_true(metadata.has_network);
        assert_non_null(strstr(buffer_string(&metadata.network), "\"addresses\""));
}

static void test_address_that_is_none_does_not_count(void **state) {
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(metadata_take_address(&metadata, ADDRESS_PUBLIC_IPV4, slice_from("<html>")), 0);
        assert_null(metadata.addresses.values[ADDRESS_PUBLIC_IPV4]);
        assert_int_equal(metadata_set_address(&metadata, ADDRESS_PUBLIC_IPV4, slice_from("1.2.3"), NULL), -EINVAL);
}

static void test_waagent(void **state) {
        static const char text[] =
                "<?xml version='1.0'?><SharedConfig><Incarnation instance='me'/><Instances>"
                "<Instance id='other' address='10.0.0.9'><InputEndpoints><Endpoint "
                "loadBalancedPublicAddress='9.9.9.9:22'/>"
                "</InputEndpoints></Instance>"
                "<Instance id='me' address='10.0.0.5'><InputEndpoints><Endpoint loadBalancedPublicAddress=''/>"
                "<Endpoint loadBalancedPublicAddress='1.2.3.4:22'/><Endpoint loadBalancedPublicAddress='5.6.7.8:22'/>"
                "</InputEndpoints></Instance></Instances></SharedConfig>";
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(metadata_parse_waagent(slice_from(text), &metadata, NULL), 0);
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV4), "10.0.0.5");
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV4), "1.2.3.4");
        is_refused(metadata_parse_waagent, "<SharedConfig>", "SharedConfig.xml is no XML: line 1");
}

static void test_last_url_of_the_command_line_counts(void **state) {
        Slice found = cmdline_find_url(slice_from(
                "root=/dev/sda cloud-config-url=http://a cloud-config-url cloud_config_url=http://b?x=1 quiet\n"));

        (void)state;
        assert_true(slice_equals(found, slice_from("http://b?x=1")));
        assert_null(cmdline_find_url(slice_from("cloud-config-urls=http://a")).data);
}

static const char ovf[] = "<Environment xmlns:oe='http://schemas.dmtf.org/ovf/environment/1'><PropertySection>"
                          "<Property oe:key='guestinfo.hostname' oe:value='vm1'/>"
                          "<Property oe:key='guestinfo.dns.server.0' oe:value='8.8.8.8'/>"
                          "<Property oe:key='guestinfo.interface.0.name' oe:value='eth0'/>"
                          "<Property oe:key='guestinfo.interface.0.role' oe:value='private'/>"
                          "<Property oe:key='guestinfo.interface.0.ip.0.address' oe:value='10.0.0.2/24'/>"
                          "<Property oe:key='guestinfo.interface.1.role' oe:value='public'/>"
                          "<Property oe:key='guestinfo.interface.1.ip.0.address' oe:value='ff::1/64'/>"
                          "</PropertySection></Environment>";

static void test_ovf_environment(void **state) {
        _cleanup_string_list_ StringList properties = {0};
        _cleanup_metadata_ Metadata metadata = {0};

        (void)state;
        assert_int_equal(ovf_parse_properties(slice_from(ovf), &properties, NULL), 0);
        assert_int_equal(properties.length, 7);
        assert_int_equal(metadata_read_vmware(ovf_read, &properties, &metadata, NULL), 0);
        assert_string_equal(metadata.hostname, "vm1");
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV4), "10.0.0.2");
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV6), "ff::1");
        assert_string_equal(buffer_string(&metadata.network),
                            "dns.server.0=8.8.8.8\ninterface.0.name=eth0\ninterface.0.ip.0.address=10.0.0.2/24\n"
                            "interface.1.ip.0.address=ff::1/64\n");
}

static void test_value_with_a_line_end_is_refused(void **state) {
        _cleanup_string_list_ StringList properties = {0};
        _cleanup_metadata_ Metadata metadata = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(string_list_add(&properties, "guestinfo.dns.server.0=1\ninterface.0.name=x"), 0);
        assert_int_equal(metadata_read_vmware(ovf_read, &properties, &metadata, &error), -EINVAL);
        assert_non_null(strstr(error.text, "guestinfo.dns.server.0"));
}

static int card_address(Slice mac, Buffer *to) {
        return slice_equals(mac, slice_from("22:00:00:00:00:02")) ? buffer_append_string(to, "10.1.0.2") : 0;
}

static int parse_cloudsigma(Slice text, Metadata *metadata, Error *error) {
        return metadata_parse_cloudsigma(text, card_address, metadata, error);
}

static void test_cloudsigma(void **state) {
        static const char context[] =
                "{\"name\":\"\",\"uuid\":\"u-1\",\"meta\":{\"ssh_public_key\":\"ssh-rsa A me\","
                "\"base64_fields\":\"x,cloudinit-user-data\",\"cloudinit-user-data\":\"IyEvYmluL3NoCg==\"},"
                "\"nics\":[{\"mac\":\"22:00:00:00:00:01\",\"ip_v4_conf\":{\"ip\":{\"uuid\":\"31.1.1.1\"}},\"vlan\":"
                "null},"
                "{\"mac\":\"22:00:00:00:00:02\",\"ip_v4_conf\":null,\"vlan\":{\"uuid\":\"v\"}}]}";
        _cleanup_metadata_ Metadata metadata = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(parse_cloudsigma(slice_from(context), &metadata, NULL), 0);
        assert_string_equal(metadata.hostname, "u-1");
        assert_string_equal(metadata.keys.items[0], "ssh-rsa A me");
        assert_string_equal(address(&metadata, ADDRESS_PUBLIC_IPV4), "31.1.1.1");
        assert_string_equal(address(&metadata, ADDRESS_PRIVATE_IPV4), "10.1.0.2");
        assert_int_equal(cloudsigma_user_data(slice_from(context), &text, NULL), 0);
        assert_string_equal(buffer_string(&text), "#!/bin/sh\n");
        assert_int_equal(cloudsigma_user_data(slice_from("{\"meta\":{\"base64_fields\":\"cloudinit-user-data\","
                                                         "\"cloudinit-user-data\":\"@\"}}"),
                                              &text, &error),
                         -EINVAL);
        assert_non_null(strstr(error.text, "is not base64"));
        is_refused(parse_cloudsigma, "{", "no JSON: line 1");
        is_refused(parse_cloudsigma, "[]", "no JSON object");
        is_refused(parse_cloudsigma, "{\"nics\":[{\"ip_v4_conf\":{\"ip\":{\"uuid\":\"x\"}}}]}", "which is no address");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_openstack),       cmocka_unit_test(test_digitalocean),
                cmocka_unit_test(test_packet),          cmocka_unit_test(test_address_that_is_none_does_not_count),
                cmocka_unit_test(test_waagent),         cmocka_unit_test(test_last_url_of_the_command_line_counts),
                cmocka_unit_test(test_ovf_environment), cmocka_unit_test(test_value_with_a_line_end_is_refused),
                cmocka_unit_test(test_host_name_with_a_nul_is_none),
                cmocka_unit_test(test_cloudsigma),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
