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
        size_t steps, ready, ended, failed, pending;
} Seen;

static void on_done(void *userdata, const Step *step, int r, const char *result) {
        Seen *seen = userdata;

        (void)step;
        (void)result;
        assert_true(r >= 0);
        assert_int_equal(seen->ready, 0);
        seen->steps++;
}

static void on_ready(void *userdata) {
        ((Seen *)userdata)->ready++;
}

static void on_ended(void *userdata, const Step *step, int r, const char *result) {
        Seen *seen = userdata;

        assert_int_equal(step->kind, STEP_COMMAND);
        assert_int_equal(seen->ready, 1);
        seen->ended++;
        seen->pending += r == UNIT_COMMAND_PENDING;
        if (r == UNIT_COMMAND_FAILED) {
                assert_string_equal(result, "failed: exit-code");
                seen->failed++;
        }
}

static int apply(FakeMachine *machine, const char *user_data, Seen *seen, size_t *ret_done, Error *error) {
        static const ApplyEvents events = {.done = on_done, .ready = on_ready, .ended = on_ended};
        const BootFacts facts = {.hostname = "before", .script_name = "7", .workspace = "/w"};
        _cleanup_boot_plan_ BootPlan plan = {0};
        ApplyCount count;
        int r;

        assert_int_equal(boot_plan_make(&facts, slice_from(user_data), &plan, NULL), 0);
        *seen = (Seen){0};
        r = boot_apply(&plan, &machine->machine, 1000, &events, seen, &count, error);
        if (ret_done)
                *ret_done = count.done;
        return r;
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
                                                             "restart b.service\n"
                                                             "await a.service 1000\n"
                                                             "await b.service 1000\n");
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

static void test_keys_for_nobody_are_found_before_the_first_change(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Error error = ERROR_NONE;
        size_t done;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.no_core = true;
        assert_int_equal(apply(&machine, "#cloud-config\nhostname: h\nssh_authorized_keys: [ssh-rsa A]\n", &seen, &done, &error), -ENOENT);
        assert_non_null(strstr(error.text, "there is no user core to give SSH keys to; make it with users:"));
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
        assert_non_null(strstr(buffer_string(&machine.journal), "reload\nstart coreos-cloudinit-7.service\n"));
        assert_int_equal(seen.ended, 0);
}

static void test_units_are_waited_for_only_when_all_are_asked_for(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.slow = "a.service";
        assert_int_equal(apply(&machine, config, &seen, NULL, NULL), 0);
        assert_int_equal(seen.pending, 1);
        assert_int_equal(seen.ended, 2);
        assert_non_null(strstr(buffer_string(&machine.journal),
                               "restart b.service\nawait a.service 1000\nawait b.service 0\n"));
}

static const char users[] = "#cloud-config\n"
                            "ssh_authorized_keys: [' ssh-rsa A a ', ssh-rsa B b]\n"
                            "users:\n"
                            "  - {name: elroy, passwd: $6$x, gecos: 'Elroy \"E\" J', homedir: /h, primary-group: g,\n"
                            "     groups: [docker, sudo], system: true, no-user-group: true, no-log-init: true,\n"
                            "     shell: /bin/sh, no-create-home: true, ssh-authorized-keys: [ssh-rsa C c]}\n"
                            "  - {name: there, passwd: $6$y, gecos: other}\n"
                            "write_files:\n"
                            "  - {path: /a, content: x, owner: elroy, permissions: '4755'}\n";

static const char expected[] = "useradd elroy --comment Elroy \"E\" J --home-dir /h --gid g --shell /bin/sh --groups "
                               "docker,sudo --no-create-home --no-user-group --system --no-log-init\n"
                               "password elroy $6$x\n"
                               "keys elroy coreos-cloudinit ssh-rsa C c\n"
                               "password there $6$y\n"
                               "keys core coreos-cloudinit ssh-rsa A a\nssh-rsa B b\n"
                               "write /a 4755 1001:-1 x\n";

static void test_users_come_before_files_and_may_own_them(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.user = "there";
        assert_int_equal(apply(&machine, users, &seen, NULL, NULL), 0);
        assert_ptr_equal(strstr(buffer_string(&machine.journal), expected), buffer_string(&machine.journal));
}

/* The file's owner is not there, and will not be: nothing is made. */
static void test_looking_does_not_ask_for_users_of_the_plan(void **state) {
        _cleanup_fake_machine_ FakeMachine machine;
        Error error = ERROR_NONE;
        Seen seen;

        (void)state;
        fake_machine_init(&machine);
        machine.machine.looking = true;
        assert_int_equal(apply(&machine, users, &seen, NULL, &error), 0);
        assert_null(strstr(buffer_string(&machine.journal), "write /a"));
        fake_machine_deinit(&machine);
        fake_machine_init(&machine);
        machine.user = "elroy"; /* is there, so it is not made, but owns nothing that the fake knows */
        assert_int_equal(apply(&machine, users, &seen, NULL, &error), -ENOENT);
        assert_string_equal(error.text,
                            "line 9: cannot write /a (1 bytes, mode 4755, owner elroy): there is no user \"elroy\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps_are_done_in_order),
                cmocka_unit_test(test_unknown_owner_changes_nothing),
                cmocka_unit_test(test_keys_for_nobody_are_found_before_the_first_change),
                cmocka_unit_test(test_first_failure_ends_it_and_names_the_step),
                cmocka_unit_test(test_missing_unit_is_an_error),
                cmocka_unit_test(test_failed_job_is_no_error),
                cmocka_unit_test(test_real_file_is_not_unmasked_and_no_error),
                cmocka_unit_test(test_script_is_not_waited_for),
                cmocka_unit_test(test_units_are_waited_for_only_when_all_are_asked_for),
                cmocka_unit_test(test_users_come_before_files_and_may_own_them),
                cmocka_unit_test(test_looking_does_not_ask_for_users_of_the_plan),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
