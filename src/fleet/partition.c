#include "fleet/partition.h"

#include "base/util.h"

Usec partition_deadline(const PartitionRule *rule, Usec last_renewal_sent) {
        Usec drift = rule->ttl / 1000 * rule->drift;

        return last_renewal_sent + rule->ttl - min_of(rule->ttl, drift + rule->margin);
}

bool partition_must_stop(const PartitionRule *rule, Usec last_renewal_sent, Usec now) {
        return now >= partition_deadline(rule, last_renewal_sent);
}
