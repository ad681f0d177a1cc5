#include "store/turns.h"

/* Bounds from 0.6 ms to 20 s; one is 10 ms, which no turn should take. */
enum { FIRST_USEC = 625, BUCKETS = 16 };

/* Just before the loop may sleep. */
static void on_prepare(uv_prepare_t *prepare) {
        Turns *turns = container_of(prepare, Turns, prepare);
        Usec now = clock_monotonic(), idle = uv_metrics_idle_time(prepare->loop) / 1000, slept = idle - turns->idle;

        histogram_add(&turns->lengths, now - turns->begun > slept ? now - turns->begun - slept : 0);
        turns->begun = now;
        turns->idle = idle;
}

void turns_start(Turns *turns, uv_loop_t *loop) {
        (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
        turns->lengths = HISTOGRAM_INIT(FIRST_USEC, BUCKETS);
        turns->begun = clock_monotonic();
        turns->idle = uv_metrics_idle_time(loop) / 1000;
        (void)uv_prepare_init(loop, &turns->prepare);
        (void)uv_prepare_start(&turns->prepare, on_prepare);
}

void turns_close(Turns *turns, uv_close_cb closed) {
        uv_close((uv_handle_t *)&turns->prepare, closed);
}
