#include "store/tree/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/random.h"

static void assert_same(const Command *a, const Command *b) {
        assert_int_equal(a->kind, b->kind);
        assert_true(a->time == b->time);
        assert_true(slice_equals(a->path, b->path));
        assert_true(slice_equals(a->value, b->value));
        assert_true(slice_equals(a->prev_value, b->prev_value));
        assert_true(a->prev_index == b->prev_index);
        assert_int_equal(a->dir, b->dir);
        assert_int_equal(a->recursive, b->recursive);
        assert_int_equal(a->unique, b->unique);
        assert_int_equal(a->refresh, b->refresh);
        assert_int_equal(a->has_expiry, b->has_expiry);
        assert_true(a->expiry == b->expiry);
        assert_true(a->max_expired == b->max_expired);
}

#define PATH {"/1/a", 4}

static const struct {
        const char *hex; /* the samples of docs/formats/store-commands.md */
        Command command;
} samples[] = {
        {"0100" "0500000000000000" "042f312f61" "0568656c6c6f",
         {COMMAND_SET, .time = 5, .path = PATH, .value = {"hello", 5}}},
        {"0211" "0500000000000000" "042f312f61" "00" "4042 0f0000000000",
         {COMMAND_CREATE, .time = 5, .path = PATH, .dir = true, .has_expiry = true, .expiry = 1000000}},
        {"0204" "0500000000000000" "042f312f61" "0178",
         {COMMAND_CREATE, .time = 5, .path = PATH, .unique = true, .value = {"x", 1}}},
        {"0318" "0500000000000000" "042f312f61" "00" "ffffffffffffffff",
         {COMMAND_UPDATE, .time = 5, .path = PATH, .refresh = true, .has_expiry = true, .expiry = -1}},
        {"0460" "0500000000000000" "042f312f61" "0179" "0178" "ac02",
         {COMMAND_COMPARE_AND_SWAP, .time = 5, .path = PATH, .value = {"y", 1}, .prev_value = {"x", 1},
          .prev_index = 300}},
        {"0502" "0500000000000000" "042f312f61", {COMMAND_DELETE, .time = 5, .path = PATH, .recursive = true}},
        {"0640" "0500000000000000" "042f312f61" "07",
         {COMMAND_COMPARE_AND_DELETE, .time = 5, .path = PATH, .prev_index = 7}},
        {"0700" "0500000000000000" "64", {COMMAND_SYNC, .time = 5, .max_expired = 100}},
};

static void from_hex(const char *hex, Buffer *bytes) {
        for (const char *p = hex; *p; p++)
                if (*p != ' ') {
                        assert_int_equal(decode_hex(bytes, (Slice){p, 2}), 0);
                        p++;
                }
}

static void test_samples(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                _cleanup_buffer_ Buffer expected = BUFFER_INIT, bytes = BUFFER_INIT;
                Command command;

                from_hex(samples[i].hex, &expected);
                assert_int_equal(command_check(&samples[i].command), 0);
                assert_int_equal(command_encode(&samples[i].command, &bytes), 0);
                assert_int_equal(buffer_length(&bytes), buffer_length(&expected));
                assert_memory_equal(buffer_data(&bytes), buffer_data(&expected), buffer_length(&bytes));
                assert_int_equal(command_decode((Slice){buffer_data(&bytes), buffer_length(&bytes)}, &command), 0);
                assert_same(&command, &samples[i].command);
        }
}

static void test_cut_or_longer_is_refused(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
                Command command;

                assert_int_equal(command_encode(&samples[i].command, &bytes), 0);
                for (size_t length = 0; length < buffer_length(&bytes); length++)
                        assert_int_equal(command_decode((Slice){buffer_data(&bytes), length}, &command), -EBADMSG);
                assert_int_equal(buffer_append_byte(&bytes, 0), 0);
                assert_int_equal(command_decode((Slice){buffer_data(&bytes), buffer_length(&bytes)}, &command),
                                 -EBADMSG);
        }
}

/* What decodes must encode to the same bytes: there is one form of each command. */
static void test_changed_bytes_are_refused_or_another_command(void **state) {
        Random random;
        size_t accepted = 0;

        (void)state;
        random_seed(&random, 2);
        for (size_t i = 0; i < 20000; i++) {
                _cleanup_buffer_ Buffer bytes = BUFFER_INIT, again = BUFFER_INIT;
                Command command;

                assert_int_equal(command_encode(&samples[random_below(&random, ARRAY_SIZE(samples))].command, &bytes),
                                 0);
                buffer_data(&bytes)[random_below(&random, buffer_length(&bytes))] = (char)random_u64(&random);
                if (command_decode((Slice){buffer_data(&bytes), buffer_length(&bytes)}, &command) < 0)
                        continue;
                accepted++;
                assert_int_equal(command_encode(&command, &again), 0);
                assert_int_equal(buffer_length(&again), buffer_length(&bytes));
                assert_memory_equal(buffer_data(&again), buffer_data(&bytes), buffer_length(&bytes));
        }
        assert_true(accepted > 1000);
}

static void assert_invalid(Command command) {
        assert_int_equal(command_check(&command), -EINVAL);
}

static void test_what_makes_no_sense_is_invalid(void **state) {
        (void)state;
        assert_invalid((Command){.kind = 0, .path = PATH});
        assert_invalid((Command){.kind = 40, .path = PATH});
        assert_invalid((Command){.kind = COMMAND_SET, .path = {"a", 1}});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .dir = true, .value = {"x", 1}});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .refresh = true, .value = {"x", 1}});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .recursive = true});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .prev_index = 1});
        assert_invalid((Command){.kind = COMMAND_CREATE, .path = PATH, .refresh = true});
        assert_invalid((Command){.kind = COMMAND_DELETE, .path = PATH, .value = {"x", 1}});
        assert_invalid((Command){.kind = COMMAND_DELETE, .path = PATH, .has_expiry = true});
        assert_invalid((Command){.kind = COMMAND_COMPARE_AND_SWAP, .path = PATH});
        assert_invalid((Command){.kind = COMMAND_COMPARE_AND_DELETE, .path = PATH});
        assert_invalid((Command){.kind = COMMAND_SYNC, .path = PATH});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .expiry = 1});
        assert_invalid((Command){.kind = COMMAND_SET, .path = PATH, .max_expired = 1});
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_cut_or_longer_is_refused),
                cmocka_unit_test(test_changed_bytes_are_refused_or_another_command),
                cmocka_unit_test(test_what_makes_no_sense_is_invalid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
