/* Reading a log back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/log/log-internal.h"

/* One segment in memory. */
typedef struct Reading {
        Log *log;
        LogRecovery *recovery;
        Error *error;
        char name[32];
        Buffer bytes;
        uint64_t base_index; /* entries start behind this */
        bool based;          /* the first segment has said so */
        bool have_identity;
        char previous[32];   /* the segment before, and where its sound batches end */
        uint64_t previous_end;
} Reading;

static int refuse_file(Reading *reading, const char *name, uint64_t offset, const char *what) {
        return error_set(reading->error, -EBADMSG,
                         "%s is damaged at byte %" PRIu64 ": %s. Nothing was changed. Remove this member's data and let it "
                         "join anew, or restore the file from a backup",
                         name, offset, what);
}

static int refuse(Reading *reading, uint64_t offset, const char *what) {
        return refuse_file(reading, reading->name, offset, what);
}

static int reading_load(Reading *reading) {
        _cleanup_disk_file_ DiskFile *file = NULL;
        uint64_t size;
        size_t got;
        char *to;
        int r;

        buffer_clear(&reading->bytes);
        r = disk_open(reading->log->disk, reading->name, false, &file);
        if (r >= 0)
                r = file->disk->ops->size(file, &size);
        if (r < 0)
                return error_set_errno(reading->error, r, "cannot open %s", reading->name);
        if (size == 0)
                return 0;
        to = buffer_reserve(&reading->bytes, (size_t)size);
        if (!to)
                return error_set(reading->error, -ENOMEM, "no memory to read %s", reading->name);
        r = file->disk->ops->read(file, 0, to, (size_t)size, &got);
        if (r < 0)
                return error_set_errno(reading->error, r, "cannot read %s", reading->name);
        buffer_commit(&reading->bytes, got);
        return 0;
}

static int replay_entry(Reading *reading, const LogRecord *record) {
        RaftEntries *entries = &reading->recovery->entries;
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftEntry entry = {.term = record->term, .index = record->index, .type = record->entry_type};
        uint64_t next;
        int r;

        if (!reading->based)
                return -EBADMSG;
        next = reading->base_index + entries->length + 1;
        if (record->index > next)
                return -EBADMSG;
        if (record->index <= reading->base_index) { /* a new leader replaced entries from before the first segment */
                raft_entries_clear(entries);
                reading->base_index = record->index - 1;
        }
        raft_entries_truncate(entries, (size_t)(record->index - reading->base_index - 1));
        if (record->entry_has_payload) {
                r = raft_payload_new(record->entry_data.data, record->entry_data.length, &payload);
                if (r < 0)
                        return r;
                entry.payload = payload;
                entry.data = payload->data;
                entry.length = (uint32_t)payload->length;
        }
        return raft_entries_append(entries, &entry);
}

static void replay_snapshot(Reading *reading, const LogRecord *record) {
        raft_entries_clear(&reading->recovery->entries);
        reading->base_index = record->index;
}

static int replay_position(Reading *reading, const LogRecord *record) {
        if (reading->based && record->index != reading->base_index + reading->recovery->entries.length)
                return -EBADMSG;
        if (!reading->based)
                reading->base_index = record->index;
        reading->based = true;
        reading->log->next_salt = record->next_salt;
        return 0;
}

static int replay_record(Reading *reading, const LogRecord *record) {
        switch (record->type) {
        case LOG_RECORD_IDENTITY:
                if (reading->have_identity && (record->identity.cluster != reading->log->identity.cluster ||
                                               record->identity.member != reading->log->identity.member))
                        return -EBADMSG;
                reading->log->identity = record->identity;
                reading->have_identity = true;
                return 0;
        case LOG_RECORD_HARD_STATE:
                reading->log->hard_state = record->hard_state;
                return 0;
        case LOG_RECORD_ENTRY:
                return replay_entry(reading, record);
        case LOG_RECORD_SNAPSHOT:
                replay_snapshot(reading, record);
                return 0;
        case LOG_RECORD_POSITION:
                return replay_position(reading, record);
        default:
                return -EBADMSG;
        }
}

