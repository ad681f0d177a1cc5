/* The services' protocols over the fake network, and datasources that are files in a folder of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/datasource.h"
#include "boot/fake-fetch.h"
#include "host/file.h"

#define ROOT "http://m/"

static char location[] = "http://m";

static void user_data_is(const DatasourceKind *kind, FakeFetch *fetch, const char *expected) {
        const Datasource source = {kind, location};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        if (kind->look(&source, &fetch->base, &error) < 0 || kind->user_data(&source, &fetch->base, &text, &error) < 0)
                fail_msg("%s", error.text);
        assert_string_equal(buffer_string(&text), expected);
}

static void get_metadata(const DatasourceKind *kind, FakeFetch *fetch, Metadata *metadata) {
        const Datasource source = {kind, location};
        Error error = ERROR_NONE;

        if (kind->metadata(&source, &fetch->base, metadata, &error) < 0)
                fail_msg("%s", error.text);
}

static void test_ec2(void **state) {
        FakePage pages[] = {{ROOT "2009-04-04/", 200, "user-data\n", 0},
                            {ROOT "2009-04-04/user-data", 200, "#!/bin/sh\n", 0},
                            {ROOT "2009-04-04/meta-data/public-keys", 200, "0=one\n7=two\n", 0},
                            {ROOT "2009-04-04/meta-data/public-keys/0/openssh-key", 200, "ssh-rsa A\n", 0},
                            {ROOT "2009-04-04/meta-data/public-keys/7/openssh-key", 200, "ssh-rsa B", 0},
                            {ROOT "2009-04-04/meta-data/hostname", 200, "ip-1 search\n", 0},
                            {ROOT "2009-04-04/meta-data/local-ipv4", 200, "10.0.0.7", 0},
                            {0}};
        _cleanup_metadata_ Metadata metadata = {0};
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        user_data_is(&datasource_ec2, &fetch, "#!/bin/sh\n");
        get_metadata(&datasource_ec2, &fetch, &metadata);
        assert_int_equal(metadata.keys.length, 2);
        assert_string_equal(metadata.keys.items[1], "ssh-rsa B");
        assert_string_equal(metadata.hostname, "ip-1");
        assert_string_equal(metadata.addresses.values[ADDRESS_PRIVATE_IPV4], "10.0.0.7");
        assert_null(metadata.addresses.values[ADDRESS_PUBLIC_IPV4]);
}

static void test_ec2_with_wrong_keys_is_refused(void **state) {
        FakePage pages[] = {{ROOT "2009-04-04/meta-data/public-keys", 200, "<html>\n", 0}, {0}};
        const Datasource source = {&datasource_ec2, location};
        _cleanup_metadata_ Metadata metadata = {0};
        Error error = ERROR_NONE;
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        assert_int_equal(datasource_ec2.metadata(&source, &fetch.base, &metadata, &error), -EINVAL);
        assert_string_equal(error.text, "public-keys has the line \"<html>\", which is not NUMBER=NAME");
}

#define GCE ROOT "computeMetadata/v1/"

static void test_gce_needs_its_header(void **state) {
        FakePage pages[] = {{GCE, 200, "instance/\n", 0},
                            {GCE "instance/attributes/user-data", 200, "#cloud-config\n", 0},
                            {GCE "instance/network-interfaces/0/ip", 200, "10.240.0.2", 0},
                            {GCE "instance/network-interfaces/0/access-configs/0/external-ip", 200, "", 0},
                            {GCE "instance/hostname", 200, "h.c.project.internal", 0},
                            {0}};
        _cleanup_metadata_ Metadata metadata = {0};
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        fetch.header = "Metadata-Flavor: Google";
        user_data_is(&datasource_gce, &fetch, "#cloud-config\n");
        get_metadata(&datasource_gce, &fetch, &metadata);
        assert_string_equal(metadata.hostname, "h.c.project.internal");
        assert_string_equal(metadata.addresses.values[ADDRESS_PRIVATE_IPV4], "10.240.0.2");
}

static void test_openstack(void **state) {
        FakePage pages[] = {{ROOT "openstack/latest/meta_data.json", 200,
                             "{\"hostname\":\"os\",\"network_config\":{\"content_path\":\"/content/0\"}}", 0},
                            {ROOT "openstack/latest/user_data", 200, "x", 0},
                            {ROOT "openstack/content/0", 200, "iface eth0 inet dhcp\n", 0},
                            {ROOT "2009-04-04/meta-data/local-ipv4", 200, "10.0.0.8", 0},
                            {0}};
        _cleanup_metadata_ Metadata metadata = {0};
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        user_data_is(&datasource_openstack, &fetch, "x");
        get_metadata(&datasource_openstack, &fetch, &metadata);
        assert_string_equal(metadata.hostname, "os");
        assert_string_equal(metadata.addresses.values[ADDRESS_PRIVATE_IPV4], "10.0.0.8");
        assert_string_equal(buffer_string(&metadata.network), "iface eth0 inet dhcp\n");
}

static void test_services_of_one_document(void **state) {
        FakePage pages[] = {{ROOT, 200, "", 0},
                            {ROOT "userdata", 200, "packet", 0},
                            {ROOT "metadata", 200, "{\"hostname\":\"p\"}", 0},
                            {ROOT "metadata/v1", 200, "", 0},
                            {ROOT "metadata/v1/user-data", 200, "ocean", 0},
                            {ROOT "metadata/v1.json", 200, "{\"hostname\":\"d\"}", 0},
                            {0}};
        _cleanup_metadata_ Metadata packet = {0}, ocean = {0};
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        user_data_is(&datasource_packet, &fetch, "packet");
        get_metadata(&datasource_packet, &fetch, &packet);
        assert_string_equal(packet.hostname, "p");
        user_data_is(&datasource_digitalocean, &fetch, "ocean");
        get_metadata(&datasource_digitalocean, &fetch, &ocean);
        assert_string_equal(ocean.hostname, "d");
}

/* ---- tries ---- */

