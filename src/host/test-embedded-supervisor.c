#include "host/test-embedded-machine.h"
#include "host/test-supervisor-list.h"

/* ---- the common list ---- */

static Supervisor *list_open(const SupervisorEvents *events, void *userdata, void **ret_backend) {
        Machine *m = machine_new();

        *ret_backend = m;
        return machine_open(m, events, userdata);
}

static const char *list_unit(void *backend, const char *name, TestBehaviour behaviour) {
        (void)backend;
        (void)name;
        return supervisor_test_unit(behaviour);
}

static Supervisor *list_reopen(void *backend, const SupervisorEvents *events, void *userdata) {
        return machine_open(backend, events, userdata);
}

static void list_turn(void *backend) {
        Machine *m = backend;

        (void)uv_run(&m->loop, UV_RUN_ONCE);
}

static void list_release(void *backend) {
        machine_free(backend);
}


static void test_commands_run_in_order_with_their_environment(void **state) {
        Machine *m = *state;
        char text[512];

        load_in(m, "order.service",
                "[Service]\nType=oneshot\nEnvironment=WORD=one \"TWO=a b\"\n"
                "StandardOutput=append:@/out\nExecStartPre=-/bin/false\n"
                "ExecStartPre=/bin/echo pre ${WORD} $TWO\n"
                "ExecStart=/bin/sh -c 'echo main $$TWO; exit 3'\nSuccessExitStatus=3\n"
                "ExecStopPost=/bin/sh -c 'echo post $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS'\n");
        assert_int_equal(start(m, "order.service", NULL), 0);
        wait_sub(m, "dead");
        assert_string_equal(read_file(m, "out", text, sizeof(text)), "pre one a b\nmain a b\npost success exited 3\n");
        assert_non_null(strstr(m->states, "order:start-pre order:start order:stop-post order:dead"));
}

static void test_environment_files_are_read_at_each_start(void **state) {
        Machine *m = *state;
        _cleanup_free_ char *path = str_printf("%s/env", m->folder);
        char text[256];
        Error error;

        load_in(m, "env.service",
                "[Service]\nType=oneshot\nEnvironment=A=unit\nEnvironmentFile=-@/none\nEnvironmentFile=@/env\n"
                "StandardOutput=append:@/out\nExecStart=/bin/echo ${A} ${B}\n");
        assert_int_equal(start(m, "env.service", &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "EnvironmentFile="));
        assert_int_equal(file_replace(path, 0644, slice_from("A=file\nB='x y'\n"), false, &error), 0);
        assert_int_equal(start(m, "env.service", NULL), 0);
        assert_int_equal(file_replace(path, 0644, slice_from("B=later\n"), false, &error), 0);
        assert_int_equal(start(m, "env.service", NULL), 0);
        assert_string_equal(read_file(m, "out", text, sizeof(text)), "file x y\nunit later\n");
}

static void test_a_missing_program_is_explained(void **state) {
        Machine *m = *state;
        Error error;

        load(m, "gone.service", "[Service]\nType=exec\nExecStart=/nonexistent/program\n");
        assert_int_equal(start(m, "gone.service", &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "gone.service failed (exit-code): executing the program failed for "
                                           "/nonexistent/program: No such file or directory"));
        assert_int_equal(m->last.exit_status, 203);
}

static void test_notify_makes_it_ready_and_tells_its_status(void **state) {
        Machine *m = *state;

        if (access("/usr/bin/systemd-notify", X_OK) < 0) {
                print_message("skipped: there is no systemd-notify\n");
                skip();
        }
        load(m, "note.service", "[Service]\nType=notify\nNotifyAccess=all\n"
                                "ExecStart=/bin/sh -c 'systemd-notify --ready --status=fine; exec sleep 60'\n");
        assert_int_equal(start(m, "note.service", NULL), 0);
        wait_sub(m, "running");
        assert_string_equal(m->last.text, "fine");
        assert_non_null(strstr(m->states, "note:start note:running"));
}

