#pragma once
/*
 * A store in memory behind the seam StoreClientOps, for tests and simulations: no loop, no network, no clock. It is the
 * store's own tree, so that conditions, TTLs, events and lost histories are as on a server. Nothing happens but in
 * fake_store_run().
 */
#include "storeclient/storeclient.h"

typedef struct FakeStore FakeStore;

/* Events are kept for watchers: `history` of them; 0: as many as a server keeps. NULL without memory. */
FakeStore *fake_store_new(size_t history);
FakeStore *fake_store_free(FakeStore *store); /* drops requests under way */

/* Any number of users may share it. */
StoreClient *fake_store_client(FakeStore *store);

/* Carries out one request that waits, or gives one watcher or stream its next event. False: nothing is due. */
bool fake_store_run(FakeStore *store);

/* The clock goes forward; keys whose time has come go. */
void fake_store_advance(FakeStore *store, Usec by);

/* While it is not: every request ends with -ECONNREFUSED and changes nothing; watches and streams end, too. */
void fake_store_set_reachable(FakeStore *store, bool reachable);

/* The value of a key, borrowed until the next run; data NULL: there is none. */
Slice fake_store_value(FakeStore *store, const char *key);

/* Requests of a kind that were sent so far. */
uint64_t fake_store_count(const FakeStore *store, StoreVerb verb);
