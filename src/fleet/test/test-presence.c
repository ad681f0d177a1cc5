#include "fleet/presence.h"
#include "fleet/test/bench.h"

static const RegistryEvents events = {bench_changed, bench_reachable};
static const PartitionRule rule = {.ttl = 30 * USEC_PER_SEC, .drift = 10, .margin = 7 * USEC_PER_SEC};

static void on_note(void *userdata, const char *text) {
        (void)userdata;
        (void)text;
}

static void on_wake(void *userdata) {
        ++*(int *)userdata;
}

static const PresenceEvents presence_events = {on_note, on_wake};

static void test_the_stop_begins_before_the_key_can_run_out(void **state) {
        (void)state;
        /* sent at 100 s: gone at 130 s by the store's clock, which may be 0.3 s fast; 7 s to end */
        assert_int_equal(partition_deadline(&rule, 100 * USEC_PER_SEC), 122700 * USEC_PER_MSEC);
        assert_false(partition_must_stop(&rule, 100 * USEC_PER_SEC, 122 * USEC_PER_SEC));
        assert_true(partition_must_stop(&rule, 100 * USEC_PER_SEC, 123 * USEC_PER_SEC));
        assert_int_equal(partition_deadline(&(PartitionRule){.ttl = 10, .margin = 20}, 5), 5);
}

static void run(Bench *bench, Presence *presence, Usec now) {
        presence_run(presence, now * USEC_PER_SEC);
        bench_settle(bench);
}

static void test_partition_is_over_when_the_mirror_has_caught_up(void **state) {
        char id[] = "m1", address[] = "10.0.0.1", version[] = "1", instance[] = "i";
        const MachineRecord record = {.id = id, .address = address, .version = version, .instance = instance};
        Presence *presence;
        Bench bench;
        int wakes = 0;

        (void)state;
        bench_init(&bench, &events, &bench, 0);
        assert_int_equal(presence_new(&record, &rule, bench.registry, &presence_events, &wakes, &presence), 0);
        assert_false(presence_is_partitioned(presence, 1000 * USEC_PER_SEC)); /* it has not been there yet */
        run(&bench, presence, 100);
        assert_true(presence_is_registered(presence));
        assert_false(presence_is_partitioned(presence, 122 * USEC_PER_SEC));
        fake_store_set_reachable(bench.store, false);
        run(&bench, presence, 115);
        assert_true(presence_is_troubled(presence, 115 * USEC_PER_SEC));
        assert_true(presence_next(presence) < 123 * USEC_PER_SEC);
        run(&bench, presence, 122);
        assert_false(presence_is_partitioned(presence, 122 * USEC_PER_SEC));
        assert_true(presence_next(presence) <= 122700 * USEC_PER_MSEC);
        run(&bench, presence, 123);
        assert_true(presence_is_partitioned(presence, 123 * USEC_PER_SEC));
        fake_store_advance(bench.store, 60 * USEC_PER_SEC);
        fake_store_set_reachable(bench.store, true);
        presence_run(presence, 170 * USEC_PER_SEC); /* the renewal finds no key */
        bench_settle(&bench);
        presence_run(presence, 171 * USEC_PER_SEC);
        while (!presence_is_registered(presence) && fake_store_run(bench.store))
                ;
        assert_true(presence_is_registered(presence));
        assert_true(presence_is_partitioned(presence, 171 * USEC_PER_SEC)); /* what it knows may be old */
        bench_fire_timer(&bench);
        assert_false(presence_is_partitioned(presence, 171 * USEC_PER_SEC));
        assert_int_equal(wakes, 1);
        bench_deinit(&bench);
        presence_free(presence);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_stop_begins_before_the_key_can_run_out),
                cmocka_unit_test(test_partition_is_over_when_the_mirror_has_caught_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
