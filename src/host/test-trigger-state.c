#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/trigger-state.h"

#define SEC USEC_PER_SEC

typedef struct Fixture {
        TriggerOptions options;
        TriggerMachine machine;
        TriggerFacts facts;
        Random random;
} Fixture;

static void begin(Fixture *f, const char *unit, const char *text) {
        _cleanup_unitfile_ UnitFile file = {0};
        Error error;

        *f = (Fixture){.facts = {.now = 1000 * SEC, .wall = 1795669200000000, .startup = 900 * SEC, .random = &f->random}};
        random_seed(&f->random, 1);
        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        if (trigger_options_read(&file, unit, NULL, &f->options, &error) < 0)
                fail_msg("%s", error.text);
        trigger_machine_init(&f->machine, &f->options);
}

static void pass(Fixture *f, Usec span) {
        f->facts.now += span;
        f->facts.wall += (WallUsec)span;
}

/* The actions, a letter each. */
static const char *actions(Fixture *f) {
        static char text[TRIGGER_ACTIONS_MAX + 1];
        TriggerAction action;
        size_t n = 0;

        while (trigger_next_action(&f->machine, &action))
                text[n++] = "ocsxp"[action]; /* open, check, start, close, stamp */
        text[n] = '\0';
        return text;
}

static Usec due_in(const Fixture *f) {
        Usec due = trigger_due(&f->machine, &f->facts);

        return due == USEC_INFINITY ? due : due - min_of(due, f->facts.now);
}

/* Its unit runs for a time, and ends. */
static void run_unit(Fixture *f, Usec span) {
        f->facts.unit_active = f->facts.now;
        trigger_unit_changed(&f->machine, false, false, &f->facts);
        pass(f, span);
        f->facts.unit_inactive = f->facts.now;
        trigger_unit_changed(&f->machine, true, false, &f->facts);
}

static void end(Fixture *f) {
        trigger_options_deinit(&f->options);
}

static void test_a_timer_first_waits_then_repeats(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "backup.timer", "[Timer]\nOnActiveSec=5s\nOnUnitActiveSec=1min\n");
        trigger_start(&f.machine, 0, &f.facts);
        assert_int_equal(f.machine.state, TRIGGER_WAITING);
        assert_int_equal(due_in(&f), 5 * SEC);
        pass(&f, 5 * SEC - 1);
        trigger_deadline(&f.machine, &f.facts);
        assert_int_equal(f.machine.state, TRIGGER_WAITING);
        pass(&f, 1);
        trigger_deadline(&f.machine, &f.facts);
        assert_string_equal(actions(&f), "s");
        assert_int_equal(f.machine.state, TRIGGER_RUNNING);
        assert_int_equal(due_in(&f), USEC_INFINITY);
        run_unit(&f, 10 * SEC);
        assert_int_equal(f.machine.state, TRIGGER_WAITING);
        assert_int_equal(due_in(&f), 50 * SEC); /* since it began */
        end(&f);
}

static void test_a_timer_that_is_through(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "once.timer", "[Timer]\nOnActiveSec=1s\nRemainAfterElapse=no\n");
        trigger_start(&f.machine, 0, &f.facts);
        pass(&f, SEC);
        trigger_deadline(&f.machine, &f.facts);
        run_unit(&f, SEC);
        assert_int_equal(f.machine.state, TRIGGER_DEAD);
        end(&f);
        begin(&f, "once.timer", "[Timer]\nOnActiveSec=1s\n");
        trigger_start(&f.machine, 0, &f.facts);
        pass(&f, SEC);
        trigger_deadline(&f.machine, &f.facts);
        run_unit(&f, SEC);
        assert_int_equal(f.machine.state, TRIGGER_ELAPSED);
        end(&f);
}

static void test_spans_since_boot_and_since_the_units_end(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.timer", "[Timer]\nOnBootSec=2000s\nOnStartupSec=200s\nOnUnitInactiveSec=30s\n");
        trigger_start(&f.machine, 0, &f.facts);
        assert_int_equal(due_in(&f), 100 * SEC);
        f.facts.unit_inactive = f.facts.now;
        trigger_unit_changed(&f.machine, true, false, &f.facts);
        assert_int_equal(due_in(&f), 30 * SEC);
        end(&f);
        begin(&f, "x.timer", "[Timer]\nOnBootSec=1s\n"); /* long past: at once */
        trigger_start(&f.machine, 0, &f.facts);
        assert_int_equal(due_in(&f), 0);
        end(&f);
}

static void test_the_calendar_and_a_wall_clock_that_jumps(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.timer", "[Timer]\nOnCalendar=*-*-* 06:00 UTC\n"); /* it is 05:00 */
        trigger_start(&f.machine, 0, &f.facts);
        assert_int_equal(f.machine.next_wall - f.facts.wall, 3600 * (WallUsec)SEC);
        assert_int_equal(due_in(&f), 60 * SEC); /* looks again */
        f.facts.now += 60 * SEC;
        f.facts.wall += 3600 * (WallUsec)SEC; /* set forth meanwhile */
        trigger_deadline(&f.machine, &f.facts);
        assert_string_equal(actions(&f), "s");
        run_unit(&f, SEC);
        assert_int_equal(f.machine.next_wall - f.facts.wall, (86400 - 1) * (WallUsec)SEC);
        end(&f);
}