static void test_a_silent_service_is_aborted(void **state) {
        Machine *m = *state;
        char text[128], wanted[64];

        load_in(m, "dog.service",
                "[Service]\nWatchdogSec=200ms\nStandardOutput=append:@/out\n"
                "ExecStart=/bin/sh -c 'echo $$WATCHDOG_USEC $$WATCHDOG_PID $$$$ $${NOTIFY_SOCKET##*/}; exec sleep 60'\n"
                "ExecStopPost=/bin/sh -c 'echo $$SERVICE_RESULT $$EXIT_STATUS $${WATCHDOG_USEC-none}'\n");
        assert_int_equal(start(m, "dog.service", NULL), 0);
        wait_sub(m, "running");
        (void)snprintf(wanted, sizeof(wanted), "200000 %d %d notify\nwatchdog ABRT none\n", m->last.main_pid, m->last.main_pid);
        wait_sub(m, "failed");
        assert_string_equal(m->last.result, "watchdog");
        assert_non_null(strstr(m->last.text, "no sign of life"));
        assert_non_null(strstr(m->states, "dog:running dog:stop-watchdog"));
        assert_string_equal(read_file(m, "out", text, sizeof(text)), wanted);
}

static void test_a_service_sets_its_own_watchdog(void **state) {
        Machine *m = *state;
        _cleanup_free_ char *path = str_printf("%s/lived", m->folder);

        if (access("/usr/bin/systemd-notify", X_OK) < 0) {
                print_message("skipped: there is no systemd-notify\n");
                skip();
        }
        load_in(m, "dog.service", "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=200ms\n"
                                  "ExecStart=/bin/sh -c 'systemd-notify --ready WATCHDOG_USEC=600000000; sleep 0.4; touch @/lived; "
                                  "systemd-notify WATCHDOG=trigger; exec sleep 60'\n");
        assert_int_equal(start(m, "dog.service", NULL), 0);
        wait_sub(m, "failed");
        assert_string_equal(m->last.result, "watchdog");
        assert_int_equal(access(path, F_OK), 0);
}

static void test_forking_finds_its_main_process_by_the_pid_file(void **state) {
        Machine *m = *state;
        char text[64];

        load_in(m, "fork.service",
                "[Service]\nType=forking\nPIDFile=@/pid\n"
                "ExecStart=/bin/sh -c '(sleep 0.05; setsid sleep 60 & echo $$! > @/pid.new; mv @/pid.new @/pid) & exit "
                "0'\n");
        assert_int_equal(start(m, "fork.service", NULL), 0);
        wait_sub(m, "running");
        assert_int_equal(m->last.main_pid, atoi(read_file(m, "pid", text, sizeof(text))));
        while (!is_ours(parent_of(m->last.main_pid))) /* how it ends only its parent is told */
                (void)usleep(1000);
        assert_int_equal(kill(m->last.main_pid, SIGKILL), 0);
        wait_sub(m, "failed");
        assert_string_equal(m->last.result, "signal");
}

static void test_forking_guesses_its_main_process(void **state) {
        Machine *m = *state;

        load(m, "fork.service", "[Service]\nType=forking\nExecStart=/bin/sh -c 'setsid sleep 60 & exit 0'\n");
        assert_int_equal(start(m, "fork.service", NULL), 0);
        wait_sub(m, "running");
        assert_true(m->last.main_pid > 0);
        stop(m, "fork.service");
        wait_sub(m, "dead");
}

static void test_a_stop_ends_all_processes_of_the_unit(void **state) {
        Machine *m = *state;
        char text[64];
        pid_t hidden;

        load_in(m, "tree.service",
                "[Service]\nExecStart=/bin/sh -c 'setsid sh -c \"echo \\$$\\$$ > @/hidden; exec sleep 60\" & exec "
                "sleep 60'\n");
        assert_int_equal(start(m, "tree.service", NULL), 0);
        wait_sub(m, "running");
        while ((hidden = (pid_t)atoi(read_file(m, "hidden", text, sizeof(text)))) == 0)
                (void)usleep(1000);
        assert_int_equal(kill(hidden, 0), 0);
        stop(m, "tree.service");
        while (kill(hidden, 0) == 0) /* ended, perhaps not reaped yet */
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
        assert_int_equal(errno, ESRCH);
}

