#include "cli/template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static json_t *value;

static int set_up(void **state) {
        (void)state;
        value = json_loads(
                "{\"State\":{\"Status\":\"running\",\"Pid\":7,\"OOMKilled\":false,\"Health\":null},\"Names\":[\"a\"]}",
                0, NULL);
        return value ? 0 : -1;
}

static int tear_down(void **state) {
        (void)state;
        json_decref(value);
        return 0;
}

static void test_paths_and_text(void **state) {
        static const struct {
                const char *format, *text;
        } rows[] = {
                {"plain", "plain"},
                {"{{.State.Status}}", "running"},
                {"a {{ .State.Pid }} b{{.State.OOMKilled}}", "a 7 bfalse"},
                {"{{json .Names}}", "[\"a\"]"},
                {"{{json .State.Status}}", "\"running\""},
                {"{{.State.Health}}", "<nil>"},
                {"{{.Nothing.Here}}", "<no value>"},
                {"{{json .Nothing}}", "null"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                assert_int_equal(template_format(rows[i].format, value, &text, NULL), 0);
                assert_string_equal(buffer_string(&text), rows[i].text);
        }
}

static void test_what_is_not_understood_is_refused(void **state) {
        static const char *const rows[] = {"{{range .Names}}", "{{.State",          "{{State}}", "{{.a b}}", "{{}}",
                                           "{{..}}",           "{{index .Names 0}}"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Error error = ERROR_NONE;

                assert_int_equal(template_format(rows[i], value, &text, &error), -EINVAL);
                assert_non_null(strstr(error.text, "--format"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths_and_text),
                                           cmocka_unit_test(test_what_is_not_understood_is_refused)};

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
