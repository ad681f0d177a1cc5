#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "host/fake-supervisor.h"
#include "host/test-supervisor-list.h"

typedef struct FakeBackend {
        FakeSupervisor *fake;
        Usec now;
} FakeBackend;

static Supervisor *fake_open(const SupervisorEvents *events, void *userdata, void **ret_backend) {
        FakeBackend *backend = calloc(1, sizeof(*backend));

        *ret_backend = backend;
        if (!backend || !(backend->fake = fake_supervisor_new(events, userdata)))
                return NULL;
        return fake_supervisor_base(backend->fake);
}

static const char *fake_unit(void *backend, const char *name, TestBehaviour behaviour) {
        static const FakeOutcome outcomes[] = {
                [TEST_RUNS] = FAKE_RUNS,    [TEST_FAILS] = FAKE_FAILS,   [TEST_HANGS] = FAKE_HANGS, [TEST_COMPLETES] = FAKE_COMPLETES,
                [TEST_RELOADS] = FAKE_RUNS, [TEST_LISTENS] = FAKE_RUNS, [TEST_WAITS] = FAKE_RUNS,  [TEST_WATCHES] = FAKE_RUNS,
        };
        FakeSupervisor *fake = ((FakeBackend *)backend)->fake;

        if (behaviour >= TEST_RETURNS) /* it does not read texts */
                return NULL;
        assert_int_equal(fake_supervisor_script(fake, name, outcomes[behaviour], 50), 0);
        if (behaviour == TEST_RUNS)
                assert_int_equal(fake_supervisor_print(fake, name, "hello"), 0);
        return behaviour == TEST_RELOADS ? "[Service]\nExecStart=/bin/x\nExecReload=/bin/x\n" : "[Service]\nExecStart=/bin/x\n";
}

static void fake_turn(void *backend) {
        FakeBackend *b = backend;

        if (!fake_supervisor_run(b->fake, b->now))
                b->now = fake_supervisor_next(b->fake) == USEC_INFINITY ? b->now + 1 : fake_supervisor_next(b->fake);
}

static Supervisor *fake_reopen(void *backend, const SupervisorEvents *events, void *userdata) {
        return fake_supervisor_return(((FakeBackend *)backend)->fake, events, userdata);
}

static void fake_release(void *backend) {
        free(backend);
}

static const TestBackend fake_backend = {fake_open, fake_unit, fake_turn, fake_reopen, fake_release};

typedef struct Ended {
        int r, n;
} Ended;

static void on_done(void *userdata, int r, const Error *error) {
        Ended *ended = userdata;

        (void)error;
        ended->r = r;
        ended->n++;
}

static void test_scripted_failures_and_delays(void **state) {
        static const SupervisorEvents events = {0};
        FakeSupervisor *fake = fake_supervisor_new(&events, NULL);
        Supervisor *supervisor = fake_supervisor_base(fake);
        SupervisorState now;
        Ended ended = {0};

        (void)state;
        fake_supervisor_fail(fake, FAKE_LOAD, -EIO, 1);
        supervisor_load(supervisor, "a.service", slice_from("[Service]\n"), "", on_done, &ended);
        assert_int_equal(ended.n, 0);
        (void)fake_supervisor_run(fake, 0);
        assert_int_equal(ended.r, -EIO);
        assert_int_equal(supervisor_state(supervisor, "a.service", &now), -ENOENT);
        fake_supervisor_set_delay(fake, FAKE_LOAD, 100);
        supervisor_load(supervisor, "a.service", slice_from("[Service]\n"), "", on_done, &ended);
        assert_int_equal(fake_supervisor_next(fake), 100);
        (void)fake_supervisor_run(fake, 99);
        assert_int_equal(ended.n, 1);
        (void)fake_supervisor_run(fake, 100);
        assert_int_equal(ended.n, 2);
        assert_int_equal(ended.r, 0);
        supervisor_start(supervisor, "a.service", on_done, &ended);
        (void)fake_supervisor_run(fake, 100);
        fake_supervisor_unit_exits(fake, "a.service", 3);
        assert_int_equal(supervisor_state(supervisor, "a.service", &now), 0);
        assert_string_equal(now.active, "failed");
        assert_int_equal(now.exit_status, 3);
        assert_int_equal(fake_supervisor_count(fake, FAKE_LOAD), 2);
        supervisor_close(supervisor, NULL, NULL);
        (void)fake_supervisor_run(fake, 100);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripted_failures_and_delays)};

        return cmocka_run_group_tests(tests, NULL, NULL) + run_supervisor_tests(&fake_backend);
}
