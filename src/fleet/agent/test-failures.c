#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fleet/agent/agent.h"
#include "fleet/agent/failures.h"

static SupervisorState state_of(const char *active, const char *sub, const char *result, uint64_t restarts) {
        SupervisorState state = {.restarts = restarts};

        supervisor_set_word(state.active, sizeof(state.active), active);
        supervisor_set_word(state.sub, sizeof(state.sub), sub);
        supervisor_set_word(state.result, sizeof(state.result), result);
        return state;
}

static void test_what_counts_as_a_failure(void **state) {
        const SupervisorState running = state_of("active", "running", "success", 0), failed = state_of("failed", "failed", "exit-code", 0);
        const SupervisorState waiting = state_of("activating", "auto-restart", "exit-code", 0);
        const SupervisorState ended = state_of("activating", "auto-restart", "success", 0);
        const SupervisorState again = state_of("active", "running", "exit-code", 1), twice = state_of("active", "running", "exit-code", 2);

        (void)state;
        assert_true(failures_are_more(&running, &failed));
        assert_false(failures_are_more(&failed, &failed));
        assert_true(failures_are_more(&running, &waiting));
        assert_false(failures_are_more(&running, &ended));
        assert_false(failures_are_more(&waiting, &again)); /* counted when it waited */
        assert_true(failures_are_more(&again, &twice));    /* its waiting was not told */
        assert_false(failures_are_more(&failed, &running));
}

static void test_old_ones_are_forgotten(void **state) {
        Failures failures = {0};

        (void)state;
        assert_false(failures_forget(&failures, 5));
        failures_add(&failures, 10, 100);
        failures_add(&failures, 60, 100);
        assert_int_equal(failures.length, 2);
        assert_false(failures_forget(&failures, 110));
        assert_true(failures_forget(&failures, 111));
        assert_int_equal(failures.length, 1);
        for (size_t i = 0; i < 3 * AGENT_FAILURES_MAX; i++)
                failures_add(&failures, 120, 100);
        assert_int_equal(failures.length, AGENT_FAILURES_MAX);
        failures_deinit(&failures);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_counts_as_a_failure),
                cmocka_unit_test(test_old_ones_are_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
