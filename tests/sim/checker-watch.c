#include "checker-watch.h"

#include <inttypes.h>

enum {
        WATCH_RETRY = 20 * 1000,
        WATCH_MOVE_SECONDS = 10, /* a watcher goes elsewhere now and then without a need */
        TOLD_MAX = 4096,
};

struct Watch {
        World *world;
        Timer timer;
        const char *path;
        Server *server;
        Watcher *watcher;      /* NULL: not watching at present */
        uint64_t next;         /* index of the first change not seen; 0: begins with what comes */
        Event *told[TOLD_MAX]; /* changes that came, not compared yet; owned */
        size_t told_length;
        uint64_t twice;     /* the last one that rightly came twice */
        WatcherState state; /* as last looked at */
};

static const char *const watch_paths[] = {"/1", "/1", "/1/d", "/1/r0", "/1/t", "/1/q"};

static void watch_drop(Watch *watch, Usec pause) {
        watch->watcher = watcher_free(watch->watcher);
        world_schedule(watch->world, &watch->timer, watch->world->now + pause);
}

/* Takes what has come; it is compared when the ledger has heard of it too. */
static void on_watch_ready(Watcher *watcher, void *userdata) {
        Watch *watch = userdata;
        Event *event;

        while ((event = watcher_take(watcher))) {
                if (watch->told_length < TOLD_MAX) {
                        watch->told[watch->told_length++] = event;
                        continue;
                }
                event_unref(event);
                world_violate(watch->world, "a watcher of %s gets more changes at once than its queue holds",
                              watch->path);
        }
        watch->state = watcher_state(watcher);
}

static void watch_forget(Watch *watch) {
        for (size_t i = 0; i < watch->told_length; i++)
                event_unref(watch->told[i]);
        watch->told_length = 0;
}

static bool watch_sees(const Watch *watch, const Event *event) {
        Slice watched = slice_from(watch->path), path = event_path(event);

        return !event->refresh && path_is_within(path, watched) && !path_is_hidden_from(watched, path);
}

/* No change between the last one seen and `until` may have been left out. */
static void check_gap(Watch *watch, uint64_t until) {
        for (uint64_t index = watch->next; index < until && !watch->world->failed; index++) {
                const Event *event = ledger_event(&watch->world->ledger, index);

                if (event && watch_sees(watch, event))
                        world_violate(watch->world,
                                      "a watcher of %s on server %" PRIu64 " misses change %" PRIu64 ", '%s %.*s'",
                                      watch->path, watch->server->id, index, event_action_name(event->action),
                                      (int)event->path_length, event->path);
        }
}

/* As in etcd whoever streams a key itself gets its end twice: once as a change, once because it goes. */
static bool is_told_twice(const Watch *watch, const Event *event) {
        bool ends = event->action == EVENT_DELETE || event->action == EVENT_COMPARE_AND_DELETE ||
                    event->action == EVENT_EXPIRE;

        return ends && event_index(event) + 1 == watch->next && event_index(event) != watch->twice &&
               slice_equals(event_path(event), slice_from(watch->path));
}

/* The ledger may lack what a server applied in one great step: what came is judged by itself. */
static void watch_compare_one(Watch *watch, const Event *event) {
        World *world = watch->world;
        uint64_t index = event_index(event);

        if (is_told_twice(watch, event)) {
                watch->twice = index;
        } else if (watch->next != 0 && index < watch->next) {
                world_violate(world, "a watcher of %s on server %" PRIu64 " gets change %" PRIu64 " again, or too late",
                              watch->path, watch->server->id, index);
        } else if (!watch_sees(watch, event)) {
                world_violate(world, "a watcher of %s gets change %" PRIu64 ", which is not there", watch->path, index);
        } else {
                if (watch->next != 0)
                        check_gap(watch, index);
                watch->next = index + 1;
                world_count(world, COUNT_WATCH_EVENTS, 1);
        }
}

static void watch_compare(Watch *watch) {
        for (size_t i = 0; i < watch->told_length && !watch->world->failed; i++)
                watch_compare_one(watch, watch->told[i]);
        watch_forget(watch);
}