static void test_what_ignores_sigterm_is_killed(void **state) {
        Machine *m = *state;
        char text[64];

        load_in(m, "deaf.service",
                "[Service]\nTimeoutStopSec=100ms\n"
                "ExecStart=/bin/sh -c 'trap \"\" TERM; echo > @/deaf; while :; do sleep 60; done'\n");
        assert_int_equal(start(m, "deaf.service", NULL), 0);
        while (*read_file(m, "deaf", text, sizeof(text)) == '\0')
                (void)usleep(1000);
        stop(m, "deaf.service");
        wait_sub(m, "failed");
        assert_string_equal(m->last.result, "timeout");
        assert_non_null(strstr(m->states, "deaf:stop-sigterm deaf:stop-sigkill"));
}

static void test_a_failing_service_is_restarted_up_to_its_limit(void **state) {
        Machine *m = *state;

        load(m, "loop.service",
             "[Unit]\nStartLimitBurst=3\n[Service]\nRestart=always\nRestartSec=10ms\nExecStart=/bin/false\n");
        (void)start(m, "loop.service", NULL);
        wait_sub(m, "failed");
        assert_string_equal(m->last.result, "start-limit-hit");
        assert_int_equal(m->last.restarts, 3);
        assert_non_null(strstr(m->states, "loop:auto-restart"));
}

