/* Command lines of docker run, and what they ask of the engine. */
#include "cli/containers-spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WORDS_MAX = 48 };

/* Splits at blanks, parses as the verb does; the body, or NULL with the error. */
static json_t *build(const char *line, Error *error) {
        _cleanup_containers_spec_ ContainersSpec spec = {0};
        _cleanup_string_list_ StringList words = {0}, arguments = {0};
        Slice rest = slice_from(line), word;
        char *argv[WORDS_MAX];
        json_t *body = NULL;

        while (slice_split(&rest, ' ', &word))
                assert_int_equal(string_list_add_slice(&words, word), 0);
        assert_true(words.length < WORDS_MAX);
        for (size_t i = 0; i < words.length; i++)
                argv[i] = words.items[i];
        argv[words.length] = NULL;
        if (options_parse(containers_spec_options(&spec), OPTIONS_STOP_AT_ARGUMENT, (int)words.length, argv, &arguments,
                          error) < 0)
                return NULL;
        assert_true(arguments.length > 0);
        return containers_spec_build(&spec, arguments.items[0], &arguments, 1, &body, error) < 0 ? NULL : body;
}

/* The member at a path "HostConfig.Memory" as compact JSON. */
static void assert_member(json_t *body, const char *path, const char *expected) {
        _cleanup_free_ char *text = NULL;
        Slice rest = slice_from(path), part;

        while (slice_split(&rest, '.', &part)) {
                _cleanup_free_ char *name = slice_dup(part);

                body = json_object_get(body, name);
        }
        text = body ? json_dumps(body, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : strdup("absent");
        assert_string_equal(text, expected);
}

static void test_the_recorded_command_line(void **state) {
        json_t *body = build("run -d --name web --restart on-failure:3 -p 127.0.0.1:18080:80 -v /srv/vol:/data -v "
                             "namedvol:/nv -e FOO=bar --memory 64m "
                             "--cpus 0.5 --hostname webhost --label a=b busybox httpd -f -p 80 -h /data",
                             NULL);

        (void)state;
        assert_non_null(body);
        assert_member(body, "Image", "\"busybox\"");
        assert_member(body, "Hostname", "\"webhost\"");
        assert_member(body, "Env", "[\"FOO=bar\"]");
        assert_member(body, "Cmd", "[\"httpd\",\"-f\",\"-p\",\"80\",\"-h\",\"/data\"]");
        assert_member(body, "Labels", "{\"a\":\"b\"}");
        assert_member(body, "ExposedPorts", "{\"80/tcp\":{}}");
        assert_member(body, "HostConfig.Binds", "[\"/srv/vol:/data\",\"namedvol:/nv\"]");
        assert_member(body, "HostConfig.PortBindings",
                      "{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"18080\"}]}");
        assert_member(body, "HostConfig.RestartPolicy", "{\"MaximumRetryCount\":3,\"Name\":\"on-failure\"}");
        assert_member(body, "HostConfig.Memory", "67108864");
        assert_member(body, "HostConfig.NanoCpus", "500000000");
        assert_member(body, "AttachStdout", "false");
        json_decref(body);
}

static void test_ports(void **state) {
        static const struct {
                const char *option, *bindings;
        } rows[] = {
                {"80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
                {"8080:80/udp", "{\"80/udp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}"},
                {"10.0.0.1::80", "{\"80/tcp\":[{\"HostIp\":\"10.0.0.1\",\"HostPort\":\"\"}]}"},
                {"[::1]:8080:80", "{\"80/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"8080\"}]}"},
                {"8000-8001:80-81", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8000\"}],\"81/"
                                    "tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8001\"}]}"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_free_ char *line = str_printf("run -p %s image", rows[i].option);
                json_t *body = build(line, NULL);

                assert_non_null(body);
                assert_member(body, "HostConfig.PortBindings", rows[i].bindings);
                json_decref(body);
        }
}

static void test_letters_may_stand_together(void **state) {
        json_t *body = build("run -it --rm --net host --entrypoint /bin/x image", NULL);

        (void)state;
        assert_member(body, "Tty", "true");
        assert_member(body, "OpenStdin", "true");
        assert_member(body, "Entrypoint", "[\"/bin/x\"]");
        assert_member(body, "Cmd", "null");
        assert_member(body, "HostConfig.AutoRemove", "true");
        assert_member(body, "HostConfig.NetworkMode", "\"host\"");
        json_decref(body);
}

static void test_bad_values_are_refused(void **state) {
        static const char *const rows[] = {
                "run -p x image",
                "run -p 80:x image",
                "run -p 1-3:1-2 image",
                "run -p 80/sctp image",
                "run -p 0 image",
                "run -p 70000:80 image",
                "run --restart always:x image",
                "run --cpus 1.x image",
                "run --memory lots image",
                "run --pids-limit many image",
                "run --ulimit nofile image",
                "run --env-file /does/not/exist image",
                "run --no-such-option image",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Error error = ERROR_NONE;

                assert_null(build(rows[i], &error));
                assert_true(error.text[0]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_recorded_command_line),
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_letters_may_stand_together),
                cmocka_unit_test(test_bad_values_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
