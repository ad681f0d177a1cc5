#include "store/log/log-format.h"

#include <endian.h>
#include <errno.h>

#include "base/crc32c.h"
#include "base/wire.h"

static void store_le32(char *to, uint32_t value) {
        value = htole32(value);
        memcpy(to, &value, sizeof(value));
}

static void store_le64(char *to, uint64_t value) {
        value = htole64(value);
        memcpy(to, &value, sizeof(value));
}

static uint32_t load_le32(const char *from) {
        uint32_t value;

        memcpy(&value, from, sizeof(value));
        return le32toh(value);
}

static uint64_t load_le64(const char *from) {
        uint64_t value;

        memcpy(&value, from, sizeof(value));
        return le64toh(value);
}

/* magic 0, crc 4, salt 8, number 16, length 24, chain 28: the checksum covers all from 8 on */
int log_batch_seal(Buffer *batch, size_t start, uint64_t salt, uint64_t number, uint32_t chain, uint32_t *ret_crc) {
        size_t length = buffer_length(batch) - start - LOG_BATCH_HEADER;
        size_t padding = log_batch_size((uint32_t)length) - LOG_BATCH_HEADER - length;
        static const char zeros[LOG_BATCH_ALIGN];
        char *header;
        uint32_t crc;

        if (buffer_append(batch, zeros, padding) < 0 || buffer_failed(batch))
                return -ENOMEM;
        header = buffer_data(batch) + start;
        store_le32(header, LOG_BATCH_MAGIC);
        store_le64(header + 8, salt);
        store_le64(header + 16, number);
        store_le32(header + 24, (uint32_t)length);
        store_le32(header + 28, chain);
        crc = crc32c(0, header + 8, LOG_BATCH_HEADER - 8 + length);
        store_le32(header + 4, crc);
        *ret_crc = crc;
        return 0;
}

int log_batch_parse(const char *bytes, LogBatchHeader *ret_header) {
        if (load_le32(bytes) != LOG_BATCH_MAGIC)
                return -EBADMSG;
        *ret_header = (LogBatchHeader){
                .crc = load_le32(bytes + 4),
                .salt = load_le64(bytes + 8),
                .number = load_le64(bytes + 16),
                .length = load_le32(bytes + 24),
                .chain = load_le32(bytes + 28),
        };
        return ret_header->length > LOG_BATCH_MAX ? -EBADMSG : 0;
}

bool log_batch_is_sound(const char *bytes, const LogBatchHeader *header) {
        return crc32c(0, bytes + 8, LOG_BATCH_HEADER - 8 + (size_t)header->length) == header->crc;
}

void log_put_identity(Buffer *batch, const LogIdentity *identity) {
        wire_put_u8(batch, LOG_RECORD_IDENTITY);
        wire_put_u8(batch, LOG_FORMAT_VERSION);
        wire_put_u64(batch, identity->cluster);
        wire_put_u64(batch, identity->member);
}

void log_put_hard_state(Buffer *batch, const RaftHardState *state) {
        wire_put_u8(batch, LOG_RECORD_HARD_STATE);
        wire_put_varint(batch, state->term);
        wire_put_u64(batch, state->vote);
        wire_put_varint(batch, state->commit);
}

/* the payload's presence is part of an entry: an empty one is not the same as none */
void log_put_entry(Buffer *batch, const RaftEntry *entry) {
        wire_put_u8(batch, LOG_RECORD_ENTRY);
        wire_put_varint(batch, entry->term);
        wire_put_varint(batch, entry->index);
        wire_put_u8(batch, (uint8_t)(entry->type << 1 | (entry->payload != NULL)));
        wire_put_bytes(batch, (Slice){entry->data, entry->length});
}

void log_put_snapshot(Buffer *batch, uint64_t index, uint64_t term) {
        wire_put_u8(batch, LOG_RECORD_SNAPSHOT);
        wire_put_varint(batch, index);
        wire_put_varint(batch, term);
}

void log_put_position(Buffer *batch, uint64_t index, uint64_t next_salt) {
        wire_put_u8(batch, LOG_RECORD_POSITION);
        wire_put_varint(batch, index);
        wire_put_u64(batch, next_salt);
}

static void get_identity(WireReader *reader, LogRecord *record) {
        if (wire_get_u8(reader) != LOG_FORMAT_VERSION)
                reader->failed = true;
        record->identity.cluster = wire_get_u64(reader);
        record->identity.member = wire_get_u64(reader);
}

static void get_hard_state(WireReader *reader, LogRecord *record) {
        record->hard_state.term = wire_get_varint(reader);
        record->hard_state.vote = wire_get_u64(reader);
        record->hard_state.commit = wire_get_varint(reader);
}

static void get_entry(WireReader *reader, LogRecord *record) {
        uint8_t kind;

        record->term = wire_get_varint(reader);
        record->index = wire_get_varint(reader);
        kind = wire_get_u8(reader);
        record->entry_type = kind >> 1;
        record->entry_has_payload = kind & 1;
        record->entry_data = wire_get_bytes(reader, RAFT_ENTRY_DATA_MAX);
        if (record->entry_type > RAFT_ENTRY_CONF_CHANGE_V2 || record->index == 0 ||
            (!record->entry_has_payload && record->entry_data.length > 0))
                reader->failed = true;
}

int log_next_record(Slice *records, LogRecord *ret_record) {
        WireReader reader = wire_reader(*records);
        LogRecord record = {0};

        if (records->length == 0)
                return 0;
        record.type = (LogRecordType)wire_get_u8(&reader);
        switch (record.type) {
        case LOG_RECORD_IDENTITY:
                get_identity(&reader, &record);
                break;
        case LOG_RECORD_HARD_STATE:
                get_hard_state(&reader, &record);
                break;
        case LOG_RECORD_ENTRY:
                get_entry(&reader, &record);
                break;
        case LOG_RECORD_SNAPSHOT:
                record.index = wire_get_varint(&reader);
                record.term = wire_get_varint(&reader);
                break;
        case LOG_RECORD_POSITION:
                record.index = wire_get_varint(&reader);
                record.next_salt = wire_get_u64(&reader);
                break;
        default:
                return -EBADMSG;
        }
        if (wire_failed(&reader) || record.index > RAFT_INDEX_MAX || record.term > RAFT_INDEX_MAX)
                return -EBADMSG;
        *records = reader.rest;
        *ret_record = record;
        return 1;
}
