#include "host/unit-shim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

static UnitShimMessage again(const UnitShimMessage *message, Buffer *text) {
        UnitShimMessage read = {0};

        assert_int_equal(unit_shim_message_write(message, text), 0);
        assert_int_equal(unit_shim_message_read((Slice){buffer_data(text), buffer_length(text)}, &read), 0);
        assert_int_equal(read.kind, message->kind);
        return read;
}

static void test_messages_are_read_as_written(void **state) {
        _cleanup_buffer_ Buffer hello = BUFFER_INIT, bare = BUFFER_INIT, part = BUFFER_INIT, ended = BUFFER_INIT,
                                reap = BUFFER_INIT, end = BUFFER_INIT, note = BUFFER_INIT, unknown = BUFFER_INIT, born = BUFFER_INIT,
                                failed = BUFFER_INIT;
        UnitShimMessage read;

        (void)state;
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_HELLO, .shim = 7, .child = 8, .held = "oe"}, &hello);
        assert_int_equal(read.child, 8);
        assert_string_equal(read.held, "oe");
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_HELLO, .shim = 7}, &bare);
        assert_string_equal(read.held, "");
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_PART, .stream = 'e', .part = slice_from("half a")}, &part);
        assert_true(slice_equals(read.part, slice_from("half a")));
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_ENDED, .end = {9, CLD_KILLED, 15}}, &ended);
        assert_int_equal(read.end.status, 15);
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_REAP, .end.pid = 9}, &reap);
        assert_int_equal(read.end.pid, 9);
        (void)again(&(UnitShimMessage){.kind = UNIT_SHIM_END}, &end);
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_NOTE, .end.pid = 9, .run = slice_from("ab"), .part = slice_from("A=1\nB=2 3")}, &note);
        assert_true(slice_equals(read.run, slice_from("ab")) && slice_equals(read.part, slice_from("A=1\nB=2 3")));
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_NOTE, .end.pid = 9, .run = slice_from(""), .part = slice_from("x")}, &unknown);
        assert_int_equal(read.run.length, 0);
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_BORN, .shim = 7, .child = 8}, &born);
        assert_int_equal(read.child, 8);
        read = again(&(UnitShimMessage){.kind = UNIT_SHIM_FAILED, .failure = ENOENT, .step = 12}, &failed);
        assert_true(read.failure == ENOENT && read.step == 12);
}

static void test_other_packets_are_refused(void **state) {
        static const char *const bad[] = {
                "",         "hello",      "hello 2 7 8 oe", "hello 1 0 8 oe", "hello 1 7 8 ox", "part o",
                "part s x", "ended 9 1",  "ended 9 9 0",    "ended 0 1 0",    "ended 9 1 0 0",  "reap",
                "reap 0",   "reap 9 now", "empty now",      "jump",           "hello 1 7 8"};
        UnitShimMessage read;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(unit_shim_message_read(slice_from(bad[i]), &read), -EBADMSG);
}

static void test_ends_are_read_and_what_is_none_is_passed_over(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        UnitShimEnd ends[2];

        (void)state;
        assert_int_equal(unit_shim_end_write(&(UnitShimEnd){4, CLD_EXITED, 3}, &text), 0);
        assert_int_equal(buffer_append_string(&text, "torn 1\n5 2 9\n6 1 0\n"), 0);
        assert_int_equal(unit_shim_ends_read((Slice){buffer_data(&text), buffer_length(&text)}, ends, 2), 2);
        assert_int_equal(ends[0].status, 3);
        assert_int_equal(ends[1].pid, 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_messages_are_read_as_written),
                cmocka_unit_test(test_other_packets_are_refused),
                cmocka_unit_test(test_ends_are_read_and_what_is_none_is_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
