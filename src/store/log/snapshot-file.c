#include "store/log/snapshot-file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/wire.h"

/* Followed by: u32 length and u32 CRC of the head's fields, the fields; frames of u32 length, u32 chained CRC, payload; a
 * frame of length 0; u64 length of all payload. */
static const char magic[8] = {'F', 'A', 'E', 'R', 'S', 'N', 'P', '1'};

enum {
        HEAD_PREFIX = 16,    /* magic, length, CRC */
        HEAD_MAX = 64 << 10,
        FRAME_PREFIX = 8,
};

/* Of one made here and one received there is one at a time, and it takes the place of what an earlier one left. */
static const char temporary_prefix[] = "unfinished-";
static const char temporary_made[] = "unfinished-made";
static const char temporary_received[] = "unfinished-received";

void snapshot_name(uint64_t index, uint64_t term, char name[static SNAPSHOT_NAME_MAX]) {
        (void)snprintf(name, SNAPSHOT_NAME_MAX, "snapshot-%016" PRIx64 "-%016" PRIx64, index, term);
}

static int snapshot_parse_name(const char *name, uint64_t *ret_index, uint64_t *ret_term) {
        char again[SNAPSHOT_NAME_MAX];

        if (sscanf(name, "snapshot-%16" SCNx64 "-%16" SCNx64, ret_index, ret_term) != 2)
                return -EINVAL;
        snapshot_name(*ret_index, *ret_term, again);
        return str_equals(name, again) ? 0 : -EINVAL;
}

/* ---- the head ---- */

static void put_ids(Buffer *buffer, const RaftIds *ids) {
        wire_put_varint(buffer, ids->length);
        for (size_t i = 0; i < ids->length; i++)
                wire_put_u64(buffer, ids->items[i]);
}

static void get_ids(WireReader *reader, RaftIds *ids) {
        uint64_t count = wire_get_varint(reader);

        if (count > RAFT_MEMBERS_MAX)
                reader->failed = true;
        for (uint64_t i = 0; i < count && !wire_failed(reader); i++)
                if (raft_ids_add(ids, wire_get_u64(reader)) < 0)
                        reader->failed = true;
}

static void put_head(Buffer *buffer, const SnapshotMeta *meta) {
        _cleanup_buffer_ Buffer fields = BUFFER_INIT;

        wire_put_varint(&fields, meta->index);
        wire_put_varint(&fields, meta->term);
        put_ids(&fields, &meta->conf_state.voters);
        put_ids(&fields, &meta->conf_state.voters_outgoing);
        put_ids(&fields, &meta->conf_state.learners);
        put_ids(&fields, &meta->conf_state.learners_next);
        wire_put_u8(&fields, meta->conf_state.auto_leave);
        if (buffer_failed(&fields))
                buffer->failure = -ENOMEM;
        (void)buffer_append(buffer, magic, sizeof(magic));
        wire_put_u32(buffer, (uint32_t)buffer_length(&fields));
        wire_put_u32(buffer, crc32c(0, buffer_data(&fields), buffer_length(&fields)));
        (void)buffer_append(buffer, buffer_data(&fields), buffer_length(&fields));
}

static int parse_head(Slice fields, SnapshotMeta *ret_meta) {
        WireReader reader = wire_reader(fields);
        SnapshotMeta meta = {0};

        meta.index = wire_get_varint(&reader);
        meta.term = wire_get_varint(&reader);
        get_ids(&reader, &meta.conf_state.voters);
        get_ids(&reader, &meta.conf_state.voters_outgoing);
        get_ids(&reader, &meta.conf_state.learners);
        get_ids(&reader, &meta.conf_state.learners_next);
        meta.conf_state.auto_leave = wire_get_u8(&reader) != 0;
        if (!wire_at_end(&reader) || meta.index == 0 || meta.index > RAFT_INDEX_MAX || meta.term > RAFT_INDEX_MAX ||
            raft_conf_state_validate(&meta.conf_state) < 0)
                return -EBADMSG;
        *ret_meta = meta;
        return 0;
}

/* ---- writing ---- */

typedef struct WriterJob {
        DiskJob job;
        SnapshotWriter *writer;
        Buffer bytes;
        bool last;
} WriterJob;

