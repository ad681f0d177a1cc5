#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "containers/shim/protocol.h"

static void test_frame_comes_out_as_it_went_in(void **state) {
        _cleanup_buffer_ Buffer input = BUFFER_INIT;
        uint8_t header[SHIM_FRAME_HEADER], type;
        Slice payload;

        (void)state;
        shim_frame_header(header, SHIM_STDERR, 5);
        assert_int_equal(buffer_append(&input, header, 7), 0);
        assert_int_equal(shim_frame_next(&input, &type, &payload), 0);
        (void)buffer_append(&input, header + 7, 1);
        assert_int_equal(shim_frame_next(&input, &type, &payload), 0);
        (void)buffer_append_string(&input, "helloX");
        assert_int_equal(shim_frame_next(&input, &type, &payload), 1);
        assert_int_equal(type, SHIM_STDERR);
        assert_true(slice_equals(payload, slice_from("hello")));
        shim_frame_done(&input, payload);
        assert_int_equal(buffer_length(&input), 1);
}

static void test_too_long_a_frame_is_refused(void **state) {
        _cleanup_buffer_ Buffer input = BUFFER_INIT;
        uint8_t header[SHIM_FRAME_HEADER], type;
        Slice payload;

        (void)state;
        shim_frame_header(header, SHIM_STDIN, SHIM_PAYLOAD_MAX + 1);
        (void)buffer_append(&input, header, sizeof(header));
        assert_int_equal(shim_frame_next(&input, &type, &payload), -EBADMSG);
}

static void test_exit_is_read_back(void **state) {
        static const char *const bad[] = {"", "1", "1 0", "256 0 1", "1 2 3", "1 0 3 4", "a 0 1"};
        const ShimExit written = {.status = 137, .oom = true, .at = 1795329455775985};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        ShimExit read;

        (void)state;
        assert_int_equal(shim_exit_format(&written, &text), 0);
        assert_int_equal(shim_exit_parse((Slice){buffer_data(&text), buffer_length(&text)}, &read), 0);
        assert_int_equal(read.status, 137);
        assert_true(read.oom);
        assert_int_equal(read.at, written.at);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(shim_exit_parse(slice_from(bad[i]), &read), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frame_comes_out_as_it_went_in),
                cmocka_unit_test(test_too_long_a_frame_is_refused),
                cmocka_unit_test(test_exit_is_read_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
