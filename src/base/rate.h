#pragma once
/* How many of something come in a second, by the last few hundred of them. Zeroed is empty. */
#include "base/clock.h"
#include "base/util.h"

#define RATE_WINDOW_EVENTS 200

/* Without anything for that long there is no rate. */
#define RATE_WINDOW_SILENCE USEC_PER_SEC

typedef struct RateWindow {
        struct {
                Usec at;
                uint64_t bytes;
        } events[RATE_WINDOW_EVENTS]; /* a ring */
        size_t next, length;
        uint64_t bytes; /* of all in the window */
} RateWindow;

typedef struct Rate {
        double per_second, bytes_per_second;
} Rate;

void rate_window_add(RateWindow *window, Usec now, uint64_t bytes);

/* False: too few, or the last one is too long ago; then the window is emptied. */
bool rate_window_read(RateWindow *window, Usec now, Rate *ret_rate);
