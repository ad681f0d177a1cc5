#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fleet/unit/health-check.h"

static void assert_check(const char *text, HealthKind kind, const char *host, uint16_t port, const char *what) {
        _cleanup_health_check_ HealthCheck check = {0};

        assert_int_equal(health_check_parse(text, &check, NULL), 0);
        assert_int_equal(check.kind, kind);
        if (host)
                assert_string_equal(check.host, host);
        assert_int_equal(check.port, port);
        assert_string_equal(check.what, what);
}

static void test_forms(void **state) {
        (void)state;
        assert_check("http://:8080/health?deep=1", HEALTH_HTTP, "127.0.0.1", 8080, "/health?deep=1");
        assert_check("http://web.local", HEALTH_HTTP, "web.local", 80, "/");
        assert_check("http://[::1]:81/", HEALTH_HTTP, "::1", 81, "/");
        assert_check("tcp://:5432", HEALTH_TCP, "127.0.0.1", 5432, "");
        assert_check("tcp://10.0.0.1:22", HEALTH_TCP, "10.0.0.1", 22, "");
        assert_check("exec:test -e /run/ok", HEALTH_EXEC, NULL, 0, "test -e /run/ok");
}

static void test_what_is_none_says_what_is_expected(void **state) {
        static const char *const texts[] = {"", "yes", "https://:1/", "tcp://host", "tcp://:0", "tcp://:70000", "tcp://:x",
                                            "exec:", "http://:80/a b", "http://a b:80/"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                HealthCheck check = {0};
                Error error = ERROR_NONE;

                assert_int_equal(health_check_parse(texts[i], &check, &error), -EINVAL);
                assert_true(strlen(error.text) > 0);
                assert_null(check.what);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_what_is_none_says_what_is_expected),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
