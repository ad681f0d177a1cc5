#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/settings.h"

static int parse(BootSettings *settings, const char *one, const char *two, Error *error) {
        char program[] = "faering-boot";
        _cleanup_free_ char *first = strdup(one), *second = two ? strdup(two) : NULL;
        char *argv[] = {program, first, second, NULL};
        _cleanup_buffer_ Buffer help = BUFFER_INIT;

        return boot_settings_parse(settings, program, two ? 3 : 2, argv, &help, error);
}

static void oem_is(const char *oem, const char *const *expected, NetworkFormat network) {
        _cleanup_boot_settings_ BootSettings settings = {0};
        _cleanup_buffer_ Buffer sources = BUFFER_INIT, wanted = BUFFER_INIT;

        assert_int_equal(parse(&settings, "--oem", oem, NULL), 0);
        for (size_t i = 0; i < settings.sources.length; i++)
                (void)buffer_printf(&sources, "%s=%s\n", settings.sources.items[i].kind->name,
                                    settings.sources.items[i].location);
        for (; *expected; expected++)
                (void)buffer_printf(&wanted, "%s\n", *expected);
        assert_string_equal(buffer_string(&sources), buffer_string(&wanted));
        assert_int_equal(settings.network, network);
}

static void test_oems(void **state) {
        (void)state;
        oem_is("digitalocean", (const char *const[]){"digitalocean-metadata-service=http://169.254.169.254/", NULL},
               NETWORK_NONE);
        oem_is("ec2-compat",
               (const char *const[]){"ec2-metadata-service=http://169.254.169.254/", "cloud-drive=/media/configdrive",
                                     NULL},
               NETWORK_NONE);
        oem_is("gce", (const char *const[]){"gce-metadata-service=http://metadata.google.internal/", NULL},
               NETWORK_NONE);
        oem_is("rackspace-onmetal", (const char *const[]){"cloud-drive=/media/configdrive", NULL}, NETWORK_DEBIAN);
        oem_is("azure", (const char *const[]){"waagent=/var/lib/waagent", NULL}, NETWORK_NONE);
        oem_is("packet", (const char *const[]){"packet-metadata-service=https://metadata.packet.net/", NULL},
               NETWORK_NONE);
        oem_is("vmware", (const char *const[]){"vmware=", NULL}, NETWORK_VMWARE);
}

static void is_refused(const char *one, const char *two, const char *expected) {
        _cleanup_boot_settings_ BootSettings settings = {0};
        Error error = ERROR_NONE;

        assert_true(parse(&settings, one, two, &error) < 0);
        assert_non_null(strstr(error.text, expected));
}

static void test_what_is_refused(void **state) {
        (void)state;
        is_refused("-oem", "x", "Invalid option to -oem: \"x\". Supported options: azure, ");
        is_refused("-convert-netconf=x", NULL, "Invalid option to -convert-netconf: 'x'");
        is_refused("-ssh-key-name=../x", NULL, "-ssh-key-name is \"../x\"");
        is_refused("file", NULL, "did you mean -from-file file?");
}

static void test_switches_can_be_taken_back(void **state) {
        _cleanup_boot_settings_ BootSettings settings = {0};

        (void)state;
        assert_int_equal(parse(&settings, "-from-proc-cmdline=true", "-from-proc-cmdline=false", NULL), 0);
        assert_int_equal(settings.sources.length, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_oems),
                cmocka_unit_test(test_what_is_refused),
                cmocka_unit_test(test_switches_can_be_taken_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
