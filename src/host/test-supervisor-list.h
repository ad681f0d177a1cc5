#pragma once
/*
 * What every supervisor must do: one list of tests, run against each backend. The backend says how units that behave
 * in a certain way are written there, and turns its wheels.
 */
#include "host/supervisor.h"

typedef enum TestBehaviour {
        TEST_RUNS,      /* prints "hello", then runs until it is stopped */
        TEST_FAILS,     /* exits with status 1 before it is up */
        TEST_HANGS,     /* never becomes ready */
        TEST_COMPLETES, /* a oneshot that succeeds */
        TEST_RELOADS,   /* runs, and has ExecReload= and [Install] */
        TEST_LISTENS,   /* a socket, */
        TEST_WAITS,     /* a timer that elapses some day, */
        TEST_WATCHES,   /* and a path that is not there: of the service of the same name */
        TEST_RETURNS,   /* runs, and is started again at once when it ends */
        TEST_FOLLOWS,   /* runs, is bound to main.service and installed for it */
        TEST_CONFLICTS, /* runs, conflicts with main.service, and would be started after it */
        TEST_UPHOLDS,   /* runs, and upholds main.service */
        TEST_IS_PART,   /* runs, is part of main.service and wants side.service by its alias */
} TestBehaviour;

typedef struct TestBackend {
        /* A fresh supervisor; owner data in *ret_backend. */
        Supervisor *(*open)(const SupervisorEvents *events, void *userdata, void **ret_backend);
        /* Text of a unit that behaves so. NULL: units do not act on each other here. */
        const char *(*unit)(void *backend, const char *name, TestBehaviour behaviour);
        /* Waits for the next thing to happen, and lets it. */
        void (*turn)(void *backend);
        /* After supervisor_leave() and its end: another one on the same state. NULL: units end with it. */
        Supervisor *(*reopen)(void *backend, const SupervisorEvents *events, void *userdata);
        /* After the supervisor has closed. */
        void (*release)(void *backend);
} TestBackend;

/* What units of a real service manager are made of: the texts are those of systemd. NULL: a behaviour of the common list alone. */
const char *supervisor_test_unit(TestBehaviour behaviour);

int run_supervisor_tests(const TestBackend *backend);
