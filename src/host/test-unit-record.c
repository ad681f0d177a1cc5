#include "host/unit-record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <cmocka.h>

static Slice whole(Buffer *buffer) {
        return (Slice){buffer_data(buffer), buffer_length(buffer)};
}

static void test_what_was_written_is_read(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT, again = BUFFER_INIT;
        UnitRecord written = {
                .boot = "b",
                .run = "0123",
                .start_asked = true,
                .listener = "echo.socket",
                .active = "active",
                .since = 1700000000000000,
                .text = "two words\nand a line",
                .main_pid = 4711,
                .control_list = UNIT_RECORD_STOP_POST,
                .service = {.state = SERVICE_STOP_POST,
                            .result = SERVICE_RESULT_SIGNAL,
                            .main_alive = true,
                            .deadline = USEC_INFINITY},
                .trigger = {.state = TRIGGER_ELAPSED, .next = 17},
                .shims = {3, 99},
                .n_shims = 2,
                .sessions = {4711},
                .n_sessions = 1,
        };
        UnitRecord read;

        (void)state;
        assert_int_equal(unit_record_write(&written, &text), 0);
        assert_int_equal(unit_record_read(whole(&text), &read, NULL), 0);
        assert_int_equal(unit_record_write(&read, &again), 0);
        assert_string_equal(buffer_string(&again), buffer_string(&text));
        assert_string_equal(read.text, "two words and a line");
        assert_int_equal(read.service.state, SERVICE_STOP_POST);
        assert_int_equal(read.service.result, SERVICE_RESULT_SIGNAL);
        assert_true(read.service.deadline == USEC_INFINITY && read.service.main_alive && read.start_asked);
        assert_int_equal(read.control_list, UNIT_RECORD_STOP_POST);
        assert_int_equal(read.trigger.state, TRIGGER_ELAPSED);
        assert_int_equal(read.main_pid, 4711);
        assert_true(read.n_shims == 2 && read.shims[1] == 99 && read.n_sessions == 1);
}

static void test_a_torn_one_is_told(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        UnitRecord record = {.run = "0123", .main_pid = 4711};
        Error error;

        (void)state;
        assert_int_equal(unit_record_write(&record, &text), 0);
        for (size_t length = 0; length + 1 < buffer_length(&text); length++) {
                assert_int_equal(unit_record_read((Slice){buffer_data(&text), length}, &record, &error), -EBADMSG);
                assert_true(*error.text != '\0');
        }
}

static void test_what_no_supervisor_wrote_is_refused(void **state) {
        static const char *const bad[] = {
                "",
                "faering-unit 2\nend\n",
                "faering-unit 1\nmain -1\nend\n",
                "faering-unit 1\nmain 99999999999\nend\n",
                "faering-unit 1\nservice flying\nend\n",
                "faering-unit 1\nasked no\nend\n",
                "faering-unit 1\nshim\nend\n",
                "faering-unit 1\ncolour blue\nend\n",
                "faering-unit 1\nrun 0123456789abcdef0123456789abcdef0\nend\n",
                ("faering-unit 1\nshim 1\nshim 2\nshim 3\nshim 4\nshim 5\nshim 6\nshim 7\nshim 8\nshim 9\nshim 10\nshim "
                 "11\nshim 12\nshim 13\nshim 14\nshim 15\nshim 16\nshim 17\nend\n"),
        };
        UnitRecord record;
        Error error;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(unit_record_read(slice_from(bad[i]), &record, &error), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_written_is_read),
                cmocka_unit_test(test_a_torn_one_is_told),
                cmocka_unit_test(test_what_no_supervisor_wrote_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
