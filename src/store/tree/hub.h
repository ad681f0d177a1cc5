#pragma once
/*
 * Watchers, by the path they watch. A write costs one look-up for each component of its path, plus the watchers found.
 *
 * Delivery never calls out in the midst of a change: events go into each watcher's queue, and the owner of the loop
 * calls hub_dispatch() after a batch of changes, and between two of a large one (hub_is_crowded()). The queue is bounded: a watcher that lets it fill is taken off the
 * hub, may still take what is queued, and then finds watcher_state() WATCHER_OVERFLOWED.
 */
#include "base/list.h"
#include "base/map.h"
#include "store/tree/event.h"
#include "store/tree/history.h"
#include "store/tree/tree-error.h"

#define WATCHER_QUEUE_MAX 100
#define WATCHER_QUEUE_LIMIT 10000 /* the most that Hub.queue_max may be */

typedef struct Watcher Watcher;
typedef struct WatchPoint WatchPoint;

/* Called by hub_dispatch() when there is something to take, or the state is no longer WATCHER_WAITING. May free
 * watchers and start new ones. */
typedef void (*WatcherReady)(Watcher *watcher, void *userdata);

typedef struct WatchOptions {
        Slice path;     /* full internal path */
        bool recursive; /* also what is below */
        bool stream;    /* more than one event */
        bool own;       /* the store's, not a client's: Hub.count leaves it out */
        uint64_t since; /* first index of interest; 0: what comes next */
        WatcherReady ready;
        void *userdata;
} WatchOptions;

typedef enum WatcherState {
        WATCHER_WAITING,    /* events may come */
        WATCHER_DONE,       /* not a stream, and its event is there: nothing more will come */
        WATCHER_SILENT,     /* a stream that started with an event of the history: gets that one and then, as etcd
                             * does it, never another */
        WATCHER_OVERFLOWED, /* was too slow: what is queued is all it gets */
        WATCHER_CLEARED,    /* the tree was replaced by a snapshot that no longer has the events since the last one */
} WatcherState;

typedef struct Hub {
        Map points;   /* path -> WatchPoint */
        List all;     /* the same points: iteration while they go */
        List ready;   /* watchers to call */
        size_t count; /* watchers of clients that wait */
        size_t queue_max;
        size_t untold; /* events since hub_dispatch() */
} Hub;

void hub_init(Hub *hub, SipKey seed);

/* All watchers must be freed before. */
void hub_deinit(Hub *hub);

/* Starts a watch; `current` is the tree's index. TREE_INDEX_CLEARED, -ENOMEM. Use tree_watch(). */
int hub_watch(Hub *hub, const History *history, const WatchOptions *options, uint64_t current, Watcher **ret_watcher,
              TreeError *error);

/* Takes the watcher off the hub. NULL is allowed; returns NULL. */
Watcher *watcher_free(Watcher *watcher);
CLEANUP_DEFINE(Watcher, watcher_free)

WatcherState watcher_state(const Watcher *watcher);

/* The tree's index when the watch began: X-Etcd-Index of its answer. */
uint64_t watcher_start_index(const Watcher *watcher);

/* The next event, whose reference the caller gets; NULL when the queue is empty. */
Event *watcher_take(Watcher *watcher);

size_t watcher_queued(const Watcher *watcher);

/* Calls each ready watcher once. */
void hub_dispatch(Hub *hub);

static inline bool hub_has_ready(const Hub *hub) {
        return !list_is_empty(&hub->ready);
}

/* Whether so many events wait for hub_dispatch() that more could be too many for a watcher which keeps up: a batch of changes may
 * have any number of them. */
static inline bool hub_is_crowded(const Hub *hub) {
        return hub->untold * 2 >= hub->queue_max;
}

/* For the tree: tells all who watch event_path() or, recursively, something above it. */
void hub_notify(Hub *hub, Event *event);

/* For the tree: a key goes because of `event`, its own deletion or that of a directory above: tells all who watch
 * exactly `path`. */
void hub_notify_removed(Hub *hub, Event *event, Slice path);

/* For the tree: the history was replaced. Watchers see the events after `last` (the index they knew) that are in it, or
 * become WATCHER_CLEARED when some are missing. */
void hub_replay(Hub *hub, const History *history, uint64_t last);
