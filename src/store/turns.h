#pragma once
/* How long the loop's turns are, without its sleep: for so long nobody else was served. */
#include <uv.h>

#include "base/histogram.h"

typedef struct Turns {
        uv_prepare_t prepare; /* data: the owner's */
        Histogram lengths;
        Usec begun; /* on the monotonic clock */
        Usec idle;  /* what the loop had slept in all by then */
} Turns;

/* From now on. To be called before the loop has slept for the first time. */
void turns_start(Turns *turns, uv_loop_t *loop);

void turns_close(Turns *turns, uv_close_cb closed);
