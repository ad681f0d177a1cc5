#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "fleet/agent/reconcile.h"

static const UnitHash old_text = {{1}}, new_text = {{2}};

static void assert_tasks(const ReconcileDesired *desired, size_t n_desired, const ReconcileCurrent *current,
                         size_t n_current, const char *expected) {
        _cleanup_reconcile_plan_ ReconcilePlan plan = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_int_equal(reconcile(desired, n_desired, current, n_current, &plan), 0);
        for (size_t i = 0; i < plan.length; i++) {
                const ReconcileTask *task = &plan.tasks[i];

                (void)buffer_printf(&text, "%s%s%s%s", i ? ", " : "", task_kind_to_string(task->kind),
                                    task->unit ? " " : "", task->unit ? task->unit : "");
                if (task->after != RECONCILE_INDEPENDENT)
                        (void)buffer_printf(&text, " after %zu", task->after);
        }
        assert_string_equal(buffer_string(&text), expected);
}

/* One unit: what is desired (or none, as -1) against what there is. */
static void assert_one(int desired_state, ActiveState active, bool start_asked, TaskKind in_flight,
                       const char *expected) {
        const ReconcileDesired desired = {"a", old_text, (UnitState)max_of(desired_state, 0)};
        const ReconcileCurrent current = {"a", old_text, active, start_asked, in_flight};

        assert_tasks(&desired, desired_state >= 0, &current, 1, expected);
}

static void test_one_unit(void **state) {
        (void)state;
        assert_one(-1, ACTIVE_ACTIVE, true, TASK_NONE, "unload a, reload");
        assert_one(UNIT_INACTIVE, ACTIVE_ACTIVE, true, TASK_NONE, "unload a, reload");
        assert_one(UNIT_LOADED, ACTIVE_INACTIVE, false, TASK_NONE, "");
        assert_one(UNIT_LOADED, ACTIVE_ACTIVE, true, TASK_NONE, "stop a");
        assert_one(UNIT_LOADED, ACTIVE_ACTIVE, false, TASK_NONE, ""); /* its timer has started it */
        assert_one(UNIT_LAUNCHED, ACTIVE_INACTIVE, false, TASK_NONE, "start a");
        assert_one(UNIT_LAUNCHED, ACTIVE_ACTIVE, true, TASK_NONE, "");
        /* found running after the agent was started anew */
        assert_one(UNIT_LAUNCHED, ACTIVE_ACTIVE, false, TASK_NONE, "");
}

static void test_a_unit_that_ended_is_not_started_again(void **state) {
        (void)state;
        assert_one(UNIT_LAUNCHED, ACTIVE_INACTIVE, true, TASK_NONE, "");
        assert_one(UNIT_LAUNCHED, ACTIVE_FAILED, true, TASK_NONE, "");
        /* stopped, then to be launched again */
        assert_one(UNIT_LAUNCHED, ACTIVE_FAILED, false, TASK_NONE, "start a");
}

static void test_tasks_in_flight_are_not_given_twice(void **state) {
        (void)state;
        assert_one(UNIT_LAUNCHED, ACTIVE_INACTIVE, false, TASK_START, "");
        assert_one(UNIT_LAUNCHED, ACTIVE_INACTIVE, false, TASK_LOAD, "");
        assert_one(UNIT_LAUNCHED, ACTIVE_DEACTIVATING, false, TASK_STOP, "");
        assert_one(-1, ACTIVE_DEACTIVATING, false, TASK_UNLOAD, "");
        assert_one(-1, ACTIVE_ACTIVATING, true, TASK_START, "unload a, reload");
        assert_one(UNIT_LOADED, ACTIVE_ACTIVATING, true, TASK_START, "stop a");
}

static void test_changed_text_is_unloaded_and_loaded(void **state) {
        const ReconcileDesired desired = {"a", new_text, UNIT_LAUNCHED};
        const ReconcileCurrent current = {"a", old_text, ACTIVE_ACTIVE, true, TASK_NONE};

        (void)state;
        assert_tasks(&desired, 1, &current, 1, "unload a, load a after 0, reload, start a after 1");
}

static void test_kinds_in_order_and_units_by_name(void **state) {
        const ReconcileDesired desired[] = {
                {"new-b", new_text, UNIT_LAUNCHED}, {"new-a", new_text, UNIT_LOADED},
                {"stop", old_text, UNIT_LOADED},    {"start", old_text, UNIT_LAUNCHED},
                {"never", old_text, UNIT_INACTIVE},
        };
        const ReconcileCurrent current[] = {
                {"stop", old_text, ACTIVE_ACTIVE, true, TASK_NONE},
                {"start", old_text, ACTIVE_INACTIVE, false, TASK_NONE},
                {"gone", old_text, ACTIVE_ACTIVE, true, TASK_NONE},
                {"away", old_text, ACTIVE_FAILED, true, TASK_NONE},
        };

        (void)state;
        assert_tasks(desired, ARRAY_SIZE(desired), current, ARRAY_SIZE(current),
                     "unload away, unload gone, load new-a, load new-b, reload, stop stop, start new-b after 3, "
                     "start start");
}

