/*
 * Following the store: everything is read once, and after that the mirror lives on one stream of events. The stream begins before the
 * reading: what happens meanwhile is kept in the backlog, so that nothing is missed however much happens.
 *
 * A stream that has ended is followed by one that begins where it ended. Of the past such a one tells a single event; if there are many
 * of them, or the store has forgotten them, everything is read again.
 */
#include <errno.h>

#include "fleet/registry/internal.h"
#include "storeclient/node-walk.h"

enum {
        RETRY_MSEC_MIN = 100,
        RETRY_MSEC_MAX = 2000,
        PAST_MAX = 32, /* events in a row that are asked for one by one */
};

static void registry_load(Registry *registry);
static void registry_follow(Registry *registry, uint64_t from);

void registry_let_go(Registry *registry) {
        registry->stream = store_call_cancel(registry->stream);
        registry->reading = store_call_cancel(registry->reading);
        backlog_clear(&registry->backlog);
}

static void on_retry(void *userdata) {
        Registry *registry = userdata;

        if (registry->loaded)
                registry_follow(registry, registry->next_index);
        else
                registry_load(registry);
}

/* Members come and go: asking again, with growing pauses, is what a client of the store has to do. */
static void registry_failed(Registry *registry, int r, const Error *error) {
        Usec pause = RETRY_MSEC_MIN * USEC_PER_MSEC << min_of(registry->failures, 5u);

        registry_let_go(registry);
        registry->failures++;
        if (!registry->unreachable) {
                registry->unreachable = true;
                registry->events->reachable(registry->userdata, r, error);
        }
        registry->timer->start(registry->timer_data, min_of(pause, RETRY_MSEC_MAX * USEC_PER_MSEC), on_retry, registry);
}

static void registry_answered(Registry *registry) {
        registry->failures = 0;
        if (!registry->unreachable)
                return;
        registry->unreachable = false;
        registry->events->reachable(registry->userdata, 0, &ERROR_NONE);
}

/* ---- events ---- */

static bool action_removes(const char *action) {
        return str_equals(action, "delete") || str_equals(action, "expire") || str_equals(action, "compareAndDelete");
}

/* Those that the mirror has are passed over. */
static int mirror_event(Registry *registry, const BacklogEvent *event, bool quiet) {
        if (event->modified < registry->next_index)
                return 0;
        registry->next_index = event->modified + 1;
        if (!event->removes)
                return mirror_node(registry, event->key, event->value, event->created, quiet);
        mirror_gone(registry, event->key, quiet);
        return 0;
}

/* While all is read they are kept. */
static int registry_take_event(Registry *registry, const StoreReply *reply) {
        const BacklogEvent event = {
                .removes = action_removes(reply->action),
                .key = reply->node->key,
                .value = reply->node->value,
                .created = reply->node->created,
                .modified = reply->node->modified,
        };

        return registry->loaded ? mirror_event(registry, &event, false) : backlog_add(&registry->backlog, &event);
}

/* Those who wait for the mirror are called once for all that came together. */
static void on_events(void *userdata, const StoreReply *events, size_t count) {
        Registry *registry = userdata;
        Error error = ERROR_NONE;
        int r = 0;

        registry->told = true;
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = registry_take_event(registry, &events[i]);
        if (r < 0) {
                registry->readable = registry->readable && !registry->loaded;
                registry->loaded = false;
                registry_failed(registry, error_set_errno(&error, r, "cannot keep up with what the store tells"), &error);
                return;
        }
        if (events[count - 1].node->modified > registry->begun)
                registry->past = 0;
        if (registry->loaded)
                registry_settle_reaches(registry, registry->next_index - 1, 0);
}

/* ---- everything ---- */

static int mirror_all(Registry *registry, const StoreNode *top) {
        StoreNodeWalk walk;
        const StoreNode *node;
        int r = 0;

        store_node_walk_begin(&walk, top);
        while (r >= 0 && (node = store_node_walk_next(&walk)))
                if (!node->dir)
                        r = mirror_node(registry, node->key, node->value, node->created, true);
        return r;
}

static int mirror_backlog(Registry *registry) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < registry->backlog.length; i++)
                r = mirror_event(registry, &registry->backlog.events[i], true);
        backlog_clear(&registry->backlog);
        return r;
}

static int registry_fill(Registry *registry, const StoreReply *reply) {
        int r = 0;

        mirror_clear(registry);
        registry->readable = false;
        if (reply->node)
                r = mirror_all(registry, reply->node);
        registry->next_index = reply->index + 1;
        return r < 0 ? r : mirror_backlog(registry);
}

static void on_read(void *userdata, const StoreReply *reply) {
        Registry *registry = userdata;
        Error error = reply->error;
        int r = reply->r < 0 && reply->code != STORE_KEY_NOT_FOUND ? reply->r : 0;

        registry->reading = NULL;
        if (r >= 0 && reply->index < registry->begun)
                r = error_set(&error, -ESTALE, "the store has answered with what it had before");
        if (r >= 0)
                r = registry_fill(registry, reply);
        if (r < 0) {
                registry_failed(registry, r, &error);
                return;
        }
        registry->loaded = registry->readable = true;
        registry->past = 0;
        registry_answered(registry);
        registry->events->changed(registry->userdata, REGISTRY_LOADED, NULL);
        registry_settle_reaches(registry, registry->next_index - 1, 0);
}

static void registry_read(Registry *registry) {
        const StoreRequest request = {
                .verb = STORE_GET, .key = registry->prefix, .recursive = true, .sorted = true, .quorum = true};
        int r = storeclient_send(registry->client, &request, on_read, registry, &registry->reading);

        if (r < 0)
                registry_failed(registry, r, &ERROR_NONE);
}

/* ---- the stream ---- */

static void on_begun(void *userdata, uint64_t index) {
        Registry *registry = userdata;

        registry->begun = index;
        registry->told = false;
        if (registry->loaded)
                registry_answered(registry);
        else
                registry_read(registry);
}

static void on_ended(void *userdata, const StoreReply *reply) {
        Registry *registry = userdata;
        bool goes_on = reply->r >= 0 && registry->loaded && registry->told;
        Error error = reply->error;

        registry->stream = NULL;
        if (reply->code == STORE_INDEX_CLEARED || (goes_on && ++registry->past > PAST_MAX)) {
                registry->loaded = false; /* more events came than the store keeps, or than can be asked for */
                registry_load(registry);
        } else if (goes_on) {
                registry_follow(registry, registry->next_index);
        } else {
                registry_failed(registry, reply->r < 0 ? reply->r : error_set(&error, -ECONNRESET, "the store has ended the stream of events"),
                                &error);
        }
}

static const StoreStreamEvents stream_events = {.begun = on_begun, .events = on_events, .ended = on_ended};

static void registry_follow(Registry *registry, uint64_t from) {
        const StoreRequest request = {.verb = STORE_WATCH, .key = registry->prefix, .recursive = true, .wait_index = from};
        int r;

        registry->told = false;
        r = storeclient_stream(registry->client, &request, &stream_events, registry, &registry->stream);
        if (r < 0)
                registry_failed(registry, r, &ERROR_NONE);
}

/* From now on, and then everything that is there. */
static void registry_load(Registry *registry) {
        registry_follow(registry, 0);
}

void registry_start(Registry *registry) {
        registry_load(registry);
}
