#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/unit/lint.h"

/* All findings below each other, as people see them. */
static char *lint(const char *name, const char *text) {
        _cleanup_lint_report_ LintReport report = {0};
        _cleanup_buffer_ Buffer out = BUFFER_INIT;

        assert_int_equal(lint_unit(name, slice_from(text), NULL, &report), 0);
        for (size_t i = 0; i < report.length; i++)
                if (report.items[i].severity != LINT_NOTE)
                        assert_int_equal(lint_finding_write(&report.items[i], name, slice_from(text), &out), 0);
        return buffer_length(&out) ? buffer_steal_string(&out, NULL) : strdup("");
}

#define EXEC "[Service]\nExecStart=/bin/true\n"

static void test_findings_stand_at_their_place(void **state) {
        static const struct {
                const char *name, *text, *found;
        } cases[] = {
                {"a.service", EXEC, ""},
                {"a.service", "[Unit]\nAftr=b.service\n" EXEC,
                 "a.service:2:1: warning: Aftr= is not known in [Unit], and has no effect; did you mean After=?\n"
                 "        Aftr=b.service\n        ^~~~\n"},
                {"a.service", EXEC "restart=always\n",
                 "a.service:3:1: warning: restart= in [Service] has no effect; did you mean Restart=?\n"
                 "        restart=always\n        ^~~~~~~\n"},
                {"a.service", EXEC "\tRestart=alway\n",
                 "a.service:3:10: warning: Restart=alway is not known, and systemd passes over it; did you mean "
                 "always?\n"
                 "        \tRestart=alway\n        \t        ^~~~~\n"},
                {"a.service", EXEC "WantedBy=multi-user.target\n",
                 "a.service:3:1: warning: WantedBy= has no effect in [Service]: it belongs to [Install]\n"
                 "        WantedBy=multi-user.target\n        ^~~~~~~~\n"},
                {"a.service", "[Servce]\nExecStart=/bin/true\n",
                 "a.service: error: the service has neither ExecStart= nor ExecStop=: no service manager runs it\n"
                 "a.service:1:1: warning: section [Servce] is not known and has no effect; did you mean [Service]?\n"
                 "        [Servce]\n        ^~~~~~~~\n"},
                {"a.service", EXEC "[X-Flet]\nGlobal=true\n",
                 "a.service:3:1: warning: section [X-Flet] is not known and has no effect; did you mean [X-Fleet]?\n"
                 "        [X-Flet]\n        ^~~~~~~~\n"},
                {"a.service", EXEC "[X-Other]\nwhat=ever\n", ""},
                {"a.service", EXEC "[X-Fleet]\nMachineMetdata=a=b\n",
                 "a.service:4:1: warning: MachineMetdata= is no key of [X-Fleet], and has no effect; did you mean "
                 "MachineMetadata=?\n"
                 "        MachineMetdata=a=b\n        ^~~~~~~~~~~~~~\n"},
                {"a.service", EXEC "[X-Fleet]\nOnPartition=stp\n",
                 "a.service:4:13: error: OnPartition=stp: expected keep or stop; did you mean stop?\n"
                 "        OnPartition=stp\n                    ^~~\n"},
                {"a.service", EXEC "[X-Fleet]\nGlobal=treu\n",
                 "a.service:4:8: warning: Global=treu: this is read as false; did you mean true?\n"
                 "        Global=treu\n               ^~~~\n"},
                {"a.service", EXEC "[X-Fleet]\nMemory=much\n",
                 "a.service:4:8: error: Memory=much: expected an amount as 512M, 2G or 10%\n"
                 "        Memory=much\n               ^~~~\n"},
                {"a.service", EXEC "[X-Fleet]\nMachineMetadata=zone\n",
                 "a.service:4:17: warning: MachineMetadata=zone: this is no key=value, and is passed over\n"
                 "        MachineMetadata=zone\n                        ^~~~\n"},
                {"a.service", EXEC "[X-Fleet]\nMachineID=1\nGlobal=true\n",
                 "a.service:5:1: error: MachineID cannot be used with Global\n"
                 "        Global=true\n        ^~~~~~\n"},
                {"a.service", EXEC "RestartSec=5 secnds\nRemainAfterExit=si\n",
                 "a.service:3:12: warning: RestartSec= is passed over by systemd: expected a time span such as 5s, "
                 "1min 30s or infinity\n"
                 "        RestartSec=5 secnds\n                   ^~~~~~~~\n"
                 "a.service:4:17: warning: RemainAfterExit= is passed over by systemd: expected yes or no\n"
                 "        RemainAfterExit=si\n                        ^~\n"},
                {"a.service", EXEC "RestartSec=5min 2s\nKillSignal=SIGINT\nTimeoutSec=%i\nMemoryMax=10%\n", ""},
                {"a.service", "[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
                 "a.service:3:1: error: several ExecStart= are refused, but for Type=oneshot\n"
                 "        ExecStart=/bin/b\n        ^~~~~~~~~\n"},
                {"a.service", "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=/bin/b\n", ""},
                {"a.timer", "[Timer]\nOnCalender=daily\n",
                 "a.timer:1:1: error: the timer has no time: systemd refuses it\n        [Timer]\n        ^~~~~~~\n"
                 "a.timer:2:1: warning: OnCalender= is not known in [Timer], and has no effect; did you mean "
                 "OnCalendar=?\n"
                 "        OnCalender=daily\n        ^~~~~~~~~~\n"},
                {"a.bad", EXEC, "a.bad: error: invalid unit type: \"bad\"\n"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *found = lint(cases[i].name, cases[i].text);

                assert_string_equal(found, cases[i].found);
        }
}

static void test_caret_counts_characters(void **state) {
        _cleanup_free_ char *found = lint("a.service", EXEC "[X-Fleet]\nSpread=\xc3\xa4 b c\n");

        (void)state;
        assert_non_null(strstr(found, "a.service:4:8: error"));
        assert_non_null(strstr(found, "\n               ^~"));
}

static void test_text_that_is_none_has_one_error(void **state) {
        _cleanup_lint_report_ LintReport report = {0};
        static const char text[] = "[Unit\nA=b\n";

        (void)state;
        assert_int_equal(lint_unit("a.service", slice_from(text), NULL, &report), 0);
        assert_int_equal(report.length, 1);
        assert_int_equal(report.items[0].severity, LINT_ERROR);
        assert_int_equal(report.items[0].at.line, 1);
}

static void test_keep_is_explained(void **state) {
        _cleanup_lint_report_ LintReport report = {0}, stop = {0};

        (void)state;
        assert_int_equal(lint_unit("a.service", slice_from(EXEC), NULL, &report), 0);
        assert_int_equal(lint_report_count(&report, LINT_NOTE), 1);
        assert_non_null(strstr(report.items[0].text, "OnPartition=keep (the default)"));
        assert_int_equal(lint_unit("a.service", slice_from(EXEC "[X-Fleet]\nOnPartition=stop\n"), NULL, &stop), 0);
        assert_int_equal(stop.length, 0);
}

static void test_findings_have_a_limit(void **state) {
        _cleanup_lint_report_ LintReport report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        (void)buffer_append_string(&text, EXEC);
        for (int i = 0; i < 2 * LINT_FINDINGS_MAX; i++)
                (void)buffer_append_string(&text, "Xyz=1\n");
        assert_int_equal(lint_unit("a.service", slice_from(buffer_string(&text)), NULL, &report), 0);
        assert_int_equal(report.length, LINT_FINDINGS_MAX);
}

static char *read_whole(const char *name) {
        _cleanup_free_ char *path = str_printf(TEST_UNITS "/%s", name);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        FILE *file = fopen(path, "re");
        int c;

        assert_non_null(file);
        while ((c = fgetc(file)) != EOF)
                (void)buffer_append_byte(&text, (char)c);
        (void)fclose(file);
        return buffer_steal_string(&text, NULL);
}

/* None of the units that fleet 1.0 took is in error, but those that it refused. */
static void test_units_of_fleet_have_no_errors(void **state) {
        DIR *folder = opendir(TEST_UNITS);
        const struct dirent *entry;
        size_t seen = 0;

        (void)state;
        assert_non_null(folder);
        while ((entry = readdir(folder))) {
                _cleanup_lint_report_ LintReport report = {0};
                _cleanup_free_ char *text = NULL;

                if (!strrchr(entry->d_name, '.') || entry->d_name[0] == '.' || str_starts_with(entry->d_name, "bad-"))
                        continue;
                text = read_whole(entry->d_name);
                assert_int_equal(lint_unit(entry->d_name, slice_from(text), NULL, &report), 0);
                for (size_t i = 0; i < report.length; i++)
                        if (report.items[i].severity != LINT_NOTE)
                                fail_msg("%s: %s", entry->d_name, report.items[i].text);
                seen++;
        }
        (void)closedir(folder);
        assert_true(seen > 20);
}

/* ---- of a cluster ---- */

static char *lint_there(const char *name, const char *fleet) {
        const LintMachine machines[] = {
                {"11111111aa", (const char *const[]){"zone", "east", "disk", "ssd", NULL}, (uint64_t)1 << 30, 2000},
                {"22222222bb", (const char *const[]){"zone", "west", NULL}, (uint64_t)2 << 30, 4000},
        };
        const LintCluster cluster = {machines, ARRAY_SIZE(machines)};
        _cleanup_free_ char *text = str_printf(EXEC "[X-Fleet]\nOnPartition=stop\n%s\n", fleet);
        _cleanup_lint_report_ LintReport report = {0};
        _cleanup_buffer_ Buffer out = BUFFER_INIT;

        assert_int_equal(lint_unit(name, slice_from(text), &cluster, &report), 0);
        for (size_t i = 0; i < report.length; i++) {
                assert_int_equal(report.items[i].severity, LINT_WARNING);
                (void)buffer_printf(&out, "%u:%u %s\n", report.items[i].at.line, report.items[i].at.column,
                                    report.items[i].text);
        }
        return buffer_length(&out) ? buffer_steal_string(&out, NULL) : strdup("");
}

static void test_placements_that_no_machine_allows(void **state) {
        static const struct {
                const char *name, *fleet, *found;
        } cases[] = {
                {"a.service", "MachineID=11111111\nMachineMetadata=disk=ssd\nMemory=2G\nCPU=4", ""},
                {"a.service", "MachineID=33333333",
                 "5:11 no machine of the cluster has the ID 33333333, or an ID whose first 8 characters these are\n"},
                {"a.service", "MachineMetadata=zone=wests",
                 "5:17 no machine of the cluster has zone=wests; did you mean zone=west?\n"},
                {"a.service", "MachineMetadata=disc=ssd",
                 "5:17 no machine of the cluster has disc=ssd; did you mean disk=ssd?\n"},
                {"a.service", "MachineMetadata=zone=north\nMachineMetadata=zone=west", ""},
                {"a.service", "MachineMetadata=zone=west\nMachineMetadata=disk=ssd",
                 "6:17 no machine of the cluster has all of this metadata\n"},
                {"a.service", "Memory=3G",
                 "5:8 it asks for memory: 3G, and no machine of the cluster has more than 2G\n"},
                {"a.service", "CPU=800%",
                 "5:5 it asks for CPUs: 8.00, and no machine of the cluster has more than 4.00\n"},
                {"a@.service", "MachineMetadata=zone=%i", ""},
                {"a@mars.service", "MachineMetadata=zone=%i", "5:17 no machine of the cluster has zone=mars\n"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *found = lint_there(cases[i].name, cases[i].fleet);

                assert_string_equal(found, cases[i].found);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_findings_stand_at_their_place),
                cmocka_unit_test(test_caret_counts_characters),
                cmocka_unit_test(test_text_that_is_none_has_one_error),
                cmocka_unit_test(test_keep_is_explained),
                cmocka_unit_test(test_findings_have_a_limit),
                cmocka_unit_test(test_units_of_fleet_have_no_errors),
                cmocka_unit_test(test_placements_that_no_machine_allows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
