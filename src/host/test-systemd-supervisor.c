/* The common list against a real systemd. Only where it is asked for: it makes and starts units. */
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
        switch (behaviour) {
        case TEST_RUNS:
                return "[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep 60'\n";
        case TEST_FAILS:
                return "[Service]\nType=oneshot\nExecStart=/bin/false\n";
        case TEST_HANGS:
                return "[Service]\nType=notify\nExecStart=/bin/sleep 60\n";
        case TEST_COMPLETES:
                return "[Service]\nType=oneshot\nExecStart=/bin/true\n";
        }
        return "";
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

int main(void) {
        static const TestBackend backend = {list_open, list_unit, list_turn, list_release};

        if (!getenv("FAERING_TEST_SYSTEMD") || !systemd_is_running()) {
                printf("skipped: needs a machine with systemd to try on, and FAERING_TEST_SYSTEMD=1\n");
                return 77;
        }
        return run_supervisor_tests(&backend);
}
