#include "fleet/registry/backlog.h"

#include <errno.h>

enum { BACKLOG_FIRST = 64 };

void backlog_clear(Backlog *backlog) {
        for (size_t i = 0; i < backlog->length; i++) {
                free(backlog->events[i].key);
                free(backlog->events[i].value);
        }
        free(backlog->events);
        *backlog = (Backlog){0};
}

static int grow(Backlog *backlog) {
        size_t capacity = backlog->capacity ? backlog->capacity * 2 : BACKLOG_FIRST;
        BacklogEvent *larger;

        if (backlog->length < backlog->capacity)
                return 0;
        larger = reallocarray(backlog->events, capacity, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        backlog->events = larger;
        backlog->capacity = capacity;
        return 0;
}

int backlog_add(Backlog *backlog, const BacklogEvent *event) {
        BacklogEvent copy = *event;
        int r = backlog->length == BACKLOG_MAX ? -EOVERFLOW : grow(backlog);

        if (r < 0)
                return r;
        copy.key = strdup(event->key);
        copy.value = event->value ? strdup(event->value) : NULL;
        if (!copy.key || (event->value && !copy.value)) {
                free(copy.key);
                free(copy.value);
                return -ENOMEM;
        }
        backlog->events[backlog->length++] = copy;
        return 0;
}
