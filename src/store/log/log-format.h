#pragma once
/* Batches and records of the log as bytes; docs/formats/store-log.md. Shared by writing and recovery. */
#include "base/buffer.h"
#include "store/log/log.h"

enum {
        LOG_FORMAT_VERSION = 1,
        LOG_BATCH_HEADER = 32,
        LOG_BATCH_ALIGN = 8,
};

#define LOG_BATCH_MAGIC ((uint32_t)0x4c424146) /* "FABL" */

typedef enum LogRecordType {
        LOG_RECORD_IDENTITY = 1,   /* first in each segment */
        LOG_RECORD_HARD_STATE = 2,
        LOG_RECORD_ENTRY = 3,
        LOG_RECORD_SNAPSHOT = 4,   /* a received snapshot: all entries before it are void */
        LOG_RECORD_POSITION = 5,   /* second in each segment */
} LogRecordType;

typedef struct LogBatchHeader {
        uint64_t salt;   /* the segment's */
        uint64_t number; /* counts up through all segments */
        uint32_t length; /* of the records */
        uint32_t chain;  /* checksum of the batch before; 0 before the first of a segment */
        uint32_t crc;    /* CRC-32C of all the header's other fields and the records */
} LogBatchHeader;

typedef struct LogRecord {
        LogRecordType type;
        LogIdentity identity;
        RaftHardState hard_state;
        uint64_t index, term;  /* of an entry, a snapshot or a position (index only) */
        uint64_t next_salt;    /* of a position */
        uint8_t entry_type;
        bool entry_has_payload;
        Slice entry_data;      /* borrowed */
} LogRecord;

/* Fills the first LOG_BATCH_HEADER bytes of `batch`, whose records follow them, and pads its end. Returns the checksum,
 * which is the next batch's chain. -ENOMEM leaves `batch` unusable. */
int log_batch_seal(Buffer *batch, size_t start, uint64_t salt, uint64_t number, uint32_t chain, uint32_t *ret_crc);

/* Reads a header from at least LOG_BATCH_HEADER bytes; -EBADMSG when it is none. The checksum is not looked at. */
int log_batch_parse(const char *bytes, LogBatchHeader *ret_header);

/* Whether the checksum of the batch at `bytes` (header and `header->length` records) is right. */
bool log_batch_is_sound(const char *bytes, const LogBatchHeader *header);

static inline uint64_t log_batch_size(uint32_t length) {
        return ((uint64_t)LOG_BATCH_HEADER + length + LOG_BATCH_ALIGN - 1) / LOG_BATCH_ALIGN * LOG_BATCH_ALIGN;
}

void log_put_identity(Buffer *batch, const LogIdentity *identity);
void log_put_hard_state(Buffer *batch, const RaftHardState *state);
void log_put_entry(Buffer *batch, const RaftEntry *entry);
void log_put_snapshot(Buffer *batch, uint64_t index, uint64_t term);

/* `index` of the last entry before this segment, and the salt that the segment behind it will have. */
void log_put_position(Buffer *batch, uint64_t index, uint64_t next_salt);

/* Cuts the next record off *records. 1, 0 at the end, -EBADMSG. */
int log_next_record(Slice *records, LogRecord *ret_record);
