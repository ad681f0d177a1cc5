#include "base/rate.h"

void rate_window_add(RateWindow *window, Usec now, uint64_t bytes) {
        if (window->length == RATE_WINDOW_EVENTS)
                window->bytes -= window->events[window->next].bytes;
        else
                window->length++;
        window->events[window->next].at = now;
        window->events[window->next].bytes = bytes;
        window->bytes += bytes;
        window->next = (window->next + 1) % RATE_WINDOW_EVENTS;
}

bool rate_window_read(RateWindow *window, Usec now, Rate *ret_rate) {
        Usec first, last;

        if (window->length == 0)
                return false;
        last = window->events[(window->next + RATE_WINDOW_EVENTS - 1) % RATE_WINDOW_EVENTS].at;
        first = window->events[(window->next + RATE_WINDOW_EVENTS - window->length) % RATE_WINDOW_EVENTS].at;
        if (now > last + RATE_WINDOW_SILENCE) {
                window->length = 0;
                window->bytes = 0;
                return false;
        }
        if (last <= first)
                return false;
        ret_rate->per_second = (double)window->length * USEC_PER_SEC / (double)(last - first);
        ret_rate->bytes_per_second = (double)window->bytes * USEC_PER_SEC / (double)(last - first);
        return true;
}
