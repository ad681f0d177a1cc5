/* The first moment of a member that joins a cluster which runs already: it has an identity, and learns all else. */
#include <errno.h>

#include "store/replica/internal.h"

int replica_join(Disk *disk, const ReplicaConfig *config, Error *error) {
        LogOptions options = {.segment_size = config->segment_size, .random = config->random};
        _cleanup_(log_freep) Log *log = NULL;
        DiskJob *job;
        int r;

        r = log_exists(disk);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the data directory");
        if (r > 0)
                return error_set(error, -EEXIST, "the data directory holds a member's log already");
        r = log_create(disk, &(LogIdentity){config->cluster, config->id}, &options, &log);
        if (r >= 0) /* nothing, in a batch of its own: a log is one from its first batch on */
                r = log_append_hard_state(log, &(RaftHardState){0});
        if (r >= 0)
                r = log_begin_write(log, &job);
        if (r >= 0)
                r = log_end_write(log, job->run(job));
        return r < 0 ? error_set_errno(error, r, "cannot write the log's beginning") : 0;
}
