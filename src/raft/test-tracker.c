#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/tracker.h"

static void test_inflights_wrap_and_grow(void **state) {
        RaftInflights inflights = {.max = 100, .max_bytes = 0};
        uint64_t next = 1, freed = 0;

        (void)state;
        for (int round = 0; round < 200; round++) {
                while (!raft_inflights_is_full(&inflights) && next < freed + 3 + (uint64_t)round)
                        assert_int_equal(raft_inflights_add(&inflights, next++, 2), 0);
                freed += 2;
                raft_inflights_free_up_to(&inflights, freed);
                assert_int_equal(inflights.length, next - 1 - freed);
                assert_int_equal(inflights.bytes, 2 * inflights.length);
        }
        assert_true(inflights.capacity <= 100);
        raft_inflights_deinit(&inflights);
}

static void test_window_closes_by_messages_and_by_bytes(void **state) {
        RaftInflights window = {.max = 2, .max_bytes = 100};
        RaftProgress progress = {.state = RAFT_PROGRESS_REPLICATE, .next = 1, .inflights = window};

        (void)state;
        assert_int_equal(raft_progress_sent_entries(&progress, 1, 10), 0);
        assert_false(raft_progress_is_paused(&progress));
        assert_int_equal(raft_progress_sent_entries(&progress, 1, 10), 0);
        assert_true(raft_progress_is_paused(&progress));
        raft_inflights_clear(&progress.inflights);
        assert_int_equal(raft_progress_sent_entries(&progress, 1, 100), 0);
        assert_true(raft_progress_is_paused(&progress));
        assert_int_equal(progress.next, 4);
        raft_inflights_deinit(&progress.inflights);
}

static void test_refusal_never_passes_match(void **state) {
        RaftProgress progress = {.state = RAFT_PROGRESS_PROBE, .match = 5, .next = 9, .sent_commit = 8};

        (void)state;
        assert_false(raft_progress_maybe_decrease(&progress, 3, 0)); /* not the probe's */
        assert_true(raft_progress_maybe_decrease(&progress, 8, 2));
        assert_int_equal(progress.next, 6);
        assert_int_equal(progress.sent_commit, 5);
        progress.state = RAFT_PROGRESS_REPLICATE;
        assert_false(raft_progress_maybe_decrease(&progress, 5, 0));
}

static void test_probe_after_snapshot_goes_on_behind_it(void **state) {
        RaftProgress progress = {.match = 2, .next = 3};

        (void)state;
        raft_progress_become_snapshot(&progress, 10);
        assert_true(raft_progress_is_paused(&progress));
        assert_int_equal(progress.next, 11);
        raft_progress_become_probe(&progress);
        assert_int_equal(progress.next, 11);
        raft_progress_become_probe(&progress);
        assert_int_equal(progress.next, 3);
}

static void test_first_vote_counts(void **state) {
        RaftTracker tracker = {.config = {.voters = {3, {1, 2, 3}}}};

        (void)state;
        raft_tracker_record_vote(&tracker, 1, true);
        raft_tracker_record_vote(&tracker, 2, false);
        raft_tracker_record_vote(&tracker, 2, true);
        assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_PENDING);
        raft_tracker_record_vote(&tracker, 9, true); /* no voter */
        assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_PENDING);
        raft_tracker_record_vote(&tracker, 3, true);
        assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_WON);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_inflights_wrap_and_grow),
                cmocka_unit_test(test_window_closes_by_messages_and_by_bytes),
                cmocka_unit_test(test_refusal_never_passes_match),
                cmocka_unit_test(test_probe_after_snapshot_goes_on_behind_it),
                cmocka_unit_test(test_first_vote_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
