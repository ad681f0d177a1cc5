#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "host/service-state.h"

#define SECOND USEC_PER_SEC

/* A machine whose processes are imagined: actions are written down as words. */
typedef struct Fixture {
        ServiceOptions options;
        ServiceMachine machine;
        char told[256];
} Fixture;

static void note(Fixture *f, const char *word) {
        size_t length = strlen(f->told);

        assert_true(length + strlen(word) + 2 < sizeof(f->told));
        if (length > 0)
                f->told[length++] = ' ';
        memcpy(f->told + length, word, strlen(word) + 1);
}

static const char *list_name(const Fixture *f, const ExecCommandList *list) {
        const ServiceOptions *o = &f->options;

        return list == &o->start_pre    ? "pre"
               : list == &o->start      ? "start"
               : list == &o->start_post ? "post"
               : list == &o->reload     ? "reload"
               : list == &o->stop       ? "stop"
                                        : "stop-post";
}

/* Carries out the actions, and gives what they were since the last call. */
static const char *actions(Fixture *f) {
        ServiceAction action;

        f->told[0] = '\0';
        while (service_next_action(&f->machine, &action))
                switch (action.kind) {
                case SERVICE_ACTION_SPAWN_MAIN:
                        note(f, "main");
                        service_group_populated(&f->machine);
                        break;
                case SERVICE_ACTION_SPAWN_CONTROL:
                        note(f, list_name(f, action.list));
                        service_group_populated(&f->machine);
                        break;
                case SERVICE_ACTION_SIGNAL:
                        note(f, action.signal == SIGKILL ? "kill" : action.signal == SIGABRT ? "abort" : "term");
                        service_signalled(&f->machine, !f->machine.group_empty, 0);
                        break;
                case SERVICE_ACTION_KILL_CONTROL:
                        note(f, "kill-control");
                        break;
                case SERVICE_ACTION_FIND_MAIN:
                        note(f, "find");
                        break;
                case SERVICE_ACTION_CLEAN_UP:
                        note(f, "clean");
                        break;
                }
        return f->told;
}

static Fixture *begin(void **state, const char *text) {
        _cleanup_unitfile_ UnitFile file = {0};
        Fixture *f = *state;
        Error error = ERROR_NONE;

        if (unitfile_parse(&file, slice_from(text), NULL, &error) < 0 ||
            service_options_read(&file, NULL, &f->options, &error) < 0)
                fail_msg("%s", error.text);
        service_machine_init(&f->machine, &f->options);
        return f;
}

static int setup(void **state) {
        *state = calloc(1, sizeof(Fixture));
        return *state ? 0 : -1;
}

static int teardown(void **state) {
        service_options_deinit(&((Fixture *)*state)->options);
        free(*state);
        return 0;
}

#define ASSERT_STATE(f, word) assert_string_equal(service_state_to_string((f)->machine.state), word)
#define ASSERT_RESULT(f, word) assert_string_equal(service_result_to_string((f)->machine.result), word)

static void main_exits(Fixture *f, int code, int status, Usec now) {
        service_main_exited(&f->machine, code, status, now);
}

static void all_gone(Fixture *f, Usec now) {
        service_group_emptied(&f->machine, now);
}

static void test_simple_runs_and_stops(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\nExecStop=/bin/b\nExecStopPost=/bin/c\n");

        service_start(&f->machine, 0);
        assert_string_equal(actions(f), "main");
        ASSERT_STATE(f, "running");
        service_stop(&f->machine, 0);
        assert_string_equal(actions(f), "stop");
        ASSERT_STATE(f, "stop");
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        assert_string_equal(actions(f), "term");
        ASSERT_STATE(f, "stop-sigterm");
        main_exits(f, CLD_KILLED, SIGTERM, 0);
        assert_string_equal(actions(f), "stop-post");
        ASSERT_STATE(f, "stop-post");
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        f->machine.group_empty = true;
        assert_string_equal(actions(f), "term clean");
        ASSERT_STATE(f, "dead");
        ASSERT_RESULT(f, "success");
}

