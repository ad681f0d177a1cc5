#pragma once
/*
 * The events of a key, one after the other, from whichever member answers. Each next request asks for what follows the event before
 * (or the index that the store had when the first one began), so that none is missed between them when another member has to be asked.
 */
#include "cli/store.h"

typedef struct StoreWatcher {
        StoreGroup *group;
        const char *key;
        bool recursive, forever;
        bool following; /* `next` is what we know ourselves, not what the user asked for */
        uint64_t next;  /* wait for this index; 0: the next event */
        uint64_t index; /* X-Etcd-Index of the answer that has begun */
        uv_signal_t interrupt;
        bool listening;
        bool said_lost;
} StoreWatcher;

/* Connects, and lets Ctrl-C end it. 0, or the exit code after saying why. */
int store_watcher_begin(StoreWatcher *watcher, StoreGroup *group, const StoreArguments *arguments, const char *key,
                        bool forever);
void store_watcher_end(StoreWatcher *watcher);

/* Waits for the next event. 0; -1: Ctrl-C; > 0: the exit code after saying why. */
int store_watcher_next(StoreWatcher *watcher, StoreReply *ret_reply);
