#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/codec.h"

static RaftPayload *frame_of(const Buffer *buffer) {
        RaftPayload *frame;

        assert_int_equal(raft_payload_new(buffer_data(buffer), buffer_length(buffer), &frame), 0);
        return frame;
}

/* An append with two entries: the bytes of docs/formats/raft-messages.md. */
static void encode_sample(Buffer *buffer) {
        RaftMessage message = {.type = RAFT_MESSAGE_APPEND, .from = 1, .to = 2, .term = 7, .log_term = 6, .index = 4};
        RaftEntry empty = {.term = 7, .index = 5}, full = {.term = 7, .index = 6, .length = 3, .data = "abc"};
        RaftPayload *payload;

        assert_int_equal(raft_payload_new("abc", 3, &payload), 0);
        full.payload = payload;
        full.data = payload->data;
        message.commit = 4;
        assert_int_equal(raft_entries_append(&message.entries, &empty), 0);
        assert_int_equal(raft_entries_append(&message.entries, &full), 0);
        assert_int_equal(raft_message_encode(&message, buffer), 0);
        raft_message_deinit(&message);
        raft_payload_unref(payload);
}

static void test_append_has_the_documented_bytes(void **state) {
        static const char header[16] = {1, 2, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
        static const char tail[27] = {7, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0,   0,   0,  0,
                                      0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 'a', 'b', 'c'};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        (void)state;
        encode_sample(&buffer);
        assert_int_equal(buffer_length(&buffer), 72 + 24 + 24 + 3);
        assert_memory_equal(buffer_data(&buffer), header, sizeof(header));
        assert_memory_equal(buffer_data(&buffer) + 96, tail, sizeof(tail));
}

static void test_entries_share_the_frame(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        RaftMessage message;
        RaftPayload *frame;

        (void)state;
        encode_sample(&buffer);
        frame = frame_of(&buffer);
        assert_int_equal(raft_message_decode(frame, 0, frame->length, &message), 0);
        assert_int_equal(message.entries.length, 2);
        assert_null(message.entries.items[0].payload);
        assert_ptr_equal(message.entries.items[1].payload, frame);
        assert_memory_equal(message.entries.items[1].data, "abc", 3);
        assert_int_equal(frame->references, 2);
        raft_message_deinit(&message);
        assert_int_equal(frame->references, 1);
        raft_payload_unref(frame);
}

static void test_snapshot_goes_there_and_back(void **state) {
        RaftConfState conf_state = {
                .voters = {2, {1, 9}},
                .voters_outgoing = {2, {1, 2}},
                .learners = {1, {5}},
                .learners_next = {1, {2}},
                .auto_leave = true,
        };
        RaftMessage message = {.type = RAFT_MESSAGE_SNAPSHOT, .from = 1, .to = 2, .term = 7}, back;
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        RaftPayload *payload, *frame;

        (void)state;
        assert_int_equal(raft_payload_new("where", 5, &payload), 0);
        assert_int_equal(raft_snapshot_new(30, 6, &conf_state, payload, &message.snapshot), 0);
        assert_int_equal(raft_message_encode(&message, &buffer), 0);
        frame = frame_of(&buffer);
        assert_int_equal(raft_message_decode(frame, 0, frame->length, &back), 0);
        assert_int_equal(back.snapshot->index, 30);
        assert_int_equal(back.snapshot->term, 6);
        assert_true(raft_conf_state_equals(&back.snapshot->conf_state, &conf_state));
        assert_int_equal(back.snapshot->payload->length, 5);
        raft_message_deinit(&message);
        raft_message_deinit(&back);
        raft_payload_unref(payload);
        raft_payload_unref(frame);
}

static void test_cut_and_lengthened_messages_are_refused(void **state) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        RaftMessage message;
        RaftPayload *frame;

        (void)state;
        encode_sample(&buffer);
        assert_int_equal(buffer_append_byte(&buffer, 0), 0);
        frame = frame_of(&buffer);
        for (size_t length = 0; length < frame->length - 1; length++)
                assert_int_equal(raft_message_decode(frame, 0, length, &message), -EBADMSG);
        assert_int_equal(raft_message_decode(frame, 0, frame->length, &message), -EBADMSG);
        assert_int_equal(raft_message_decode(frame, 0, frame->length + 1, &message), -EBADMSG);
        assert_int_equal(raft_message_decode(frame, SIZE_MAX, 1, &message), -EBADMSG);
        assert_int_equal(raft_message_decode(frame, 0, frame->length - 1, &message), 0);
        raft_message_deinit(&message);
        raft_payload_unref(frame);
}

static void test_what_must_not_travel_is_refused(void **state) {
        static const struct {
                size_t offset;
                char value;
        } changes[] = {
                {0, 2},           /* version */
                {1, 0},  {1, 33}, /* kinds that stay within a member */
                {1, 9},           /* a heartbeat with entries */
                {2, 4},           /* a snapshot where none belongs */
                {2, 64},          /* an unknown flag */
                {3, 1},           /* zero is not zero */
                {7, 1},           /* more entries than bytes */
                {8, 0},           /* from nobody */
                {24, 0},          /* of no term: "local" to the core */
                {31, 0x7f},       /* a term beyond the limit */
                {72, 8},          /* an entry of a later term */
                {80, 6},          /* a gap between the entries */
                {92, 3},          /* an unknown type of entry */
        };
        RaftMessage message = {.type = RAFT_MESSAGE_STORAGE_APPLY};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        RaftPayload *frame;

        (void)state;
        assert_int_equal(raft_message_encode(&message, &buffer), -EINVAL);
        encode_sample(&buffer);
        frame = frame_of(&buffer);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                char before = frame->data[changes[i].offset];

                frame->data[changes[i].offset] = changes[i].value;
                assert_int_equal(raft_message_decode(frame, 0, frame->length, &message), -EBADMSG);
                frame->data[changes[i].offset] = before;
        }
        assert_int_equal(frame->references, 1);
        raft_payload_unref(frame);
}

static void test_hard_state_goes_there_and_back(void **state) {
        RaftHardState hard_state = {.term = 1, .vote = 2, .commit = 3}, back;
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        Slice bytes;

        (void)state;
        assert_int_equal(raft_hard_state_encode(&hard_state, &buffer), 0);
        assert_int_equal(buffer_length(&buffer), RAFT_HARD_STATE_BYTES);
        bytes = (Slice){buffer_data(&buffer), buffer_length(&buffer) - 1};
        assert_int_equal(raft_hard_state_decode(&bytes, &back), -EBADMSG);
        bytes.length++;
        assert_int_equal(raft_hard_state_decode(&bytes, &back), 0);
        assert_true(raft_hard_state_equals(&hard_state, &back));
        assert_int_equal(bytes.length, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append_has_the_documented_bytes),
                cmocka_unit_test(test_entries_share_the_frame),
                cmocka_unit_test(test_snapshot_goes_there_and_back),
                cmocka_unit_test(test_cut_and_lengthened_messages_are_refused),
                cmocka_unit_test(test_what_must_not_travel_is_refused),
                cmocka_unit_test(test_hard_state_goes_there_and_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
