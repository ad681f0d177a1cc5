#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/types.h"

static RaftEntry entry_at(uint64_t index) {
        return (RaftEntry){.term = 1, .index = index};
}

static void test_payload_is_freed_with_its_last_entry(void **state) {
        RaftEntries a = {0}, b = {0};
        RaftEntry entry = entry_at(1);
        RaftPayload *payload;

        (void)state;
        assert_int_equal(raft_payload_new("abc", 3, &payload), 0);
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = 3;
        for (int i = 0; i < 20; i++)
                assert_int_equal(raft_entries_append(&a, &entry), 0);
        assert_int_equal(raft_entries_append_all(&b, a.items, 10), 0);
        assert_int_equal(payload->references, 31);
        raft_entries_drop_front(&a, 5);
        raft_entries_truncate(&a, 3);
        assert_int_equal(payload->references, 14);
        raft_entries_deinit(&a);
        raft_entries_deinit(&b);
        assert_int_equal(payload->references, 1);
        raft_payload_unref(payload);
}

static void test_entries_stay_in_order_while_dropped_at_both_ends(void **state) {
        _cleanup_raft_entries_ RaftEntries entries = {0};
        uint64_t first = 1, next = 1;

        (void)state;
        for (int round = 0; round < 2000; round++) {
                for (int i = 0; i < 7; i++) {
                        RaftEntry entry = entry_at(next++);

                        assert_int_equal(raft_entries_append(&entries, &entry), 0);
                }
                raft_entries_drop_front(&entries, 5);
                first += 5;
                raft_entries_truncate(&entries, entries.length - 1);
                next--;
                assert_int_equal(entries.length, next - first);
                assert_int_equal(entries.items[0].index, first);
                assert_int_equal(entries.items[entries.length - 1].index, next - 1);
        }
        /* what was dropped at the front is used again */
        assert_true(entries.capacity < 8 * entries.length);
}

static void test_entry_size_counts_tags_and_numbers(void **state) {
        RaftPayload *payload;
        RaftEntry entry = {.term = 1, .index = 200};

        (void)state;
        assert_int_equal(raft_entry_size(&entry), 2 + 2 + 3);
        assert_int_equal(raft_payload_new("", 0, &payload), 0);
        entry.payload = payload;
        assert_int_equal(raft_entry_size(&entry), 2 + 2 + 3 + 2);
        entry.length = 300;
        assert_int_equal(raft_entry_size(&entry), 2 + 2 + 3 + 1 + 2 + 300);
        raft_payload_unref(payload);
}

static void test_limit_lets_one_through(void **state) {
        RaftEntry entries[] = {{.term = 1, .index = 1}, {.term = 1, .index = 2}, {.term = 1, .index = 3}};

        (void)state;
        assert_int_equal(raft_entries_limit(entries, 3, 0), 1);
        assert_int_equal(raft_entries_limit(entries, 3, 12), 2);
        assert_int_equal(raft_entries_limit(entries, 3, UINT64_MAX), 3);
        assert_int_equal(raft_entries_limit(entries, 0, 0), 0);
}

static void test_ids_are_a_sorted_set_with_a_limit(void **state) {
        RaftIds ids = {0};

        (void)state;
        for (uint64_t i = RAFT_MEMBERS_MAX; i > 0; i--) {
                assert_int_equal(raft_ids_add(&ids, i), 0);
                assert_int_equal(raft_ids_add(&ids, i), 0);
        }
        assert_int_equal(ids.length, RAFT_MEMBERS_MAX);
        assert_int_equal(ids.items[0], 1);
        assert_int_equal(raft_ids_add(&ids, 1000), -E2BIG);
        raft_ids_remove(&ids, 5);
        assert_false(raft_ids_contain(&ids, 5));
        assert_int_equal(ids.items[4], 6);
}

static void test_configuration_that_makes_no_sense_is_refused(void **state) {
        const RaftConfState good = {.voters = {1, {1}}, .voters_outgoing = {2, {1, 2}}, .learners_next = {1, {2}}};
        const RaftConfState bad[] = {
                {.learners = {1, {1}}},
                {.voters = {1, {1}}, .learners = {1, {1}}},
                {.voters = {1, {1}}, .learners_next = {1, {2}}},
                {.voters = {1, {0}}},
                {.voters = {1, {RAFT_ID_APPLY_THREAD}}},
                {.voters = {1, {1}}, .auto_leave = true},
        };
        const RaftConfState empty = {0};

        (void)state;
        assert_int_equal(raft_conf_state_validate(&good), 0);
        assert_int_equal(raft_conf_state_validate(&empty), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(raft_conf_state_validate(&bad[i]), -EINVAL);
}

/* Small and large ones, freed in another order than they were made: no byte of one is another's. */
static void test_payloads_that_share_memory_keep_apart(void **state) {
        RaftPayload *payloads[3000] = {0};

        (void)state;
        for (size_t round = 0; round < 4; round++) {
                for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
                        if (!payloads[i]) {
                                size_t length = i % 100 == 0 ? 20000 : i % 301;

                                assert_int_equal(raft_payload_new(NULL, length, &payloads[i]), 0);
                                memset(payloads[i]->data, (int)(i & 0xff), length);
                        }
                for (size_t i = round % 2; i < ARRAY_SIZE(payloads); i += round + 1) {
                        for (size_t at = 0; at < payloads[i]->length; at++)
                                assert_int_equal((uint8_t)payloads[i]->data[at], i & 0xff);
                        payloads[i] = raft_payload_unref(payloads[i]);
                }
        }
        for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
                (void)raft_payload_unref(payloads[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_payload_is_freed_with_its_last_entry),
                cmocka_unit_test(test_payloads_that_share_memory_keep_apart),
                cmocka_unit_test(test_entries_stay_in_order_while_dropped_at_both_ends),
                cmocka_unit_test(test_entry_size_counts_tags_and_numbers),
                cmocka_unit_test(test_limit_lets_one_through),
                cmocka_unit_test(test_ids_are_a_sorted_set_with_a_limit),
                cmocka_unit_test(test_configuration_that_makes_no_sense_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