static int replay_batch(Reading *reading, uint64_t offset, Slice records) {
        LogRecord record;
        int r;

        while ((r = log_next_record(&records, &record)) > 0) {
                r = replay_record(reading, &record);
                if (r < 0)
                        break;
        }
        if (r == -ENOMEM)
                return error_set(reading->error, r, "no memory to read %s", reading->name);
        return r < 0 ? refuse(reading, offset, "a record makes no sense although its checksum is right") : 0;
}

/* The batch at `offset`, if it is whole, sound and the one that is due. */
static bool reading_batch_at(const Reading *reading, uint64_t offset, LogBatchHeader *ret_header) {
        size_t length = buffer_length(&reading->bytes);
        const char *at = buffer_data(&reading->bytes) + offset;

        if (offset + LOG_BATCH_HEADER > length || log_batch_parse(at, ret_header) < 0)
                return false;
        if ((uint64_t)LOG_BATCH_HEADER + ret_header->length > length - offset)
                return false;
        return log_batch_is_sound(at, ret_header);
}

/* A sound batch of this segment behind `offset` means that what lies at `offset` had been acknowledged. */
static bool reading_has_later_batch(const Reading *reading, uint64_t offset, uint64_t salt, uint64_t number) {
        LogBatchHeader header;

        for (uint64_t at = offset; at + LOG_BATCH_HEADER <= buffer_length(&reading->bytes); at += LOG_BATCH_ALIGN)
                if (log_batch_parse(buffer_data(&reading->bytes) + at, &header) >= 0 && header.salt == salt &&
                    header.number >= number && reading_batch_at(reading, at, &header))
                        return true;
        return false;
}

static bool reading_is_zero_from(const Reading *reading, uint64_t offset) {
        for (size_t at = (size_t)offset; at < buffer_length(&reading->bytes); at++)
                if (buffer_data(&reading->bytes)[at])
                        return false;
        return true;
}

/* Replays a segment. *ret_end: where its sound batches end. 1: its very first batch is not there. */
static int replay_segment(Reading *reading, uint64_t *ret_end) {
        Log *log = reading->log;
        LogBatchHeader header;
        uint64_t offset = 0, salt = 0;
        uint32_t chain = 0;
        int r;

        for (;;) {
                bool first = offset == 0;

                if (!reading_batch_at(reading, offset, &header) || (!first && header.salt != salt))
                        break;
                if (first) {
                        salt = header.salt;
                        if (!reading->based)
                                log->number = header.number; /* of the oldest segment that is kept */
                        else if (salt != log->next_salt)
                                return refuse(reading, 0, "it does not belong behind the file before it");
                        else if (header.number != log->number)
                                return refuse_file(reading, reading->previous, reading->previous_end,
                                                   "the batch that stood here is missing");
                }
                if (header.number != log->number || header.chain != chain)
                        return refuse(reading, offset, "a batch is missing before it");
                r = replay_batch(reading, offset,
                                 (Slice){buffer_data(&reading->bytes) + offset + LOG_BATCH_HEADER, header.length});
                if (r < 0)
                        return r;
                chain = header.crc;
                log->number++;
                offset += log_batch_size(header.length);
        }
        *ret_end = offset;
        if (offset == 0)
                return 1;
        if (reading_has_later_batch(reading, offset, salt, log->number))
                return refuse(reading, offset, "the batches behind it are sound");
        return 0;
}

/* Whether nothing of a segment's first batch was ever acknowledged: then it may be thrown away. The salt was told by the
 * segment before, so that no value of a client passes for a batch. */
static bool segment_is_unborn(const Reading *reading) {
        const Log *log = reading->log;
        LogBatchHeader header;

        if (!reading->based)
                return false;
        /* its first batch, or the one that was written with it, is damaged; a later one tells that they had been whole */
        for (uint64_t at = LOG_BATCH_ALIGN; at + LOG_BATCH_HEADER <= buffer_length(&reading->bytes); at += LOG_BATCH_ALIGN)
                if (log_batch_parse(buffer_data(&reading->bytes) + at, &header) >= 0 && header.salt == log->next_salt &&
                    header.number > log->number + 1 && reading_batch_at(reading, at, &header))
                        return false;
        return true;
}

