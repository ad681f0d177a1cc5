#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/confchange.h"

static void test_change_lies_in_entries_as_documented(void **state) {
        RaftConfChange change = {.length = 1, .changes = {{RAFT_CONF_ADD_LEARNER, 300}}, .context = {"ab", 2}}, back;
        static const char single[] = {0x08, 0x00, 0x10, 0x03, 0x18, (char)0xac, 0x02, 0x22, 0x02, 'a', 'b'};
        static const char set[] = {0x08, 0x02, 0x12, 0x05, 0x08, 0x03, 0x10, (char)0xac, 0x02, 0x1a, 0x02, 'a', 'b'};
        RaftEntry entry = {.type = RAFT_ENTRY_CONF_CHANGE};
        RaftPayload *payload;

        (void)state;
        assert_int_equal(raft_conf_change_encode(&change, true, &payload), 0);
        assert_int_equal(payload->length, sizeof(single));
        assert_memory_equal(payload->data, single, sizeof(single));
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        assert_int_equal(raft_conf_change_decode(&entry, &back), 0);
        assert_int_equal(back.length, 1);
        assert_int_equal(back.changes[0].id, 300);
        assert_int_equal(back.changes[0].operation, RAFT_CONF_ADD_LEARNER);
        assert_true(slice_equals(back.context, change.context));
        raft_payload_unref(payload);

        change.transition = RAFT_CONF_JOINT_EXPLICIT;
        assert_int_equal(raft_conf_change_encode(&change, true, &payload), -EINVAL);
        assert_int_equal(raft_conf_change_encode(&change, false, &payload), 0);
        assert_int_equal(payload->length, sizeof(set));
        assert_memory_equal(payload->data, set, sizeof(set));
        raft_payload_unref(payload);
}

static void test_broken_change_is_refused(void **state) {
        static const struct {
                const char *bytes;
                uint32_t length;
        } cases[] = {
                {"\x08", 1},             /* no value */
                {"\x08\x03", 2},         /* no such transition */
                {"\x12\x05\x08", 3},     /* shorter than it says */
                {"\x12\x02\x08\x09", 4}, /* no such operation */
                {"\x20\x00", 2},         /* no such field */
                {"\x0d\x00", 2},         /* no such kind of value */
                {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11}, /* above 64 bits */
        };
        RaftConfChange change;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                RaftEntry entry = {
                        .type = RAFT_ENTRY_CONF_CHANGE_V2,
                        .data = cases[i].bytes,
                        .length = cases[i].length,
                };

                assert_int_equal(raft_conf_change_decode(&entry, &change), -EBADMSG);
        }
}

static void test_member_taken_out_and_in_begins_anew(void **state) {
        const RaftConfSingle first[] = {{RAFT_CONF_ADD_VOTER, 1}}, second[] = {{RAFT_CONF_ADD_LEARNER, 2}};
        const RaftConfSingle again[] = {{RAFT_CONF_REMOVE, 2}, {RAFT_CONF_ADD_VOTER, 2}};
        RaftTracker tracker = {.max_inflight_messages = 1};

        (void)state;
        assert_int_equal(raft_conf_apply_simple(&tracker, first, 1, 0, NULL), 0);
        assert_int_equal(raft_conf_apply_simple(&tracker, second, 1, 0, NULL), 0);
        raft_tracker_get(&tracker, 1)->match = 7;
        raft_tracker_get(&tracker, 2)->match = 7;
        assert_int_equal(raft_conf_apply_simple(&tracker, again, 2, 9, NULL), 0);
        assert_int_equal(raft_tracker_get(&tracker, 1)->match, 7);
        assert_int_equal(raft_tracker_get(&tracker, 2)->match, 0);
        assert_int_equal(raft_tracker_get(&tracker, 2)->next, 9);
        raft_tracker_deinit(&tracker);
}

static void test_too_many_members_are_refused_whole(void **state) {
        RaftTracker tracker = {.max_inflight_messages = 1};
        Error error = ERROR_NONE;

        (void)state;
        for (uint64_t id = 1; id <= RAFT_MEMBERS_MAX; id++) {
                RaftConfSingle change = {id == 1 ? RAFT_CONF_ADD_VOTER : RAFT_CONF_ADD_LEARNER, id};

                assert_int_equal(raft_conf_apply_simple(&tracker, &change, 1, 0, &error), 0);
        }
        {
                const RaftConfSingle change = {RAFT_CONF_ADD_VOTER, 1000};

                assert_int_equal(raft_conf_apply_simple(&tracker, &change, 1, 0, &error), -E2BIG);
                assert_string_equal(error.text, "more than 64 members");
        }
        assert_int_equal(tracker.length, RAFT_MEMBERS_MAX);
        raft_tracker_deinit(&tracker);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_change_lies_in_entries_as_documented),
                cmocka_unit_test(test_broken_change_is_refused),
                cmocka_unit_test(test_member_taken_out_and_in_begins_anew),
                cmocka_unit_test(test_too_many_members_are_refused_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
