#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/unit-verify.h"

static void test_lines_speak_of_the_unit_by_its_name(void **state) {
        static const char output[] = "/run/x/verify-a/web.service:3: Unknown key 'Aftr' in section [Unit], ignoring.\n"
                                     "/lib/systemd/system/other.service:1: something else\n"
                                     "\n"
                                     "web.service: Command /bin/nothing is not executable: No such file or directory\n";
        _cleanup_buffer_ Buffer to = BUFFER_INIT;

        (void)state;
        assert_int_equal(unit_verify_tidy(slice_from(output), "/run/x/verify-a/web.service", "web.service", &to), 0);
        assert_string_equal(buffer_string(&to), "web.service:3: Unknown key 'Aftr' in section [Unit], ignoring.\n"
                                                "web.service: Command /bin/nothing is not executable: No such file or directory\n");
}

typedef struct Outcome {
        bool done;
        int r;
        char lines[1024];
} Outcome;

static void on_done(void *userdata, int r, Slice lines, const Error *error) {
        Outcome *outcome = userdata;

        (void)error;
        outcome->done = true;
        outcome->r = r;
        assert_true(lines.length < sizeof(outcome->lines));
        memcpy(outcome->lines, lines.data, lines.length);
}

/* As systemd here says it; without one there is nothing to be shown. */
static void test_what_systemd_says(void **state) {
        static const char text[] = "[Unit]\nAftr=b.service\n[Service]\nExecStart=/bin/true\n";
        char folder[] = "/tmp/test-unit-verify-XXXXXX";
        Error error = ERROR_NONE;
        UnitVerify *verify;
        Outcome outcome = {0}, cancelled = {0};
        uv_loop_t loop;
        int r;

        (void)state;
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_non_null(mkdtemp(folder));
        r = unit_verify_start(&loop, folder, "a.service", slice_from(text), on_done, &outcome, &verify, &error);
        if (r == -ENOENT) {
                (void)rmdir(folder);
                skip();
        }
        assert_int_equal(r, 0);
        assert_int_equal(unit_verify_start(&loop, folder, "b.service", slice_from(text), on_done, &cancelled, &verify, &error), 0);
        unit_verify_cancel(verify);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(outcome.done);
        assert_int_equal(outcome.r, 0);
        assert_non_null(strstr(outcome.lines, "a.service:2: Unknown key"));
        assert_false(cancelled.done);
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_int_equal(rmdir(folder), 0); /* nothing was left in it */
}

static void test_folder_that_is_not_there(void **state) {
        Error error = ERROR_NONE;
        UnitVerify *verify;
        uv_loop_t loop;

        (void)state;
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(unit_verify_start(&loop, "/nowhere", "a.service", slice_from(""), on_done, NULL, &verify, &error), -ENOENT);
        assert_true(strlen(error.text) > 0);
        assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines_speak_of_the_unit_by_its_name),
                cmocka_unit_test(test_what_systemd_says),
                cmocka_unit_test(test_folder_that_is_not_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
