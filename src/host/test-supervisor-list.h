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
} TestBehaviour;

typedef struct TestBackend {
        /* A fresh supervisor; owner data in *ret_backend. */
        Supervisor *(*open)(const SupervisorEvents *events, void *userdata, void **ret_backend);
        /* Text of a unit that behaves so. */
        const char *(*unit)(void *backend, const char *name, TestBehaviour behaviour);
        /* Waits for the next thing to happen, and lets it. */
        void (*turn)(void *backend);
        /* After the supervisor has closed. */
        void (*release)(void *backend);
} TestBackend;

int run_supervisor_tests(const TestBackend *backend);
