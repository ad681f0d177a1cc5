#include "containers/engine/runtime-reason.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_tells(const char *log, int expected, const char *text) {
        char reason[RUNTIME_REASON_MAX];
        Error error = ERROR_NONE;

        runtime_reason_find(log, reason);
        assert_int_equal(runtime_reason_tell(reason, "frob", &error), expected);
        assert_string_equal(error.text, text);
}

#define BEGIN "failed to create task for container: OCI runtime create failed: "

static void test_the_last_message_is_the_reason(void **state) {
        char reason[RUNTIME_REASON_MAX];

        (void)state;
        runtime_reason_find("{\"msg\":\"one\",\"level\":\"warning\"}\n{\"msg\":\"two\",\"level\":\"error\"}\n{\"level\":\"debug\"}\n", reason);
        assert_string_equal(reason, "two");
        runtime_reason_find("it has no such lines", reason);
        assert_string_equal(reason, "it has no such lines");
        runtime_reason_find("", reason);
        assert_string_equal(reason, "");
}

static void test_clients_can_tell_why_a_command_did_not_run(void **state) {
        (void)state;
        assert_tells("{\"msg\":\"executable file `frob` not found in $PATH: No such file or directory\"}\n", -ENOENT,
                     BEGIN "exec: \"frob\": executable file not found in $PATH: "
                           "executable file `frob` not found in $PATH: No such file or directory");
        assert_tells("{\"msg\":\"exec: \\\"/etc\\\": permission denied\"}\n", -EACCES,
                     BEGIN "exec: \"frob\": permission denied: exec: \"/etc\": permission denied");
        assert_tells("{\"msg\":\"the path `/etc` is not a regular file\"}\n", -EACCES,
                     BEGIN "exec: \"frob\": permission denied: the path `/etc` is not a regular file");
        assert_tells("{\"msg\":\"mount `proc`: Operation not permitted\"}\n", -EIO, BEGIN "mount `proc`: Operation not permitted");
        assert_tells("{\"msg\":\"open `/x`: No such file or directory\"}\n", -EIO, BEGIN "open `/x`: No such file or directory");
}

static void test_a_long_reason_is_cut(void **state) {
        char log[2 * RUNTIME_REASON_MAX], reason[RUNTIME_REASON_MAX];

        (void)state;
        memset(log, 'x', sizeof(log));
        log[sizeof(log) - 1] = '\0';
        runtime_reason_find(log, reason);
        assert_int_equal(strlen(reason), RUNTIME_REASON_MAX - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_last_message_is_the_reason),
                cmocka_unit_test(test_clients_can_tell_why_a_command_did_not_run),
                cmocka_unit_test(test_a_long_reason_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
