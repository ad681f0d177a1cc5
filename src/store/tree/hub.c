#include "store/tree/hub.h"

#include <assert.h>
#include <errno.h>

#include "store/tree/path.h"

enum { WATCHER_QUEUE_FIRST = 2 };

/* All who watch one path. */
struct WatchPoint {
        ListNode all;  /* Hub.all */
        List watchers; /* Watcher.at_point, in the order they came */
        size_t length;
        char path[];
};

struct Watcher {
        ListNode at_point;
        ListNode ready; /* Hub.ready */
        Hub *hub;
        WatchPoint *point; /* NULL: not on the hub */
        uint64_t since;
        uint64_t start_index;
        WatcherReady call;
        void *userdata;
        Event **queue; /* a ring; grows as needed */
        uint16_t queue_first, queue_length, queue_capacity;
        bool recursive, stream, own;
        WatcherState state;
};

void hub_init(Hub *hub, SipKey seed) {
        *hub = (Hub){.queue_max = WATCHER_QUEUE_MAX};
        map_set_seed(&hub->points, seed);
        list_init(&hub->all);
        list_init(&hub->ready);
}

void hub_deinit(Hub *hub) {
        assert(hub->points.length == 0 && list_is_empty(&hub->ready));
        map_deinit(&hub->points);
}

static Slice point_path(const WatchPoint *point) {
        return (Slice){point->path, point->length};
}

static int hub_get_point(Hub *hub, Slice path, WatchPoint **ret_point) {
        WatchPoint *point = map_get(&hub->points, path);
        int r;

        if (!point) {
                point = malloc(sizeof(*point) + path.length);
                if (!point)
                        return -ENOMEM;
                point->length = path.length;
                memcpy(point->path, path.data, path.length);
                r = map_put(&hub->points, point_path(point), point, NULL);
                if (r < 0) {
                        free(point);
                        return r;
                }
                list_init(&point->watchers);
                list_init(&point->all);
                list_append(&hub->all, &point->all);
        }
        *ret_point = point;
        return 0;
}

static void hub_release_point(Hub *hub, WatchPoint *point) {
        if (!list_is_empty(&point->watchers))
                return;
        (void)map_remove(&hub->points, point_path(point));
        list_unlink(&point->all);
        free(point);
}

/* Takes the watcher off the hub; its point must be released by the caller. */
static void watcher_detach(Watcher *watcher, WatcherState state) {
        assert(watcher->point);
        list_unlink(&watcher->at_point);
        watcher->point = NULL;
        watcher->hub->count -= !watcher->own;
        watcher->state = state;
}

static void watcher_set_ready(Watcher *watcher) {
        if (!list_is_linked(&watcher->ready))
                list_append(&watcher->hub->ready, &watcher->ready);
}

/* False when the queue is full, or there is no memory for more of it, which comes to the same. */
static bool watcher_push(Watcher *watcher, Event *event) {
        if (watcher->queue_length == watcher->queue_capacity) {
                size_t capacity = watcher->queue_capacity ? (size_t)watcher->queue_capacity * 2 : WATCHER_QUEUE_FIRST;
                Event **queue;

                capacity = min_of(capacity, watcher->hub->queue_max);
                if (capacity == watcher->queue_capacity)
                        return false;
                queue = calloc(capacity, sizeof(*queue));
                if (!queue)
                        return false;
                for (uint16_t i = 0; i < watcher->queue_length; i++)
                        queue[i] = watcher->queue[(watcher->queue_first + i) % watcher->queue_capacity];
                free(watcher->queue);
                watcher->queue = queue;
                watcher->queue_first = 0;
                watcher->queue_capacity = (uint16_t)capacity;
        }
        watcher->queue[(watcher->queue_first + watcher->queue_length) % watcher->queue_capacity] = event_ref(event);
        watcher->queue_length++;
        return true;
}

Event *watcher_take(Watcher *watcher) {
        Event *event;

        if (watcher->queue_length == 0)
                return NULL;
        event = watcher->queue[watcher->queue_first];
        watcher->queue_first = (uint16_t)((watcher->queue_first + 1) % watcher->queue_capacity);
        if (--watcher->queue_length == 0) {
                /* most watchers idle most of the time: they need no memory for events then */
                free(watcher->queue);
                watcher->queue = NULL;
                watcher->queue_first = watcher->queue_capacity = 0;
        }
        return event;
}

int hub_watch(Hub *hub, const History *history, const WatchOptions *options, uint64_t current, Watcher **ret_watcher,
              TreeError *error) {
        _cleanup_(watcher_freep) Watcher *watcher = NULL;
        WatchPoint *point;
        Event *event;
        int r;

        r = history_scan(history, options->path, options->recursive, options->since, current, &event, error);
        if (r != 0)
                return r;

        watcher = malloc(sizeof(*watcher));
        if (!watcher)
                return -ENOMEM;
        *watcher = (Watcher){
                .hub = hub,
                .since = options->since,
                .start_index = current,
                .call = options->ready,
                .userdata = options->userdata,
                .recursive = options->recursive,
                .stream = options->stream,
                .own = options->own,
                .state = WATCHER_WAITING,
        };
        list_init(&watcher->at_point);
        list_init(&watcher->ready);

        if (event) {
                if (!watcher_push(watcher, event))
                        return -ENOMEM;
                watcher->state = options->stream ? WATCHER_SILENT : WATCHER_DONE;
                watcher_set_ready(watcher);
        } else {
                r = hub_get_point(hub, options->path, &point);
                if (r < 0)
                        return r;
                list_append(&point->watchers, &watcher->at_point);
                watcher->point = point;
                hub->count += !options->own;
        }
        *ret_watcher = take_ptr(watcher);
        return 0;
}

