#include <errno.h>

#include "fleet/agent/agent.h"
#include "fleet/registry/roll.h"
#include "fleet/test/bench.h"
#include "host/fake-supervisor.h"

typedef struct Seat {
        Bench bench;
        Agent *agent;
        FakeSupervisor *supervisor;
        bool awake, left;
        Usec now;
} Seat;

static void on_changed(void *userdata, RegistryChange change, const char *subject) {
        Seat *seat = userdata;

        if (seat->agent)
                agent_registry_changed(seat->agent, change, subject);
        seat->awake = true;
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

static void on_wake(void *userdata) {
        ((Seat *)userdata)->awake = true;
}

static bool runs_global(void *userdata, const char *unit, bool is_here) {
        (void)userdata;
        (void)is_here;
        return str_starts_with(unit, "global-");
}

static const RegistryEvents events = {on_changed, on_reachable};
static const AgentEvents agent_events = {on_note, on_wake, NULL};

/* As the program's loop, in steps of a second, for as long as anything happens. */
static void seat_run(Seat *seat) {
        bool happened;

        do {
                happened = seat->awake;
                if (seat->awake) {
                        seat->awake = false;
                        agent_run(seat->agent, seat->now);
                }
                seat->now += USEC_PER_SEC;
                happened |= fake_supervisor_run(seat->supervisor, seat->now);
                happened |= fake_store_run(seat->bench.store);
        } while (happened);
}

static void seat_init(Seat *seat) {
        *seat = (Seat){0};
        bench_init(&seat->bench, &events, seat, 0);
        assert_int_equal(agent_new("m1", seat->bench.registry, &agent_events, runs_global, seat, &seat->agent), 0);
        seat->supervisor = fake_supervisor_new(&agent_supervisor_events, seat->agent);
        assert_non_null(seat->supervisor);
        agent_start(seat->agent, fake_supervisor_base(seat->supervisor));
        seat_run(seat);
}

static void seat_deinit(Seat *seat) {
        supervisor_close(fake_supervisor_base(seat->supervisor), NULL, NULL);
        (void)fake_supervisor_run(seat->supervisor, seat->now); /* frees it */
        bench_deinit(&seat->bench);
        agent_free(seat->agent);
}

static void place(Seat *seat, const char *name, const char *hash, UnitState desired) {
        bench_put_unit(&seat->bench, name, hash, desired);
        assert_int_equal(registry_place(seat->bench.registry, name, "m1", "test", NULL, NULL), 0);
        seat_run(seat);
}

static const char *active(Seat *seat, const char *name) {
        const RegistryState *state = registry_state(seat->bench.registry, "m1", name);

        return state ? state->record.active : "none";
}

static void test_unit_is_started_stopped_and_forgotten(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_string_equal(active(&seat, "a.service"), "active");
        assert_true(registry_state(seat.bench.registry, "m1", "a.service")->record.launched);
        assert_int_equal(registry_set_desired(seat.bench.registry, "a.service", UNIT_LOADED, NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "inactive");
        assert_false(registry_state(seat.bench.registry, "m1", "a.service")->record.launched);
        assert_int_equal(registry_destroy_unit(seat.bench.registry, "a.service", NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "none");
        assert_int_equal(agent_units(seat.agent), 0);
        seat_deinit(&seat);
}

static void test_one_failing_task_holds_up_no_other(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        fake_supervisor_fail(seat.supervisor, FAKE_LOAD, -EINVAL, 1);
        place(&seat, "bad.service", BENCH_HASH, UNIT_LAUNCHED);
        place(&seat, "good.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_string_equal(active(&seat, "good.service"), "active");
        assert_string_equal(registry_state(seat.bench.registry, "m1", "bad.service")->record.load, "error");
        seat_deinit(&seat);
}

static void test_states_are_written_only_when_they_change(void **state) {
        uint64_t before;
        Seat seat;

        (void)state;
        seat_init(&seat);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        before = fake_store_count(seat.bench.store, STORE_SET);
        for (int i = 0; i < 100; i++) {
                seat.awake = true;
                seat_run(&seat);
        }
        assert_int_equal(fake_store_count(seat.bench.store, STORE_SET), before);
        fake_supervisor_unit_exits(seat.supervisor, "a.service", 1);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "failed");
        assert_int_equal(fake_store_count(seat.bench.store, STORE_SET), before + 1);
        seat_deinit(&seat);
}

static void test_store_that_is_away_stops_nothing(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        fake_store_set_reachable(seat.bench.store, false);
        seat.awake = true;
        seat_run(&seat);
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_STOP), 0);
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_UNLOAD), 0);
        seat_deinit(&seat);
}

