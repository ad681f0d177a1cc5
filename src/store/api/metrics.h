#pragma once
/* Requests to the keys, counted as etcd's v2 API counts them: for /metrics. Counting allocates nothing. */
#include "base/histogram.h"
#include "store/api/keys-request.h"

/* Statuses of failures that are told apart. */
#define METRICS_FAILURES 6

typedef struct Metrics {
        uint64_t received[KEYS_METHODS];
        uint64_t failed[KEYS_METHODS][METRICS_FAILURES];
        Histogram succeeded[KEYS_METHODS];
} Metrics;

void metrics_init(Metrics *metrics);

static inline void metrics_receive(Metrics *metrics, KeysMethod method) {
        metrics->received[method]++;
}

void metrics_fail(Metrics *metrics, KeysMethod method, unsigned status);
void metrics_succeed(Metrics *metrics, KeysMethod method, WallUsec begun, WallUsec now);

/* The statuses in the order of Metrics.failed. */
extern const unsigned metrics_failures[METRICS_FAILURES];