Watcher *watcher_free(Watcher *watcher) {
        WatchPoint *point;
        Event *event;

        if (!watcher)
                return NULL;
        point = watcher->point;
        if (point) {
                watcher_detach(watcher, WATCHER_DONE);
                hub_release_point(watcher->hub, point);
        }
        list_unlink(&watcher->ready);
        while ((event = watcher_take(watcher)))
                (void)event_unref(event);
        free(watcher);
        return NULL;
}

WatcherState watcher_state(const Watcher *watcher) {
        return watcher->state;
}

uint64_t watcher_start_index(const Watcher *watcher) {
        return watcher->start_index;
}

size_t watcher_queued(const Watcher *watcher) {
        return watcher->queue_length;
}

void hub_dispatch(Hub *hub) {
        List batch;

        hub->untold = 0;
        /* only those that are ready now: a callback that starts a watch in the past makes another one ready */
        list_init(&batch);
        while (!list_is_empty(&hub->ready)) {
                ListNode *node = hub->ready.next;

                list_unlink(node);
                list_append(&batch, node);
        }
        while (!list_is_empty(&batch)) {
                Watcher *watcher = container_of(batch.next, Watcher, ready);

                list_unlink(&watcher->ready);
                watcher->call(watcher, watcher->userdata);
        }
}

/* Tells the watchers of one point. `original`: it is the event's own path. `removed`: the key at the point goes. */
static void hub_tell_point(Hub *hub, WatchPoint *point, Event *event, bool original, bool removed) {
        list_foreach(&point->watchers, node) {
                Watcher *watcher = container_of(node, Watcher, at_point);

                if (!(watcher->recursive || original || removed) || event_index(event) < watcher->since)
                        continue;
                if (!watcher_push(watcher, event))
                        watcher_detach(watcher, WATCHER_OVERFLOWED);
                else if (!watcher->stream)
                        watcher_detach(watcher, WATCHER_DONE);
                watcher_set_ready(watcher);
        }
        hub_release_point(hub, point);
}

static void hub_tell(Hub *hub, Event *event, Slice watched, bool removed) {
        Slice path = event_path(event);
        bool original = watched.length == path.length;
        WatchPoint *point = map_get(&hub->points, watched);

        if (point && (original || removed || !path_is_hidden_from(watched, path)))
                hub_tell_point(hub, point, event, original, removed);
}

void hub_notify(Hub *hub, Event *event) {
        Slice path = event_path(event), rest = path, name;

        if (hub->points.length == 0)
                return;
        hub->untold++;
        hub_tell(hub, event, (Slice){path.data, 1}, false);
        while (path_next(&rest, &name))
                hub_tell(hub, event, (Slice){path.data, (size_t)(name.data + name.length - path.data)}, false);
}

void hub_notify_removed(Hub *hub, Event *event, Slice path) {
        if (hub->points.length > 0)
                hub_tell(hub, event, path, true);
}

/* Those whose next event may be gone from the history. */
static void hub_clear_late(Hub *hub, uint64_t next, uint64_t oldest) {
        list_foreach(&hub->all, all) {
                WatchPoint *point = container_of(all, WatchPoint, all);

                list_foreach(&point->watchers, node) {
                        Watcher *watcher = container_of(node, Watcher, at_point);

                        if (max_of(watcher->since, next) >= oldest)
                                continue;
                        watcher_detach(watcher, WATCHER_CLEARED);
                        watcher_set_ready(watcher);
                }
                hub_release_point(hub, point);
        }
}

static void hub_replay_removal(Hub *hub, Event *event) {
        list_foreach(&hub->all, all) {
                WatchPoint *point = container_of(all, WatchPoint, all);

                if (point->length > event->path_length && path_is_within(point_path(point), event_path(event)))
                        hub_tell_point(hub, point, event, false, true);
        }
}

void hub_replay(Hub *hub, const History *history, uint64_t last) {
        uint64_t oldest = history_oldest(history), newest = history_newest(history);

        if (newest <= last)
                return;
        hub_clear_late(hub, last + 1, oldest);
        for (uint64_t index = max_of(last + 1, oldest); index <= newest; index++) {
                Event *event = history_at(history, (size_t)(index - oldest));

                if (event->refresh)
                        continue;
                if ((event->action == EVENT_DELETE || event->action == EVENT_EXPIRE) && event->previous.dir)
                        hub_replay_removal(hub, event);
                hub_notify(hub, event);
        }
}