static void note_cut(Reading *reading, uint64_t end) {
        LogRecovery *recovery = reading->recovery;

        if (reading_is_zero_from(reading, end))
                return;
        recovery->cut_bytes = buffer_length(&reading->bytes) - end;
        recovery->cut_offset = end;
        (void)snprintf(recovery->cut_segment, sizeof(recovery->cut_segment), "%s", reading->name);
}

static int replay_all(Reading *reading, const uint64_t *sequences, size_t count) {
        Log *log = reading->log;
        uint64_t end = 0;
        int r;

        for (size_t i = 0; i < count; i++) {
                bool last = i + 1 == count;
                LogSegment segment = {.sequence = sequences[i]};

                log_segment_name(sequences[i], reading->name);
                if (i > 0 && sequences[i] != sequences[i - 1] + 1)
                        return error_set(reading->error, -EBADMSG, "the log has a gap: the file before %s is missing",
                                         reading->name);
                r = reading_load(reading);
                if (r >= 0)
                        r = replay_segment(reading, &end);
                if (r < 0)
                        return r;
                if (r == 1) {
                        if (!last || !segment_is_unborn(reading))
                                return refuse(reading, 0, "its first batch is not sound");
                        r = log->disk->ops->unlink(log->disk, reading->name);
                        if (r < 0)
                                return error_set_errno(reading->error, r, "cannot remove %s", reading->name);
                        break;
                }
                segment.last_index = reading->base_index + reading->recovery->entries.length;
                r = log_segments_add(&log->segments, segment);
                if (r < 0)
                        return r;
                if (last)
                        note_cut(reading, end);
                memcpy(reading->previous, reading->name, sizeof(reading->name));
                reading->previous_end = end;
        }
        return 0;
}

/* What was read may have been written by a process that was killed before its sync: it must be safe before anything builds
 * on it, or a later loss of power would tear a hole. The batches before the last segment's were synced before it began. */
static int settle_last_segment(Reading *reading) {
        _cleanup_disk_file_ DiskFile *file = NULL;
        Log *log = reading->log;
        char name[32];
        int r;

        if (log->segments.length == 0)
                return 0;
        log_segment_name(log->segments.items[log->segments.length - 1].sequence, name);
        r = disk_open(log->disk, name, false, &file);
        if (r >= 0)
                r = log->disk->ops->sync(file);
        return r < 0 ? error_set_errno(reading->error, r, "cannot sync %s", name) : 0;
}

