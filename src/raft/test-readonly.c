#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/readonly.h"

static void test_rounds_release_in_order(void **state) {
        RaftReads reads = {.max = 3};
        RaftRead read = {.from = 1};

        (void)state;
        for (uint64_t i = 1; i <= 3; i++) {
                read.context = read.round = i;
                assert_int_equal(raft_reads_add(&reads, &read), 1);
        }
        assert_int_equal(raft_reads_add(&reads, &read), 0); /* full */
        assert_false(raft_reads_take(&reads, 0, &read));
        assert_true(raft_reads_take(&reads, 2, &read));
        assert_int_equal(read.context, 1);
        assert_true(raft_reads_take(&reads, 2, &read));
        assert_false(raft_reads_take(&reads, 2, &read));
        assert_true(raft_reads_take(&reads, 3, &read));
        assert_int_equal(reads.length, 0);
        raft_reads_deinit(&reads);
}

static void test_queue_keeps_its_order_while_it_moves(void **state) {
        RaftReads reads = {.max = 1000};
        uint64_t next = 1, expected = 1;
        RaftRead read = {0};

        (void)state;
        for (int i = 0; i < 500; i++) {
                for (int j = 0; j < 3; j++) {
                        read = (RaftRead){.context = next++};
                        assert_int_equal(raft_reads_add(&reads, &read), 1);
                }
                for (int j = 0; j < (i % 3) + 1; j++) {
                        assert_true(raft_reads_take(&reads, 0, &read));
                        assert_int_equal(read.context, expected++);
                }
        }
        raft_reads_deinit(&reads);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rounds_release_in_order),
                cmocka_unit_test(test_queue_keeps_its_order_while_it_moves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