/* Told to the agent, which has not run since. */
static void set_desired(Seat *seat, UnitState desired) {
        assert_int_equal(registry_set_desired(seat->bench.registry, "a.service", desired, NULL, NULL), 0);
        while (fake_store_run(seat->bench.store))
                ;
}

static void test_start_that_is_cut_short_ends_nothing_else(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        assert_int_equal(fake_supervisor_script(seat.supervisor, "a.service", FAKE_HANGS, 0), 0);
        fake_supervisor_set_delay(seat.supervisor, FAKE_UNLOAD, 1000 * USEC_PER_SEC);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        set_desired(&seat, UNIT_INACTIVE);
        agent_run(seat.agent, seat.now); /* the unload is under way, and has cut the start short, which nobody has heard yet */
        set_desired(&seat, UNIT_LAUNCHED);
        seat_run(&seat);
        assert_int_equal(fake_supervisor_script(seat.supervisor, "a.service", FAKE_RUNS, 0), 0);
        seat.now += 1000 * USEC_PER_SEC;
        (void)fake_supervisor_run(seat.supervisor, seat.now);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "active");
        seat_deinit(&seat);
}

static void test_state_that_was_not_taken_is_written_again(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        fake_store_set_reachable(seat.bench.store, false);
        fake_supervisor_unit_exits(seat.supervisor, "a.service", 1);
        seat_run(&seat);
        fake_store_set_reachable(seat.bench.store, true);
        bench_fire_timer(&seat.bench);
        assert_string_equal(active(&seat, "a.service"), "active"); /* the store knows of nothing yet */
        assert_true(agent_next(seat.agent) <= seat.now + USEC_PER_SEC);
        seat.now = agent_next(seat.agent);
        seat.awake = true;
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "failed");
        assert_int_equal(agent_next(seat.agent), USEC_INFINITY);
        seat_deinit(&seat);
}

