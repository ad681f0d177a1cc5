#pragma once
/*
 * A disk in memory that behaves as badly as a real one may: what was not synced is lost, kept or torn sector by sector
 * at a crash, names too, and calls fail when told to. All chance comes from the Random given. For tests and the simulation.
 */
#include "base/random.h"
#include "store/log/disk.h"

#define FAKE_DISK_SECTOR 512

typedef struct FakeDiskFaults {
        /* Chances out of a million for one call. */
        uint32_t write_fails;    /* -EIO, and a part of it may have been written */
        uint32_t sync_fails;     /* -EIO; what was written since the last sync is then as after a crash */
        uint32_t read_flips_bit; /* in what is returned: damage that only a checksum shows */
        uint64_t capacity;       /* bytes in all files; 0: no limit. Beyond: -ENOSPC */
        bool sync_lies;          /* sync says yes and does nothing: only for planted faults */
        bool next_write_lies;    /* the next write says yes, but is lost, or a part of it, or lands elsewhere; taken back once done */
        const char *lies_in;     /* only in a file whose name begins so; NULL: in any */
} FakeDiskFaults;

typedef struct FakeDiskCounts {
        uint64_t writes, syncs, bytes, failed_writes, failed_syncs, full, flips, crashes, torn, lost_names, lies, misdirected;
} FakeDiskCounts;

/* -ENOMEM gives NULL. `random` is copied. */
Disk *fake_disk_new(const Random *random);
Disk *fake_disk_free(Disk *disk);

FakeDiskFaults *fake_disk_faults(Disk *disk);
const FakeDiskCounts *fake_disk_counts(const Disk *disk);

/* Loss of power: all files are closed by force, each sector that was not synced keeps its old contents, gets the new, or
 * (a torn sector) a part of it; the names since the last sync of names are all kept or all lost. Files that are open become invalid. */
void fake_disk_crash(Disk *disk);

/*
 * A write that lied. Nobody can tell one that was the last of its file from a torn end, so it is of consequence only from the
 * moment on when a later write to the file was synced, or the file was renamed after a sync; until then a crash, and
 * end_lie(), let it land where it belongs.
 */
bool fake_disk_has_lied(const Disk *disk);

/* Whether it did so in a file that was then renamed to a name with that beginning. */
bool fake_disk_lie_is_in(const Disk *disk, const char *prefix);

/* What was lost is put right, and what was overwritten; or it stays as it is, and another write may lie. */
void fake_disk_end_lie(Disk *disk, bool put_right);

/* The contents, for tests that damage them. NULL when there is no such file. Borrowed until the next call. */
char *fake_disk_contents(Disk *disk, const char *name, size_t *ret_length);
void fake_disk_set_length(Disk *disk, const char *name, size_t length);
