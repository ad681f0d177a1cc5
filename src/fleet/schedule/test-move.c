#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"
#include "fleet/schedule/move.h"

enum { CLUSTERS = 200, MACHINES = 6, UNITS = 40 };

static void add_unit(Picture *picture, const char *name, const char *section, uint64_t order, const char *machine) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_free_ char *text = str_printf("[X-Fleet]\n%s", section);
        UnitRequirements requirements;

        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        assert_int_equal(unit_requirements_read(&file, name, &requirements), 0);
        assert_int_equal(picture_put_unit(picture, name, &requirements, UNIT_LAUNCHED, order), 0);
        assert_int_equal(picture_set_target(picture, name, machine), 0);
}

static void random_cluster(Random *random, Picture *picture) {
        static const char *const sections[] = {"", "", "", "Conflicts=u1*.service\n", "Memory=300\n", "Overlap=no\n", "Spread=zone all\n"};

        for (uint64_t i = 0; i < MACHINES; i++) {
                char id[32], key[] = "zone", zone[2] = {(char)('a' + i % 2), '\0'};
                const MetadataPair pair = {key, zone};

                (void)snprintf(id, sizeof(id), "m%llu", (unsigned long long)i);
                assert_int_equal(picture_put_machine(picture, id, "", &pair, 1), 0);
                assert_int_equal(picture_set_capacity(picture, id, 2000, 0), 0);
        }
        for (uint64_t i = 0; i < UNITS; i++) {
                char name[32], id[32];

                (void)snprintf(name, sizeof(name), "u%llu.service", (unsigned long long)i);
                (void)snprintf(id, sizeof(id), "m%llu", (unsigned long long)(random_below(random, MACHINES) * random_below(random, MACHINES) / MACHINES));
                add_unit(picture, name, sections[random_below(random, ARRAY_SIZE(sections))], i, id);
        }
        {
                _cleanup_plan_ Plan plan = {0};

                assert_int_equal(schedule_plan(picture, &plan), 0);
        }
}

static void assert_nobody_is_wrong(const Picture *picture) {
        for (size_t i = 0; i < picture->units.length; i++) {
                const PictureUnit *unit = picture->units.items[i];

                if (unit->target)
                        assert_true(schedule_may_stay(picture, unit, unit->target, NULL));
        }
}

static size_t gap(const Picture *picture) {
        size_t least = SIZE_MAX, most = 0;

        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                least = min_of(least, picture_machine_load(picture->slots[slot]));
                most = max_of(most, picture_machine_load(picture->slots[slot]));
        }
        return most - least;
}

static void test_rebalance_evens_the_load_and_breaks_nothing(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
                _cleanup_moves_ Moves moves = {0};
                _cleanup_plan_ Plan plan = {0};
                Picture picture = {0};
                Random random;
                size_t before;

                random_seed(&random, seed);
                random_cluster(&random, &picture);
                before = gap(&picture);
                assert_int_equal(schedule_rebalance(&picture, &moves), 0);
                assert_true(gap(&picture) <= before);
                assert_nobody_is_wrong(&picture);
                /* the engine has nothing to mend after it */
                assert_int_equal(schedule_plan(&picture, &plan), 0);
                for (size_t i = 0; i < plan.length; i++)
                        assert_int_equal(plan.steps[i].kind, PLAN_SCHEDULE);
                for (size_t i = 0; i < moves.length; i++)
                        for (size_t j = 0; j < i; j++)
                                assert_string_not_equal(moves.items[i].unit, moves.items[j].unit);
                picture_deinit(&picture);
        }
}

/* Without anything against it: the number of units above the average is the number of moves. */
static void test_rebalance_takes_the_fewest_moves(void **state) {
        _cleanup_moves_ Moves moves = {0}, again = {0};
        Picture picture = {0};

        (void)state;
        for (uint64_t i = 0; i < 3; i++) {
                char id[32];

                (void)snprintf(id, sizeof(id), "m%llu", (unsigned long long)i);
                assert_int_equal(picture_put_machine(&picture, id, "", NULL, 0), 0);
        }
        for (uint64_t i = 0; i < 9; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "u%llu.service", (unsigned long long)i);
                add_unit(&picture, name, "", i, i < 7 ? "m0" : "m1");
        }
        assert_int_equal(schedule_rebalance(&picture, &moves), 0);
        assert_int_equal(moves.length, 4);
        assert_int_equal(gap(&picture), 0);
        assert_int_equal(schedule_rebalance(&picture, &again), 0);
        assert_int_equal(again.length, 0);
        picture_deinit(&picture);
}

/* While a unit is on two machines it counts on both, and a plan leaves it in peace. */
static void test_a_move_under_way_is_left_alone(void **state) {
        _cleanup_plan_ Plan move = {0}, plan = {0}, after = {0};
        Picture picture = {0};

        (void)state;
        assert_int_equal(picture_put_machine(&picture, "m1", "", NULL, 0), 0);
        assert_int_equal(picture_put_machine(&picture, "m2", "", NULL, 0), 0);
        add_unit(&picture, "a.service", "", 1, "m1");
        assert_int_equal(schedule_move(&picture, picture_unit(&picture, "a.service"), picture_machine(&picture, "m2"), "test", &move), 0);
        assert_int_equal(move.length, 1);
        assert_int_equal(move.steps[0].kind, PLAN_HAND_OVER);
        assert_string_equal(move.steps[0].from, "m1");
        add_unit(&picture, "b.service", "Conflicts=a.service\n", 2, NULL);
        assert_int_equal(schedule_plan(&picture, &plan), 0);
        assert_int_equal(plan.length, 0);
        assert_int_equal(plan.waiting.length, 1);
        /* the machine it goes to dies: it stays where it still runs, and is not started anywhere */
        assert_int_equal(picture_remove_machine(&picture, "m2"), 0);
        assert_int_equal(schedule_plan(&picture, &after), 0);
        assert_int_equal(after.length, 1);
        assert_int_equal(after.steps[0].kind, PLAN_UNSCHEDULE);
        assert_string_equal(after.steps[0].machine_id, "m2");
        assert_string_equal(picture_unit(&picture, "a.service")->target->id, "m1");
        picture_deinit(&picture);
}

static void test_the_machine_it_comes_from_dies(void **state) {
        _cleanup_plan_ Plan move = {0}, plan = {0};
        Picture picture = {0};

        (void)state;
        assert_int_equal(picture_put_machine(&picture, "m1", "", NULL, 0), 0);
        assert_int_equal(picture_put_machine(&picture, "m2", "", NULL, 0), 0);
        add_unit(&picture, "a.service", "", 1, "m1");
        assert_int_equal(schedule_move(&picture, picture_unit(&picture, "a.service"), picture_machine(&picture, "m2"), "test", &move), 0);
        assert_int_equal(picture_remove_machine(&picture, "m1"), 0);
        assert_int_equal(schedule_plan(&picture, &plan), 0);
        assert_int_equal(plan.length, 1);
        assert_string_equal(plan.steps[0].machine_id, "m1");
        assert_null(picture_unit(&picture, "a.service")->source);
        assert_string_equal(picture_unit(&picture, "a.service")->target->id, "m2");
        picture_deinit(&picture);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rebalance_evens_the_load_and_breaks_nothing),
                cmocka_unit_test(test_rebalance_takes_the_fewest_moves),
                cmocka_unit_test(test_a_move_under_way_is_left_alone),
                cmocka_unit_test(test_the_machine_it_comes_from_dies),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