static void test_a_persistent_timer_makes_up_for_what_it_missed(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.timer", "[Timer]\nOnCalendar=daily\nPersistent=yes\n");
        trigger_start(&f.machine, 0, &f.facts);
        assert_string_equal(actions(&f), "p"); /* the first time there is nothing to make up for */
        assert_true(due_in(&f) > 0);
        trigger_stop(&f.machine);
        (void)actions(&f);
        trigger_start(&f.machine, f.facts.wall - 2 * 86400 * (WallUsec)SEC, &f.facts);
        assert_int_equal(due_in(&f), 0);
        trigger_deadline(&f.machine, &f.facts);
        assert_string_equal(actions(&f), "sp");
        end(&f);
}

static void test_a_random_delay_stays_within_its_bound(void **state) {
        Fixture f;
        Usec least = USEC_INFINITY, most = 0;

        (void)state;
        begin(&f, "x.timer", "[Timer]\nOnActiveSec=10s\nRandomizedDelaySec=5s\n");
        for (int i = 0; i < 200; i++) {
                trigger_start(&f.machine, 0, &f.facts);
                least = min_of(least, due_in(&f));
                most = max_of(most, due_in(&f));
                trigger_stop(&f.machine);
                (void)actions(&f);
        }
        assert_in_range(least, 10 * SEC, 11 * SEC);
        assert_in_range(most, 14 * SEC, 15 * SEC);
        end(&f);
}

static void test_a_socket_listens_again_when_its_service_ends(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.socket", "[Socket]\nListenStream=80\n");
        trigger_start(&f.machine, 0, &f.facts);
        assert_string_equal(actions(&f), "o");
        trigger_opened(&f.machine, true);
        assert_string_equal(trigger_state_to_string(TRIGGER_SOCKET, f.machine.state), "listening");
        trigger_fired(&f.machine, &f.facts);
        assert_string_equal(actions(&f), "s");
        run_unit(&f, SEC);
        assert_int_equal(f.machine.state, TRIGGER_WAITING);
        trigger_stop(&f.machine);
        assert_string_equal(actions(&f), "x");
        end(&f);
}

static void test_what_cannot_be_opened_or_started_has_failed(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.socket", "[Socket]\nListenStream=80\n");
        trigger_start(&f.machine, 0, &f.facts);
        trigger_opened(&f.machine, false);
        assert_int_equal(f.machine.state, TRIGGER_FAILED);
        trigger_start(&f.machine, 0, &f.facts);
        trigger_opened(&f.machine, true);
        trigger_fired(&f.machine, &f.facts);
        trigger_cannot_start(&f.machine);
        assert_int_equal(f.machine.state, TRIGGER_FAILED);
        assert_int_equal(f.machine.result, TRIGGER_RESULT_RESOURCES);
        end(&f);
}

static void test_a_service_that_never_takes_the_socket_ends_it(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.socket", "[Socket]\nListenStream=80\n");
        trigger_start(&f.machine, 0, &f.facts);
        trigger_opened(&f.machine, true);
        for (int i = 0; i < 20; i++) {
                trigger_fired(&f.machine, &f.facts);
                assert_int_equal(f.machine.state, TRIGGER_RUNNING);
                run_unit(&f, 1);
                (void)actions(&f);
        }
        trigger_fired(&f.machine, &f.facts);
        assert_string_equal(trigger_result_to_string(TRIGGER_SOCKET, f.machine.result), "trigger-limit-hit");
        (void)actions(&f);
        trigger_start(&f.machine, 0, &f.facts);
        trigger_opened(&f.machine, true);
        trigger_fired(&f.machine, &f.facts);
        trigger_unit_changed(&f.machine, true, true, &f.facts);
        assert_string_equal(trigger_result_to_string(TRIGGER_SOCKET, f.machine.result), "service-start-limit-hit");
        end(&f);
}

static void test_a_path_is_looked_at_again_after_each_run(void **state) {
        Fixture f;

        (void)state;
        begin(&f, "x.path", "[Path]\nPathExists=/a\n");
        trigger_start(&f.machine, 0, &f.facts);
        trigger_opened(&f.machine, true);
        assert_string_equal(actions(&f), "oc");
        trigger_fired(&f.machine, &f.facts);
        assert_string_equal(actions(&f), "s");
        run_unit(&f, SEC);
        assert_string_equal(actions(&f), "c");
        end(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_timer_first_waits_then_repeats),
                cmocka_unit_test(test_a_timer_that_is_through),
                cmocka_unit_test(test_spans_since_boot_and_since_the_units_end),
                cmocka_unit_test(test_the_calendar_and_a_wall_clock_that_jumps),
                cmocka_unit_test(test_a_persistent_timer_makes_up_for_what_it_missed),
                cmocka_unit_test(test_a_random_delay_stays_within_its_bound),
                cmocka_unit_test(test_a_socket_listens_again_when_its_service_ends),
                cmocka_unit_test(test_what_cannot_be_opened_or_started_has_failed),
                cmocka_unit_test(test_a_service_that_never_takes_the_socket_ends_it),
                cmocka_unit_test(test_a_path_is_looked_at_again_after_each_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
