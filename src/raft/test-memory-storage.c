#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/memory-storage.h"

static void add(RaftMemoryStorage *storage, uint64_t term, uint64_t first, uint64_t last) {
        for (uint64_t index = first; index <= last; index++) {
                RaftPayload *payload;
                RaftEntry entry = {.term = term, .index = index, .length = 2};

                assert_int_equal(raft_payload_new("ab", 2, &payload), 0);
                entry.payload = payload;
                entry.data = payload->data;
                assert_int_equal(raft_memory_storage_append(storage, &entry, 1), 0);
                raft_payload_unref(payload);
        }
}

static void test_append_replaces_from_its_first_index(void **state) {
        RaftMemoryStorage storage = {0};
        RaftEntry gap = {.term = 1, .index = 9};
        uint64_t term;

        (void)state;
        add(&storage, 1, 1, 5);
        add(&storage, 2, 3, 4);
        assert_int_equal(raft_memory_storage_last_index(&storage), 4);
        assert_int_equal(storage.bytes, 8);
        assert_int_equal(raft_memory_storage_term(&storage, 2, &term), 0);
        assert_int_equal(term, 1);
        assert_int_equal(raft_memory_storage_term(&storage, 4, &term), 0);
        assert_int_equal(term, 2);
        assert_int_equal(raft_memory_storage_append(&storage, &gap, 1), RAFT_MEMORY_STORAGE_GAP);
        raft_memory_storage_deinit(&storage);
}

static void test_compaction_keeps_the_term_before_the_first(void **state) {
        RaftMemoryStorage storage = {0};
        uint64_t term;

        (void)state;
        add(&storage, 3, 1, 6);
        assert_int_equal(raft_memory_storage_compact(&storage, 4), 0);
        assert_int_equal(raft_memory_storage_compact(&storage, 4), RAFT_STORAGE_COMPACTED);
        assert_int_equal(raft_memory_storage_compact(&storage, 7), RAFT_STORAGE_UNAVAILABLE);
        assert_int_equal(raft_memory_storage_first_index(&storage), 5);
        assert_int_equal(raft_memory_storage_term(&storage, 4, &term), 0);
        assert_int_equal(term, 3);
        assert_int_equal(raft_memory_storage_term(&storage, 3, &term), RAFT_STORAGE_COMPACTED);
        assert_int_equal(storage.bytes, 4);
        /* what lies at or before the base is skipped */
        add(&storage, 4, 3, 4);
        assert_int_equal(raft_memory_storage_last_index(&storage), 6);
        raft_memory_storage_deinit(&storage);
}

static void test_only_a_newer_snapshot_is_taken(void **state) {
        RaftMemoryStorage storage = {0};
        RaftSnapshot *older, *newer;

        (void)state;
        add(&storage, 1, 1, 3);
        assert_int_equal(raft_snapshot_new(5, 1, NULL, NULL, &older), 0);
        assert_int_equal(raft_snapshot_new(8, 2, NULL, NULL, &newer), 0);
        assert_int_equal(raft_memory_storage_apply_snapshot(&storage, newer), 0);
        assert_int_equal(raft_memory_storage_apply_snapshot(&storage, older), RAFT_MEMORY_STORAGE_OLD);
        assert_int_equal(raft_memory_storage_set_snapshot(&storage, newer), RAFT_MEMORY_STORAGE_OLD);
        assert_int_equal(raft_memory_storage_first_index(&storage), 9);
        assert_int_equal(storage.entries.length, 0);
        raft_snapshot_unref(older);
        raft_snapshot_unref(newer);
        raft_memory_storage_deinit(&storage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append_replaces_from_its_first_index),
                cmocka_unit_test(test_compaction_keeps_the_term_before_the_first),
                cmocka_unit_test(test_only_a_newer_snapshot_is_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