static void test_commands_run_in_order(void **state) {
        Fixture *f =
                begin(state, "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStartPre=-/bin/p\nExecStartPre=/bin/q\n"
                             "ExecStart=/bin/a\nExecStart=/bin/b\nExecStartPost=/bin/c\n");

        service_start(&f->machine, 0);
        assert_string_equal(actions(f), "pre");
        ASSERT_STATE(f, "start-pre");
        service_control_exited(&f->machine, CLD_EXITED, 1, 0); /* its failure is ignored */
        assert_string_equal(actions(f), "pre");
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        assert_string_equal(actions(f), "main");
        ASSERT_STATE(f, "start");
        main_exits(f, CLD_EXITED, 0, 0);
        assert_string_equal(actions(f), "main");
        main_exits(f, CLD_EXITED, 0, 0);
        assert_string_equal(actions(f), "post");
        ASSERT_STATE(f, "start-post");
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        ASSERT_STATE(f, "exited");
}

static void test_failing_pre_command_fails_the_unit(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStartPre=/bin/p\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        f->machine.group_empty = true;
        service_control_exited(&f->machine, CLD_EXITED, 7, 0);
        assert_string_equal(actions(f), "term clean");
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "exit-code");
}

static void test_restart_waits_and_counts(void **state) {
        Fixture *f = begin(
                state, "[Unit]\nStartLimitBurst=2\n[Service]\nExecStart=/bin/a\nRestart=on-failure\nRestartSec=3\n");

        for (int i = 0; i < 2; i++) {
                if (i == 0)
                        service_start(&f->machine, 0);
                assert_string_equal(actions(f), "main");
                f->machine.group_empty = true;
                main_exits(f, CLD_EXITED, 1, (Usec)i * 3 * SECOND);
                assert_string_equal(actions(f), "term term clean");
                ASSERT_STATE(f, "auto-restart");
                assert_int_equal(f->machine.deadline, (Usec)3 * SECOND);
                service_deadline(&f->machine, f->machine.deadline - 1);
                ASSERT_STATE(f, "auto-restart");
                f->machine.deadline = (Usec)(i + 1) * 3 * SECOND;
                service_deadline(&f->machine, f->machine.deadline);
        }
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "start-limit-hit");
        assert_int_equal(f->machine.restarts, 2);
        service_reset_failed(&f->machine);
        ASSERT_STATE(f, "dead");
}

static void test_stop_forbids_restart(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\nRestart=always\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        service_stop(&f->machine, 0);
        (void)actions(f);
        main_exits(f, CLD_EXITED, 1, 0);
        (void)actions(f);
        all_gone(f, 0);
        (void)actions(f);
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "exit-code");
}

static void test_start_while_stopping_starts_again(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        service_stop(&f->machine, 0);
        (void)actions(f);
        service_start(&f->machine, 0);
        ASSERT_STATE(f, "stop-sigterm");
        main_exits(f, CLD_KILLED, SIGTERM, 0);
        assert_string_equal(actions(f), "term"); /* others of the group are left */
        ASSERT_STATE(f, "final-sigterm");
        all_gone(f, 0);
        assert_string_equal(actions(f), "clean main");
        ASSERT_STATE(f, "running");
}

static void test_deadlines_lead_to_sigkill(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\nTimeoutStopSec=5\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        service_stop(&f->machine, 10 * SECOND);
        assert_string_equal(actions(f), "term");
        assert_int_equal(f->machine.deadline, 15 * SECOND);
        service_deadline(&f->machine, 15 * SECOND);
        assert_string_equal(actions(f), "kill");
        ASSERT_STATE(f, "stop-sigkill");
        f->machine.group_empty = true;
        main_exits(f, CLD_KILLED, SIGKILL, 15 * SECOND);
        assert_string_equal(actions(f), "term clean");
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "timeout");
}

