#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/un.h>

#include "net/address.h"
#include "store/inherited.h"

static void parse(Settings *settings, const char *clients, const char *peers) {
        const char *const words[] = {"store", "--listen-client-urls", clients,           "--listen-peer-urls",
                                     peers,   "--auto-tls",           "--peer-auto-tls", NULL};
        Error error = ERROR_NONE;

        if (settings_parse(7, (char *const *)(uintptr_t)words, settings, &error) < 0)
                fail_msg("%s", error.text);
}

static int choose(const Settings *settings, const char *name, const char *host, uint16_t port, InheritedUse *use,
                  Error *error) {
        struct sockaddr_storage address;

        *error = ERROR_NONE;
        assert_int_equal(address_parse(host, port, &address), 0);
        return inherited_choose(settings, name, &address, use, error);
}

static void test_a_name_takes_the_place_of_all_addresses(void **state) {
        Settings settings;
        InheritedUse use;
        Error error;

        (void)state;
        parse(&settings, "http://127.0.0.1:2379,http://127.0.0.1:4001", "https://127.0.0.1:2380");
        assert_int_equal(choose(&settings, "client", "0.0.0.0", 9, &use, &error), 0);
        assert_int_equal(use.role, INHERITED_CLIENT);
        assert_false(use.tls);
        assert_null(use.url);
        assert_int_equal(choose(&settings, "peer", "::1", 9, &use, &error), 0);
        assert_int_equal(use.role, INHERITED_PEER);
        assert_true(use.tls);
        assert_null(use.url);
        settings_deinit(&settings);
}

static void test_others_are_known_by_their_address(void **state) {
        Settings settings;
        InheritedUse use;
        Error error;

        (void)state;
        parse(&settings, "http://127.0.0.1:2379,https://10.0.0.1:4001", "http://0.0.0.0:2380");
        assert_int_equal(choose(&settings, "etcd.socket", "10.0.0.1", 4001, &use, &error), 0);
        assert_int_equal(use.role, INHERITED_CLIENT);
        assert_true(use.tls);
        assert_ptr_equal(use.url, &settings.listen_client.items[1]);
        assert_int_equal(choose(&settings, "etcd.socket", "::", 2380, &use, &error),
                         0); /* as ListenStream=2380 makes it */
        assert_int_equal(use.role, INHERITED_PEER);
        assert_false(use.tls);
        assert_ptr_equal(use.url, &settings.listen_peer.items[0]);
        settings_deinit(&settings);
}

static void test_unix_sockets_by_their_path(void **state) {
        struct sockaddr_storage address = {0};
        struct sockaddr_un *path = (struct sockaddr_un *)&address;
        Settings settings;
        InheritedUse use;
        Error error;

        (void)state;
        parse(&settings, "https://127.0.0.1:2379,unix:///run/s", "http://127.0.0.1:2380");
        path->sun_family = AF_UNIX;
        memcpy(path->sun_path, "/run/s", sizeof("/run/s"));
        assert_int_equal(inherited_choose(&settings, "unknown", &address, &use, &error), 0);
        assert_ptr_equal(use.url, &settings.listen_client.items[1]);
        assert_false(use.tls);
        memcpy(path->sun_path, "/run/t", sizeof("/run/t"));
        assert_int_equal(inherited_choose(&settings, "client", &address, &use, &error), 0);
        assert_false(use.tls); /* never on a path */
        assert_int_equal(inherited_choose(&settings, "unknown", &address, &use, &error), -EINVAL);
        assert_non_null(strstr(error.text, "/run/t"));
        settings_deinit(&settings);
}

static void test_what_matches_nothing_is_refused(void **state) {
        Settings settings;
        InheritedUse use;
        Error error;

        (void)state;
        parse(&settings, "http://127.0.0.1:2379", "http://127.0.0.1:2380");
        assert_int_equal(choose(&settings, "x.socket", "127.0.0.1", 2381, &use, &error), -EINVAL);
        assert_non_null(strstr(error.text, "\"x.socket\" at 127.0.0.1:2381"));
        assert_non_null(strstr(error.text, "FileDescriptorName=client"));
        assert_int_equal(choose(&settings, "x.socket", "127.0.0.2", 2379, &use, &error), -EINVAL);
        settings_deinit(&settings);
        parse(&settings, "http://127.0.0.1:2379,https://127.0.0.1:2381", "http://127.0.0.1:2380");
        assert_int_equal(choose(&settings, "client", "127.0.0.1", 9, &use, &error), -EINVAL);
        assert_non_null(strstr(error.text, "whether TLS is spoken"));
        assert_int_equal(choose(&settings, "client", "127.0.0.1", 2381, &use, &error), 0);
        assert_true(use.tls);
        settings_deinit(&settings);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_name_takes_the_place_of_all_addresses),
                cmocka_unit_test(test_others_are_known_by_their_address),
                cmocka_unit_test(test_unix_sockets_by_their_path),
                cmocka_unit_test(test_what_matches_nothing_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
