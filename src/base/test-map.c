#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"

enum { KEYS = 300 };

typedef struct Model {
        char keys[KEYS][8];
        int *values[KEYS]; /* NULL: not in the map */
        size_t length;
} Model;

static Slice key_of(Model *model, size_t i) {
        (void)snprintf(model->keys[i], sizeof(model->keys[i]), "k%zu", i);
        return slice_from(model->keys[i]);
}

static void check_all(Model *model, const Map *map) {
        size_t seen = 0;

        assert_int_equal(map->length, model->length);
        for (size_t i = 0; i < KEYS; i++)
                assert_ptr_equal(map_get(map, key_of(model, i)), model->values[i]);
        map_foreach(map, entry) {
                size_t i = strtoul(entry->key + 1, NULL, 10);

                assert_ptr_equal(entry->value, model->values[i]);
                seen++;
        }
        assert_int_equal(seen, model->length);
}

/* Every removal leaves a hole that later keys of the same chain must be found across. */
static void test_it_is_what_a_plain_table_is(void **state) {
        static int numbers[16];

        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                Model model = {.length = 0};
                _cleanup_map_ Map map = {0};
                Random random;

                random_seed(&random, seed);
                map_set_seed(&map, (SipKey){seed, 1});
                for (int step = 0; step < 3000; step++) {
                        size_t i = random_below(&random, KEYS);
                        int *value = &numbers[random_below(&random, 16)];
                        void *old = NULL;

                        /* long runs of growing and of shrinking */
                        if (random_chance(&random, step / 500 % 2 ? 1 : 3, 4)) {
                                assert_int_equal(map_put(&map, key_of(&model, i), value, &old), 0);
                                assert_ptr_equal(old, model.values[i]);
                                model.length += !model.values[i];
                                model.values[i] = value;
                        } else {
                                assert_ptr_equal(map_remove(&map, key_of(&model, i)), model.values[i]);
                                model.length -= !!model.values[i];
                                model.values[i] = NULL;
                        }
                        if (step % 50 == 0)
                                check_all(&model, &map);
                }
                check_all(&model, &map);
        }
}

static void test_keys_are_bytes(void **state) {
        _cleanup_map_ Map map = {0};
        int a, b, c;

        (void)state;
        assert_null(map_get(&map, slice_from("x")));
        assert_null(map_remove(&map, slice_from("x")));
        assert_int_equal(map_put(&map, (Slice){"a\0b", 3}, &a, NULL), 0);
        assert_int_equal(map_put(&map, (Slice){"a\0c", 3}, &b, NULL), 0);
        assert_int_equal(map_put(&map, (Slice){"", 0}, &c, NULL), 0);
        assert_ptr_equal(map_get(&map, (Slice){"a\0b", 3}), &a);
        assert_ptr_equal(map_get(&map, (Slice){"a\0c", 3}), &b);
        assert_ptr_equal(map_get(&map, (Slice){"", 0}), &c);
        assert_null(map_get(&map, (Slice){"a", 1}));
}

/* SipHash-2-4, the example of the paper's appendix A and the first vectors of the authors' reference code. */
static void test_siphash_vectors(void **state) {
        static const uint64_t expected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d};
        const SipKey key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
        uint8_t bytes[15];

        (void)state;
        for (uint8_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = i;
        for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
                assert_true(siphash24(bytes, i, key) == expected[i]);
        assert_true(siphash24(bytes, 15, key) == 0xa129ca6149be45e5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_is_what_a_plain_table_is),
                cmocka_unit_test(test_keys_are_bytes),
                cmocka_unit_test(test_siphash_vectors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
