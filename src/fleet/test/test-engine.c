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
        if (change == REGISTRY_STATE)
                engine_state_changed(seat->engine, subject);
        else
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
/* seat_run() goes on for as long as anything happens. */
static void on_wake(void *userdata) {
        (void)userdata;
}

static const EngineEvents engine_events = {on_note, on_wake};

static void seat_init(Seat *seat) {
        static const EngineConfig config = {
                .machine = "m1", .lease_ttl = 10 * USEC_PER_SEC, .text_age = 60 * USEC_PER_SEC, .grace = 5 * USEC_PER_SEC};

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

/* The agent of a machine tells how the unit does there. */
static void tell(Seat *seat, const char *machine, const char *unit, const char *active, uint64_t failures) {
        char load[] = "loaded", sub[] = "running", text[] = "exit code 1";
        const StateRecord record = {.load = load,
                                    .active = (char *)(uintptr_t)active,
                                    .sub = sub,
                                    .hash = registry_unit(seat->bench.registry, unit)->hash,
                                    .text = text,
                                    .launched = true,
                                    .failures = failures};

        assert_int_equal(registry_put_state(seat->bench.registry, machine, unit, &record, NULL, NULL), 0);
        bench_settle(&seat->bench);
}

static void put_unit_with(Seat *seat, const char *name, const char *hash, const char *section) {
        _cleanup_free_ char *text = str_printf("[Service]\nExecStart=/bin/true\n[X-Fleet]\n%s", section);

        assert_int_equal(registry_put_text(seat->bench.registry, hash, text, NULL, NULL), 0);
        assert_int_equal(registry_create_unit(seat->bench.registry, name, hash, NULL, NULL), 0);
        assert_int_equal(registry_set_desired(seat->bench.registry, name, UNIT_LAUNCHED, NULL, NULL), 0);
        bench_settle(&seat->bench);
}

/* a.service on m1, m2 empty, and m1 is to be drained. */
static void seat_init_drain(Seat *seat) {
        seat_init(seat);
        bench_put_machine(&seat->bench, "m1", 1000 * USEC_PER_SEC);
        bench_put_unit(&seat->bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(seat, 1 * USEC_PER_SEC);
        assert_string_equal(placed(seat, "a.service"), "m1");
        tell(seat, "m1", "a.service", "active", 0);
        bench_put_machine(&seat->bench, "m2", 1000 * USEC_PER_SEC);
        assert_int_equal(registry_set_cordon(seat->bench.registry, "m1", CORDON_DRAINING, NULL, NULL), 0);
        bench_settle(&seat->bench);
        seat_run(seat, 2 * USEC_PER_SEC);
        assert_string_equal(placed(seat, "a.service"), "m2");
        assert_string_equal(registry_unit(seat->bench.registry, "a.service")->source, "m1");
}

static void test_drained_unit_starts_there_before_it_stops_here(void **state) {
        const RegistryUnit *unit;
        Seat seat;

        (void)state;
        seat_init_drain(&seat);
        unit = registry_unit(seat.bench.registry, "a.service");
        tell(&seat, "m2", "a.service", "activating", 0);
        seat_run(&seat, 3 * USEC_PER_SEC);
        assert_string_equal(unit->source, "m1");
        tell(&seat, "m2", "a.service", "active", 0);
        seat_run(&seat, 4 * USEC_PER_SEC);
        assert_null(unit->source);
        assert_int_equal(unit->n_placements, 1);
        assert_string_equal(unit->machine, "m2");
        seat_deinit(&seat);
}

static void test_engine_that_dies_in_a_move_is_followed_by_another(void **state) {
        static const EngineConfig other = {
                .machine = "m2", .lease_ttl = 10 * USEC_PER_SEC, .text_age = 60 * USEC_PER_SEC, .grace = 5 * USEC_PER_SEC};
        Seat seat;

        (void)state;
        seat_init_drain(&seat);
        engine_free(seat.engine);
        assert_int_equal(engine_new(&other, seat.bench.registry, &seat.cluster, &engine_events, &seat, &seat.engine), 0);
        seat.cluster.stale = true; /* another daemon has read it all from the store */
        fake_store_advance(seat.bench.store, 20 * USEC_PER_SEC);
        bench_settle(&seat.bench);
        seat_run(&seat, 22 * USEC_PER_SEC);
        assert_true(engine_leads(seat.engine, 22 * USEC_PER_SEC));
        assert_string_equal(registry_unit(seat.bench.registry, "a.service")->source, "m1");
        tell(&seat, "m2", "a.service", "active", 0);
        seat_run(&seat, 23 * USEC_PER_SEC);
        assert_null(registry_unit(seat.bench.registry, "a.service")->source);
        assert_string_equal(placed(&seat, "a.service"), "m2");
        seat_deinit(&seat);
}

static void test_move_that_fails_leaves_the_unit_where_it_was(void **state) {
        Seat seat;

        (void)state;
        seat_init_drain(&seat);
        tell(&seat, "m2", "a.service", "failed", 0);
        seat_run(&seat, 3 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1");
        assert_null(registry_unit(seat.bench.registry, "a.service")->source);
        assert_int_equal(registry_bans(seat.bench.registry)->length, 1);
        seat_run(&seat, 4 * USEC_PER_SEC); /* and is not sent there again at once */
        assert_string_equal(placed(&seat, "a.service"), "m1");
        seat_deinit(&seat);
}

static void test_move_that_takes_too_long_is_given_up(void **state) {
        Seat seat;

        (void)state;
        seat_init_drain(&seat);
        tell(&seat, "m2", "a.service", "activating", 0);
        for (Usec at = 3; at < 200; at += 3) {
                fake_store_advance(seat.bench.store, 3 * USEC_PER_SEC);
                bench_settle(&seat.bench);
                seat_run(&seat, at * USEC_PER_SEC);
        }
        assert_string_equal(placed(&seat, "a.service"), "m1");
        assert_null(registry_unit(seat.bench.registry, "a.service")->source);
        seat_deinit(&seat);
}

static void test_ordered_move_is_made_and_forgotten(void **state) {
        char from[] = "m1", to[] = "m2", reason[] = "rebalance";
        const MoveRecord move = {from, to, reason};
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(&seat, 1 * USEC_PER_SEC);
        bench_put_machine(&seat.bench, "m2", 1000 * USEC_PER_SEC);
        seat_run(&seat, 2 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1"); /* never by surprise */
        assert_int_equal(registry_put_move(seat.bench.registry, "a.service", &move, NULL, NULL), 0);
        assert_int_equal(registry_put_move(seat.bench.registry, "unknown.service", &move, NULL, NULL), 0);
        bench_settle(&seat.bench);
        seat_run(&seat, 3 * USEC_PER_SEC);
        tell(&seat, "m2", "a.service", "active", 0);
        seat_run(&seat, 4 * USEC_PER_SEC);
        seat_run(&seat, 5 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m2");
        assert_int_equal(registry_unit(seat.bench.registry, "a.service")->n_placements, 1);
        assert_int_equal(registry_moves(seat.bench.registry)->length, 0);
        seat_deinit(&seat);
}

static void test_unit_that_keeps_failing_moves(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        put_unit_with(&seat, "a.service", BENCH_HASH, "MoveAfterFailures=3\n");
        seat_run(&seat, 1 * USEC_PER_SEC);
        tell(&seat, "m1", "a.service", "active", 3);
        seat_run(&seat, 2 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1"); /* there is no other */
        assert_int_equal(registry_bans(seat.bench.registry)->length, 1);
        bench_put_machine(&seat.bench, "m2", 1000 * USEC_PER_SEC);
        seat_run(&seat, 3 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m2");
        tell(&seat, "m2", "a.service", "active", 2);
        seat_run(&seat, 4 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m2");
        tell(&seat, "m2", "a.service", "failed", 2);
        seat_run(&seat, 5 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m2"); /* it has failed on both */
        assert_int_equal(registry_bans(seat.bench.registry)->length, 2);
        /* the store forgets; what failed there is tried again when it fails here */
        for (Usec at = 6; at < 620; at += 3) {
                fake_store_advance(seat.bench.store, 3 * USEC_PER_SEC);
                bench_settle(&seat.bench);
                seat_run(&seat, at * USEC_PER_SEC);
        }
        assert_int_equal(registry_bans(seat.bench.registry)->length, 0);
        tell(&seat, "m2", "a.service", "failed", 3);
        seat_run(&seat, 620 * USEC_PER_SEC);
        seat_run(&seat, 621 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1");
        seat_deinit(&seat);
}

/* The keys of all machines run out while the store is away: they get time to say that they live. */
static void test_machines_are_not_judged_when_the_store_has_been_away(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 30 * USEC_PER_SEC);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(&seat, 1 * USEC_PER_SEC);
        fake_store_set_reachable(seat.bench.store, false);
        seat_run(&seat, 9 * USEC_PER_SEC);
        fake_store_advance(seat.bench.store, 60 * USEC_PER_SEC);
        seat_run(&seat, 60 * USEC_PER_SEC);
        fake_store_set_reachable(seat.bench.store, true);
        bench_fire_timer(&seat.bench);
        assert_false(registry_machine(seat.bench.registry, "m1")->present);
        seat_run(&seat, 62 * USEC_PER_SEC);
        assert_true(engine_leads(seat.engine, 62 * USEC_PER_SEC));
        assert_string_equal(placed(&seat, "a.service"), "m1");
        assert_true(engine_next(seat.engine) <= 67 * USEC_PER_SEC);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        seat_run(&seat, 80 * USEC_PER_SEC);
        assert_string_equal(placed(&seat, "a.service"), "m1");
        seat_deinit(&seat);
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
        assert_int_equal(registry_lease(seat.bench.registry, "m9", 0, false, 20 * USEC_PER_SEC, NULL, NULL), 0);
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
                cmocka_unit_test(test_drained_unit_starts_there_before_it_stops_here),
                cmocka_unit_test(test_engine_that_dies_in_a_move_is_followed_by_another),
                cmocka_unit_test(test_move_that_fails_leaves_the_unit_where_it_was),
                cmocka_unit_test(test_move_that_takes_too_long_is_given_up),
                cmocka_unit_test(test_ordered_move_is_made_and_forgotten),
                cmocka_unit_test(test_unit_that_keeps_failing_moves),
                cmocka_unit_test(test_machines_are_not_judged_when_the_store_has_been_away),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
