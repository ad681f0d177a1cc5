#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/service-options.h"

static int read_text(const char *text, ServiceOptions *ret, Error *error) {
        const SpecifierFacts facts = {.unit = "web@7.service", .host_name = "core1"};
        SpecifierSource source = specifier_source(&facts);
        _cleanup_unitfile_ UnitFile file = {0};

        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        return service_options_read(&file, &source, ret, error);
}

static void assert_refused(const char *text, const char *what) {
        ServiceOptions options;
        Error error = ERROR_NONE;

        assert_int_equal(read_text(text, &options, &error), -EINVAL);
        if (!strstr(error.text, what))
                fail_msg("\"%s\" does not say \"%s\"", error.text, what);
}

static void test_defaults(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Service]\nExecStart=/bin/true\n", &options, NULL), 0);
        assert_int_equal(options.type, SERVICE_SIMPLE);
        assert_int_equal(options.timeout_start, 90 * USEC_PER_SEC);
        assert_int_equal(options.timeout_stop, 90 * USEC_PER_SEC);
        assert_int_equal(options.restart, SERVICE_RESTART_NO);
        assert_int_equal(options.kill_signal, SIGTERM);
        assert_int_equal(options.umask, 0022);
        assert_int_equal(options.start_limit_burst, 5);
        assert_true(options.send_sigkill);
        assert_int_equal(options.notes.length, 0);
}

static void test_everything_is_read(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};
        Error error = ERROR_NONE;
        static const char text[] = "[Unit]\n"
                                   "Description=Web %i on %H\n"
                                   "Requires=a.service b.service\nAfter=a.service\nBindsTo=db@%i.service\n"
                                   "StartLimitInterval=0\nStartLimitBurst=9\n"
                                   "[Service]\n"
                                   "Type=notify\nExecStartPre=-/bin/mkdir -p /x\nExecStart=/bin/web --port 80%i\n"
                                   "ExecStop=/bin/kill $MAINPID\nRestart=on-failure\nRestartSec=2\n"
                                   "TimeoutSec=20\nTimeoutStopSec=infinity\n"
                                   "Environment=A=1 \"B=2 3\"\nEnvironmentFile=-/etc/web.%i\nEnvironmentFile=/etc/b\n"
                                   "WorkingDirectory=-~\nUser=core\nUMask=0077\nNice=-5\nOOMScoreAdjust=-900\n"
                                   "LimitNOFILE=1024:65536\nLimitCORE=infinity\nKillMode=mixed\nKillSignal=SIGINT\n"
                                   "SuccessExitStatus=3 TEMPFAIL SIGUSR1\nStandardOutput=append:/var/log/web.%i\n"
                                   "RuntimeDirectory=web web/%i\nRuntimeDirectoryMode=0700\nMemoryLimit=512M\n"
                                   "CPUQuota=150%\n"
                                   "[Install]\nWantedBy=multi-user.target\n[X-Fleet]\nGlobal=true\n";

        (void)state;
        if (read_text(text, &options, &error) < 0)
                fail_msg("%s", error.text);
        assert_int_equal(options.notes.length, 0);
        assert_string_equal(options.description, "Web 7 on core1");
        assert_int_equal(options.requires.length, 2);
        assert_string_equal(options.binds_to.items[0], "db@7.service");
        assert_int_equal(options.start_limit_interval, 0);
        assert_int_equal(options.start_limit_burst, 9);
        assert_int_equal(options.type, SERVICE_NOTIFY);
        assert_true(options.start_pre.items[0].ignore_failure);
        assert_string_equal(options.start.items[0].arguments.items[2], "807");
        assert_int_equal(options.timeout_start, 20 * USEC_PER_SEC);
        assert_int_equal(options.timeout_stop, USEC_INFINITY);
        assert_int_equal(options.restart_delay, 2 * USEC_PER_SEC);
        assert_string_equal(options.environment.items[1], "B=2 3");
        assert_string_equal(options.environment_files.items[0].path, "/etc/web.7");
        assert_true(options.environment_files.items[0].optional);
        assert_false(options.environment_files.items[1].optional);
        assert_string_equal(options.working_directory, "~");
        assert_true(options.working_directory_optional);
        assert_int_equal(options.umask, 0077);
        assert_true(options.nice_set && options.nice == -5);
        assert_true(options.oom_score_adjust_set && options.oom_score_adjust == -900);
        assert_int_equal(options.limits[RLIMIT_NOFILE].hard, 65536);
        assert_true(options.limits[RLIMIT_CORE].soft == VALUE_LIMIT_INFINITY);
        assert_false(options.limits[RLIMIT_CPU].set);
        assert_int_equal(options.kill_signal, SIGINT);
        assert_true(exit_status_set_has_code(&options.success_status, 3));
        assert_true(exit_status_set_has_code(&options.success_status, 75));
        assert_false(exit_status_set_has_code(&options.success_status, 0));
        assert_true(exit_status_set_has_signal(&options.success_status, SIGUSR1));
        assert_int_equal(options.output.kind, SERVICE_STREAM_APPEND);
        assert_string_equal(options.output.path, "/var/log/web.7");
        assert_string_equal(options.runtime_directory.names.items[1], "web/7");
        assert_int_equal(options.runtime_directory.mode, 0700);
        assert_int_equal(options.memory_max, 512 << 20);
        assert_int_equal(options.cpu_quota_permille, 1500);
        assert_string_equal(options.wanted_by.items[0], "multi-user.target");
}

