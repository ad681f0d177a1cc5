#pragma once
/* What the tests of this folder share: a store in memory and a registry on it, with a timer that fires when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/registry/registry.h"
#include "storeclient/fake/fake-storeclient.h"

#define BENCH_HASH "0123456789012345678901234567890123456789"

typedef struct Bench {
        FakeStore *store;
        Registry *registry;
        void (*expired)(void *registry); /* of the registry's timer; NULL: not running */
        unsigned loads, changes, unreachable, reachable;
} Bench;

static inline void bench_timer_start(void *userdata, Usec after, void (*expired)(void *registry), void *registry) {
        (void)after;
        (void)registry;
        ((Bench *)userdata)->expired = expired;
}

static inline void bench_timer_stop(void *userdata) {
        ((Bench *)userdata)->expired = NULL;
}

static inline void bench_changed(void *userdata, RegistryChange change, const char *subject) {
        Bench *bench = userdata;

        (void)subject;
        if (change == REGISTRY_LOADED)
                bench->loads++;
        bench->changes++;
}

static inline void bench_reachable(void *userdata, int r, const Error *error) {
        Bench *bench = userdata;

        (void)error;
        if (r < 0)
                bench->unreachable++;
        else
                bench->reachable++;
}

/* Until nothing is due. */
static inline void bench_settle(Bench *bench) {
        while (fake_store_run(bench->store))
                ;
}

static inline void bench_fire_timer(Bench *bench) {
        void (*expired)(void *registry) = bench->expired;

        assert_non_null(expired);
        bench->expired = NULL;
        expired(bench->registry);
        bench_settle(bench);
}

static inline void bench_init(Bench *bench, const RegistryEvents *events, void *userdata, size_t history) {
        static const RegistryTimer timer = {bench_timer_start, bench_timer_stop};

        *bench = (Bench){.store = fake_store_new(history)};
        assert_non_null(bench->store);
        assert_int_equal(registry_new(fake_store_client(bench->store), REGISTRY_PREFIX_DEFAULT, &timer, bench, events,
                                      userdata, &bench->registry),
                         0);
        registry_start(bench->registry);
        bench_settle(bench);
        assert_true(registry_is_loaded(bench->registry));
}

static inline void bench_deinit(Bench *bench) {
        registry_free(bench->registry);
        fake_store_free(bench->store);
}

static inline void bench_put_unit(Bench *bench, const char *name, const char *hash, UnitState desired) {
        assert_int_equal(registry_put_text(bench->registry, hash, "[Service]\nExecStart=/bin/true\n", NULL, NULL), 0);
        assert_int_equal(registry_create_unit(bench->registry, name, hash, NULL, NULL), 0);
        assert_int_equal(registry_set_desired(bench->registry, name, desired, NULL, NULL), 0);
        bench_settle(bench);
}

static inline void bench_put_machine(Bench *bench, const char *id, Usec ttl) {
        char address[] = "10.0.0.1", version[] = "1", instance[] = "i";
        const MachineRecord record = {
                .id = (char *)(uintptr_t)id, .address = address, .version = version, .instance = instance};

        assert_int_equal(registry_create_machine(bench->registry, &record, ttl, NULL, NULL), 0);
        bench_settle(bench);
}
