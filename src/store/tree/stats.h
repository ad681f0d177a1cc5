#pragma once
/* Counters of operations, as /v2/stats/store shows them. All but gets are the same on every replica. */
#include <stdint.h>

typedef struct OperationCount {
        uint64_t success, fail;
} OperationCount;

typedef struct TreeStats {
        OperationCount gets, sets, deletes, updates, creates, compare_and_swaps, compare_and_deletes;
        uint64_t expired;
} TreeStats;

#define TREE_STATS_COUNTERS 15 /* of 64 bits each, in the order above */
