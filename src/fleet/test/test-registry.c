#include "fleet/registry/roll.h"
#include "fleet/test/bench.h"

#include <errno.h>

static const RegistryEvents events = {bench_changed, bench_reachable};
static const char other[] = "ffffffffffffffffffffffffffffffffffffffff";

static void test_mirror_follows_without_reading_again(void **state) {
        const RegistryUnit *unit;
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_unit(&bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        unit = registry_unit(bench.registry, "a.service");
        assert_non_null(unit);
        assert_true(registry_unit_is_complete(unit));
        assert_int_equal(unit->desired, UNIT_LAUNCHED);
        assert_int_equal(registry_place(bench.registry, "a.service", "m1", "it is the only one", NULL, NULL), 0);
        bench_settle(&bench);
        assert_string_equal(unit->machine, "m1");
        assert_string_equal(unit->reason, "it is the only one");
        assert_int_equal(registry_destroy_unit(bench.registry, "a.service", NULL, NULL), 0);
        bench_settle(&bench);
        assert_true(!registry_unit(bench.registry, "a.service") ||
                    !registry_unit_is_complete(registry_unit(bench.registry, "a.service")));
        assert_int_equal(fake_store_count(bench.store, STORE_GET), 1);
        assert_int_equal(bench.loads, 1);
        bench_deinit(&bench);
}

static void test_machine_is_gone_when_its_time_has_run_out(void **state) {
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_machine(&bench, "m1", 10 * USEC_PER_SEC);
        fake_store_advance(bench.store, 9 * USEC_PER_SEC);
        bench_settle(&bench);
        assert_true(registry_machine(bench.registry, "m1")->present);
        fake_store_advance(bench.store, 2 * USEC_PER_SEC);
        bench_settle(&bench);
        assert_false(registry_machine(bench.registry, "m1")->present);
        bench_deinit(&bench);
}

static void on_lost(void *userdata, const StoreReply *reply) {
        *(int *)userdata = reply->r;
}

static void test_store_that_is_away_leaves_the_mirror_as_it_is(void **state) {
        int r = 0;
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_unit(&bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        fake_store_set_reachable(bench.store, false);
        bench_settle(&bench);
        bench_fire_timer(&bench);
        assert_int_equal(bench.unreachable, 1); /* told once */
        assert_true(registry_is_loaded(bench.registry));
        assert_non_null(registry_unit(bench.registry, "a.service"));
        assert_int_equal(registry_set_desired(bench.registry, "a.service", UNIT_INACTIVE, on_lost, &r), 0);
        bench_settle(&bench);
        assert_int_equal(r, -ECONNREFUSED);
        fake_store_set_reachable(bench.store, true);
        bench_fire_timer(&bench);
        assert_int_equal(registry_set_desired(bench.registry, "a.service", UNIT_LOADED, NULL, NULL), 0);
        bench_settle(&bench);
        assert_int_equal(bench.reachable, 1);
        assert_int_equal(registry_unit(bench.registry, "a.service")->desired, UNIT_LOADED);
        bench_deinit(&bench);
}

static void test_lost_events_are_made_up_for_by_loading_anew(void **state) {
        FakeStore *store;
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 5);
        store = bench.store;
        bench_put_unit(&bench, "gone.service", BENCH_HASH, UNIT_LOADED);
        fake_store_set_reachable(store, false);
        bench_settle(&bench);
        fake_store_set_reachable(store, true);
        assert_int_equal(registry_destroy_unit(bench.registry, "gone.service", NULL, NULL), 0);
        for (int i = 0; i < 10; i++)
                assert_int_equal(registry_set_desired(bench.registry, "new.service", UNIT_LOADED, NULL, NULL), 0);
        bench_settle(&bench);
        assert_non_null(registry_unit(bench.registry, "gone.service"));
        bench_fire_timer(&bench);
        assert_int_equal(bench.loads, 2);
        assert_null(registry_unit(bench.registry, "gone.service"));
        assert_non_null(registry_unit(bench.registry, "new.service"));
        bench_deinit(&bench);
}

static void on_reached(void *userdata, int r) {
        *(int *)userdata = r;
}

static void on_written(void *userdata, const StoreReply *reply) {
        *(uint64_t *)userdata = reply->node->modified;
}

static void test_reach_waits_for_the_mirror(void **state) {
        uint64_t index = 0;
        int reached = 1, never = 1;
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        assert_int_equal(registry_set_desired(bench.registry, "a.service", UNIT_LOADED, on_written, &index), 0);
        while (index == 0)
                assert_true(fake_store_run(bench.store));
        assert_int_equal(registry_reach(bench.registry, index, on_reached, &reached), 0);
        assert_int_equal(reached, 1);
        bench_settle(&bench);
        assert_int_equal(reached, 0);
        reached = 1;
        assert_int_equal(registry_reach(bench.registry, index, on_reached, &reached), 0);
        assert_int_equal(reached, 0); /* at once */
        assert_int_equal(registry_reach(bench.registry, index + 100, on_reached, &never), 0);
        bench_deinit(&bench);
        assert_int_equal(never, -ECANCELED);
}

static size_t sweep(Bench *bench, Usec now) {
        size_t count = registry_sweep_texts(bench->registry, now, 60 * USEC_PER_SEC, 10);

        bench_settle(bench);
        return count;
}

static void test_sweep_takes_only_texts_that_were_unused_for_long(void **state) {
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_unit(&bench, "kept.service", BENCH_HASH, UNIT_INACTIVE);
        assert_int_equal(registry_put_text(bench.registry, other, "[Service]\n", NULL, NULL), 0);
        bench_settle(&bench);
        assert_int_equal(sweep(&bench, 1 * USEC_PER_SEC), 0);
        assert_int_equal(sweep(&bench, 60 * USEC_PER_SEC), 0);
        /* written again: its time begins anew, for a unit may be about to have it */
        assert_int_equal(registry_put_text(bench.registry, other, "[Service]\n", NULL, NULL), 0);
        bench_settle(&bench);
        assert_int_equal(sweep(&bench, 62 * USEC_PER_SEC), 0);
        assert_int_equal(sweep(&bench, 122 * USEC_PER_SEC), 1);
        assert_null(
                fake_store_value(bench.store, "/_coreos.com/fleet/unit/ffffffffffffffffffffffffffffffffffffffff").data);
        assert_non_null(fake_store_value(bench.store, "/_coreos.com/fleet/unit/" BENCH_HASH).data);
        assert_int_equal(sweep(&bench, 500 * USEC_PER_SEC), 0);
        bench_deinit(&bench);
}

static void test_texts_of_an_update_are_kept_until_its_unit_is_gone(void **state) {
        char from[] = BENCH_HASH, to[] = "ffffffffffffffffffffffffffffffffffffffff", id[] = "m1", *machines[] = {id, NULL};
        const RollRecord record = {.from = from, .to = to, .machines = {.items = machines, .length = 1}};
        const RegistryRoll *roll;
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_unit(&bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_int_equal(registry_put_text(bench.registry, other, "[Service]\n", NULL, NULL), 0);
        assert_int_equal(registry_put_roll(bench.registry, "a.service", &record, NULL, NULL), 0);
        bench_settle(&bench);
        roll = registry_roll(bench.registry, "a.service");
        assert_non_null(roll);
        assert_string_equal(roll->record.to, other);
        assert_true(string_list_contains(&roll->record.machines, "m1"));
        assert_true(registry_roll_holds(roll, registry_unit(bench.registry, "a.service")));
        assert_int_equal(registry_replace_unit(bench.registry, "a.service", other, NULL, NULL), 0);
        bench_settle(&bench);
        (void)sweep(&bench, 1 * USEC_PER_SEC);
        assert_int_equal(sweep(&bench, 500 * USEC_PER_SEC), 0);
        assert_int_equal(registry_sweep_rolls(bench.registry, 10), 0);
        assert_int_equal(registry_destroy_unit(bench.registry, "a.service", NULL, NULL), 0);
        bench_settle(&bench);
        assert_int_equal(registry_sweep_rolls(bench.registry, 10), 1);
        bench_settle(&bench);
        assert_null(registry_roll(bench.registry, "a.service"));
        (void)sweep(&bench, 501 * USEC_PER_SEC);
        assert_int_equal(sweep(&bench, 1000 * USEC_PER_SEC), 2);
        bench_deinit(&bench);
}

static void test_text_that_was_written_meanwhile_is_not_swept(void **state) {
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        assert_int_equal(registry_put_text(bench.registry, other, "[Service]\n", NULL, NULL), 0);
        bench_settle(&bench);
        (void)sweep(&bench, 1 * USEC_PER_SEC);
        assert_int_equal(registry_put_text(bench.registry, other, "[Service]\n", NULL, NULL), 0);
        assert_int_equal(sweep(&bench, 100 * USEC_PER_SEC), 1); /* asked for, before the mirror knew */
        assert_non_null(
                fake_store_value(bench.store, "/_coreos.com/fleet/unit/ffffffffffffffffffffffffffffffffffffffff").data);
        bench_deinit(&bench);
}

/* The next unit of that name would be started at once. */
static void test_what_is_wanted_of_a_destroyed_unit_is_swept(void **state) {
        Bench bench;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        bench_put_unit(&bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_int_equal(registry_destroy_unit(bench.registry, "a.service", NULL, NULL), 0);
        assert_int_equal(registry_set_desired(bench.registry, "a.service", UNIT_LAUNCHED, NULL, NULL), 0);
        bench_settle(&bench);
        assert_int_equal(registry_sweep_parts(bench.registry, 1 * USEC_PER_SEC, 60 * USEC_PER_SEC, 10), 0);
        assert_int_equal(registry_sweep_parts(bench.registry, 60 * USEC_PER_SEC, 60 * USEC_PER_SEC, 10), 0);
        assert_int_equal(registry_sweep_parts(bench.registry, 61 * USEC_PER_SEC, 60 * USEC_PER_SEC, 10), 1);
        bench_settle(&bench);
        assert_null(registry_unit(bench.registry, "a.service"));
        assert_null(fake_store_value(bench.store, REGISTRY_PREFIX_DEFAULT "job/a.service/target-state").data);
        bench_put_unit(&bench, "a.service", BENCH_HASH, UNIT_LOADED); /* a whole one stays */
        assert_int_equal(registry_sweep_parts(bench.registry, 70 * USEC_PER_SEC, 60 * USEC_PER_SEC, 10), 0);
        assert_int_equal(registry_sweep_parts(bench.registry, 700 * USEC_PER_SEC, 60 * USEC_PER_SEC, 10), 0);
        bench_deinit(&bench);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mirror_follows_without_reading_again),
                cmocka_unit_test(test_machine_is_gone_when_its_time_has_run_out),
                cmocka_unit_test(test_store_that_is_away_leaves_the_mirror_as_it_is),
                cmocka_unit_test(test_lost_events_are_made_up_for_by_loading_anew),
                cmocka_unit_test(test_reach_waits_for_the_mirror),
                cmocka_unit_test(test_what_is_wanted_of_a_destroyed_unit_is_swept),
                cmocka_unit_test(test_sweep_takes_only_texts_that_were_unused_for_long),
                cmocka_unit_test(test_texts_of_an_update_are_kept_until_its_unit_is_gone),
                cmocka_unit_test(test_text_that_was_written_meanwhile_is_not_swept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
