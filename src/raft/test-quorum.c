#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "raft/quorum.h"

static bool value_of(const void *userdata, uint64_t id, uint64_t *ret_index) {
        const uint64_t *values = userdata;

        *ret_index = values[id];
        return values[id] > 0;
}

/* By the definition: the highest index that more than half have reached. */
static uint64_t committed_by_count(const RaftIds *voters, const uint64_t *values) {
        uint64_t best = 0;

        for (size_t i = 0; i < voters->length; i++) {
                uint64_t candidate = values[voters->items[i]];
                size_t count = 0;

                for (size_t j = 0; j < voters->length; j++)
                        count += values[voters->items[j]] >= candidate;
                if (count > voters->length / 2)
                        best = max_of(best, candidate);
        }
        return best;
}

static void test_committed_is_what_more_than_half_have(void **state) {
        Random random;

        (void)state;
        random_seed(&random, 7);
        for (int run = 0; run < 2000; run++) {
                uint64_t values[16];
                RaftIds voters = {0};

                for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                        values[i] = random_below(&random, 6);
                for (uint64_t id = 0; id < random_below(&random, 9); id++)
                        raft_ids_add(&voters, random_below(&random, 16));
                if (voters.length == 0)
                        assert_true(raft_quorum_committed(&voters, value_of, values) == RAFT_QUORUM_ANY);
                else
                        assert_int_equal(raft_quorum_committed(&voters, value_of, values),
                                         committed_by_count(&voters, values));
        }
}

static void test_joint_needs_both_halves(void **state) {
        RaftIds a = {2, {1, 2}}, b = {1, {3}}, none = {0}, known = {3, {1, 2, 3}}, yes = {2, {1, 2}};
        uint64_t values[] = {0, 9, 8, 3};

        (void)state;
        assert_int_equal(raft_quorum_committed_joint(&a, &b, value_of, values), 3);
        assert_int_equal(raft_quorum_committed_joint(&a, &none, value_of, values), 8);
        assert_int_equal(raft_quorum_vote_joint(&a, &b, &known, &yes), RAFT_VOTE_LOST);
        assert_int_equal(raft_quorum_vote_joint(&a, &none, &known, &yes), RAFT_VOTE_WON);
        assert_int_equal(raft_quorum_vote_joint(&a, &b, &yes, &yes), RAFT_VOTE_PENDING);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_committed_is_what_more_than_half_have),
                cmocka_unit_test(test_joint_needs_both_halves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
