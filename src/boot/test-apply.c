#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/apply.h"
#include "boot/fake-ops.h"

static const char config[] = "#cloud-config\n"
                             "hostname: h\n"
                             "write_files:\n"
                             "  - {path: /a, content: one, owner: core}\n"
                             "  - {path: /b, content: two}\n"
                             "coreos:\n"
                             "  units:\n"
                             "    - {name: a.service, command: start, mask: true, runtime: true}\n"
                             "    - {name: b.service, command: restart, enable: true}\n";

typedef struct Seen {
        size_t steps, failed;
} Seen;

static void on_done(void *userdata, const Step *step, int r, const char *result) {
        Seen *seen = userdata;

        seen->steps++;
        if (step->kind == STEP_COMMAND && r == UNIT_COMMAND_FAILED) {
                assert_string_equal(result, "failed: exit-code");
                seen->failed++;
        }
}

static int apply(FakeMachine *machine, const char *user_data, Seen *seen, size_t *ret_done, Error *error) {
        static const ApplyEvents events = {.done = on_done};
        const BootFacts facts = {.hostname = "before", .script_name = "7", .workspace = "/w"};
        _cleanup_boot_plan_ BootPlan plan = {0};

        assert_int_equal(boot_plan_make(&facts, slice_from(user_data), &plan, NULL), 0);
        *seen = (Seen){0};
        return boot_apply(&plan, &machine->files, &machine->units, &events, seen, ret_done, error);
}

static void test_steps_are_done_in_order(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        size_t done;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        assert_int_equal(apply(&machine, config, &seen, &done, NULL), 0);
        assert_int_equal(done, seen.steps);
        assert_string_equal(buffer_string(&machine.journal), "hostname h\n"
                                                             "write /a 0644 500:500 one\n"
                                                             "write /b 0644 -1:-1 two\n"
                                                             "mask /run/systemd/system/a.service\n"
                                                             "enable b.service\n"
                                                             "unmask /run/systemd/system/etcd.service\n"
                                                             "unmask /run/systemd/system/etcd2.service\n"
                                                             "unmask /run/systemd/system/fleet.service\n"
                                                             "unmask /run/systemd/system/locksmithd.service\n"
                                                             "reload\n"
                                                             "start a.service\n"
                                                             "restart b.service\n");
}

static void test_unknown_owner_changes_nothing(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Error error = ERROR_NONE;
        size_t done;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        assert_int_equal(apply(&machine,
                               "#cloud-config\nhostname: h\nwrite_files:\n  - {path: /a, owner: nobody-here}\n", &seen,
                               &done, &error),
                         -ENOENT);
        assert_string_equal(error.text, "line 4: owner of /a: there is no user \"nobody-here\"");
        assert_int_equal(done, 0);
        assert_int_equal(buffer_length(&machine.journal), 0);
}

static void test_first_failure_ends_it_and_names_the_step(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Error error = ERROR_NONE;
        size_t done;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.unwritable = "/b";
        assert_int_equal(apply(&machine, config, &seen, &done, &error), -EROFS);
        assert_int_equal(done, 2);
        assert_string_equal(error.text,
                            "line 5: cannot write /b (3 bytes, mode 0644): cannot write /b: Read-only file system");
        assert_string_equal(buffer_string(&machine.journal), "hostname h\nwrite /a 0644 500:500 one\n");
}

/* Recorded case 42: later commands are not run. */
static void test_missing_unit_is_an_error(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Error error = ERROR_NONE;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.missing = "a.service";
        assert_int_equal(apply(&machine, config, &seen, NULL, &error), -ENOENT);
        assert_string_equal(error.text, "line 8: cannot start a.service: Unit a.service not found.");
        assert_null(strstr(buffer_string(&machine.journal), "restart b.service"));
}

static void test_failed_job_is_no_error(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.failing = "a.service";
        assert_int_equal(apply(&machine, config, &seen, NULL, NULL), 0);
        assert_int_equal(seen.failed, 1);
        assert_non_null(strstr(buffer_string(&machine.journal), "restart b.service"));
}

static void test_real_file_is_not_unmasked_and_no_error(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.not_masked = "/run/systemd/system/etcd2.service";
        assert_int_equal(apply(&machine, "", &seen, NULL, NULL), 0);
        assert_int_equal(seen.steps, 4);
}

static void test_script_is_not_waited_for(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        assert_int_equal(apply(&machine, "#!/bin/sh\n", &seen, NULL, NULL), 0);
        assert_non_null(strstr(buffer_string(&machine.journal), "reload\nstart coreos-cloudinit-7.service nowait\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps_are_done_in_order),
                cmocka_unit_test(test_unknown_owner_changes_nothing),
                cmocka_unit_test(test_first_failure_ends_it_and_names_the_step),
                cmocka_unit_test(test_missing_unit_is_an_error),
                cmocka_unit_test(test_failed_job_is_no_error),
                cmocka_unit_test(test_real_file_is_not_unmasked_and_no_error),
                cmocka_unit_test(test_script_is_not_waited_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