static void test_failures_of_the_network_are_tried_again(void **state) {
        FakePage pages[] = {{ROOT, 200, "x", 3}, {0}};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        assert_int_equal(fetch_retry(&fetch.base, ROOT, NULL, 10, &text, NULL), 0);
        assert_int_equal(fetch.gets, 4);
        assert_int_equal(fetch.paused, 700 * USEC_PER_MSEC);
}

static void test_tries_come_to_an_end(void **state) {
        FakePage pages[] = {{ROOT, 500, "x", 0}, {0}};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        assert_int_equal(fetch_retry(&fetch.base, ROOT "", NULL, 10, &text, &error), -EIO);
        assert_string_equal(error.text, "given up after 15 tries: http://m/ answered 500");
        assert_int_equal(fetch.gets, FETCH_TRIES);
        assert_int_equal(buffer_length(&text), 0);
}

static void test_what_is_not_there_is_not_tried_again(void **state) {
        FakePage pages[] = {{ROOT "big", 200, "0123456789a", 0}, {0}};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        assert_int_equal(fetch_retry(&fetch.base, "http://user:word@m/no?token=secret", NULL, 10, &text, &error),
                         -ENOENT);
        assert_string_equal(error.text, "http://m/no answered 404");
        assert_int_equal(fetch_retry(&fetch.base, ROOT "big", NULL, 10, &text, NULL), -EMSGSIZE);
        assert_int_equal(fetch.gets, 2);
        assert_int_equal(fetch_retry(&fetch.base, "file:///etc/passwd", NULL, 10, &text, NULL), -EINVAL);
        assert_int_equal(fetch.gets, 2);
}

/* ---- files ---- */

static void put(const char *folder, const char *name, const char *text) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, name);
        _cleanup_free_ char *above = strndup(path, (size_t)(strrchr(path, '/') - path));

        assert_int_equal(file_make_folder(above, 0755, NULL), 0);
        assert_int_equal(file_replace(path, 0644, slice_from(text), false, NULL), 0);
}

