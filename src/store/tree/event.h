#pragma once
/*
 * What one write did: an immutable, reference-counted record that the answer to the writer, the history and all
 * watchers share. Values are reference-counted too, so that a node, its event and its successor's event hold one copy.
 */
#include "base/clock.h"
#include "base/str.h"

typedef struct Value {
        uint32_t references;
        uint32_t length;
        char bytes[];
} Value;

/* A copy of `bytes`. The empty value is NULL, for which value_ref(), value_unref() and value_slice() are defined; hence
 * out parameter and result: 0 or -ENOMEM. */
int value_new(Slice bytes, Value **ret_value);
Value *value_ref(Value *value);
Value *value_unref(Value *value); /* returns NULL */
Slice value_slice(const Value *value);

typedef enum EventAction {
        EVENT_SET = 1,
        EVENT_CREATE,
        EVENT_UPDATE,
        EVENT_COMPARE_AND_SWAP,
        EVENT_DELETE,
        EVENT_COMPARE_AND_DELETE,
        EVENT_EXPIRE,
} EventAction;

/* "set", "create", "update", "compareAndSwap", "delete", "compareAndDelete", "expire" */
const char *event_action_name(EventAction action);

/* One side of an event: the node after it, or before it. */
typedef struct EventNode {
        Value *value;    /* NULL: none, or empty: see has_value */
        bool has_value;  /* files that exist; not what was deleted, not directories */
        bool dir;
        bool has_expiry;
        WallUsec expiry; /* when has_expiry */
        uint64_t created;
        uint64_t modified;
} EventNode;

/* Renderings larger than this are made anew for each watcher instead of being kept. */
#define EVENT_JSON_KEEP_MAX ((size_t)64 * 1024)

typedef struct Event {
        uint32_t references;
        EventAction action;
        bool refresh;   /* renewed a TTL only: kept in the history, seen by no watcher */
        bool has_previous;
        EventNode node; /* node.modified is the event's index */
        EventNode previous;
        WallUsec time;  /* the command's time: what TTLs in seconds are counted from */
        char *json;     /* rendering for clients, kept while others than the history hold the event; or NULL */
        size_t json_length;
        uint32_t path_length;
        char path[];    /* of both nodes */
} Event;

/* One reference, fields zeroed but action and path. NULL when there is no memory. */
Event *event_new(EventAction action, Slice path);
Event *event_ref(Event *event);

/* Returns NULL. The kept rendering goes when at most one holder (the history) remains. */
Event *event_unref(Event *event);
CLEANUP_DEFINE(Event, event_unref)
#define _cleanup_event_ _cleanup_(event_unrefp)

static inline uint64_t event_index(const Event *event) {
        return event->node.modified;
}

static inline Slice event_path(const Event *event) {
        return (Slice){event->path, event->path_length};
}

/* True for an event that made a key that was not there: answered 201. */
static inline bool event_created(const Event *event) {
        return event->action == EVENT_CREATE || (event->action == EVENT_SET && !event->has_previous);
}

/* Keeps `json`, which the event then owns, unless it is too large or nobody but the caller holds the event: then it is
 * freed. */
void event_keep_json(Event *event, char *json, size_t length);
