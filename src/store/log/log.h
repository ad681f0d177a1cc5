#pragma once
/*
 * The write-ahead log of one member: entries, term and vote, in segments on a Disk. docs/formats/store-log.md has the
 * bytes. Records gather in memory, leave as one batch with one write and one sync, and at most one batch is on its way.
 *
 * The work is split so that the loop never waits: log_begin_write() hands out a job for a worker thread, log_end_write()
 * takes it back. The log itself is touched by the loop only.
 *
 * Recovery never appends to a file that it found: each start begins a new segment. A batch that is not whole at the very
 * end was never acknowledged and is cut; one that is damaged while later ones are sound is refused, with file and offset.
 */
#include "base/buffer.h"
#include "base/random.h"
#include "raft/types.h"
#include "store/log/disk.h"

#define LOG_SEGMENT_SIZE ((uint64_t)16 << 20)
#define LOG_SEGMENT_SIZE_FIRST ((uint64_t)1 << 20)

/* Bytes that one batch may have: log_pending() beyond this is the caller's mistake. */
#define LOG_BATCH_MAX ((size_t)1 << 30)

/* Who this log belongs to; never changes. */
typedef struct LogIdentity {
        uint64_t cluster;
        uint64_t member;
} LogIdentity;

typedef struct LogOptions {
        uint64_t segment_size; /* 0: LOG_SEGMENT_SIZE */
        Random random;         /* copied: draws the salts that tell a segment's batches from what lay there before */
} LogOptions;

typedef struct Log Log;

/* What was found on the disk. */
typedef struct LogRecovery {
        LogIdentity identity;
        RaftHardState hard_state;
        RaftEntries entries;     /* those after the snapshot's index */
        uint64_t cut_bytes;      /* of an unfinished batch at the end; 0: none */
        char cut_segment[64];    /* where */
        uint64_t cut_offset;
} LogRecovery;

void log_recovery_deinit(LogRecovery *recovery);

/* Whether the disk holds a log: 1 yes, 0 no. What a crash left of a log whose very first write was not finished is no log
 * and is removed. Blocks. */
int log_exists(Disk *disk);

/* An empty log. There is nothing on the disk before its first batch, which is there as a whole or not at all: it should
 * hold all that a new member needs. */
int log_create(Disk *disk, const LogIdentity *identity, const LogOptions *options, Log **ret_log);

/* Reads all of it and begins a new segment. `snapshot_index` and `snapshot_term`: of the snapshot that the state starts
 * with; 0: none. Blocks. -EBADMSG with `error`: damaged, or entries are missing behind the snapshot. */
int log_open(Disk *disk, const LogOptions *options, uint64_t snapshot_index, uint64_t snapshot_term, Log **ret_log,
             LogRecovery *ret_recovery, Error *error);

/* No job may be under way. NULL is allowed; returns NULL. */
Log *log_free(Log *log);
CLEANUP_DEFINE(Log, log_free)

const LogIdentity *log_identity(const Log *log);

/* Adds to the batch that gathers. -ENOMEM: the log must then not be written any more (the batch misses a record). */
int log_append_entry(Log *log, const RaftEntry *entry);
int log_append_hard_state(Log *log, const RaftHardState *state);

/* The state is now that of a received snapshot, which is safe on the disk: earlier entries are void. */
int log_append_snapshot(Log *log, uint64_t index, uint64_t term);

/* Bytes that wait for the next batch. */
size_t log_pending(const Log *log);

/* Takes what has gathered as one batch. log_pending() must be > 0 and no write under way. */
int log_begin_write(Log *log, DiskJob **ret_job);

/* The job has run, with result `r`. After a failure (returned again) nothing may be written any more: what the disk holds is
 * not known until the log is opened anew. */
int log_end_write(Log *log, int r);

/* Entries up to `index` are in a safe snapshot: segments that hold only such ones may go. */
void log_release(Log *log, uint64_t index);

/* Housekeeping: removes released segments or keeps one as the spare, makes a spare. 0 with NULL when there is nothing to do
 * or a job is under way. A failure harms nothing but the space and the speed of the next segment. */
int log_begin_maintenance(Log *log, DiskJob **ret_job);
void log_end_maintenance(Log *log, int r);

typedef struct LogStats {
        uint64_t batches, bytes, segments;
} LogStats;

LogStats log_stats(const Log *log);
