#pragma once
/* Events that come while everything is read: they are carried over into the mirror after that. */
#include "storeclient/storeclient.h"

/* Events; with more, all is read once more, later. */
#define BACKLOG_MAX 200000

typedef struct BacklogEvent {
        bool removes; /* the key is gone */
        char *key, *value; /* value NULL: a directory */
        uint64_t created, modified;
} BacklogEvent;

typedef struct Backlog {
        BacklogEvent *events;
        size_t length, capacity;
} Backlog;

void backlog_clear(Backlog *backlog);

/* Copies `event`. -ENOMEM; -EOVERFLOW: there are too many. */
int backlog_add(Backlog *backlog, const BacklogEvent *event);