static void test_runtime_directories_come_and_go(void **state) {
        Machine *m = *state;
        _cleanup_free_ char *path = str_printf("%s/mine", m->folder);
        struct stat is;

        load(m, "dir.service",
             "[Service]\nRuntimeDirectory=mine\nRuntimeDirectoryMode=0700\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "dir.service", NULL), 0);
        assert_int_equal(stat(path, &is), 0);
        assert_int_equal(is.st_mode & 0777, 0700);
        stop(m, "dir.service");
        assert_int_equal(stat(path, &is), -1);
}

static void test_units_start_in_order_and_stop_together(void **state) {
        Machine *m = *state;

        load(m, "base.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 0.05\n");
        load(m, "side.service",
             "[Unit]\nBindsTo=base.service\nAfter=base.service\n[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "side.service", NULL), 0);
        assert_non_null(strstr(m->states, "base:start base:exited side:running"));
        stop(m, "base.service");
        while (!strstr(m->states, "side:dead"))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
}

static void test_orders_that_contradict_each_other_hold_nobody_up(void **state) {
        Machine *m = *state;

        load(m, "one.service", "[Unit]\nBefore=two.service\nAfter=two.service three.service\nWants=two.service three.service\n"
                               "[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "two.service", "[Unit]\nBefore=three.service\n[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "three.service", "[Unit]\nBefore=two.service\n[Service]\nType=oneshot\nExecStart=/bin/sleep 0.1\n");
        assert_int_equal(start(m, "one.service", NULL), 0);
        assert_int_equal(start(m, "two.service", NULL), 0);
}

static void test_who_waits_starts_when_the_other_is_up_or_is_given_up(void **state) {
        Machine *m = *state;
        Ended first = {0}, second = {0};

        load(m, "slow.service", "[Service]\nType=notify\nExecStart=/bin/sleep 60\n");
        load(m, "quick.service", "[Unit]\nAfter=slow.service\n[Service]\nExecStart=/bin/sleep 60\n");
        supervisor_start(m->supervisor, "slow.service", on_done, &first);
        supervisor_start(m->supervisor, "quick.service", on_done, &second);
        wait_sub(m, "start");
        for (int i = 0; i < 5; i++)
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
        assert_false(second.done);
        supervisor_unload(m->supervisor, "slow.service", NULL, NULL);
        assert_int_equal(wait_end(m, &second), 0);
        assert_int_equal(wait_end(m, &first), -ECANCELED);
}

static void test_requisite_starts_nothing_and_demands_it(void **state) {
        Machine *m = *state;
        Error error;

        load(m, "base.service", "[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "top.service", "[Unit]\nRequisite=base.service\nAfter=base.service\n[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "top.service", &error), -EREMOTEIO);
        assert_string_equal(error.text, "top.service was not started: it requires base.service, which does not run");
        assert_int_equal(start(m, "base.service", NULL), 0);
        assert_int_equal(start(m, "top.service", NULL), 0);
}

static void test_what_conflicts_and_has_an_order_is_gone_first(void **state) {
        static const char *const orders[] = {"After=old.service\n", "Before=old.service\n"};
        Machine *m = *state;

        load(m, "old.service", "[Service]\nExecStart=/bin/sleep 60\nExecStop=/bin/sleep 0.05\n");
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
                char text[128];

                (void)snprintf(text, sizeof(text), "[Unit]\nConflicts=old.service\n%s[Service]\nExecStart=/bin/sleep 60\n", orders[i]);
                load(m, "new.service", text);
                assert_int_equal(start(m, "old.service", NULL), 0);
                m->states[0] = '\0';
                assert_int_equal(start(m, "new.service", NULL), 0);
                assert_string_equal(m->states, "old:stop old:stop-sigterm old:dead new:running ");
                stop(m, "new.service");
        }
}

static void test_what_a_start_pulls_in_does_not_undo_it(void **state) {
        Machine *m = *state;
        SupervisorState now;

        load(m, "top.service", "[Unit]\nWants=middle.service\n[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "middle.service", "[Unit]\nWants=rival.service\n[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "rival.service", "[Unit]\nConflicts=top.service\n[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "top.service", NULL), 0);
        while (!strstr(m->states, "middle:running"))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        assert_int_equal(supervisor_state(m->supervisor, "rival.service", &now), 0);
        assert_string_equal(now.active, "inactive");
        assert_int_equal(supervisor_state(m->supervisor, "top.service", &now), 0);
        assert_string_equal(now.active, "active");
}

static size_t count(const char *text, const char *part) {
        size_t n = 0;

        for (const char *at = text; (at = strstr(at, part)); at++)
                n++;
        return n;
}

/* At once, after a pause, and so on: 625 ms each. */
static void test_what_cannot_be_kept_up_is_not_started_all_the_time(void **state) {
        Machine *m = *state;
        Usec begin = clock_monotonic();

        load(m, "vain.service", "[Service]\nExecStart=/bin/true\n");
        load(m, "keeper.service", "[Unit]\nUpholds=vain.service\n[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "keeper.service", NULL), 0); /* vain.service with it, as by Wants= */
        while (count(m->states, "vain:running") < 4)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        assert_true(clock_monotonic() - begin >= 2 * 625 * USEC_PER_MSEC);
        assert_true(clock_monotonic() - begin < 10 * USEC_PER_SEC);
}

static void test_nothing_is_upheld_at_the_end(void **state) {
        Machine *m = *state;
        SupervisorState now;

        load(m, "main.service", "[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "keeper.service", "[Unit]\nUpholds=main.service\n[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "keeper.service", NULL), 0);
        assert_int_equal(start(m, "main.service", NULL), 0);
        embedded_supervisor_let_fall(m->supervisor);
        stop(m, "main.service");
        for (int i = 0; i < 5; i++)
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
        assert_int_equal(supervisor_state(m->supervisor, "main.service", &now), 0);
        assert_string_equal(now.active, "inactive");
}

static void test_other_types_are_refused_with_the_reason(void **state) {
        static const struct {
                const char *name, *text, *instead;
        } units[] = {
                {"x.mount", "[Mount]\nWhat=/a\nWhere=/x\n", "ExecStart=/bin/mount"},
                {"x.automount", "[Automount]\nWhere=/x\n", "ExecStart=/bin/mount"},
                {"dev-sda.device", "[Unit]\nDescription=a disk\n", "PathExists=/dev/NAME"},
        };
        Machine *m = *state;

        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                Ended ended = {0};

                supervisor_load(m->supervisor, units[i].name, slice_from(units[i].text), "", on_done, &ended);
                assert_int_equal(wait_end(m, &ended), -EOPNOTSUPP);
                assert_non_null(strstr(ended.error.text, units[i].instead));
        }
}

static void test_leftovers_of_a_crash_are_killed_at_the_next_start(void **state) {
        Machine *m = *state;
        char line[512] = "", text[512];
        pid_t crashed;
        int status, pipe_fds[2];

        if (shim) /* then nothing is left over: see test-embedded-adoption.c */
                skip();
        close_supervisor(m);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* what is left comes to us */
        assert_int_equal(pipe(pipe_fds), 0);
        crashed = fork();
        assert_true(crashed >= 0);
        if (crashed == 0) {
                /* a daemon of its own, which ends without a word while its unit runs */
                Machine *other = calloc(1, sizeof(*other));

                (void)snprintf(other->folder, sizeof(other->folder), "%s", m->folder);
                (void)uv_loop_init(&other->loop);
                (void)machine_open(other, &own_events, other);
                load(other, "left.service", "[Service]\nType=exec\nExecStart=/bin/sleep 60\n");
                (void)start(other, "left.service", NULL);
                wait_sub(other, "running");
                (void)dprintf(pipe_fds[1], "%d", other->last.main_pid);
                _exit(0);
        }
        (void)close(pipe_fds[1]);
        assert_int_equal(waitpid(crashed, &status, 0), crashed);
        assert_true(read(pipe_fds[0], line, sizeof(line) - 1) > 0);
        (void)close(pipe_fds[0]);
        assert_int_equal(kill(atoi(line), 0), 0);
        (void)machine_open(m, &own_events, m);
        assert_int_equal(m->leftovers, 1);
        assert_non_null(strstr(read_file(m, "state/logs/left.service.log", text, sizeof(text)), "left behind"));
        assert_int_equal(waitpid(atoi(line), &status, 0), atoi(line));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_commands_run_in_order_with_their_environment),
                TEST(test_environment_files_are_read_at_each_start),
                TEST(test_a_missing_program_is_explained),
                TEST(test_notify_makes_it_ready_and_tells_its_status),
                TEST(test_a_silent_service_is_aborted),
                TEST(test_a_service_sets_its_own_watchdog),
                TEST(test_forking_finds_its_main_process_by_the_pid_file),
                TEST(test_forking_guesses_its_main_process),
                TEST(test_a_stop_ends_all_processes_of_the_unit),
                TEST(test_what_ignores_sigterm_is_killed),
                TEST(test_a_failing_service_is_restarted_up_to_its_limit),
                TEST(test_runtime_directories_come_and_go),
                TEST(test_units_start_in_order_and_stop_together),
                TEST(test_orders_that_contradict_each_other_hold_nobody_up),
                TEST(test_who_waits_starts_when_the_other_is_up_or_is_given_up),
                TEST(test_requisite_starts_nothing_and_demands_it),
                TEST(test_what_conflicts_and_has_an_order_is_gone_first),
                TEST(test_what_a_start_pulls_in_does_not_undo_it),
                TEST(test_what_cannot_be_kept_up_is_not_started_all_the_time),
                TEST(test_nothing_is_upheld_at_the_end),
                TEST(test_other_types_are_refused_with_the_reason),
                TEST(test_leftovers_of_a_crash_are_killed_at_the_next_start),
        };
        int failed = 0;

        test_pid = getpid();
        /* where cgroups cannot be written the first rounds are like the others */
        for (int i = 0; i < 4; i++) {
                without_cgroups = i & 1;
                shim = i & 2 ? built_shim() : NULL;
                print_message("%s cgroups, %s shims\n", without_cgroups ? "without" : "with", shim ? "with" : "without");
                failed += run_supervisor_tests(&(TestBackend){list_open, list_unit, list_turn, shim ? list_reopen : NULL, list_release});
                failed += cmocka_run_group_tests(tests, NULL, NULL);
        }
        return failed;
}
