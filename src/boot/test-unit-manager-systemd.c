/* Unit operations on a real systemd. Only where it is asked for: it makes and starts units. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include <cmocka.h>

#include "boot/unit-manager.h"
#include "host/file.h"

#define GOOD "faering-test-boot-good.service"
#define BAD "faering-test-boot-bad.service"
#define FOLDER "/run/systemd/system/"
#define WANTED "/run/systemd/system/multi-user.target.wants/" GOOD

#define WAIT (60 * USEC_PER_SEC)

static int set_up(void **state) {
        UnitManager *manager = NULL;
        Error error = ERROR_NONE;

        assert_int_equal(
                file_replace(FOLDER GOOD, 0644,
                             slice_from("[Service]\nExecStart=/bin/sleep 60\n[Install]\nWantedBy=multi-user.target\n"),
                             false, NULL),
                0);
        assert_int_equal(file_replace(FOLDER BAD, 0644, slice_from("[Service]\nType=oneshot\nExecStart=/bin/false\n"),
                                      false, NULL),
                         0);
        if (systemd_unit_manager_new(&manager, &error) < 0)
                fail_msg("%s", error.text);
        assert_int_equal(manager->ops->reload(manager, NULL), 0);
        *state = manager;
        return 0;
}

static int tear_down(void **state) {
        UnitManager *manager = *state;
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        Usec left = WAIT;

        (void)manager->ops->command(manager, GOOD, "stop", &result, NULL);
        (void)manager->ops->await(manager, GOOD, &left, &result, NULL);
        (void)unlink(WANTED);
        (void)unlink(FOLDER GOOD);
        (void)unlink(FOLDER BAD);
        (void)manager->ops->reload(manager, NULL);
        unit_manager_free(manager);
        return 0;
}

static void command_is(UnitManager *manager, const char *unit, const char *action, int expected_r,
                       const char *expected) {
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        Usec left = WAIT;

        assert_int_equal(manager->ops->command(manager, unit, action, &result, NULL), 0);
        assert_int_equal(buffer_length(&result), 0);
        assert_int_equal(manager->ops->await(manager, unit, &left, &result, NULL), expected_r);
        assert_string_equal(buffer_string(&result), expected);
        assert_true(left > 0 && left < WAIT);
}

static void test_commands_can_be_waited_for(void **state) {
        command_is(*state, GOOD, "start", 0, "done");
        command_is(*state, GOOD, "restart", 0, "done");
        command_is(*state, GOOD, "try-restart", 0, "done");
        command_is(*state, GOOD, "reload-or-restart", 0, "done");
        command_is(*state, GOOD, "reload-or-try-restart", 0, "done");
        command_is(*state, GOOD, "stop", 0, "done");
}

static void test_waiting_has_an_end(void **state) {
        UnitManager *manager = *state;
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        Usec left = 0;

        assert_int_equal(manager->ops->command(manager, GOOD, "start", &result, NULL), 0);
        assert_int_equal(manager->ops->await(manager, GOOD, &left, &result, NULL), UNIT_COMMAND_PENDING);
}

static void test_failed_unit_is_an_outcome(void **state) {
        command_is(*state, BAD, "start", UNIT_COMMAND_FAILED, "failed");
        command_is(*state, BAD, "start", UNIT_COMMAND_FAILED, "failed");
}

static void test_missing_unit_is_an_error(void **state) {
        UnitManager *manager = *state;
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        Error error = ERROR_NONE;

        assert_int_equal(manager->ops->command(manager, "faering-test-no.service", "start", &result, &error), -ENOENT);
        assert_string_equal(error.text, "Unit faering-test-no.service not found.");
        command_is(manager, GOOD, "start", 0, "done");
}

static void test_enabling_makes_links(void **state) {
        UnitManager *manager = *state;

        assert_int_equal(manager->ops->enable(manager, GOOD, true, NULL), 0);
        assert_int_equal(manager->ops->enable(manager, GOOD, true, NULL), BOOT_SAME);
        assert_int_equal(access(WANTED, F_OK), 0);
        assert_true(manager->ops->enable(manager, "faering-test-no.service", true, NULL) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_commands_can_be_waited_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_waiting_has_an_end, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_failed_unit_is_an_outcome, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_missing_unit_is_an_error, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_enabling_makes_links, set_up, tear_down),
        };

        if (!getenv("FAERING_TEST_SYSTEMD") || sd_booted() <= 0) {
                printf("skipped: needs a machine with systemd to try on, and FAERING_TEST_SYSTEMD=1\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
