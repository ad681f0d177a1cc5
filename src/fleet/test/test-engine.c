#include "fleet/engine.h"
#include "fleet/test/bench.h"

/* One machine's engine on a shared store. */
typedef struct Seat {
        Bench bench;
        Cluster cluster;
        Engine *engine;
} Seat;

static void on_changed(void *userdata, RegistryChange change, const char *subject) {
        Seat *seat = userdata;

        if (!seat->engine) /* at the beginning, see seat_init() */
                return;
        (void)cluster_update(&seat->cluster, change, subject);
        if (change != REGISTRY_STATE)
                engine_touch(seat->engine);
}

static void on_reachable(void *userdata, int r, const Error *error) {
        (void)userdata;
        (void)r;
        (void)error;
}

static void on_note(void *userdata, const char *text) {
        (void)userdata;
        (void)text;
}

static const RegistryEvents events = {on_changed, on_reachable};
static const EngineEvents engine_events = {on_note};

static void seat_init(Seat *seat) {
        static const EngineConfig config = {
                .machine = "m1", .lease_ttl = 10 * USEC_PER_SEC, .text_age = 60 * USEC_PER_SEC};

        *seat = (Seat){0};
        bench_init(&seat->bench, &events, seat, 0);
        cluster_init(&seat->cluster, seat->bench.registry);
        (void)cluster_update(&seat->cluster, REGISTRY_LOADED, NULL);
        assert_int_equal(engine_new(&config, seat->bench.registry, &seat->cluster, &engine_events, seat, &seat->engine),
                         0);
}

static void seat_deinit(Seat *seat) {
        bench_deinit(&seat->bench);
        engine_free(seat->engine);
        cluster_deinit(&seat->cluster);
}

/* As the program's loop: what has changed is looked at until nothing changes any more. */
static void seat_run(Seat *seat, Usec now) {
        do
                engine_run(seat->engine, now);
        while (fake_store_run(seat->bench.store));
}

static const char *placed(Seat *seat, const char *name) {
        const RegistryUnit *unit = registry_unit(seat->bench.registry, name);

        return unit && unit->machine ? unit->machine : "";
}

static void test_units_are_placed_and_move_off_a_dead_machine(void **state) {
        const char *was;
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 30 * USEC_PER_SEC);
        bench_put_machine(&seat.bench, "m2", 30 * USEC_PER_SEC);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        bench_put_unit(&seat.bench, "b.service", BENCH_HASH, UNIT_LAUNCHED);
        bench_put_unit(&seat.bench, "idle.service", BENCH_HASH, UNIT_INACTIVE);
        seat_run(&seat, 1 * USEC_PER_SEC);
        assert_true(engine_leads(seat.engine, 1 * USEC_PER_SEC));
        assert_string_not_equal(placed(&seat, "a.service"), placed(&seat, "b.service"));
        assert_string_equal(placed(&seat, "idle.service"), "");
        was = str_equals(placed(&seat, "a.service"), "m1") ? "a.service" : "b.service";
        assert_int_equal(registry_renew_machine(seat.bench.registry, "m2", 100 * USEC_PER_SEC, NULL, NULL), 0);
        bench_settle(&seat.bench);
        fake_store_advance(seat.bench.store, 31 * USEC_PER_SEC);
        bench_settle(&seat.bench);
        seat_run(&seat, 32 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, was), "m2");
        seat_deinit(&seat);
}

static void test_engine_decides_nothing_while_another_has_the_lease(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        assert_int_equal(registry_lease(seat.bench.registry, "m9", 0, 20 * USEC_PER_SEC, NULL, NULL), 0);
        bench_settle(&seat.bench);
        bench_put_machine(&seat.bench, "m1", 100 * USEC_PER_SEC);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(&seat, 1 * USEC_PER_SEC);
        assert_false(engine_leads(seat.engine, 1 * USEC_PER_SEC));
        assert_string_equal(placed(&seat, "a.service"), "");
        fake_store_advance(seat.bench.store, 21 * USEC_PER_SEC); /* the other one has died */
        bench_settle(&seat.bench);
        seat_run(&seat, 23 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1");
        seat_deinit(&seat);
}

static void test_store_that_is_away_makes_nothing_move(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(&seat, 1 * USEC_PER_SEC);
        fake_store_set_reachable(seat.bench.store, false);
        seat_run(&seat, 5 * USEC_PER_SEC);
        seat_run(&seat, 60 * USEC_PER_SEC);
        assert_false(engine_leads(seat.engine, 60 * USEC_PER_SEC));
        assert_string_equal(placed(&seat, "a.service"), "m1");
        fake_store_set_reachable(seat.bench.store, true);
        bench_fire_timer(&seat.bench);
        seat_run(&seat, 70 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1");
        seat_deinit(&seat);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units_are_placed_and_move_off_a_dead_machine),
                cmocka_unit_test(test_engine_decides_nothing_while_another_has_the_lease),
                cmocka_unit_test(test_store_that_is_away_makes_nothing_move),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
