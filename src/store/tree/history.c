#include "store/tree/history.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/tree/path.h"

int history_init(History *history, size_t capacity) {
        assert(capacity > 0);
        *history = (History){.capacity = capacity};
        history->events = calloc(capacity, sizeof(*history->events));
        return history->events ? 0 : -ENOMEM;
}

void history_clear(History *history) {
        for (size_t i = 0; i < history->length; i++)
                (void)event_unref(history_at(history, i));
        history->first = history->length = 0;
}

void history_deinit(History *history) {
        history_clear(history);
        free(history->events);
        *history = (History){0};
}

Event *history_at(const History *history, size_t position) {
        assert(position < history->length);
        return history->events[(history->first + position) % history->capacity];
}

uint64_t history_oldest(const History *history) {
        return history->length ? event_index(history_at(history, 0)) : 0;
}

uint64_t history_newest(const History *history) {
        return history->length ? event_index(history_at(history, history->length - 1)) : 0;
}

void history_add(History *history, Event *event) {
        assert(history->length == 0 || event_index(event) == history_newest(history) + 1);
        if (history->length == history->capacity) {
                (void)event_unref(history->events[history->first]);
                history->first = (history->first + 1) % history->capacity;
                history->length--;
        }
        history->events[(history->first + history->length) % history->capacity] = event_ref(event);
        history->length++;
}

static bool slice_starts_with(Slice slice, Slice prefix) {
        return slice.length >= prefix.length && memcmp(slice.data, prefix.data, prefix.length) == 0;
}

static bool event_matches(const Event *event, Slice path, bool recursive) {
        Slice key = event_path(event);

        if (event->refresh)
                return false;
        if (slice_equals(key, path) || (recursive && path_is_within(key, path)))
                return true;
        /* etcd compares bytes here, so the deletion of /foo is also an event of /foobar */
        return (event->action == EVENT_DELETE || event->action == EVENT_EXPIRE) && event->previous.dir &&
               slice_starts_with(path, key);
}

int history_scan(const History *history, Slice path, bool recursive, uint64_t since, uint64_t current,
                 Event **ret_event, TreeError *error) {
        uint64_t oldest = history_oldest(history);
        char cause[96];

        if (since < oldest) {
                (void)snprintf(cause, sizeof(cause), "the requested history has been cleared [%" PRIu64 "/%" PRIu64 "]",
                               oldest, since);
                return tree_error_set(error, TREE_INDEX_CLEARED, current, slice_from(cause));
        }
        *ret_event = NULL;
        for (uint64_t at = since - oldest; at < history->length; at++) {
                Event *event = history_at(history, (size_t)at);

                if (event_matches(event, path, recursive)) {
                        *ret_event = event;
                        break;
                }
        }
        return 0;
}