/* An engine that took the machine for dead does that. */
static void test_states_that_somebody_removed_are_written_again(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_int_equal(registry_drop_states(seat.bench.registry, "m1", NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "active");
        seat_deinit(&seat);
}

/* Its last words come late: the unit is not here any more. */
static void test_state_that_an_earlier_daemon_left_is_removed(void **state) {
        char load[] = "loaded", word[] = "active", sub[] = "running", hash[] = BENCH_HASH, text[] = "";
        const StateRecord record = {.load = load, .active = word, .sub = sub, .hash = hash, .text = text, .launched = true};
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_machine(&seat.bench, "m1", 1000 * USEC_PER_SEC);
        assert_int_equal(registry_put_state(seat.bench.registry, "m1", "old.service", &record, NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(active(&seat, "old.service"), "none");
        seat_deinit(&seat);
}

static const char *hash_of(Seat *seat, const char *name) {
        const RegistryState *state = registry_state(seat->bench.registry, "m1", name);

        return state ? state->record.hash : "none";
}

#define NEW_HASH "9999999999999999999999999999999999999999"

static void put_roll(Seat *seat, const char *machine) {
        char from[] = BENCH_HASH, to[] = NEW_HASH, *machines[] = {(char *)(uintptr_t)machine, NULL};
        const RollRecord record = {.from = from, .to = to, .machines = {.items = machines, .length = 1}};

        assert_int_equal(registry_put_roll(seat->bench.registry, "global-a.service", &record, NULL, NULL), 0);
        seat_run(seat);
}

static void test_updated_global_runs_the_new_text_on_the_machines_that_have_it(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        bench_put_unit(&seat.bench, "global-a.service", BENCH_HASH, UNIT_LAUNCHED);
        seat_run(&seat);
        assert_string_equal(hash_of(&seat, "global-a.service"), BENCH_HASH);
        put_roll(&seat, "m1"); /* its text is not there yet: the old one goes on */
        assert_string_equal(hash_of(&seat, "global-a.service"), BENCH_HASH);
        assert_int_equal(registry_put_text(seat.bench.registry, NEW_HASH, "[Service]\nExecStart=/bin/false\n", NULL, NULL), 0);
        put_roll(&seat, "m2");
        assert_string_equal(hash_of(&seat, "global-a.service"), BENCH_HASH);
        put_roll(&seat, "m1");
        assert_string_equal(hash_of(&seat, "global-a.service"), NEW_HASH);
        assert_string_equal(active(&seat, "global-a.service"), "active");
        assert_int_equal(registry_drop_roll(seat.bench.registry, "global-a.service", NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(hash_of(&seat, "global-a.service"), BENCH_HASH);
        seat_deinit(&seat);
}

static void test_roll_says_nothing_of_a_third_text(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        assert_int_equal(registry_put_text(seat.bench.registry, NEW_HASH, "[Service]\nExecStart=/bin/false\n", NULL, NULL), 0);
        bench_put_unit(&seat.bench, "global-a.service", "7777777777777777777777777777777777777777", UNIT_LAUNCHED);
        put_roll(&seat, "m1");
        assert_string_equal(hash_of(&seat, "global-a.service"), "7777777777777777777777777777777777777777");
        seat_deinit(&seat);
}

/* ---- health ---- */

struct HealthProbe {
        HealthProbed done;
        void *userdata;
};

static HealthProbe probe; /* the one that is under way, if it has a `done` */

static int start_probe(void *prober, const HealthCheck *check, Usec timeout, HealthProbed done, void *userdata, HealthProbe **ret) {
        (void)prober;
        (void)timeout;
        assert_int_equal(check->port, 8080);
        probe = (HealthProbe){done, userdata};
        *ret = &probe;
        return 0;
}

static void cancel_probe(HealthProbe *one) {
        one->done = NULL;
}

static const HealthProbeOps probe_ops = {start_probe, cancel_probe};

static void end_probe(Seat *seat, const char *why) {
        HealthProbed done = probe.done;

        assert_non_null(done);
        probe.done = NULL;
        done(probe.userdata, why);
        seat_run(seat);
}

static const StateRecord *record_of(Seat *seat, const char *name) {
        return &registry_state(seat->bench.registry, "m1", name)->record;
}

static void test_health_is_told_while_the_unit_is_active(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        assert_int_equal(agent_enable_health(seat.agent, &probe_ops, NULL), 0);
        assert_int_equal(registry_put_text(seat.bench.registry, NEW_HASH,
                                           "[Service]\nExecStart=/bin/true\n[X-Fleet]\nHealthCheck=tcp://:8080\nHealthInterval=10s\n", NULL,
                                           NULL),
                         0);
        assert_int_equal(registry_create_unit(seat.bench.registry, "a.service", NEW_HASH, NULL, NULL), 0);
        assert_int_equal(registry_set_desired(seat.bench.registry, "a.service", UNIT_LAUNCHED, NULL, NULL), 0);
        assert_int_equal(registry_place(seat.bench.registry, "a.service", "m1", "test", NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(record_of(&seat, "a.service")->health, "pending");
        agent_run(seat.agent, seat.now);
        end_probe(&seat, "refused");
        assert_string_equal(record_of(&seat, "a.service")->health, "failing");
        assert_string_equal(record_of(&seat, "a.service")->health_text, "refused");
        seat.now = agent_next(seat.agent);
        agent_run(seat.agent, seat.now);
        end_probe(&seat, "");
        assert_string_equal(record_of(&seat, "a.service")->health, "passing");
        assert_int_equal(registry_set_desired(seat.bench.registry, "a.service", UNIT_LOADED, NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(record_of(&seat, "a.service")->health, "");
        assert_int_equal(agent_next(seat.agent), USEC_INFINITY);
        seat_deinit(&seat);
}

static void on_left(void *userdata) {
        ((Seat *)userdata)->left = true;
}

/* The program ends, its supervisor's units do not, and it begins anew. */
static void seat_restart(Seat *seat) {
        Supervisor *supervisor = fake_supervisor_base(seat->supervisor);

        supervisor_leave(supervisor, NULL, NULL);
        (void)fake_supervisor_run(seat->supervisor, seat->now);
        agent_free(seat->agent);
        assert_int_equal(agent_new("m1", seat->bench.registry, &agent_events, runs_global, seat, &seat->agent), 0);
        agent_start(seat->agent, fake_supervisor_return(seat->supervisor, &agent_supervisor_events, seat->agent));
        seat_run(seat);
}

static void on_started(void *userdata, int r, const Error *error) {
        (void)userdata;
        (void)error;
        assert_int_equal(r, 0);
}

/* A service that is only to be loaded, started as by its socket. */
static void start_by_socket(Seat *seat, const char *name) {
        supervisor_start(fake_supervisor_base(seat->supervisor), name, on_started, NULL);
        seat_run(seat);
}

static void test_restarted_agent_touches_nothing(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        fake_supervisor_forget_starts(seat.supervisor); /* what was asked only the store knows */
        assert_int_equal(fake_supervisor_script(seat.supervisor, "job.service", FAKE_COMPLETES, 0), 0);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        place(&seat, "job.service", BENCH_HASH, UNIT_LAUNCHED);
        place(&seat, "b.service", BENCH_HASH, UNIT_LOADED);
        start_by_socket(&seat, "b.service");
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_START), 3);
        seat_restart(&seat);
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_START), 3);
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_STOP), 0);
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_UNLOAD), 0);
        assert_string_equal(active(&seat, "a.service"), "active");
        assert_string_equal(active(&seat, "b.service"), "active");
        assert_string_equal(active(&seat, "job.service"), "inactive");
        assert_int_equal(registry_set_desired(seat.bench.registry, "a.service", UNIT_LOADED, NULL, NULL), 0);
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "inactive");
        seat_deinit(&seat);
}

