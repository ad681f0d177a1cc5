#include "store/log/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/log/log-internal.h"

enum { LOG_ZERO_CHUNK = 1 << 20 };

void log_segment_name(uint64_t sequence, char name[static 32]) {
        (void)snprintf(name, 32, "log-%016" PRIx64, sequence);
}

int log_segment_parse_name(const char *name, uint64_t *ret_sequence) {
        uint64_t sequence;
        char again[32];

        if (sscanf(name, "log-%16" SCNx64, &sequence) != 1)
                return -EINVAL;
        log_segment_name(sequence, again);
        if (!str_equals(name, again))
                return -EINVAL;
        *ret_sequence = sequence;
        return 0;
}

int log_segments_add(LogSegments *segments, LogSegment segment) {
        if (segments->length == segments->capacity) {
                size_t capacity = segments->capacity ? segments->capacity * 2 : 8;
                LogSegment *items = reallocarray(segments->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                segments->items = items;
                segments->capacity = capacity;
        }
        segments->items[segments->length++] = segment;
        return 0;
}

void log_recovery_deinit(LogRecovery *recovery) {
        raft_entries_deinit(&recovery->entries);
}

/* Room for the header of the batch that gathers. */
static int log_start_batch(Log *log) {
        static const char header[LOG_BATCH_HEADER];

        log->pending_last_index = 0;
        return buffer_append(&log->pending, header, sizeof(header));
}

Log *log_new(Disk *disk, const LogOptions *options) {
        Log *log = calloc(1, sizeof(*log));

        if (!log)
                return NULL;
        log->disk = disk;
        log->segment_size = options->segment_size ?: LOG_SEGMENT_SIZE;
        log->random = options->random;
        log->number = 1;
        log->next_salt = random_u64(&log->random);
        if (log_start_batch(log) < 0)
                return log_free(log);
        return log;
}

Log *log_free(Log *log) {
        if (!log)
                return NULL;
        assert(!log->writing && !log->maintaining);
        disk_close(log->file);
        free(log->segments.items);
        free(log->maintenance.released);
        buffer_deinit(&log->pending);
        buffer_deinit(&log->write.bytes);
        free(log);
        return NULL;
}

/* One batch, waited for: start-up only. */
static int log_write_now(Log *log) {
        DiskJob *job;
        int r = log_begin_write(log, &job);

        if (r < 0)
                return r;
        return log_end_write(log, job->run(job));
}

int log_create(Disk *disk, const LogIdentity *identity, const LogOptions *options, Log **ret_log) {
        Log *log = log_new(disk, options);

        if (!log)
                return -ENOMEM;
        log->identity = *identity;
        *ret_log = log;
        return 0;
}

int log_open(Disk *disk, const LogOptions *options, uint64_t snapshot_index, uint64_t snapshot_term, Log **ret_log,
             LogRecovery *ret_recovery, Error *error) {
        _cleanup_(log_freep) Log *log = log_new(disk, options);
        _cleanup_(log_recovery_deinit) LogRecovery recovery = {0};
        int r;

        if (!log)
                return -ENOMEM;
        r = log_recover(log, snapshot_index, snapshot_term, &recovery, error);
        if (r < 0)
                return r;
        log->sealed_hard_state = log->hard_state;
        log->sealed_last_index = log->last_index;
        if (r > 0)
                r = log_append_snapshot(log, snapshot_index, snapshot_term);
        if (r >= 0)
                r = log_append_hard_state(log, &log->hard_state);
        if (r >= 0)
                r = log_write_now(log);
        if (r < 0)
                return error_set_errno(error, r, "cannot write to the log");
        *ret_log = take_ptr(log);
        *ret_recovery = recovery;
        recovery = (LogRecovery){0};
        return 0;
}

const LogIdentity *log_identity(const Log *log) {
        return &log->identity;
}

/* ---- gathering ---- */

int log_append_entry(Log *log, const RaftEntry *entry) {
        log_put_entry(&log->pending, entry);
        log->pending_last_index = max_of(log->pending_last_index, entry->index);
        log->last_index = entry->index;
        return buffer_failed(&log->pending);
}

int log_append_hard_state(Log *log, const RaftHardState *state) {
        log_put_hard_state(&log->pending, state);
        log->hard_state = *state;
        return buffer_failed(&log->pending);
}

int log_append_snapshot(Log *log, uint64_t index, uint64_t term) {
        log_put_snapshot(&log->pending, index, term);
        log->pending_last_index = max_of(log->pending_last_index, index);
        log->last_index = index;
        return buffer_failed(&log->pending);
}

size_t log_pending(const Log *log) {
        return buffer_length(&log->pending) - LOG_BATCH_HEADER;
}

/* ---- writing ---- */

static int zero_fill(DiskFile *file, uint64_t size) {
        _cleanup_free_ char *zeros = calloc(1, LOG_ZERO_CHUNK);
        int r = 0;

        if (!zeros)
                return -ENOMEM;
        for (uint64_t at = 0; r >= 0 && at < size; at += LOG_ZERO_CHUNK)
                r = file->disk->ops->write(file, at, zeros, (size_t)min_of((uint64_t)LOG_ZERO_CHUNK, size - at));
        return r < 0 ? r : file->disk->ops->sync(file);
}

/* Opens the new segment under its name. It is safe by name before the first batch goes into it. */
static int write_roll(LogWrite *write) {
        char name[32];
        DiskFile *file;
        int r;

        log_segment_name(write->sequence, name);
        if (write->use_spare) {
                r = write->disk->ops->rename(write->disk, LOG_SPARE_NAME, name);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        r = disk_open(write->disk, name, true, &file);
        if (r < 0)
                return r;
        disk_close(write->file);
        write->file = file;
        if (!write->use_spare) {
                r = zero_fill(file, write->size);
                if (r < 0)
                        return r;
        }
        return write->disk->ops->sync_names(write->disk);
}

static int write_run(DiskJob *job) {
        LogWrite *write = container_of(job, LogWrite, job);
        int r = 0;

        if (write->roll)
                r = write_roll(write);
        if (r >= 0)
                r = write->disk->ops->write(write->file, write->offset, buffer_data(&write->bytes), buffer_length(&write->bytes));
        if (r >= 0)
                r = write->disk->ops->sync(write->file);
        return r;
}

/* What stands at the front of each segment: all that recovery needs of the segments before it, which may be gone. Only what
 * came before the batch that follows it: that one may be torn while this one is whole. */
static int log_seal_first_batch(Log *log, Buffer *bytes) {
        static const char header[LOG_BATCH_HEADER];
        int r;

        log->salt = log->next_salt;
        log->next_salt = random_u64(&log->random);
        log->chain = 0;
        r = buffer_append(bytes, header, sizeof(header));
        if (r < 0)
                return r;
        log_put_identity(bytes, &log->identity);
        log_put_position(bytes, log->sealed_last_index, log->next_salt);
        log_put_hard_state(bytes, &log->sealed_hard_state);
        return log_batch_seal(bytes, 0, log->salt, log->number++, log->chain, &log->chain);
}

/* The batch does not fit into the segment, or there is none yet. */
static int log_begin_segment(Log *log, LogWrite *write) {
        uint64_t need = buffer_length(&log->pending) + 2 * LOG_BATCH_HEADER + 256; /* the first batch is smaller than that */
        uint64_t wanted = log->file ? log->segment_size : min_of(log->segment_size, LOG_SEGMENT_SIZE_FIRST);
        uint64_t sequence = log->segments.length ? log->segments.items[log->segments.length - 1].sequence + 1 : 1;
        int r;

        r = log_segments_add(&log->segments, (LogSegment){.sequence = sequence});
        if (r < 0)
                return r;
        write->roll = true;
        write->sequence = sequence;
        write->offset = 0;
        write->use_spare = log->have_spare && !log->maintaining && need <= log->segment_size;
        write->size = write->use_spare ? log->segment_size : max_of(wanted, need);
        if (write->use_spare)
                log->have_spare = false;
        log->size = write->size;
        log->offset = 0;
        log->stats.segments++;
        return log_seal_first_batch(log, &write->bytes);
}

int log_begin_write(Log *log, DiskJob **ret_job) {
        LogWrite *write = &log->write;
        LogSegment *segment;
        size_t start;
        int r;

        assert(!log->writing && log_pending(log) > 0 && buffer_length(&log->pending) <= LOG_BATCH_MAX);
        if (log->failure)
                return log->failure;
        if (buffer_failed(&log->pending)) /* it misses a record */
                return log->failure = -ENOMEM;
        *write = (LogWrite){
                .job = {write_run}, .disk = log->disk, .bytes = write->bytes, .file = log->file, .offset = log->offset};
        buffer_clear(&write->bytes);
        if (!log->file || log->offset + log_batch_size((uint32_t)log_pending(log)) > log->size) {
                r = log_begin_segment(log, write);
                if (r < 0)
                        return log->failure = r;
                start = buffer_length(&write->bytes);
                r = buffer_append(&write->bytes, buffer_data(&log->pending), buffer_length(&log->pending));
                if (r < 0)
                        return log->failure = r;
                buffer_clear(&log->pending);
        } else {
                Buffer spare = write->bytes;

                start = 0;
                write->bytes = log->pending;
                log->pending = spare;
        }
        r = log_batch_seal(&write->bytes, start, log->salt, log->number++, log->chain, &log->chain);
        if (r < 0)
                return log->failure = r;
        log->sealed_hard_state = log->hard_state;
        log->sealed_last_index = log->last_index;
        segment = &log->segments.items[log->segments.length - 1];
        segment->last_index = max_of(segment->last_index, log->pending_last_index);
        r = log_start_batch(log);
        if (r < 0)
                return log->failure = r;
        log->writing = true;
        *ret_job = &write->job;
        return 0;
}

int log_end_write(Log *log, int r) {
        LogWrite *write = &log->write;

        assert(log->writing);
        log->writing = false;
        log->file = write->file;
        if (r < 0)
                return log->failure = r;
        log->offset = write->offset + buffer_length(&write->bytes);
        log->stats.batches++;
        log->stats.bytes += buffer_length(&write->bytes);
        if (write->bytes.capacity > LOG_ZERO_CHUNK)
                buffer_deinit(&write->bytes);
        return 0;
}

LogStats log_stats(const Log *log) {
        return log->stats;
}

/* ---- housekeeping ---- */

void log_release(Log *log, uint64_t index) {
        log->released = max_of(log->released, index);
}

static int maintenance_run(DiskJob *job) {
        LogMaintenance *work = container_of(job, LogMaintenance, job);
        _cleanup_disk_file_ DiskFile *file = NULL;
        char name[32];
        int r = 0;

        for (size_t i = 0; i < work->released_count; i++) {
                log_segment_name(work->released[i], name);
                r = work->disk->ops->unlink(work->disk, name);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        if (work->make_spare) {
                r = disk_open(work->disk, LOG_SPARE_NAME, true, &file);
                if (r >= 0)
                        r = zero_fill(file, work->size);
                if (r < 0) { /* the disk may be full: a part of a spare only takes room */
                        (void)work->disk->ops->unlink(work->disk, LOG_SPARE_NAME);
                        return r;
                }
                work->have_spare = true;
        }
        return work->disk->ops->sync_names(work->disk);
}

/* Oldest first, and never the one being written. */
static size_t log_count_released(const Log *log) {
        size_t n = 0;

        while (n + 1 < log->segments.length && log->segments.items[n].last_index <= log->released)
                n++;
        return n;
}

int log_begin_maintenance(Log *log, DiskJob **ret_job) {
        size_t released = log_count_released(log);
        bool make_spare = !log->have_spare && log->offset > log->size / 2;
        LogMaintenance *work = &log->maintenance;

        *ret_job = NULL;
        if (log->maintaining || log->writing || log->failure || (released == 0 && !make_spare))
                return 0;
        free(work->released);
        *work = (LogMaintenance){
                .job = {maintenance_run}, .disk = log->disk, .make_spare = make_spare, .size = log->segment_size};
        work->released = calloc(max_of(released, (size_t)1), sizeof(*work->released));
        if (!work->released)
                return -ENOMEM;
        for (size_t i = 0; i < released; i++)
                work->released[i] = log->segments.items[i].sequence;
        work->released_count = released;
        log->maintaining = true;
        *ret_job = &work->job;
        return 0;
}

void log_end_maintenance(Log *log, int r) {
        LogMaintenance *work = &log->maintenance;

        assert(log->maintaining);
        log->maintaining = false;
        if (work->have_spare)
                log->have_spare = true;
        if (r < 0)
                return; /* the names stay on the list and are tried again */
        log->segments.length -= work->released_count;
        memmove(log->segments.items, log->segments.items + work->released_count,
                log->segments.length * sizeof(*log->segments.items));
}
