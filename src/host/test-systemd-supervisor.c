/* The common list against a real systemd. Only where it is asked for: it makes and starts units. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host/systemd-supervisor.h"
#include "host/test-supervisor-list.h"

static uv_loop_t loop;
static Supervisor *opened;

static Supervisor *list_open(const SupervisorEvents *events, void *userdata, void **ret_backend) {
        Error error = ERROR_NONE;

        *ret_backend = &loop;
        assert_int_equal(uv_loop_init(&loop), 0);
        if (systemd_supervisor_new(&loop, &(SystemdOptions){.units_directory = "/run/faering-test/units"}, events,
                                   userdata, &opened, &error) < 0)
                fail_msg("%s", error.text);
        return opened;
}

static const char *list_unit(void *backend, const char *name, TestBehaviour behaviour) {
        (void)backend;
        (void)name;
        return supervisor_test_unit(behaviour);
}

static Supervisor *list_reopen(void *backend, const SupervisorEvents *events, void *userdata) {
        Error error = ERROR_NONE;

        if (systemd_supervisor_new(backend, &(SystemdOptions){.units_directory = "/run/faering-test/units"}, events, userdata, &opened,
                                   &error) < 0)
                fail_msg("%s", error.text);
        return opened;
}

static void list_turn(void *backend) {
        (void)uv_run(backend, UV_RUN_ONCE);
}

/* What was found, and how many operations have ended. */
typedef struct Sweep {
        StringList names;
        size_t done;
} Sweep;

static void on_done(void *userdata, int r, const Error *error) {
        if (r < 0)
                print_message("%s\n", error->text);
        ((Sweep *)userdata)->done++;
}

static void on_unit(void *userdata, const SupervisorUnit *unit) {
        assert_int_equal(string_list_add(&((Sweep *)userdata)->names, unit->name), 0);
}

static void on_closed(void *userdata) {
        *(bool *)userdata = true;
}

/* The units outlive a supervisor: each test leaves them stopped and unloaded. */
static void list_release(void *backend) {
        static const SupervisorEvents events = {0};
        Sweep sweep = {0};
        bool closed = false;
        Error error;

        assert_int_equal(systemd_supervisor_new(backend,
                                                &(SystemdOptions){.units_directory = "/run/faering-test/units"},
                                                &events, NULL, &opened, &error),
                         0);
        supervisor_list(opened, on_unit, on_done, &sweep); /* which adopts what is there */
        while (sweep.done == 0)
                (void)uv_run(backend, UV_RUN_ONCE);
        for (size_t i = 0; i < sweep.names.length; i++)
                supervisor_unload(opened, sweep.names.items[i], on_done, &sweep);
        supervisor_reread(opened, on_done, &sweep);
        while (sweep.done < sweep.names.length + 2)
                (void)uv_run(backend, UV_RUN_ONCE);
        string_list_deinit(&sweep.names);
        supervisor_close(opened, on_closed, &closed);
        while (!closed)
                (void)uv_run(backend, UV_RUN_ONCE);
        (void)uv_run(backend, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(backend), 0);
}

/* ---- the bus and systemd begin anew under a running supervisor ---- */

typedef struct Watch {
        SupervisorState last; /* of web.service */
        unsigned lost;
        size_t turns;
        Sweep sweep;
} Watch;

static void on_watched(void *userdata, const char *name, const SupervisorState *state) {
        if (str_equals(name, "web.service"))
                ((Watch *)userdata)->last = *state;
}

static void on_lost(void *userdata, int r, const Error *error) {
        assert_true(r < 0 && *error->text);
        ((Watch *)userdata)->lost++;
}

static const SupervisorEvents watch_events = {.changed = on_watched, .lost = on_lost};

static void wait_done(Watch *w, size_t done) {
        while (w->sweep.done < done)
                (void)uv_run(&loop, UV_RUN_ONCE);
}

static void wait_active(Watch *w, const char *active) {
        while (!str_equals(w->last.active, active)) {
                (void)uv_run(&loop, UV_RUN_ONCE);
                w->turns++;
        }
}

/* A command that a test runs by itself, while the loop does not turn. */
static void shell(const char *command) {
        if (system(command) != 0) /* NOLINT: of our own text */
                fail_msg("\"%s\" failed", command);
}

static void begin_watch(Watch *w) {
        void *backend;

        (void)list_open(&watch_events, w, &backend);
        supervisor_load(opened, "web.service", slice_from(supervisor_test_unit(TEST_RUNS)), "tag-1", on_done, &w->sweep);
        wait_done(w, 1);
        supervisor_reread(opened, on_done, &w->sweep);
        wait_done(w, 2);
        supervisor_start(opened, "web.service", on_done, &w->sweep);
        wait_done(w, 3);
        wait_active(w, "active");
}

static void end_watch(void) {
        bool closed = false;

        supervisor_close(opened, on_closed, &closed);
        while (!closed)
                (void)uv_run(&loop, UV_RUN_ONCE);
        list_release(&loop);
}

static void test_a_new_systemd_is_followed(void **state) {
        Watch w = {0};

        (void)state;
        begin_watch(&w);
        shell("systemctl daemon-reexec");
        shell("systemctl kill -s KILL web.service");
        wait_active(&w, "failed");
        supervisor_start(opened, "web.service", on_done, &w.sweep);
        wait_done(&w, 4);
        wait_active(&w, "active");
        end_watch();
}

