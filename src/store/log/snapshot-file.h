#pragma once
/*
 * Snapshot files: the state at one index, written in pieces to a file of a passing name that gets its own name when it
 * is whole and safe. docs/formats/store-snapshot-file.md has the bytes. What the payload means is the owner's affair.
 */
#include "base/buffer.h"
#include "raft/types.h"
#include "store/log/disk.h"

#define SNAPSHOT_NAME_MAX 64

/* Bytes of payload in one frame. */
#define SNAPSHOT_FRAME_MAX ((size_t)1 << 20)

typedef struct SnapshotMeta {
        uint64_t index;
        uint64_t term;
        RaftConfState conf_state;
} SnapshotMeta;

void snapshot_name(uint64_t index, uint64_t term, char name[static SNAPSHOT_NAME_MAX]);

/* ---- writing ---- */

typedef struct SnapshotWriter SnapshotWriter;

/* A snapshot made here. -ENOMEM. `meta` is copied. */
int snapshot_writer_new(Disk *disk, const SnapshotMeta *meta, SnapshotWriter **ret_writer);

/* A snapshot that comes as the bytes of another member's file. Its index and term are what the sender says; they are
 * checked against the file at the end. */
int snapshot_writer_new_received(Disk *disk, uint64_t index, uint64_t term, SnapshotWriter **ret_writer);

/* No job may be under way. An unfinished file is left under its passing name: the next one takes its place, or the next start
 * removes it. */
SnapshotWriter *snapshot_writer_free(SnapshotWriter *writer);
CLEANUP_DEFINE(SnapshotWriter, snapshot_writer_free)

/* Gathers payload (or file bytes of a received one). -ENOMEM. May be called while a job is under way. */
int snapshot_writer_add(SnapshotWriter *writer, Slice bytes);

/* Bytes gathered. */
size_t snapshot_writer_pending(const SnapshotWriter *writer);

/* Writes what has gathered; with `last` it completes the file, checks a received one, and gives it its name. One job at a
 * time. -ENOMEM. */
int snapshot_writer_begin(SnapshotWriter *writer, bool last, DiskJob **ret_job);

/* Returns `r`. After a failure the writer can only be freed. -EBADMSG: what was received is no sound snapshot. */
int snapshot_writer_end(SnapshotWriter *writer, int r);

uint64_t snapshot_writer_written(const SnapshotWriter *writer);

/* ---- reading; all calls block ---- */

typedef struct SnapshotFile SnapshotFile;

/* Opens a finished snapshot and reads its head. -ENOENT, -EBADMSG with `error`. */
int snapshot_file_open(Disk *disk, const char *name, SnapshotFile **ret_file, Error *error);
SnapshotFile *snapshot_file_close(SnapshotFile *file); /* NULL is allowed; returns NULL */
CLEANUP_DEFINE(SnapshotFile, snapshot_file_close)

const SnapshotMeta *snapshot_file_meta(const SnapshotFile *file);

/* The next piece of payload, checked; borrowed until the next call. 1, 0 at the end (all of it was sound), -EBADMSG. */
int snapshot_file_next(SnapshotFile *file, Slice *ret_payload, Error *error);

/* Names of the finished snapshots on the disk, newest first; removes unfinished ones. */
int snapshot_list(Disk *disk, StringList *ret_names);

/* Reads a run of bytes of a finished file, to be sent to another member. */
typedef struct SnapshotRead {
        DiskJob job;
        Disk *disk;
        char name[SNAPSHOT_NAME_MAX];
        uint64_t offset;
        size_t length;   /* wanted */
        Buffer bytes;    /* what was read; fewer than wanted: the end */
} SnapshotRead;

void snapshot_read_init(SnapshotRead *read, Disk *disk, const char *name, uint64_t offset, size_t length);

/* Of the snapshots up to index `newest` removes all but the `keep` newest; those above, which may have been received and
 * wait to be installed, are not looked at. A job. */
typedef struct SnapshotPurge {
        DiskJob job;
        Disk *disk;
        uint64_t newest;
        size_t keep;
} SnapshotPurge;

void snapshot_purge_init(SnapshotPurge *purge, Disk *disk, uint64_t newest, size_t keep);