/* Told that changes are lost: that must be true. */
static void watch_reset(Watch *watch, bool checked) {
        Tree *tree = replica_tree(watch->server->replica);
        uint64_t oldest = history_oldest(&tree->history);

        if (checked && watch->next >= oldest && watch->next != 0) {
                world_violate(watch->world,
                              "a watcher of %s on server %" PRIu64 " is told that change %" PRIu64
                              " is gone, but the history "
                              "begins at %" PRIu64,
                              watch->path, watch->server->id, watch->next, oldest);
                return;
        }
        world_trace(watch->world, watch->server, "a watcher of %s is told that changes from %" PRIu64 " on are lost",
                    watch->path, watch->next);
        world_count(watch->world, COUNT_WATCHES_RESET, 1);
        watch->next = tree->index + 1;
}

static void watch_begin(Watch *watch) {
        World *world = watch->world;
        const WatchOptions options = {
                .path = slice_from(watch->path),
                .recursive = true,
                .stream = true,
                .since = watch->next,
                .ready = on_watch_ready,
                .userdata = watch,
        };
        _cleanup_tree_error_ TreeError error = {0};
        int r;

        /* 0 is what comes next, but which is that? */
        if (watch->next == 0) {
                watch->next = replica_tree(watch->server->replica)->index + 1;
                watch_begin(watch);
                return;
        }
        r = tree_watch(replica_tree(watch->server->replica), &options, &watch->watcher, &error);
        if (r < 0)
                abort();
        world_count(world, COUNT_WATCHES, 1);
        watch->state = WATCHER_WAITING;
        if (r == TREE_INDEX_CLEARED) {
                watch_reset(watch, true);
                world_schedule(world, &watch->timer, world->now + WATCH_RETRY);
                return;
        }
        server_wake(watch->server);
        world_schedule(world, &watch->timer,
                       world->now + random_below(&world->client_chance, WATCH_MOVE_SECONDS * USEC_PER_SEC));
}

static Server *pick_server(World *world) {
        return world_draw_server(world, &world->client_chance);
}

static void on_watch(World *world, Timer *timer) {
        Watch *watch = container_of(timer, Watch, timer);

        if (watch->watcher && world->ending) {
                world_schedule(world, timer, world->now + WATCH_MOVE_SECONDS * USEC_PER_SEC);
                return;
        }
        watch->watcher = watcher_free(watch->watcher);
        watch->server = pick_server(world);
        if (!watch->server->replica || world->now < watch->server->paused_until ||
            replica_tree(watch->server->replica)->index + 1 < watch->next)
                world_schedule(world, timer, world->now + WATCH_RETRY); /* it lags: go where more is known */
        else
                watch_begin(watch);
}

void watches_begin(World *world) {
        for (size_t i = 0; i < world->plan.watches; i++) {
                Watch *watch = calloc(1, sizeof(*watch));

                if (!watch)
                        abort();
                watch->world = world;
                watch->timer = TIMER_INIT(on_watch);
                watch->path = watch_paths[i % ARRAY_SIZE(watch_paths)];
                world->watches[i] = watch;
                world_schedule(world, &watch->timer, random_below(&world->client_chance, USEC_PER_SEC));
        }
}

void watches_leave(World *world, Server *server) {
        for (size_t i = 0; i < world->plan.watches; i++) {
                Watch *watch = world->watches[i];

                if (watch && watch->watcher && watch->server == server)
                        watch_drop(watch, random_below(&world->client_chance, USEC_PER_SEC));
        }
}

void watches_check(World *world, Server *server) {
        for (size_t i = 0; i < world->plan.watches && !world->failed; i++) {
                Watch *watch = world->watches[i];

                if (!watch || !watch->watcher || watch->server != server)
                        continue;
                watch_compare(watch);
                if (world->failed || watch->state == WATCHER_WAITING)
                        continue;
                if (watch->state == WATCHER_OVERFLOWED || watch->state == WATCHER_CLEARED)
                        watch_reset(watch, watch->state == WATCHER_CLEARED);
                watch_drop(watch, random_below(&world->client_chance, 5 * USEC_PER_MSEC));
        }
}

void watches_check_end(World *world) {
        for (size_t i = 0; i < world->plan.watches && !world->failed; i++) {
                Watch *watch = world->watches[i];

                if (watch->next != 0 && watch->server)
                        check_gap(watch, world->ledger.events_length);
        }
}

void watches_deinit(World *world) {
        for (size_t i = 0; i < world->plan.watches; i++) {
                Watch *watch = world->watches[i];

                if (!watch)
                        continue;
                world_cancel(world, &watch->timer);
                watch->watcher = watcher_free(watch->watcher);
                watch_forget(watch);
                free(watch);
                world->watches[i] = NULL;
        }
}
