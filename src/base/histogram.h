#pragma once
/*
 * How often something took how long: counts in buckets whose bounds double. One thread adds, any may read meanwhile. Adding
 * allocates nothing and takes some nanoseconds.
 */
#include "base/clock.h"
#include "base/util.h"

#define HISTOGRAM_BUCKETS_MAX 16

typedef struct Histogram {
        Usec first;       /* upper bound of the first bucket */
        unsigned buckets; /* at most HISTOGRAM_BUCKETS_MAX; what is above the last bound has no bucket */
        uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1]; /* not summed up; the last one in use: above all bounds */
        uint64_t sum;                               /* microseconds */
} Histogram;

#define HISTOGRAM_INIT(first_bound, count) ((Histogram){.first = (first_bound), .buckets = (count)})

void histogram_add(Histogram *histogram, Usec took);

/* The bound of bucket `index`, inclusive. */
static inline Usec histogram_bound(const Histogram *histogram, unsigned index) {
        return histogram->first << index;
}

/* How many there were up to each bound; the last, after all buckets, is how many there were at all. *ret_sum: microseconds. */
void histogram_read(const Histogram *histogram, uint64_t ret_up_to[static HISTOGRAM_BUCKETS_MAX + 1],
                    uint64_t *ret_sum);
