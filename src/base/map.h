#pragma once
/*
 * A hash map from byte strings to pointers. Borrows keys and values: a key must live, unchanged, as long as its entry
 * (usually it is a field of the value). Zeroed is empty and valid. Iteration order is that of the hash key: with a
 * fixed seed (map_set_seed) it is the same in every run, as the simulation needs.
 */
#include "base/siphash.h"
#include "base/str.h"

typedef struct MapEntry {
        const char *key; /* NULL: free slot */
        size_t length;
        void *value;
        uint64_t hash;
} MapEntry;

typedef struct Map {
        MapEntry *entries;
        size_t length;
        size_t capacity; /* 0 or a power of two */
        SipKey seed;
} Map;

void map_deinit(Map *map);
#define _cleanup_map_ _cleanup_(map_deinit)

/* The hash's key. Only while the map is empty. Maps whose keys come from the network should have a secret one. */
void map_set_seed(Map *map, SipKey seed);

/* NULL when absent. */
void *map_get(const Map *map, Slice key);

/* Adds or replaces. ret_old (may be NULL) gets the value that was there, or NULL. The entry keeps the new key's
 * pointer. -ENOMEM. */
int map_put(Map *map, Slice key, void *value, void **ret_old);

/* Returns the value that was there, or NULL. */
void *map_remove(Map *map, Slice key);

/* Iteration: start with *position = 0; false at the end. Removing the entry just returned is not allowed within it. */
bool map_next(const Map *map, size_t *position, MapEntry **ret_entry);

#define map_foreach(map, entry)                                                     \
        for (size_t _at_##entry = 0, _once_##entry = 1; _once_##entry; _once_##entry = 0) \
                for (MapEntry *entry = NULL; map_next((map), &_at_##entry, &entry);)
