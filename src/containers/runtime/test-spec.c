#include "containers/runtime/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"

static int parse(const char *config, const char *host, const ImageConfig *image, ContainerSpec *ret, Error *error) {
        json_t *one = json_loads(config, 0, NULL), *two = host ? json_loads(host, 0, NULL) : NULL;
        int r;

        assert_non_null(one);
        r = container_spec_parse(one, two, image, ret, error);
        json_decref(one);
        json_decref(two);
        return r;
}

static void expect_command(const ContainerSpec *spec, const char *line) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < spec->command.length; i++)
                (void)buffer_printf(&text, "%s%s", i ? " " : "", spec->command.items[i]);
        assert_string_equal(buffer_string(&text), line);
}

static void make_image(ImageConfig *image) {
        *image = (ImageConfig){.has_entrypoint = true};
        assert_int_equal(string_list_add(&image->entrypoint, "entry"), 0);
        assert_int_equal(string_list_add(&image->command, "default"), 0);
        assert_int_equal(string_list_add(&image->environment, "A=image"), 0);
        assert_int_equal(string_list_add(&image->environment, "B=image"), 0);
        assert_int_equal(string_list_add(&image->volumes, "/data"), 0);
        assert_int_equal(string_list_add(&image->ports, "80/tcp"), 0);
        image->user = strdup("app");
        image->stop_signal = strdup("SIGUSR1");
}

static void test_image_fills_in_what_is_not_said(void **state) {
        _cleanup_container_spec_ ContainerSpec spec = {0};
        _cleanup_image_config_ ImageConfig image;

        (void)state;
        make_image(&image);
        assert_int_equal(parse("{\"Image\":\"x\",\"Env\":[\"B=own\",\"C=own\"]}", NULL, &image, &spec, NULL), 0);
        expect_command(&spec, "entry default");
        assert_int_equal(spec.environment.length, 3);
        assert_string_equal(spec.environment.items[1], "B=own");
        assert_string_equal(spec.user, "app");
        assert_int_equal(spec.stop_signal, SIGUSR1);
        assert_int_equal(spec.n_mounts, 1);
        assert_int_equal(spec.mounts[0].kind, MOUNT_VOLUME);
        assert_null(spec.mounts[0].source);
        assert_string_equal(spec.exposed.items[0], "80/tcp");
}

static void test_own_entry_point_drops_the_image_s_command(void **state) {
        static const struct {
                const char *config, *line;
        } cases[] = {
                {"{\"Image\":\"x\",\"Cmd\":[\"own\"]}", "entry own"},
                {"{\"Image\":\"x\",\"Entrypoint\":[\"mine\"]}", "mine"},
                {"{\"Image\":\"x\",\"Entrypoint\":[\"\"],\"Cmd\":[\"own\"]}", "own"},
                {"{\"Image\":\"x\",\"Entrypoint\":\"mine\",\"Cmd\":null}", "mine"},
        };
        _cleanup_image_config_ ImageConfig image;

        (void)state;
        make_image(&image);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_container_spec_ ContainerSpec spec = {0};

                assert_int_equal(parse(cases[i].config, NULL, &image, &spec, NULL), 0);
                expect_command(&spec, cases[i].line);
        }
}

static void test_binds_volumes_and_temporary_file_systems(void **state) {
        _cleanup_container_spec_ ContainerSpec spec = {0};

        (void)state;
        assert_int_equal(
                parse("{\"Image\":\"x\",\"Cmd\":[\"c\"]}",
                      "{\"Binds\":[\"/host:/a:ro,rshared\",\"name:/b\",\"/c\"],\"Tmpfs\":{\"/t\":\"size=1m\"},"
                      "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/h\",\"Target\":\"/d\",\"ReadOnly\":true}]}",
                      NULL, &spec, NULL),
                0);
        assert_int_equal(spec.n_mounts, 5);
        assert_string_equal(spec.mounts[0].source, "/host");
        assert_true(spec.mounts[0].read_only);
        assert_string_equal(spec.mounts[0].propagation, "rshared");
        assert_int_equal(spec.mounts[1].kind, MOUNT_VOLUME);
        assert_string_equal(spec.mounts[1].source, "name");
        assert_null(spec.mounts[2].source);
        assert_true(spec.mounts[3].must_exist);
        assert_int_equal(spec.mounts[4].kind, MOUNT_TMPFS);
}

