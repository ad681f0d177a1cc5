#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/log.h"
#include "raft/memory-storage.h"

static RaftMemoryStorage storage;
static RaftLog raft_log;

/* Storage: base 2, entries 3 to 5 of term 1; unstable: 6 and 7 of term 2. */
static void set_up(void) {
        RaftEntry entries[] = {{.term = 1, .index = 3}, {.term = 1, .index = 4}, {.term = 1, .index = 5},
                               {.term = 2, .index = 6}, {.term = 2, .index = 7}};
        RaftSnapshot *snapshot;

        assert_int_equal(raft_snapshot_new(2, 1, NULL, NULL, &snapshot), 0);
        assert_int_equal(raft_memory_storage_apply_snapshot(&storage, snapshot), 0);
        raft_snapshot_unref(snapshot);
        assert_int_equal(raft_memory_storage_append(&storage, entries, 3), 0);
        raft_log_init(&raft_log, raft_memory_storage_ops(&storage), UINT64_MAX);
        assert_int_equal(raft_log_append(&raft_log, entries + 3, 2), 0);
}

static void tear_down(void) {
        raft_log_deinit(&raft_log);
        raft_memory_storage_deinit(&storage);
}

static void test_slice_spans_storage_and_tail(void **state) {
        _cleanup_raft_entries_ RaftEntries entries = {0};

        (void)state;
        set_up();
        assert_int_equal(raft_log_slice(&raft_log, 4, 8, UINT64_MAX, &entries), 0);
        assert_int_equal(entries.length, 4);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(entries.items[i].index, 4 + i);
        raft_entries_clear(&entries);
        /* the limit cuts within either part, and the second part gets no free entry */
        assert_int_equal(raft_log_slice(&raft_log, 4, 8, 0, &entries), 0);
        assert_int_equal(entries.length, 1);
        raft_entries_clear(&entries);
        assert_int_equal(raft_log_slice(&raft_log, 5, 8, 7, &entries), 0);
        assert_int_equal(entries.length, 1);
        raft_entries_clear(&entries);
        assert_int_equal(raft_log_slice(&raft_log, 2, 8, UINT64_MAX, &entries), RAFT_STORAGE_COMPACTED);
        assert_int_equal(entries.length, 0);
        tear_down();
}

static void test_conflicting_tail_is_replaced(void **state) {
        RaftMessage append = {.type = RAFT_MESSAGE_APPEND, .index = 4, .log_term = 1, .commit = 9};
        RaftEntry entries[] = {{.term = 3, .index = 5}};
        uint64_t last, term;
        size_t length;

        (void)state;
        set_up();
        raft_unstable_accept(&raft_log.unstable);
        assert_int_equal(raft_entries_append_all(&append.entries, entries, 1), 0);
        assert_int_equal(raft_log_maybe_append(&raft_log, &append, &last), 1);
        assert_int_equal(last, 5);
        assert_int_equal(raft_log_last_index(&raft_log), 5);
        assert_int_equal(raft_log_term(&raft_log, 5, &term), 0);
        assert_int_equal(term, 3);
        assert_int_equal(raft_log.committed, 5);
        /* it has to be handed out again */
        assert_non_null(raft_unstable_next_entries(&raft_log.unstable, &length));
        assert_int_equal(length, 1);
        raft_message_deinit(&append);
        tear_down();
}

static void test_committed_entry_is_never_replaced(void **state) {
        RaftMessage append = {.type = RAFT_MESSAGE_APPEND, .index = 4, .log_term = 1};
        RaftEntry entries[] = {{.term = 3, .index = 5}};
        uint64_t last;

        (void)state;
        set_up();
        assert_int_equal(raft_log_commit_to(&raft_log, 6), 0);
        assert_int_equal(raft_log_commit_to(&raft_log, 99), -EPROTO);
        assert_int_equal(raft_entries_append_all(&append.entries, entries, 1), 0);
        assert_int_equal(raft_log_maybe_append(&raft_log, &append, &last), -EPROTO);
        assert_int_equal(raft_log_last_index(&raft_log), 7);
        raft_message_deinit(&append);
        tear_down();
}

static void test_old_acknowledgement_is_not_taken_for_the_new_entry(void **state) {
        RaftEntry other = {.term = 3, .index = 6};

        (void)state;
        set_up();
        raft_unstable_accept(&raft_log.unstable);
        assert_int_equal(raft_log_append(&raft_log, &other, 1), 0);
        raft_unstable_stable_to(&raft_log.unstable, 2, 6);
        assert_int_equal(raft_log.unstable.entries.length, 1);
        raft_unstable_stable_to(&raft_log.unstable, 3, 6);
        assert_int_equal(raft_log.unstable.entries.length, 0);
        tear_down();
}

static void test_hint_skips_terms(void **state) {
        uint64_t index, term;

        (void)state;
        set_up();
        assert_int_equal(raft_log_find_conflict_by_term(&raft_log, 7, 1, &index, &term), 0);
        assert_int_equal(index, 5);
        assert_int_equal(term, 1);
        assert_int_equal(raft_log_find_conflict_by_term(&raft_log, 7, 0, &index, &term), 0);
        assert_int_equal(index, 1); /* behind what is known */
        assert_int_equal(term, 0);
        tear_down();
}

static void test_committed_entries_come_in_pages(void **state) {
        _cleanup_raft_entries_ RaftEntries page = {0};
        uint64_t size;

        (void)state;
        set_up();
        raft_log.max_applying_size = 15; /* two entries of 7 bytes */
        assert_int_equal(raft_log_commit_to(&raft_log, 7), 0);
        assert_int_equal(raft_log_next_committed(&raft_log, true, &page), 0);
        assert_int_equal(page.length, 2);
        size = raft_entries_size(&page);
        raft_log_accept_applying(&raft_log, 4, size, true);
        assert_false(raft_log_has_committed(&raft_log, true));
        raft_log_applied_to(&raft_log, 4, size);
        assert_true(raft_log_has_committed(&raft_log, true));
        raft_entries_clear(&page);
        /* without the tail that is not stable */
        assert_int_equal(raft_log_next_committed(&raft_log, false, &page), 0);
        assert_int_equal(page.length, 1);
        tear_down();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slice_spans_storage_and_tail),
                cmocka_unit_test(test_conflicting_tail_is_replaced),
                cmocka_unit_test(test_committed_entry_is_never_replaced),
                cmocka_unit_test(test_old_acknowledgement_is_not_taken_for_the_new_entry),
                cmocka_unit_test(test_hint_skips_terms),
                cmocka_unit_test(test_committed_entries_come_in_pages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