static void test_empty_assignment_resets_lists(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Unit]\nAfter=a.service\nAfter=\nAfter=b.service\n[Service]\n"
                                   "ExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\n"
                                   "Environment=A=1\nEnvironment=\nEnvironmentFile=/a\nEnvironmentFile=\n",
                                   &options, NULL),
                         0);
        assert_int_equal(options.after.length, 1);
        assert_int_equal(options.start.length, 1);
        assert_string_equal(options.start.items[0].path, "/bin/b");
        assert_int_equal(options.environment.length, 0);
        assert_int_equal(options.environment_files.length, 0);
}

static void test_continued_command_line(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Service]\nExecStart=/bin/sh -c \"echo one; \\\n  sleep\"\n", &options, NULL), 0);
        assert_string_equal(options.start.items[0].arguments.items[2], "echo one;    sleep");
}

static void test_what_is_not_understood_is_noted_and_ignored(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Service]\nExecStart=/bin/a\nNice=99\nFoo=1\nRestart=sometimes\n[Bar]\nx=1\n",
                                   &options, NULL),
                         0);
        assert_int_equal(options.notes.length, 4);
        assert_string_equal(options.notes.items[0].text, "section [Bar] is not known here and has no effect");
        assert_int_equal(options.notes.items[1].at.line, 3);
        assert_string_equal(options.notes.items[1].text, "Nice= is ignored: expected a number from -20 to 19");
        assert_int_equal(options.notes.items[2].at.line, 4);
        assert_false(options.nice_set);
}

static void test_the_sandbox_is_one_note(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Service]\nExecStart=/bin/a\nNoNewPrivileges=yes\nProtectSystem=strict\nPrivateTmp=yes\n"
                                   "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n",
                                   &options, NULL),
                         0);
        assert_true(options.no_new_privileges);
        assert_int_equal(options.unenforced.length, 3);
        assert_int_equal(options.notes.length, 1);
        assert_int_equal(options.notes.items[0].at.line, 4);
        assert_string_equal(options.notes.items[0].text, "nothing here enforces the unit's sandbox: ProtectSystem= and the like");
}

static void test_oneshot(void **state) {
        _cleanup_service_options_ ServiceOptions options = {0};

        (void)state;
        assert_int_equal(read_text("[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/b\n", &options, NULL),
                         0);
        assert_int_equal(options.start.length, 2);
        assert_int_equal(options.timeout_start, USEC_INFINITY);
}

static void test_services_that_cannot_run_are_refused(void **state) {
        (void)state;
        assert_refused("[Service]\nRestart=no\n", "no ExecStart=");
        assert_refused("[Service]\nExecStart=/a\nExecStart=/b\n", "oneshot only");
        assert_refused("[Service]\nType=dbus\nExecStart=/a\n", "line 2, column 6: Type=: \"dbus\"");
        assert_refused("[Service]\nExecStart=a/b\n", "line 2, column 11: ExecStart=: neither");
        assert_refused("[Service]\nType=oneshot\nRestart=always\nExecStart=/a\n", "not allowed");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_everything_is_read),
                cmocka_unit_test(test_empty_assignment_resets_lists),
                cmocka_unit_test(test_continued_command_line),
                cmocka_unit_test(test_the_sandbox_is_one_note),
                cmocka_unit_test(test_what_is_not_understood_is_noted_and_ignored),
                cmocka_unit_test(test_oneshot),
                cmocka_unit_test(test_services_that_cannot_run_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
