#include "base/map.h"

#include <assert.h>
#include <errno.h>

enum { MAP_CAPACITY_FIRST = 8 };

void map_deinit(Map *map) {
        free(map->entries);
        *map = (Map){.seed = map->seed};
}

void map_set_seed(Map *map, SipKey seed) {
        assert(map->length == 0);
        map->seed = seed;
}

/* The entry of `key`, or the free slot where it would go. Linear probing; there is always a free slot. */
static MapEntry *map_find(const Map *map, Slice key, uint64_t hash) {
        size_t mask = map->capacity - 1;

        for (size_t i = hash & mask;; i = (i + 1) & mask) {
                MapEntry *entry = &map->entries[i];

                if (!entry->key)
                        return entry;
                if (entry->hash == hash && entry->length == key.length &&
                    memcmp(entry->key, key.data, key.length) == 0)
                        return entry;
        }
}

void *map_get(const Map *map, Slice key) {
        MapEntry *entry;

        if (map->length == 0)
                return NULL;
        entry = map_find(map, key, siphash24(key.data, key.length, map->seed));
        return entry->key ? entry->value : NULL;
}

static int map_grow(Map *map) {
        Map larger = {.seed = map->seed};

        larger.capacity = map->capacity ? map->capacity * 2 : MAP_CAPACITY_FIRST;
        larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
        if (!larger.entries)
                return -ENOMEM;
        for (size_t i = 0; i < map->capacity; i++) {
                MapEntry *entry = &map->entries[i];

                if (entry->key)
                        *map_find(&larger, (Slice){entry->key, entry->length}, entry->hash) = *entry;
        }
        larger.length = map->length;
        free(map->entries);
        *map = larger;
        return 0;
}

int map_put(Map *map, Slice key, void *value, void **ret_old) {
        uint64_t hash = siphash24(key.data, key.length, map->seed);
        MapEntry *entry;
        int r;

        assert(key.data);
        if (map->length + 1 > map->capacity / 4 * 3) {
                r = map_grow(map);
                if (r < 0)
                        return r;
        }
        entry = map_find(map, key, hash);
        if (ret_old)
                *ret_old = entry->key ? entry->value : NULL;
        if (!entry->key)
                map->length++;
        *entry = (MapEntry){key.data, key.length, value, hash};
        return 0;
}

void *map_remove(Map *map, Slice key) {
        size_t mask = map->capacity - 1, hole, i;
        MapEntry *entry;
        void *value;

        if (map->length == 0)
                return NULL;
        entry = map_find(map, key, siphash24(key.data, key.length, map->seed));
        if (!entry->key)
                return NULL;
        value = entry->value;

        /* close the gap: pull back every later entry of the run that probed past the hole (Knuth 6.4, algorithm R) */
        hole = i = (size_t)(entry - map->entries);
        for (;;) {
                size_t home;

                i = (i + 1) & mask;
                if (!map->entries[i].key)
                        break;
                home = map->entries[i].hash & mask;
                if (((i - home) & mask) < ((i - hole) & mask))
                        continue;
                map->entries[hole] = map->entries[i];
                hole = i;
        }
        map->entries[hole] = (MapEntry){0};
        map->length--;
        return value;
}

bool map_next(const Map *map, size_t *position, MapEntry **ret_entry) {
        while (*position < map->capacity) {
                MapEntry *entry = &map->entries[(*position)++];

                if (entry->key) {
                        *ret_entry = entry;
                        return true;
                }
        }
        return false;
}
