#pragma once
/* Names of units that are to be looked at, each with those that are its companions by name: x.service, x.socket, x.timer, x.path. */
#include "base/map.h"

typedef struct Touched {
        Map names; /* owned name → the same */
        bool all;  /* every unit; the names do not count then */
} Touched;

void touched_deinit(Touched *touched);

/* NULL: every unit. Without memory it is every unit, too. */
void touched_add(Touched *touched, const char *unit);

static inline bool touched_any(const Touched *touched) {
        return touched->all || touched->names.length > 0;
}