static int compare_u64(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

int log_list_segments(Disk *disk, uint64_t **ret_sequences, size_t *ret_count) {
        _cleanup_string_list_ StringList names = {0};
        _cleanup_free_ uint64_t *sequences = NULL;
        size_t count = 0;
        int r;

        r = disk->ops->list(disk, &names);
        if (r < 0)
                return r;
        sequences = calloc(names.length + 1, sizeof(*sequences));
        if (!sequences)
                return -ENOMEM;
        for (size_t i = 0; i < names.length; i++)
                if (log_segment_parse_name(names.items[i], &sequences[count]) >= 0)
                        count++;
        if (count > 1)
                qsort(sequences, count, sizeof(*sequences), compare_u64);
        *ret_sequences = take_ptr(sequences);
        *ret_count = count;
        return 0;
}

/* The first write of a log brings two batches. Until both are there, nothing was acknowledged. */
static bool first_segment_is_unborn(const Reading *reading) {
        LogBatchHeader first, second, later;
        uint64_t at;

        if (reading_batch_at(reading, 0, &first)) {
                at = log_batch_size(first.length);
                if (first.number != 1 ||
                    (reading_batch_at(reading, at, &second) && second.salt == first.salt && second.number == 2))
                        return false;
        }
        for (at = LOG_BATCH_ALIGN; at + LOG_BATCH_HEADER <= buffer_length(&reading->bytes); at += LOG_BATCH_ALIGN)
                if (reading_batch_at(reading, at, &later) && later.number > 2)
                        return false;
        return true;
}

int log_exists(Disk *disk) {
        Log log = {.disk = disk};
        Reading reading = {.log = &log};
        _cleanup_free_ uint64_t *sequences = NULL;
        size_t count;
        bool unborn;
        int r;

        r = log_list_segments(disk, &sequences, &count);
        if (r < 0 || count == 0)
                return r;
        if (count > 1 || sequences[0] != 1)
                return 1;
        log_segment_name(1, reading.name);
        r = reading_load(&reading);
        unborn = r >= 0 && first_segment_is_unborn(&reading);
        buffer_deinit(&reading.bytes);
        if (r < 0)
                return r;
        if (!unborn)
                return 1;
        r = disk->ops->unlink(disk, reading.name);
        return r < 0 ? r : 0;
}

/* Drops what the snapshot covers, and makes sure that nothing is missing behind it. 1: it replaces the log. */
static int join_snapshot(Reading *reading, uint64_t snapshot_index, uint64_t snapshot_term) {
        Log *log = reading->log;
        RaftEntries *entries = &reading->recovery->entries;
        bool replaced;
        uint64_t covered;

        if (snapshot_index < reading->base_index)
                return error_set(reading->error, -EBADMSG,
                                 "the log begins behind index %" PRIu64 ", but the newest snapshot that can be read is at "
                                 "%" PRIu64 ": entries are missing. Remove this member's data and let it join anew",
                                 reading->base_index, snapshot_index);
        covered = min_of(snapshot_index - reading->base_index, (uint64_t)entries->length);
        /* a snapshot that came from the leader may replace a log that went another way */
        replaced = reading->base_index + covered < snapshot_index ||
                   (covered > 0 && entries->items[covered - 1].term != snapshot_term);
        raft_entries_drop_front(entries, (size_t)covered);
        if (replaced)
                raft_entries_clear(entries);
        if (log->hard_state.commit > snapshot_index + entries->length)
                return error_set(reading->error, -EBADMSG,
                                 "entries up to %" PRIu64 " were committed, but the log ends at %" PRIu64
                                 ": its end is missing. Remove this member's data and let it join anew",
                                 log->hard_state.commit, snapshot_index + entries->length);
        if (log->hard_state.commit < snapshot_index)
                log->hard_state.commit = snapshot_index;
        if (log->hard_state.term < snapshot_term)
                log->hard_state = (RaftHardState){.term = snapshot_term, .commit = log->hard_state.commit};
        return replaced;
}

int log_recover(Log *log, uint64_t snapshot_index, uint64_t snapshot_term, LogRecovery *recovery, Error *error) {
        Reading reading = {.log = log, .recovery = recovery, .error = error};
        _cleanup_free_ uint64_t *sequences = NULL;
        size_t count;
        int r;

        r = log_list_segments(log->disk, &sequences, &count);
        if (r < 0)
                return error_set_errno(error, r, "cannot list the log's directory");
        if (count == 0)
                return error_set(error, -ENOENT, "there is no log");
        (void)log->disk->ops->unlink(log->disk, LOG_SPARE_NAME); /* it may not be filled to its end */
        r = replay_all(&reading, sequences, count);
        buffer_deinit(&reading.bytes);
        if (r >= 0)
                r = settle_last_segment(&reading);
        if (r >= 0 && (!reading.based || !reading.have_identity))
                r = refuse(&reading, 0, "it does not say whose log it is");
        log->last_index = reading.base_index + recovery->entries.length;
        if (r >= 0)
                r = join_snapshot(&reading, snapshot_index, snapshot_term);
        if (r < 0)
                return r;
        recovery->identity = log->identity;
        recovery->hard_state = log->hard_state;
        return r;
}
