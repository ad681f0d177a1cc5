#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A seed must replay what it once found: the sequence never changes. */
static void test_a_seed_gives_its_sequence_for_ever(void **state) {
        Random random, again;

        (void)state;
        random_seed(&random, 1);
        random_seed(&again, 1);
        assert_true(random_u64(&random) == 0xb3f2af6d0fc710c5);
        assert_true(random_u64(&random) == 0x853b559647364cea);
        assert_true(random_u64(&random) == 0x92f89756082a4514);
        (void)random_u64(&again);
        (void)random_u64(&again);
        (void)random_u64(&again);
        for (int i = 0; i < 100; i++)
                assert_true(random_u64(&random) == random_u64(&again));
        random_seed(&again, 2);
        assert_true(random_u64(&random) != random_u64(&again));
}

static void test_draws_are_even_and_below_their_bound(void **state) {
        unsigned counts[7] = {0}, hits = 0;
        Random random;

        (void)state;
        random_seed(&random, 5);
        for (int i = 0; i < 70000; i++) {
                uint64_t n = random_below(&random, 7);

                assert_true(n < 7);
                counts[n]++;
                hits += random_chance(&random, 1, 4);
                assert_int_equal(random_below(&random, 1), 0);
                assert_false(random_chance(&random, 0, 10));
                assert_true(random_chance(&random, 10, 10));
                assert_true(random_below(&random, (UINT64_MAX >> 1) + 2) <= (UINT64_MAX >> 1) + 1);
        }
        /* ten times the standard deviation */
        for (size_t i = 0; i < 7; i++)
                assert_in_range(counts[i], 9000, 11000);
        assert_in_range(hits, 16300, 18700);
}

static void test_secrets_differ(void **state) {
        uint8_t a[32] = {0}, b[32] = {0};

        (void)state;
        random_secret(a, sizeof(a));
        random_secret(b, sizeof(b));
        assert_true(memcmp(a, b, sizeof(a)) != 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_seed_gives_its_sequence_for_ever),
                cmocka_unit_test(test_draws_are_even_and_below_their_bound),
                cmocka_unit_test(test_secrets_differ),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