static void test_files(void **state) {
        char folder[] = "/tmp/test-datasource-XXXXXX", no_folder[] = "/tmp/test-datasource-none";
        const Datasource drive = {&datasource_config_drive, folder}, azure = {&datasource_waagent, folder},
                         none = {&datasource_config_drive, no_folder};
        _cleanup_metadata_ Metadata metadata = {0}, outside = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(azure.kind->look(&azure, NULL, NULL), -ENOENT);
        put(folder, "provisioned", "");
        put(folder, "secret", "s");
        assert_int_equal(azure.kind->look(&azure, NULL, NULL), 0);
        assert_int_equal(azure.kind->user_data(&azure, NULL, &text, NULL), 0);
        assert_int_equal(buffer_length(&text), 0);
        put(folder, "CustomData", "custom");
        assert_int_equal(azure.kind->user_data(&azure, NULL, &text, NULL), 0);
        assert_string_equal(buffer_string(&text), "custom");
        put(folder, "openstack/latest/meta_data.json", "{\"network_config\":{\"content_path\":\"content/0\"}}");
        put(folder, "openstack/content/0", "auto lo\n");
        assert_int_equal(drive.kind->look(&drive, NULL, NULL), 0);
        assert_int_equal(drive.kind->metadata(&drive, NULL, &metadata, NULL), 0);
        assert_string_equal(buffer_string(&metadata.network), "auto lo\n");
        put(folder, "openstack/latest/meta_data.json", "{\"network_config\":{\"content_path\":\"../../secret\"}}");
        assert_int_equal(drive.kind->metadata(&drive, NULL, &outside, NULL), 0);
        assert_int_equal(buffer_length(&outside.network), 0);
        assert_int_equal(none.kind->look(&none, NULL, NULL), -ENOENT);
        assert_int_equal(file_remove_tree(folder, NULL), 0);
}

static void test_command_line_leads_to_an_url(void **state) {
        FakePage pages[] = {{ROOT "cc", 200, "x", 0}, {0}};
        char path[] = "/tmp/test-cmdline-XXXXXX";
        int fd = mkstemp(path);
        const Datasource source = {&datasource_cmdline, path};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        FakeFetch fetch;

        (void)state;
        fake_fetch_init(&fetch, pages);
        assert_true(fd >= 0);
        assert_int_equal(source.kind->look(&source, &fetch.base, NULL), -ENOENT);
        assert_int_equal(write(fd, "a cloud-config-url=" ROOT "cc\n", 30), 30);
        assert_int_equal(source.kind->look(&source, &fetch.base, NULL), 0);
        assert_int_equal(source.kind->user_data(&source, &fetch.base, &text, NULL), 0);
        assert_string_equal(buffer_string(&text), "x");
        (void)close(fd);
        (void)unlink(path);
}

/* ---- the race ---- */

static int look_yes(const Datasource *source, Fetch *fetch, Error *error) {
        (void)source;
        (void)fetch;
        (void)error;
        return 0;
}

static int look_no(const Datasource *source, Fetch *fetch, Error *error) {
        (void)source;
        (void)fetch;
        return error_set(error, -ENOENT, "away");
}

static const DatasourceKind yes = {.name = "yes", .look = look_yes}, no = {.name = "no", .look = look_no},
                            waiting = {.name = "waiting", .waits = true, .look = look_no};

static void test_the_first_that_is_there_counts(void **state) {
        _cleanup_(datasource_list_deinit) DatasourceList list = {0};
        const Datasource *chosen = NULL;

        (void)state;
        assert_int_equal(datasource_list_add(&list, &waiting, ""), 0);
        assert_int_equal(datasource_list_add(&list, &no, ""), 0);
        assert_int_equal(datasource_list_add(&list, &yes, ""), 0);
        assert_int_equal(datasource_choose(&list, USEC_PER_SEC * 60, &chosen, NULL), 0);
        assert_ptr_equal(chosen->kind, &yes);
}

static void test_nobody_is_there(void **state) {
        _cleanup_(datasource_list_deinit) DatasourceList list = {0};
        const Datasource *chosen = NULL;
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(datasource_list_add(&list, &no, ""), 0);
        assert_int_equal(datasource_choose(&list, USEC_PER_SEC * 60, &chosen, &error), -ENOENT);
        assert_string_equal(error.text, "No datasources available in time: no: away");
        assert_int_equal(datasource_list_add(&list, &waiting, ""), 0);
        assert_int_equal(datasource_choose(&list, 0, &chosen, &error), -ETIMEDOUT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ec2),
                cmocka_unit_test(test_ec2_with_wrong_keys_is_refused),
                cmocka_unit_test(test_gce_needs_its_header),
                cmocka_unit_test(test_openstack),
                cmocka_unit_test(test_services_of_one_document),
                cmocka_unit_test(test_failures_of_the_network_are_tried_again),
                cmocka_unit_test(test_tries_come_to_an_end),
                cmocka_unit_test(test_what_is_not_there_is_not_tried_again),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_command_line_leads_to_an_url),
                cmocka_unit_test(test_the_first_that_is_there_counts),
                cmocka_unit_test(test_nobody_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
