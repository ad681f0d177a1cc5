#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "store/settings-file.h"
#include "store/settings.h"

static int parse(const char *const *words, Settings *settings, Error *error) {
        int argc = 0;

        *error = ERROR_NONE;
        while (words[argc])
                argc++;
        return settings_parse(argc, (char *const *)(uintptr_t)words, settings, error);
}

static void test_without_flags_one_member_begins(void **state) {
        static const char *const words[] = {"store", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_string_equal(settings.initial_cluster, "default=http://127.0.0.1:2380");
        assert_int_equal(settings.bootstrap.count, 1);
        assert_true(settings.strict_reconfig_check);
        assert_false(settings.force_new_cluster);
        settings_deinit(&settings);
}

static void test_limits_are_settings(void **state) {
        static const char *const words[] = {"store", "--max-connections=7", "--max-request-bytes", "2048", "--max-watch-events=50",
                                            "--max-waiting-bytes=1048576", NULL};
        static const char *const wrong[][3] = {{"store", "--max-connections=0", NULL},
                                               {"store", "--max-watch-events=10001", NULL},
                                               {"store", "--max-request-bytes=1", NULL},
                                               {"store", "--max-waiting-bytes=1024", NULL}};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_int_equal(settings.max_connections, 7);
        assert_int_equal(settings.max_request_bytes, 2048);
        assert_int_equal(settings.max_waiting_bytes, 1 << 20);
        assert_int_equal(settings.max_watch_events, 50);
        settings_deinit(&settings);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                assert_int_equal(parse(wrong[i], &settings, &error), -EINVAL);
                assert_non_null(strstr(error.text, "it must be from"));
        }
}