static void test_silence_is_ended_with_an_abort(void **state) {
        Fixture *f = begin(state, "[Service]\nType=notify\nExecStart=/bin/a\nWatchdogSec=3\nTimeoutStopSec=5\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        service_notified_alive(&f->machine, 0);
        assert_int_equal(f->machine.watchdog_deadline, USEC_INFINITY); /* it has yet to say that it is ready */
        service_notified_ready(&f->machine, 10 * SECOND);
        assert_int_equal(service_due(&f->machine), 13 * SECOND);
        service_notified_alive(&f->machine, 12 * SECOND);
        assert_int_equal(service_due(&f->machine), 15 * SECOND);
        service_notified_watchdog(&f->machine, 9 * SECOND, 12 * SECOND);
        assert_int_equal(service_due(&f->machine), 21 * SECOND);
        service_deadline(&f->machine, 21 * SECOND - 1);
        assert_string_equal(actions(f), "");
        service_deadline(&f->machine, 21 * SECOND);
        assert_string_equal(actions(f), "abort");
        ASSERT_STATE(f, "stop-watchdog");
        assert_int_equal(service_due(&f->machine), 26 * SECOND);
        service_deadline(&f->machine, 26 * SECOND);
        assert_string_equal(actions(f), "kill");
        f->machine.group_empty = true;
        main_exits(f, CLD_KILLED, SIGKILL, 26 * SECOND);
        assert_string_equal(actions(f), "term clean");
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "watchdog");
}

/* systemd.service(5), the row "Watchdog" of the table of Restart=. */
static void test_whom_the_watchdog_starts_again(void **state) {
        static const struct {
                const char *restart;
                bool again;
        } rows[] = {{"no", false},        {"always", true},      {"on-success", false}, {"on-failure", true},
                    {"on-abnormal", true}, {"on-abort", false}, {"on-watchdog", true}};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char text[128];
                Fixture *f;

                (void)snprintf(text, sizeof(text), "[Service]\nExecStart=/bin/a\nWatchdogSec=3\nRestart=%s\n", rows[i].restart);
                service_options_deinit(&((Fixture *)*state)->options);
                f = begin(state, text);
                service_start(&f->machine, 0);
                (void)actions(f);
                service_notified_unwell(&f->machine, SECOND); /* WATCHDOG=trigger */
                assert_string_equal(actions(f), "abort");
                f->machine.group_empty = true;
                main_exits(f, CLD_DUMPED, SIGABRT, SECOND);
                (void)actions(f);
                ASSERT_STATE(f, rows[i].again ? "auto-restart" : "failed");
                ASSERT_RESULT(f, "watchdog");
        }
}

static void test_more_time_can_be_asked_for(void **state) {
        Fixture *f = begin(state, "[Service]\nType=notify\nExecStart=/bin/a\nTimeoutStartSec=5\nWatchdogSec=3\n");

        service_notified_extend(&f->machine, 9 * SECOND, 0); /* at rest it means nothing */
        assert_int_equal(service_due(&f->machine), USEC_INFINITY);
        service_start(&f->machine, 0);
        (void)actions(f);
        service_notified_extend(&f->machine, 2 * SECOND, SECOND);
        assert_int_equal(service_due(&f->machine), 5 * SECOND); /* never less */
        service_notified_extend(&f->machine, 9 * SECOND, 4 * SECOND);
        assert_int_equal(service_due(&f->machine), 13 * SECOND);
        service_notified_ready(&f->machine, 12 * SECOND);
        service_notified_extend(&f->machine, 9 * SECOND, 13 * SECOND);
        assert_int_equal(service_due(&f->machine), 22 * SECOND); /* the watchdog waits, too */
}