struct SnapshotWriter {
        Disk *disk;
        char name[SNAPSHOT_NAME_MAX];
        const char *temporary;
        bool received;
        uint64_t index, term;
        Buffer pending;       /* file bytes that wait */
        uint32_t chain;
        uint64_t payload;     /* bytes of it so far */
        uint64_t offset;      /* in the file, of the next job's bytes */
        DiskFile *file;       /* the job's while one is under way */
        WriterJob work;
        bool busy;
        int failure;
};

static SnapshotWriter *writer_new(Disk *disk, uint64_t index, uint64_t term, bool received) {
        SnapshotWriter *writer = calloc(1, sizeof(*writer));

        if (!writer)
                return NULL;
        writer->disk = disk;
        writer->index = index;
        writer->term = term;
        writer->received = received;
        snapshot_name(index, term, writer->name);
        writer->temporary = received ? temporary_received : temporary_made;
        return writer;
}

int snapshot_writer_new(Disk *disk, const SnapshotMeta *meta, SnapshotWriter **ret_writer) {
        _cleanup_(snapshot_writer_freep) SnapshotWriter *writer = writer_new(disk, meta->index, meta->term, false);

        if (!writer)
                return -ENOMEM;
        put_head(&writer->pending, meta);
        if (buffer_failed(&writer->pending))
                return -ENOMEM;
        *ret_writer = take_ptr(writer);
        return 0;
}

int snapshot_writer_new_received(Disk *disk, uint64_t index, uint64_t term, SnapshotWriter **ret_writer) {
        SnapshotWriter *writer = writer_new(disk, index, term, true);

        if (!writer)
                return -ENOMEM;
        *ret_writer = writer;
        return 0;
}

SnapshotWriter *snapshot_writer_free(SnapshotWriter *writer) {
        if (!writer)
                return NULL;
        disk_close(writer->file);
        buffer_deinit(&writer->pending);
        buffer_deinit(&writer->work.bytes);
        free(writer);
        return NULL;
}

static int writer_add_frame(SnapshotWriter *writer, Slice bytes) {
        writer->chain = crc32c(writer->chain, bytes.data, bytes.length);
        writer->payload += bytes.length;
        wire_put_u32(&writer->pending, (uint32_t)bytes.length);
        wire_put_u32(&writer->pending, writer->chain);
        return buffer_append(&writer->pending, bytes.data, bytes.length);
}

int snapshot_writer_add(SnapshotWriter *writer, Slice bytes) {
        int r = 0;

        if (writer->received)
                return buffer_append(&writer->pending, bytes.data, bytes.length);
        while (bytes.length > 0 && r >= 0) {
                Slice piece = {bytes.data, min_of(bytes.length, SNAPSHOT_FRAME_MAX)};

                r = writer_add_frame(writer, piece);
                bytes.data += piece.length;
                bytes.length -= piece.length;
        }
        return r;
}

size_t snapshot_writer_pending(const SnapshotWriter *writer) {
        return buffer_length(&writer->pending);
}

uint64_t snapshot_writer_written(const SnapshotWriter *writer) {
        return writer->offset;
}

/* Reads a finished file from end to end. */
static int snapshot_check(Disk *disk, const char *name, uint64_t index, uint64_t term) {
        _cleanup_(snapshot_file_closep) SnapshotFile *file = NULL;
        Slice payload;
        int r;

        r = snapshot_file_open(disk, name, &file, NULL);
        if (r < 0)
                return r;
        if (snapshot_file_meta(file)->index != index || snapshot_file_meta(file)->term != term)
                return -EBADMSG;
        while ((r = snapshot_file_next(file, &payload, NULL)) > 0)
                ;
        return r;
}

static int writer_finish(SnapshotWriter *writer) {
        Disk *disk = writer->disk;
        int r;

        r = disk->ops->sync(writer->file);
        if (r >= 0 && writer->received)
                r = snapshot_check(disk, writer->temporary, writer->index, writer->term);
        if (r >= 0)
                r = disk->ops->rename(disk, writer->temporary, writer->name);
        return r < 0 ? r : disk->ops->sync_names(disk);
}