static void test_a_lost_bus_is_found_again_without_haste(void **state) {
        Watch w = {0};

        (void)state;
        begin_watch(&w);
        shell("systemctl stop dbus.socket dbus.service");
        while (w.lost == 0)
                (void)uv_run(&loop, UV_RUN_ONCE);
        supervisor_stop(opened, "web.service", on_done, &w.sweep); /* ends with -ENOTCONN */
        wait_done(&w, 4);
        shell("systemctl kill -s KILL web.service; sleep 1; systemctl start dbus.socket dbus.service");
        wait_active(&w, "failed");
        assert_int_equal(w.lost, 1);
        assert_true(w.turns < 200);
        supervisor_start(opened, "web.service", on_done, &w.sweep);
        wait_done(&w, 5);
        wait_active(&w, "active");
        end_watch();
}

/* The bus refuses more than 128 calls of one connection that have no answer yet. */
static void test_many_units_at_once_all_start(void **state) {
        enum { MANY = 200 };
        static const SupervisorEvents none = {0};
        Sweep sweep = {0};
        void *backend;
        char name[32];

        (void)state;
        (void)list_open(&none, NULL, &backend);
        for (int i = 0; i < MANY; i++) {
                (void)snprintf(name, sizeof(name), "many-%d.service", i);
                supervisor_load(opened, name, slice_from(supervisor_test_unit(TEST_RUNS)), "tag-1", on_done, &sweep);
        }
        supervisor_reread(opened, on_done, &sweep);
        while (sweep.done < MANY + 1)
                (void)uv_run(&loop, UV_RUN_ONCE);
        for (int i = 0; i < MANY; i++) {
                (void)snprintf(name, sizeof(name), "many-%d.service", i);
                supervisor_start(opened, name, on_done, &sweep);
        }
        while (sweep.done < 2 * MANY + 1)
                (void)uv_run(&loop, UV_RUN_ONCE);
        for (int i = 0; i < MANY; i++) {
                SupervisorState now;

                (void)snprintf(name, sizeof(name), "many-%d.service", i);
                assert_int_equal(supervisor_state(opened, name, &now), 0);
                assert_string_equal(now.active, "active");
        }
        end_watch();
}

/* ---- links ---- */

#define LINKS "/run/systemd/system/"
#define WANTED LINKS "multi-user.target.wants/linked.service"

static void load_and_wait(Sweep *sweep, const char *name, const char *text) {
        size_t done = sweep->done;

        supervisor_load(opened, name, slice_from(text), "tag-1", on_done, sweep);
        supervisor_reread(opened, on_done, sweep);
        while (sweep->done < done + 2)
                (void)uv_run(&loop, UV_RUN_ONCE);
}

static void unload_and_wait(Sweep *sweep, const char *name) {
        size_t done = sweep->done;

        supervisor_unload(opened, name, on_done, sweep);
        while (sweep->done < done + 1)
                (void)uv_run(&loop, UV_RUN_ONCE);
}

static void test_links_come_and_go_with_their_unit(void **state) {
        static const SupervisorEvents none = {0};
        const char *plain = supervisor_test_unit(TEST_RUNS);
        _cleanup_free_ char *installed = str_printf("%s\n[Install]\nWantedBy=multi-user.target\n", plain);
        Sweep sweep = {0};
        void *backend;

        (void)state;
        (void)list_open(&none, NULL, &backend);
        load_and_wait(&sweep, "linked.service", plain);
        shell("test \"$(systemctl is-enabled linked.service)\" = linked-runtime");
        shell("test \"$(systemctl show -P NeedDaemonReload linked.service)\" = no");
        unload_and_wait(&sweep, "linked.service");
        shell("! test -L " LINKS "linked.service");
        load_and_wait(&sweep, "linked.service", installed);
        shell("test -L " WANTED);
        load_and_wait(&sweep, "linked.service", plain); /* what it had asked for goes with it all the same */
        unload_and_wait(&sweep, "linked.service");
        shell("! test -L " WANTED " && ! test -L " LINKS "linked.service");
        end_watch();
}

static void on_refused(void *userdata, int r, const Error *error) {
        assert_int_equal(r, -EEXIST);
        assert_non_null(strstr(error->text, LINKS "taken.service"));
        *(bool *)userdata = true;
}

static void test_a_file_of_somebody_else_is_not_replaced(void **state) {
        static const SupervisorEvents none = {0};
        bool refused = false;
        void *backend;

        (void)state;
        shell("echo '[Unit]' >" LINKS "taken.service");
        (void)list_open(&none, NULL, &backend);
        supervisor_load(opened, "taken.service", slice_from(supervisor_test_unit(TEST_RUNS)), "tag-1", on_refused, &refused);
        while (!refused)
                (void)uv_run(&loop, UV_RUN_ONCE);
        end_watch(); /* which unloads all */
        shell("test \"$(cat " LINKS "taken.service)\" = '[Unit]' && rm " LINKS "taken.service");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_links_come_and_go_with_their_unit),
                cmocka_unit_test(test_a_file_of_somebody_else_is_not_replaced),
                cmocka_unit_test(test_a_new_systemd_is_followed),
                cmocka_unit_test(test_a_lost_bus_is_found_again_without_haste),
                cmocka_unit_test(test_many_units_at_once_all_start),
        };
        int failed;

        static const TestBackend backend = {list_open, list_unit, list_turn, list_reopen, list_release};

        if (!getenv("FAERING_TEST_SYSTEMD") || !systemd_is_running()) {
                printf("skipped: needs a machine with systemd to try on, and FAERING_TEST_SYSTEMD=1\n");
                return 77;
        }
        failed = run_supervisor_tests(&backend);
        return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