static void test_ports_are_read(void **state) {
        _cleanup_container_spec_ ContainerSpec spec = {0};

        (void)state;
        assert_int_equal(parse("{\"Image\":\"x\",\"Cmd\":[\"c\"]}",
                               "{\"PortBindings\":{\"80/"
                               "tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"},{\"HostPort\":\"\"}],"
                               "\"53/udp\":null}}",
                               NULL, &spec, NULL),
                         0);
        assert_int_equal(spec.n_ports, 3);
        assert_int_equal(spec.ports[0].host, 8080);
        assert_string_equal(spec.ports[0].address, "127.0.0.1");
        assert_int_equal(spec.ports[1].host, 0);
        assert_string_equal(spec.ports[1].address, "0.0.0.0");
        assert_string_equal(spec.ports[2].protocol, "udp");
}

static void test_what_is_wrong_is_named(void **state) {
        static const struct {
                const char *config, *host, *words;
                int r;
        } cases[] = {
                {"{\"Cmd\":[\"c\"]}", NULL, "image", -EINVAL},
                {"{\"Image\":\"x\"}", NULL, "No command", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[5]}", NULL, "Cmd", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"],\"WorkingDir\":\"a\"}", NULL, "absolute", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"],\"StopSignal\":\"NO\"}", NULL, "NO", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"Binds\":[\"/a:b\"]}", "absolute", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"Binds\":[\"/a:/b/../..\"]}", "absolute", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"Binds\":[\"../a:/b\"]}", "volume name", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"Binds\":[\"/a:/b\",\"/c:/b\"]}", "Duplicate", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"PortBindings\":{\"0/tcp\":[]}}", "port", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"PortBindings\":{\"1/sctp\":[]}}", "tcp and udp", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"PortBindings\":{\"1\":[{\"HostPort\":\"99999\"}]}}",
                 "host port", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"Memory\":100}", "6MB", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"NetworkMode\":\"mine\"}", "mine", -ENOENT},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"RestartPolicy\":{\"Name\":\"perhaps\"}}", "perhaps", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}",
                 "AutoRemove", -EINVAL},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"SecurityOpt\":[\"seccomp=/a\"]}", "seccomp", -EOPNOTSUPP},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"LogConfig\":{\"Type\":\"syslog\"}}", "syslog", -EOPNOTSUPP},
                {"{\"Image\":\"x\",\"Cmd\":[\"c\"]}", "{\"PidMode\":\"container:x\"}", "PidMode", -EOPNOTSUPP},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ContainerSpec spec;
                Error error = ERROR_NONE;

                assert_int_equal(parse(cases[i].config, cases[i].host, NULL, &spec, &error), cases[i].r);
                if (!strstr(error.text, cases[i].words))
                        fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, cases[i].words);
        }
}

static void test_signals_by_name_and_number(void **state) {
        int signal;

        (void)state;
        assert_int_equal(signal_parse("SIGTERM", &signal), 0);
        assert_int_equal(signal, SIGTERM);
        assert_int_equal(signal_parse("usr1", &signal), 0);
        assert_int_equal(signal, SIGUSR1);
        assert_int_equal(signal_parse("9", &signal), 0);
        assert_int_equal(signal, SIGKILL);
        assert_int_equal(signal_parse("0", &signal), -EINVAL);
        assert_int_equal(signal_parse("NOTHING", &signal), -EINVAL);
        assert_int_equal(signal_parse("", &signal), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_image_fills_in_what_is_not_said),
                cmocka_unit_test(test_own_entry_point_drops_the_image_s_command),
                cmocka_unit_test(test_binds_volumes_and_temporary_file_systems),
                cmocka_unit_test(test_ports_are_read),
                cmocka_unit_test(test_what_is_wrong_is_named),
                cmocka_unit_test(test_signals_by_name_and_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
