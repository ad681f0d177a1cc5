#pragma once
/* What log.c (writing) and log-recover.c (reading) share. */
#include "store/log/log-format.h"

#define LOG_SPARE_NAME "spare"

typedef struct LogSegment {
        uint64_t sequence;
        uint64_t last_index; /* highest index of the entries in it; 0: none */
} LogSegment;

typedef struct LogSegments {
        LogSegment *items;
        size_t length;
        size_t capacity;
} LogSegments;

typedef struct LogWrite {
        DiskJob job;
        Disk *disk;
        Buffer bytes;
        DiskFile *file;     /* to write to; replaced when a new segment is begun */
        uint64_t offset;
        bool roll;          /* begin the segment `sequence` of `size` bytes first */
        bool use_spare;
        uint64_t sequence;
        uint64_t size;
} LogWrite;

typedef struct LogMaintenance {
        DiskJob job;
        Disk *disk;
        uint64_t *released; /* sequences to remove */
        size_t released_count;
        bool have_spare;
        bool make_spare;
        uint64_t size;
} LogMaintenance;

struct Log {
        Disk *disk;
        LogIdentity identity;
        uint64_t segment_size;
        Random random;
        LogSegments segments;  /* oldest first; the last is being written */
        DiskFile *file;        /* of the last segment; NULL: none begun in this run */
        uint64_t offset;       /* in it, of the next batch */
        uint64_t size;         /* of it */
        uint64_t salt;
        uint64_t next_salt;    /* of the segment behind it, told in advance: recovery knows its batches from a client's bytes */
        uint64_t number;       /* of the next batch */
        uint32_t chain;
        RaftHardState hard_state;        /* last appended */
        uint64_t last_index;             /* of the entry, or the received snapshot, that was appended last */
        RaftHardState sealed_hard_state; /* those as of the last batch that was begun */
        uint64_t sealed_last_index;
        Buffer pending;
        uint64_t pending_last_index;
        bool writing;
        LogWrite write;
        bool maintaining;
        LogMaintenance maintenance;
        bool have_spare;
        uint64_t released;
        int failure;
        LogStats stats;
};

void log_segment_name(uint64_t sequence, char name[static 32]);

/* Parses such a name; -EINVAL when it is none. */
int log_segment_parse_name(const char *name, uint64_t *ret_sequence);

/* Names of the segments on the disk, in order. The caller frees. */
int log_list_segments(Disk *disk, uint64_t **ret_sequences, size_t *ret_count);
int log_segments_add(LogSegments *segments, LogSegment segment);
Log *log_new(Disk *disk, const LogOptions *options);

/* Fills `log` (segments, batch number, hard state, position) and `recovery` from the disk. 1: the snapshot replaces the
 * entries that were found, which the log has to say before anything follows. */
int log_recover(Log *log, uint64_t snapshot_index, uint64_t snapshot_term, LogRecovery *recovery, Error *error);
