#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "store/peer/peer-stream.h"

static void put_frame(Buffer *buffer, Slice bytes) {
        wire_put_u32(buffer, (uint32_t)bytes.length);
        wire_put_u32(buffer, crc32c(0, bytes.data, bytes.length));
        (void)buffer_append(buffer, bytes.data, bytes.length);
}

static void test_frames_come_whole_from_pieces_of_any_size(void **state) {
        _cleanup_buffer_ Buffer wire = BUFFER_INIT;

        (void)state;
        put_frame(&wire, slice_from("one"));
        put_frame(&wire, slice_from("the second"));
        for (size_t step = 1; step <= buffer_length(&wire); step++) {
                FrameReader reader = {0};
                size_t count = 0;

                for (size_t at = 0; at < buffer_length(&wire); at += step) {
                        Slice piece = {buffer_data(&wire) + at, min_of(step, buffer_length(&wire) - at)};
                        RaftPayload *frame;
                        int r;

                        while ((r = frame_reader_next(&reader, &piece, &frame)) > 0) {
                                assert_true(slice_equals((Slice){frame->data, frame->length},
                                                         slice_from(count ? "the second" : "one")));
                                count++;
                                raft_payload_unref(frame);
                        }
                        assert_int_equal(r, 0);
                }
                assert_int_equal(count, 2);
                frame_reader_deinit(&reader);
        }
}

static void test_damaged_frame_is_refused(void **state) {
        _cleanup_buffer_ Buffer wire = BUFFER_INIT;
        FrameReader reader = {0};
        RaftPayload *frame;
        Slice rest;

        (void)state;
        put_frame(&wire, slice_from("some bytes"));
        buffer_data(&wire)[12] ^= 1;
        rest = (Slice){buffer_data(&wire), buffer_length(&wire)};
        assert_int_equal(frame_reader_next(&reader, &rest, &frame), -EBADMSG);
        frame_reader_deinit(&reader);
}

static void test_absurd_length_takes_no_memory(void **state) {
        static const char wire[] = {-1, -1, -1, -1, 0, 0, 0, 0};
        FrameReader reader = {0};
        RaftPayload *frame;
        Slice rest = {wire, sizeof(wire)};

        (void)state;
        assert_int_equal(frame_reader_next(&reader, &rest, &frame), -EBADMSG);
        frame_reader_deinit(&reader);
}

static void test_memory_grows_with_what_has_come(void **state) {
        _cleanup_buffer_ Buffer wire = BUFFER_INIT;
        FrameReader reader = {0};
        RaftPayload *frame;
        Slice rest;

        (void)state;
        wire_put_u32(&wire, (uint32_t)PEER_FRAME_MAX);
        wire_put_u32(&wire, 0);
        (void)buffer_append_string(&wire, "the beginning");
        rest = (Slice){buffer_data(&wire), buffer_length(&wire)};
        assert_int_equal(frame_reader_next(&reader, &rest, &frame), 0);
        assert_true(reader.gathered.capacity < 1024);
        frame_reader_deinit(&reader);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frames_come_whole_from_pieces_of_any_size),
                cmocka_unit_test(test_damaged_frame_is_refused),
                cmocka_unit_test(test_absurd_length_takes_no_memory),
                cmocka_unit_test(test_memory_grows_with_what_has_come),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
