#pragma once
/*
 * The last events of the whole tree, so that a watcher can start in the past. A ring; holds one reference to each
 * event. Indices of the events in it follow each other without a gap.
 */
#include "store/tree/event.h"
#include "store/tree/tree-error.h"

#define HISTORY_CAPACITY_DEFAULT 1000

typedef struct History {
        Event **events;
        size_t capacity;
        size_t first; /* position of the oldest */
        size_t length;
} History;

int history_init(History *history, size_t capacity); /* -ENOMEM */
void history_deinit(History *history);
void history_clear(History *history);

/* Takes a reference of its own; the oldest event goes when the ring is full. Cannot fail. */
void history_add(History *history, Event *event);

/* Index of the oldest and newest event; 0 when empty. */
uint64_t history_oldest(const History *history);
uint64_t history_newest(const History *history);

/* The event at `position`, 0 for the oldest. Borrowed. */
Event *history_at(const History *history, size_t position);

/*
 * The first event with index >= `since` that a watch of `path` sees, borrowed; NULL when there is none yet.
 * TREE_INDEX_CLEARED when events from `since` on are gone already; `current` is the tree's index for the error.
 * -ENOMEM.
 * Matches the path itself, with `recursive` what is below, and the deletion or expiry of a directory whose path is a
 * prefix of `path`. As in etcd hidden keys are not left out here, and the prefix is one of bytes, not of components.
 */
int history_scan(const History *history, Slice path, bool recursive, uint64_t since, uint64_t current,
                 Event **ret_event, TreeError *error);