/* Old fleet started a timer before its service was linked: it stayed dead. */
static void test_a_timer_waits_for_its_service(void **state) {
        const ReconcileDesired both[] = {{"x.timer", old_text, UNIT_LAUNCHED}, {"x.service", old_text, UNIT_LOADED}};
        const ReconcileDesired launched[] = {{"a.timer", old_text, UNIT_LAUNCHED}, {"b.service", old_text, UNIT_LAUNCHED}};
        const ReconcileCurrent loading[] = {{"x.timer", old_text, ACTIVE_INACTIVE, false, TASK_NONE},
                                            {"x.service", old_text, ACTIVE_INACTIVE, false, TASK_LOAD}};
        const ReconcileCurrent loaded[] = {{"x.timer", old_text, ACTIVE_INACTIVE, false, TASK_NONE},
                                           {"x.service", old_text, ACTIVE_INACTIVE, false, TASK_NONE}};

        (void)state;
        assert_tasks(both, 2, NULL, 0, "load x.service, load x.timer, reload");
        assert_tasks(both, 2, loading, 1, "load x.service, reload");
        assert_tasks(both, 2, loading, 2, "");
        assert_tasks(both, 2, loaded, 2, "start x.timer");
        assert_tasks(both, 1, NULL, 0, "load x.timer, reload, start x.timer after 0"); /* its service is nobody's here */
        assert_tasks(launched, 2, NULL, 0, "load a.timer, load b.service, reload, start b.service after 1, start a.timer after 0");
        assert_true(reconcile_is_started_by("x.timer", "x.service"));
        assert_false(reconcile_is_started_by("xy.timer", "x.service"));
        assert_false(reconcile_is_started_by("x.service", "x.service"));
        assert_false(reconcile_is_started_by("x.timer", "x.mount"));
}

/* A model of the supervisor in which any task may fail: a unit's failure holds up no other, and once nothing fails one
 * more pass brings everything to where it should be. */
static void test_failures_hold_up_no_other_unit(void **state) {
        enum { UNITS = 12 };

        (void)state;
        for (uint64_t seed = 1; seed <= 300; seed++) {
                char names[UNITS][8];
                ReconcileDesired desired[UNITS];
                ReconcileCurrent current[2 * UNITS];
                size_t n_current = 0;
                Random random;

                random_seed(&random, seed);
                for (size_t i = 0; i < UNITS; i++) {
                        names[i][0] = (char)('a' + i);
                        names[i][1] = '\0';
                        desired[i] = (ReconcileDesired){names[i], random_chance(&random, 1, 2) ? old_text : new_text,
                                                        (UnitState)random_below(&random, 3)};
                        if (random_chance(&random, 1, 2))
                                current[n_current++] = (ReconcileCurrent){
                                        names[i], old_text, (ActiveState)random_below(&random, 6),
                                        random_chance(&random, 1, 2), TASK_NONE};
                }
                for (int pass = 0; pass < 2; pass++) {
                        _cleanup_reconcile_plan_ ReconcilePlan plan = {0};
                        bool failed[8 * UNITS] = {false};

                        assert_int_equal(reconcile(desired, UNITS, current, n_current, &plan), 0);
                        for (size_t i = 0; i < plan.length; i++) {
                                const ReconcileTask *task = &plan.tasks[i];
                                size_t at = 0;

                                assert_true(task->after == RECONCILE_INDEPENDENT || task->after < i);
                                failed[i] = (task->after != RECONCILE_INDEPENDENT && failed[task->after]) ||
                                            (pass == 0 && random_chance(&random, 1, 3));
                                if (failed[i] || !task->unit)
                                        continue;
                                while (at < n_current && !str_equals(current[at].name, task->unit))
                                        at++;
                                if (task->kind == TASK_UNLOAD)
                                        current[at] = current[--n_current];
                                else if (task->kind == TASK_LOAD)
                                        current[n_current++] = (ReconcileCurrent){
                                                task->unit, desired[task->unit[0] - 'a'].hash, ACTIVE_INACTIVE,
                                                false, TASK_NONE};
                                else if (task->kind == TASK_START)
                                        current[at].start_asked = true;
                                else
                                        current[at] = (ReconcileCurrent){current[at].name, current[at].hash,
                                                                         ACTIVE_INACTIVE, false, TASK_NONE};
                        }
                }
                assert_tasks(desired, UNITS, current, n_current, "");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_unit),
                cmocka_unit_test(test_a_unit_that_ended_is_not_started_again),
                cmocka_unit_test(test_tasks_in_flight_are_not_given_twice),
                cmocka_unit_test(test_changed_text_is_unloaded_and_loaded),
                cmocka_unit_test(test_kinds_in_order_and_units_by_name),
                cmocka_unit_test(test_a_timer_waits_for_its_service),
                cmocka_unit_test(test_failures_hold_up_no_other_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
