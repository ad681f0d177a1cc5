#pragma once
/*
 * When a machine that cannot reach the store must stop units that may not run twice (OnPartition=stop). Pure.
 *
 * The store takes the machine's key away `ttl` after it has taken the last renewal, which was after we sent it; another
 * machine starts the units then. Our clock may run slower than the store's by `drift`, and the units need `margin` to end.
 */
#include <stdbool.h>

#include "base/clock.h"

typedef struct PartitionRule {
        Usec ttl;
        unsigned drift;  /* thousandths by which two clocks may differ in their pace */
        Usec margin;     /* what a stop may take */
} PartitionRule;

/* When the stop must begin, by the time at which the last renewal that was taken had been sent. */
Usec partition_deadline(const PartitionRule *rule, Usec last_renewal_sent);

bool partition_must_stop(const PartitionRule *rule, Usec last_renewal_sent, Usec now);