static int writer_run(DiskJob *job) {
        WriterJob *work = container_of(job, WriterJob, job);
        SnapshotWriter *writer = work->writer;
        int r = 0;

        if (!writer->file) {
                r = disk_open(writer->disk, writer->temporary, true, &writer->file);
                if (r >= 0)
                        r = writer->disk->ops->truncate(writer->file, 0);
        }
        if (r >= 0)
                r = writer->disk->ops->write(writer->file, writer->offset, buffer_data(&work->bytes), buffer_length(&work->bytes));
        if (r >= 0 && work->last)
                r = writer_finish(writer);
        /* the disk may be full: the log needs the room */
        if (r < 0)
                (void)writer->disk->ops->unlink(writer->disk, writer->temporary);
        return r;
}

int snapshot_writer_begin(SnapshotWriter *writer, bool last, DiskJob **ret_job) {
        Buffer spare = writer->work.bytes;

        if (writer->failure)
                return writer->failure;
        if (last && !writer->received) {
                wire_put_u32(&writer->pending, 0);
                wire_put_u32(&writer->pending, writer->chain);
                wire_put_u64(&writer->pending, writer->payload);
        }
        if (buffer_failed(&writer->pending))
                return writer->failure = -ENOMEM;
        buffer_clear(&spare);
        writer->work = (WriterJob){.job = {writer_run}, .writer = writer, .bytes = writer->pending, .last = last};
        writer->pending = spare;
        writer->busy = true;
        *ret_job = &writer->work.job;
        return 0;
}

int snapshot_writer_end(SnapshotWriter *writer, int r) {
        writer->busy = false;
        writer->offset += buffer_length(&writer->work.bytes);
        if (r < 0)
                writer->failure = r;
        return r;
}

/* ---- reading ---- */

struct SnapshotFile {
        DiskFile *file;
        char name[SNAPSHOT_NAME_MAX];
        SnapshotMeta meta;
        uint64_t offset;
        uint32_t chain;
        uint64_t payload;
        Buffer frame;
};

static int file_damaged(const SnapshotFile *file, Error *error, const char *what) {
        return error_set(error, -EBADMSG, "%s is damaged at byte %" PRIu64 ": %s", file->name, file->offset, what);
}

/* Exactly `length` bytes, or -EBADMSG. */
static int file_read(SnapshotFile *file, void *bytes, size_t length, Error *error) {
        size_t got;
        int r = file->file->disk->ops->read(file->file, file->offset, bytes, length, &got);

        if (r < 0)
                return error_set_errno(error, r, "cannot read %s", file->name);
        if (got < length)
                return file_damaged(file, error, "it ends too early");
        file->offset += length;
        return 0;
}

static int file_read_head(SnapshotFile *file, Error *error) {
        char prefix[HEAD_PREFIX];
        WireReader reader;
        uint32_t length, crc;
        char *fields;
        int r;

        r = file_read(file, prefix, sizeof(prefix), error);
        if (r < 0)
                return r;
        if (memcmp(prefix, magic, sizeof(magic)) != 0)
                return file_damaged(file, error, "it is no snapshot");
        reader = wire_reader((Slice){prefix + sizeof(magic), sizeof(prefix) - sizeof(magic)});
        length = wire_get_u32(&reader);
        crc = wire_get_u32(&reader);
        if (length > HEAD_MAX)
                return file_damaged(file, error, "its head is too long");
        fields = buffer_reserve(&file->frame, length);
        if (!fields)
                return -ENOMEM;
        r = file_read(file, fields, length, error);
        if (r < 0)
                return r;
        if (crc32c(0, fields, length) != crc || parse_head((Slice){fields, length}, &file->meta) < 0)
                return file_damaged(file, error, "its head is wrong");
        return 0;
}

int snapshot_file_open(Disk *disk, const char *name, SnapshotFile **ret_file, Error *error) {
        _cleanup_(snapshot_file_closep) SnapshotFile *file = calloc(1, sizeof(*file));
        int r;

        if (!file)
                return -ENOMEM;
        (void)snprintf(file->name, sizeof(file->name), "%s", name);
        r = disk_open(disk, name, false, &file->file);
        if (r < 0)
                return error_set_errno(error, r, "cannot open %s", name);
        r = file_read_head(file, error);
        if (r < 0)
                return r;
        *ret_file = take_ptr(file);
        return 0;
}

SnapshotFile *snapshot_file_close(SnapshotFile *file) {
        if (!file)
                return NULL;
        disk_close(file->file);
        buffer_deinit(&file->frame);
        free(file);
        return NULL;
}

const SnapshotMeta *snapshot_file_meta(const SnapshotFile *file) {
        return &file->meta;
}