static void test_notify_waits_for_ready(void **state) {
        Fixture *f = begin(state, "[Service]\nType=notify\nExecStart=/bin/a\nTimeoutStartSec=7\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        ASSERT_STATE(f, "start");
        service_main_executed(&f->machine, 0);
        ASSERT_STATE(f, "start");
        service_notified_ready(&f->machine, 0);
        ASSERT_STATE(f, "running");
}

static void test_notify_that_ends_unready_is_a_protocol_failure(void **state) {
        Fixture *f = begin(state, "[Service]\nType=notify\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        f->machine.group_empty = true;
        main_exits(f, CLD_EXITED, 0, 0);
        (void)actions(f);
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "protocol");
}

static void test_forking_runs_by_its_main_process(void **state) {
        Fixture *f = begin(state, "[Service]\nType=forking\nPIDFile=/run/a.pid\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        assert_string_equal(actions(f), "start");
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        assert_string_equal(actions(f), "find");
        service_main_found(&f->machine, false, 0);
        ASSERT_STATE(f, "start");
        assert_true(f->machine.waits_for_pid_file);
        service_main_found(&f->machine, true, 0);
        ASSERT_STATE(f, "running");
        main_exits(f, CLD_EXITED, 0, 0);
        (void)actions(f);
        all_gone(f, 0);
        (void)actions(f);
        ASSERT_STATE(f, "dead");
}

static void test_forking_without_a_main_process_runs_by_its_group(void **state) {
        Fixture *f = begin(state, "[Service]\nType=forking\nGuessMainPID=no\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        service_control_exited(&f->machine, CLD_EXITED, 0, 0);
        (void)actions(f);
        service_main_found(&f->machine, false, 0);
        ASSERT_STATE(f, "running");
        all_gone(f, 0);
        (void)actions(f);
        ASSERT_STATE(f, "dead");
}

static void test_exec_waits_for_the_program(void **state) {
        Fixture *f = begin(state, "[Service]\nType=exec\nExecStart=/bin/a\n");

        service_start(&f->machine, 0);
        (void)actions(f);
        ASSERT_STATE(f, "start");
        service_main_executed(&f->machine, 0);
        ASSERT_STATE(f, "running");
}

static void test_mixed_kills_the_others_in_the_end(void **state) {
        Fixture *f = begin(state, "[Service]\nKillMode=mixed\nExecStart=/bin/a\n");
        ServiceAction action;

        service_start(&f->machine, 0);
        (void)actions(f);
        service_stop(&f->machine, 0);
        (void)actions(f);
        main_exits(f, CLD_KILLED, SIGTERM, 0);
        assert_true(service_next_action(&f->machine, &action));
        assert_false(action.hard);
        service_signalled(&f->machine, false, 0); /* no main process is left to wait for */
        assert_true(service_next_action(&f->machine, &action));
        assert_true(action.hard);
        ASSERT_STATE(f, "final-sigkill");
        all_gone(f, 0);
        ASSERT_STATE(f, "dead");
}

/* Its end was seen before it was told that it got the signal: nobody would tell of it again. */
static void test_a_process_that_ends_while_it_is_signalled_is_not_waited_for(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\n");
        ServiceAction action;

        service_start(&f->machine, 0);
        (void)actions(f);
        main_exits(f, CLD_KILLED, SIGABRT, 0); /* another process of the group is left */
        while (service_next_action(&f->machine, &action) && action.kind != SERVICE_ACTION_SIGNAL)
                ;
        ASSERT_STATE(f, "stop-sigterm");
        f->machine.group_empty = true;
        service_signalled(&f->machine, true, 0);
        ASSERT_STATE(f, "final-sigterm");
        assert_true(service_next_action(&f->machine, &action));
        service_signalled(&f->machine, true, 0);
        ASSERT_STATE(f, "failed");
}

static void test_reload_and_its_failure(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\nExecReload=/bin/r\n");

        assert_false(service_reload(&f->machine, 0));
        service_start(&f->machine, 0);
        (void)actions(f);
        assert_true(service_reload(&f->machine, 0));
        assert_string_equal(actions(f), "reload");
        ASSERT_STATE(f, "reload");
        service_control_exited(&f->machine, CLD_EXITED, 1, 0);
        ASSERT_STATE(f, "running");
        assert_true(f->machine.reload_failed);
        ASSERT_RESULT(f, "success");
}

static void test_a_process_that_cannot_be_made_fails_the_unit(void **state) {
        Fixture *f = begin(state, "[Service]\nExecStart=/bin/a\n");
        ServiceAction action;

        service_start(&f->machine, 0);
        assert_true(service_next_action(&f->machine, &action));
        service_spawn_failed(&f->machine, false, 0);
        (void)actions(f);
        ASSERT_STATE(f, "failed");
        ASSERT_RESULT(f, "resources");
}

/* Everything that can happen, in any order: no move outside of the table (asserted within), and every stop ends. */
static void test_any_order_of_events_ends_at_rest(void **state) {
        static const char *const texts[] = {
                "[Service]\nExecStart=/bin/a\nRestart=always\nExecStop=/bin/b\nExecReload=/bin/c\n",
                "[Service]\nType=forking\nExecStart=/bin/a\nPIDFile=/x\nExecStopPost=/bin/a\n",
                "[Service]\nType=notify\nExecStart=/bin/a\nKillMode=mixed\nExecStartPost=/bin/a\n",
                "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/a\nSendSIGKILL=no\n",
                "[Service]\nType=exec\nExecStartPre=/bin/a\nExecStart=-/bin/a\nKillMode=process\nRestart=on-failure\n",
        };
        uint64_t random = 1;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                Fixture *f = begin(state, texts[i]);
                Usec now = 0;

                for (int step = 0; step < 20000; step++) {
                        ServiceMachine *m = &f->machine;

                        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                        now += (random >> 40) % 1000;
                        switch ((random >> 33) % 12) {
                        case 0:
                                service_start(m, now);
                                break;
                        case 1:
                                service_stop(m, now);
                                break;
                        case 2:
                        case 3:
                                if (m->main_alive)
                                        main_exits(f, (random >> 20) & 1 ? CLD_EXITED : CLD_KILLED,
                                                   (int)(random >> 21 & 3), now);
                                break;
                        case 4:
                        case 5:
                                if (m->control_alive)
                                        service_control_exited(m, CLD_EXITED, (int)(random >> 21 & 1), now);
                                break;
                        case 6:
                                if (!m->main_alive && !m->control_alive)
                                        all_gone(f, now);
                                break;
                        case 7:
                                if (service_due(m) != USEC_INFINITY) {
                                        now = max_of(now, service_due(m));
                                        service_deadline(m, now);
                                }
                                break;
                        case 8:
                                (void)service_reload(m, now);
                                break;
                        case 9:
                                service_notified_ready(m, now);
                                break;
                        case 10:
                                if (m->main_alive)
                                        service_main_executed(m, now);
                                break;
                        default:
                                if (m->state == SERVICE_START && !m->control_alive && !m->main_alive)
                                        service_main_found(m, (random >> 20) & 1, now);
                        }
                        (void)actions(f);
                }
                service_stop(&f->machine, now);
                for (int step = 0; step < 20 && !service_at_rest(&f->machine); step++) {
                        (void)actions(f);
                        if (service_due(&f->machine) != USEC_INFINITY)
                                service_deadline(&f->machine, service_due(&f->machine));
                }
                assert_true(service_at_rest(&f->machine));
                service_options_deinit(&f->options);
        }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_simple_runs_and_stops),
                TEST(test_commands_run_in_order),
                TEST(test_failing_pre_command_fails_the_unit),
                TEST(test_restart_waits_and_counts),
                TEST(test_stop_forbids_restart),
                TEST(test_start_while_stopping_starts_again),
                TEST(test_deadlines_lead_to_sigkill),
                TEST(test_silence_is_ended_with_an_abort),
                TEST(test_whom_the_watchdog_starts_again),
                TEST(test_more_time_can_be_asked_for),
                TEST(test_notify_waits_for_ready),
                TEST(test_notify_that_ends_unready_is_a_protocol_failure),
                TEST(test_forking_runs_by_its_main_process),
                TEST(test_forking_without_a_main_process_runs_by_its_group),
                TEST(test_exec_waits_for_the_program),
                TEST(test_mixed_kills_the_others_in_the_end),
                TEST(test_a_process_that_ends_while_it_is_signalled_is_not_waited_for),
                TEST(test_reload_and_its_failure),
                TEST(test_a_process_that_cannot_be_made_fails_the_unit),
                TEST(test_any_order_of_events_ends_at_rest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
