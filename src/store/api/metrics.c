#include "store/api/metrics.h"

const unsigned metrics_failures[METRICS_FAILURES] = {400, 403, 404, 412, 500, 503};

/* Bounds from half a millisecond to two seconds, as etcd's. */
enum { METRICS_FIRST_USEC = 500, METRICS_BUCKETS = 13 };

void metrics_init(Metrics *metrics) {
        *metrics = (Metrics){0};
        for (size_t i = 0; i < KEYS_METHODS; i++)
                metrics->succeeded[i] = HISTOGRAM_INIT(METRICS_FIRST_USEC, METRICS_BUCKETS);
}

void metrics_fail(Metrics *metrics, KeysMethod method, unsigned status) {
        for (size_t i = 0; i < METRICS_FAILURES; i++)
                if (metrics_failures[i] == status)
                        metrics->failed[method][i]++;
}

/* The wall clock may have been set back meanwhile. */
void metrics_succeed(Metrics *metrics, KeysMethod method, WallUsec begun, WallUsec now) {
        histogram_add(&metrics->succeeded[method], now > begun ? (Usec)(now - begun) : 0);
}