static void test_supervisor_out_of_reach_is_not_asked_without_pause(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        fake_supervisor_fail(seat.supervisor, FAKE_LOAD, -ENOTCONN, 1);
        bench_put_unit(&seat.bench, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        assert_int_equal(registry_place(seat.bench.registry, "a.service", "m1", "test", NULL, NULL), 0);
        while (fake_store_run(seat.bench.store))
                ;
        for (int i = 0; i < 10; i++) { /* at one time */
                agent_run(seat.agent, seat.now);
                (void)fake_supervisor_run(seat.supervisor, seat.now);
        }
        assert_int_equal(fake_supervisor_count(seat.supervisor, FAKE_LOAD), 1);
        assert_int_equal(agent_next(seat.agent), seat.now + USEC_PER_SEC);
        seat.now += USEC_PER_SEC;
        seat_run(&seat);
        assert_string_equal(active(&seat, "a.service"), "active");
        assert_int_equal(agent_next(seat.agent), USEC_INFINITY);
        seat_deinit(&seat);
}

static void test_leaving_unloads_all(void **state) {
        Seat seat;

        (void)state;
        seat_init(&seat);
        place(&seat, "a.service", BENCH_HASH, UNIT_LAUNCHED);
        place(&seat, "b.service", BENCH_HASH, UNIT_LOADED);
        agent_leave(seat.agent, on_left);
        seat_run(&seat);
        assert_true(seat.left);
        assert_int_equal(agent_units(seat.agent), 0);
        assert_string_equal(active(&seat, "a.service"), "none");
        seat_deinit(&seat);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unit_is_started_stopped_and_forgotten),
                cmocka_unit_test(test_one_failing_task_holds_up_no_other),
                cmocka_unit_test(test_states_are_written_only_when_they_change),
                cmocka_unit_test(test_store_that_is_away_stops_nothing),
                cmocka_unit_test(test_start_that_is_cut_short_ends_nothing_else),
                cmocka_unit_test(test_state_that_was_not_taken_is_written_again),
                cmocka_unit_test(test_states_that_somebody_removed_are_written_again),
                cmocka_unit_test(test_state_that_an_earlier_daemon_left_is_removed),
                cmocka_unit_test(test_updated_global_runs_the_new_text_on_the_machines_that_have_it),
                cmocka_unit_test(test_roll_says_nothing_of_a_third_text),
                cmocka_unit_test(test_health_is_told_while_the_unit_is_active),
                cmocka_unit_test(test_restarted_agent_touches_nothing),
                cmocka_unit_test(test_supervisor_out_of_reach_is_not_asked_without_pause),
                cmocka_unit_test(test_leaving_unloads_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