/* As the cloud-configs of CoreOS in 2014 have them. */
static void test_flags_of_old_become_todays(void **state) {
        static const char *const words[] = {"store",
                                            "-name",
                                            "core1",
                                            "-addr",
                                            "10.0.0.1:4001",
                                            "-peer-addr",
                                            "10.0.0.1:7001",
                                            "-peers",
                                            "10.0.0.2:7001,10.0.0.1:7001",
                                            "-peer-heartbeat-interval",
                                            "50",
                                            "-max-result-buffer",
                                            "1024",
                                            "-snapshot=true",
                                            NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_string_equal(settings.advertise_client_urls, "http://10.0.0.1:4001");
        assert_string_equal(settings.listen_client_urls, "http://0.0.0.0:4001");
        assert_string_equal(settings.initial_advertise_peer_urls, "http://10.0.0.1:7001");
        assert_string_equal(settings.listen_peer_urls, "http://0.0.0.0:7001");
        assert_string_equal(settings.initial_cluster, "core1=http://10.0.0.1:7001,peer1=http://10.0.0.2:7001");
        assert_int_equal(settings.heartbeat_msec, 50);
        settings_deinit(&settings);
}

static void test_bind_addr_may_leave_out_the_port(void **state) {
        static const char *const words[] = {"store", "-addr", "10.0.0.1:4009", "-bind-addr", "127.0.0.1", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_string_equal(settings.listen_client_urls, "http://127.0.0.1:4009");
        settings_deinit(&settings);
}

static void test_a_certificate_makes_addresses_of_old_https(void **state) {
        static const char *const words[] = {"store",      "-addr", "10.0.0.1:4001", "-peer-addr",      "10.0.0.1:7001", "-cert-file", "c",
                                            "-key-file",  "k",     "-ca-file",      "a",               "-peer-cert-file", "pc",
                                            "-peer-key-file", "pk", "-peers",       "10.0.0.2:7001", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_string_equal(settings.listen_client_urls, "https://0.0.0.0:4001");
        assert_string_equal(settings.initial_cluster, "default=https://10.0.0.1:7001,peer1=https://10.0.0.2:7001");
        assert_string_equal(settings.client_tls.trusted_ca_file, "a"); /* and so clients must show a certificate */
        assert_null(settings.peer_tls.trusted_ca_file);
        settings_deinit(&settings);
}

static void assert_refused(const char *const *words, const char *text) {
        Settings settings;
        Error error;

        assert_int_equal(parse(words, &settings, &error), -EINVAL);
        if (!strstr(error.text, text))
                fail_msg("\"%s\" lacks \"%s\"", error.text, text);
}

static void test_the_missing_flag_of_tls_is_named(void **state) {
        (void)state;
        assert_refused((const char *const[]){"store", "--listen-client-urls", "https://a:1", NULL},
                       "--listen-client-urls has https://a:1: https needs --cert-file and --key-file, or --auto-tls");
        assert_refused((const char *const[]){"store", "--initial-advertise-peer-urls", "https://a:1", NULL}, "--peer-auto-tls");
        assert_refused((const char *const[]){"store", "--cert-file", "c", NULL}, "--cert-file is given without --key-file");
        assert_refused((const char *const[]){"store", "--peer-client-cert-auth", NULL}, "needs --peer-trusted-ca-file");
        assert_refused((const char *const[]){"store", "--client-crl-file", "x", NULL}, "--trusted-ca-file is missing");
}

static void test_flags_of_today_win(void **state) {
        static const char *const words[] = {
                "store", "-addr", "10.0.0.1:4001", "--advertise-client-urls", "http://10.0.0.9:2379", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(words, &settings, &error), 0);
        assert_string_equal(settings.advertise_client_urls, "http://10.0.0.9:2379");
        settings_deinit(&settings);
}

/* Two members with each other as peer must reckon the same ids. */
static void test_peers_give_the_same_cluster_on_all(void **state) {
        static const char *const one[] = {"store",  "-name",         "a", "-peer-addr", "10.0.0.1:7001",
                                          "-peers", "10.0.0.2:7001", NULL};
        static const char *const two[] = {"store",  "-name",         "b", "-peer-addr", "10.0.0.2:7001",
                                          "-peers", "10.0.0.1:7001", NULL};
        Settings a, b;
        Error error;

        (void)state;
        assert_int_equal(parse(one, &a, &error), 0);
        assert_int_equal(parse(two, &b, &error), 0);
        assert_true(a.bootstrap.cluster == b.bootstrap.cluster);
        assert_true(bootstrap_find(&a.bootstrap, "peer1")->id == bootstrap_find(&b.bootstrap, "b")->id);
        settings_deinit(&a);
        settings_deinit(&b);
}

static void test_mistakes_are_named(void **state) {
        static const char *const wrong[][5] = {{"store", "-peers", "10.0.0.2:7001", NULL},
                                               {"store", "-addr", "10.0.0.1:4001/x", NULL},
                                               {"store", "--force-new-clusters", NULL},
                                               {"store", "--initial-cluster-state", "old", NULL}};
        static const char *const said[] = {"--peer-addr", "--addr", "force-new-cluster", "new or existing"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                Settings settings;
                Error error;

                assert_int_equal(parse(wrong[i], &settings, &error), -EINVAL);
                assert_non_null(strstr(error.text, said[i]));
        }
}

static void test_who_may_use_it_from_a_browser(void **state) {
        static const char *const given[] = {"store", "--cors", "http://a.example,https://b", "--host-whitelist", "h", NULL};
        static const char *const wrong[] = {"store", "--cors", "a.example", NULL};
        static const char *const none[] = {"store", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(given, &settings, &error), 0);
        assert_string_equal(settings.cors, "http://a.example,https://b");
        assert_string_equal(settings.host_whitelist, "h");
        settings_deinit(&settings);
        assert_int_equal(parse(none, &settings, &error), 0);
        assert_string_equal(settings.cors, "*");
        settings_deinit(&settings);
        assert_int_equal(parse(wrong, &settings, &error), -EINVAL);
        assert_non_null(strstr(error.text, "\"a.example\" is no origin"));
}

static int parse_file(const char *text, Settings *settings, Error *error) {
        *settings = (Settings){0};
        *error = ERROR_NONE;
        return settings_file_parse(slice_from(text), "f.yml", settings_options(settings), error);
}

static void test_a_file_has_the_flags_as_keys(void **state) {
        static const char text[] = "name: n1   # a comment\n"
                                   "data-dir:\n"
                                   "listen-client-urls: [http://127.0.0.1:1, http://127.0.0.1:2]\n"
                                   "snapshot-count: 7\n"
                                   "force-new-cluster: yes\n"
                                   "max-wals: 5\n"
                                   "client-transport-security:\n"
                                   "  cert-file: /c\n"
                                   "  client-cert-auth: true\n"
                                   "peer-transport-security: {trusted-ca-file: '/p', auto-tls: true}\n";
        Settings settings;
        Error error;

        (void)state;
        if (parse_file(text, &settings, &error) < 0)
                fail_msg("%s", error.text);
        assert_string_equal(settings.name, "n1");
        assert_null(settings.data_dir);
        assert_string_equal(settings.listen_client_urls, "http://127.0.0.1:1,http://127.0.0.1:2");
        assert_int_equal(settings.snapshot_count, 7);
        assert_true(settings.force_new_cluster);
        assert_string_equal(settings.client_tls.cert_file, "/c");
        assert_true(settings.client_tls.client_cert_auth);
        assert_string_equal(settings.peer_tls.trusted_ca_file, "/p");
        assert_true(settings.peer_tls.automatic);
        settings_deinit(&settings);
}

static void test_mistakes_in_a_file_have_a_place(void **state) {
        static const char *const wrong[][2] = {
                {"name: a\ndata-dri: x\n", "f.yml, line 2, column 1: unknown key data-dri; did you mean data-dir?"},
                {"client-transport-security:\n  cert-fiel: x\n", "f.yml, line 2, column 3: unknown key cert-fiel; did you mean cert-file?"},
                {"name: a\nsnapshot-count: many\n", "f.yml, line 2, column 17: option snapshot-count: \"many\" is not a whole number"},
                {"name: a\nname: b\n", "f.yml, line 2, column 1: name is there twice, first in line 1"},
                {"name: [a\n", "f.yml, line 2, column 1"},
                {"name: {a: b}\n", "f.yml, line 1, column 7: a plain value is expected here"},
                {"client-transport-security: x\n", "KEY: VALUE is expected here"},
                {"- a\n", "KEY: VALUE is expected here"},
                {"config-file: x\n", "unknown key config-file"},
                {"help: true\n", "unknown key help"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                Settings settings;
                Error error;

                assert_int_equal(parse_file(wrong[i][0], &settings, &error), -EINVAL);
                if (!strstr(error.text, wrong[i][1]))
                        fail_msg("\"%s\" does not have \"%s\"", error.text, wrong[i][1]);
                settings_deinit(&settings);
        }
}

/* Each option that is shown at all is in one group, and nothing is wider than a terminal. */
static void test_help_has_all_and_fits(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Settings settings = {0};
        Slice rest, line;

        (void)state;
        assert_int_equal(settings_format_help(&text), 0);
        for (const Option *option = settings_options(&settings); option->name; option++) {
                _cleanup_free_ char *flag = str_printf("\n  --%s%s", option->name, option->argument ? " " : option->environment ? "  [" : "\n");
                const char *found = strstr(buffer_string(&text), flag);

                if (!found != !option->help)
                        fail_msg("--%s", option->name);
                if (found && strstr(found + 1, flag))
                        fail_msg("--%s is there twice", option->name);
                if (found && option->environment && !strstr(buffer_string(&text), option->environment))
                        fail_msg("%s", option->environment);
        }
        rest = slice_from(buffer_string(&text));
        while (slice_split(&rest, '\n', &line)) {
                size_t width = 0;

                for (size_t i = 0; i < line.length; i++)
                        width += ((unsigned char)line.data[i] & 0xc0) != 0x80;
                if (width > 100)
                        fail_msg("%.*s", (int)line.length, line.data);
        }
        assert_non_null(strstr(buffer_string(&text), "\nSnapshots and limits:\n"));
        assert_non_null(strstr(buffer_string(&text), "  --snapshot-count N  [ETCD_SNAPSHOT_COUNT]\n          entries after which a snapshot is "
                                                     "made (default: 10000)\n"));
}

static void test_cipher_suites_are_checked(void **state) {
        static const char *const wrong[] = {"store", "--cipher-suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265", NULL};
        Settings settings;
        Error error;

        (void)state;
        assert_int_equal(parse(wrong, &settings, &error), -EINVAL);
        assert_non_null(strstr(error.text, "did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_may_use_it_from_a_browser),
                cmocka_unit_test(test_a_file_has_the_flags_as_keys),
                cmocka_unit_test(test_mistakes_in_a_file_have_a_place),
                cmocka_unit_test(test_help_has_all_and_fits),
                cmocka_unit_test(test_cipher_suites_are_checked),
                cmocka_unit_test(test_limits_are_settings),
                cmocka_unit_test(test_without_flags_one_member_begins),
                cmocka_unit_test(test_flags_of_old_become_todays),
                cmocka_unit_test(test_bind_addr_may_leave_out_the_port),
                cmocka_unit_test(test_a_certificate_makes_addresses_of_old_https),
                cmocka_unit_test(test_the_missing_flag_of_tls_is_named),
                cmocka_unit_test(test_flags_of_today_win),
                cmocka_unit_test(test_peers_give_the_same_cluster_on_all),
                cmocka_unit_test(test_mistakes_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
