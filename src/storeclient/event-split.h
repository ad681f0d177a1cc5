#pragma once
/*
 * Events of a stream: JSON objects one after the other, white space between them, cut anywhere by the network. What is in an object
 * is not looked at but for its brackets and strings.
 */
#include "base/buffer.h"
#include "base/str.h"

/* Bytes of one event. A value and the one before it are in it, with every byte escaped at worst; no store takes such. */
#define STORE_EVENT_MAX ((size_t)16 << 20)

typedef struct EventSplitter {
        Buffer part; /* of an object whose end has not come */
        size_t depth;
        bool in_string, escaped;
} EventSplitter;

void event_splitter_deinit(EventSplitter *splitter);

/* Takes bytes from the front of *rest. 1: *ret is an object, borrowed until the next call and while *rest stands; 0: all of *rest
 * is taken, and no further object is whole. -EBADMSG: something else stands between objects; -EMSGSIZE: the object is too large;
 * -ENOMEM. */
int event_splitter_next(EventSplitter *splitter, Slice *rest, Slice *ret);

/* Whether the last object has come as a whole: nothing of another one. */
static inline bool event_splitter_is_whole(const EventSplitter *splitter) {
        return splitter->depth == 0;
}