static int file_end(SnapshotFile *file, uint32_t crc, Error *error) {
        char trailer[8];
        WireReader reader;
        int r;

        r = file_read(file, trailer, sizeof(trailer), error);
        if (r < 0)
                return r;
        reader = wire_reader((Slice){trailer, sizeof(trailer)});
        if (crc != file->chain || wire_get_u64(&reader) != file->payload)
                return file_damaged(file, error, "its end does not fit the rest");
        return 0;
}

int snapshot_file_next(SnapshotFile *file, Slice *ret_payload, Error *error) {
        char prefix[FRAME_PREFIX];
        WireReader reader;
        uint32_t length, crc;
        char *bytes;
        int r;

        r = file_read(file, prefix, sizeof(prefix), error);
        if (r < 0)
                return r;
        reader = wire_reader((Slice){prefix, sizeof(prefix)});
        length = wire_get_u32(&reader);
        crc = wire_get_u32(&reader);
        if (length == 0)
                return file_end(file, crc, error);
        if (length > SNAPSHOT_FRAME_MAX)
                return file_damaged(file, error, "a frame is too long");
        buffer_clear(&file->frame);
        bytes = buffer_reserve(&file->frame, length);
        if (!bytes)
                return -ENOMEM;
        r = file_read(file, bytes, length, error);
        if (r < 0)
                return r;
        file->chain = crc32c(file->chain, bytes, length);
        if (file->chain != crc)
                return file_damaged(file, error, "a checksum is wrong before it");
        file->payload += length;
        *ret_payload = (Slice){bytes, length};
        return 1;
}

static int compare_names_down(const void *a, const void *b) {
        return strcmp(*(char *const *)b, *(char *const *)a);
}

int snapshot_list(Disk *disk, StringList *ret_names) {
        _cleanup_string_list_ StringList all = {0};
        uint64_t index, term;
        int r;

        r = disk->ops->list(disk, &all);
        for (size_t i = 0; r >= 0 && i < all.length; i++) {
                if (str_starts_with(all.items[i], temporary_prefix))
                        r = disk->ops->unlink(disk, all.items[i]);
                else if (snapshot_parse_name(all.items[i], &index, &term) >= 0)
                        r = string_list_add(ret_names, all.items[i]);
        }
        if (r >= 0 && ret_names->length > 1)
                qsort(ret_names->items, ret_names->length, sizeof(char *), compare_names_down);
        return r;
}

static int read_run(DiskJob *job) {
        SnapshotRead *read = container_of(job, SnapshotRead, job);
        _cleanup_disk_file_ DiskFile *file = NULL;
        size_t got;
        char *to;
        int r;

        r = disk_open(read->disk, read->name, false, &file);
        if (r < 0)
                return r;
        to = buffer_reserve(&read->bytes, read->length);
        if (!to)
                return -ENOMEM;
        r = file->disk->ops->read(file, read->offset, to, read->length, &got);
        if (r >= 0)
                buffer_commit(&read->bytes, got);
        return r;
}

void snapshot_read_init(SnapshotRead *read, Disk *disk, const char *name, uint64_t offset, size_t length) {
        *read = (SnapshotRead){.job = {read_run}, .disk = disk, .offset = offset, .length = length};
        (void)snprintf(read->name, sizeof(read->name), "%s", name);
}

static int purge_run(DiskJob *job) {
        SnapshotPurge *purge = container_of(job, SnapshotPurge, job);
        _cleanup_string_list_ StringList names = {0}, all = {0};
        uint64_t index, term;
        int r;

        r = purge->disk->ops->list(purge->disk, &all);
        for (size_t i = 0; r >= 0 && i < all.length; i++)
                if (snapshot_parse_name(all.items[i], &index, &term) >= 0 && index <= purge->newest)
                        r = string_list_add(&names, all.items[i]);
        if (names.length > 1)
                qsort(names.items, names.length, sizeof(char *), compare_names_down);
        for (size_t i = purge->keep; r >= 0 && i < names.length; i++)
                r = purge->disk->ops->unlink(purge->disk, names.items[i]);
        return r < 0 ? r : purge->disk->ops->sync_names(purge->disk);
}

void snapshot_purge_init(SnapshotPurge *purge, Disk *disk, uint64_t newest, size_t keep) {
        *purge = (SnapshotPurge){.job = {purge_run}, .disk = disk, .newest = newest, .keep = keep};
}
