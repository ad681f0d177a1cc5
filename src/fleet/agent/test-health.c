#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fleet/agent/health.h"

/* Probes that end when the test says so. */
struct HealthProbe {
        HealthProbed done;
        void *userdata;
        bool cancelled;
};

static HealthProbe probes[16];
static size_t started;

static int fake_start(void *prober, const HealthCheck *check, Usec timeout, HealthProbed done, void *userdata, HealthProbe **ret) {
        (void)check;
        (void)timeout;
        if (prober)
                return -ENOMEM;
        probes[started] = (HealthProbe){done, userdata, false};
        *ret = &probes[started++];
        return 0;
}

static void fake_cancel(HealthProbe *probe) {
        probe->cancelled = true;
}

static const HealthProbeOps ops = {fake_start, fake_cancel};
static char told[64];

static void on_changed(void *userdata, const char *unit, HealthState state, const char *why) {
        (void)userdata;
        (void)snprintf(told, sizeof(told), "%s %s %s", unit, health_state_to_string(state), why);
}

static Health *begin(void *prober) {
        Health *health = health_new(&ops, prober, on_changed, NULL);

        assert_non_null(health);
        started = 0;
        told[0] = '\0';
        return health;
}

static void watch(Health *health, const char *unit, Usec now) {
        HealthCheck check = {0};

        assert_int_equal(health_check_parse("tcp://:1", &check, NULL), 0);
        assert_int_equal(health_watch(health, unit, &check, 10, 5, now), 0);
        assert_null(check.what);
}

static void finish(size_t probe, const char *why) {
        probes[probe].done(probes[probe].userdata, why);
}

static void test_checks_are_repeated_and_only_news_is_told(void **state) {
        Health *health = begin(NULL);

        (void)state;
        watch(health, "a.service", 100);
        assert_int_equal(health_next(health), 100);
        health_run(health, 100);
        assert_int_equal(started, 1);
        assert_int_equal(health_next(health), USEC_INFINITY); /* until it ends */
        health_run(health, 105);
        assert_int_equal(started, 1);
        finish(0, "");
        assert_string_equal(told, "a.service passing ");
        assert_int_equal(health_next(health), 115);
        told[0] = '\0';
        health_run(health, 115);
        finish(1, "");
        assert_string_equal(told, "");
        health_run(health, 125);
        finish(2, "refused");
        assert_string_equal(told, "a.service failing refused");
        told[0] = '\0';
        health_run(health, 135);
        finish(3, "refused again");
        assert_string_equal(told, "");
        health_run(health, 145);
        finish(4, "");
        assert_string_equal(told, "a.service passing ");
        health_free(health);
}

static void test_forgotten_units_are_heard_of_no_more(void **state) {
        Health *health = begin(NULL);

        (void)state;
        watch(health, "a.service", 1);
        health_run(health, 1);
        health_forget(health, "a.service");
        assert_true(probes[0].cancelled);
        assert_int_equal(health_next(health), USEC_INFINITY);
        watch(health, "b.service", 2);
        health_run(health, 2);
        watch(health, "b.service", 3); /* started anew */
        assert_true(probes[1].cancelled);
        health_run(health, 3);
        health_free(health);
        assert_true(probes[2].cancelled);
        assert_string_equal(told, "");
}

static void test_check_that_cannot_begin_is_a_failure(void **state) {
        int prober;
        Health *health = begin(&prober);

        (void)state;
        watch(health, "a.service", 1);
        health_run(health, 1);
        assert_string_equal(told, "a.service failing the check cannot be carried out");
        assert_int_equal(health_next(health), 11);
        health_free(health);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_checks_are_repeated_and_only_news_is_told),
                cmocka_unit_test(test_forgotten_units_are_heard_of_no_more),
                cmocka_unit_test(test_check_that_cannot_begin_is_a_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
