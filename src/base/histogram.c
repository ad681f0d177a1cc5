#include "base/histogram.h"

#include <assert.h>

void histogram_add(Histogram *histogram, Usec took) {
        unsigned index = 0;

        assert(histogram->buckets <= HISTOGRAM_BUCKETS_MAX);
        while (index < histogram->buckets && took > histogram_bound(histogram, index))
                index++;
        (void)__atomic_fetch_add(&histogram->counts[index], 1, __ATOMIC_RELAXED);
        (void)__atomic_fetch_add(&histogram->sum, took, __ATOMIC_RELAXED);
}

void histogram_read(const Histogram *histogram, uint64_t ret_up_to[static HISTOGRAM_BUCKETS_MAX + 1],
                    uint64_t *ret_sum) {
        uint64_t total = 0;

        for (unsigned i = 0; i <= histogram->buckets; i++) {
                total += __atomic_load_n(&histogram->counts[i], __ATOMIC_RELAXED);
                ret_up_to[i] = total;
        }
        *ret_sum = __atomic_load_n(&histogram->sum, __ATOMIC_RELAXED);
}
