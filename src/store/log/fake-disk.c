#include "store/log/fake-disk.h"

#include <assert.h>
#include <errno.h>

#include "base/list.h"

enum { FAKE_NAME_MAX = 128 };

/* The bytes of a file, apart from its name: a rename moves the name only. */
typedef struct FakeInode {
        ListNode link;
        char *now;      /* what reads see */
        size_t length;
        char *safe;     /* what a crash cannot take */
        size_t safe_length;
        uint8_t *dirty; /* one per sector: written since the last sync */
        size_t sectors;
        unsigned names; /* that point here, now or safely */
} FakeInode;

typedef struct FakeName {
        ListNode link;
        char name[FAKE_NAME_MAX];
        FakeInode *now;  /* NULL: no such file */
        FakeInode *safe; /* NULL: none after a crash */
} FakeName;

/* A write that was not done, what it should have written, and what it overwrote in another place. */
typedef struct FakeLie {
        FakeInode *inode; /* NULL: none */
        uint64_t offset;
        size_t length;
        char *bytes;
        bool synced, followed, final; /* since: the file was synced; written to; both, or renamed after a sync */
        bool misdirected;
        uint64_t wrong_at;
        char *overwritten; /* or NULL */
        char name[FAKE_NAME_MAX]; /* that the file was given since; "": none */
} FakeLie;

typedef struct FakeDisk {
        Disk disk;
        FakeLie lie;
        List names;
        List inodes;
        Random random;
        FakeDiskFaults faults;
        FakeDiskCounts counts;
} FakeDisk;

typedef struct FakeFile {
        DiskFile file;
        FakeInode *inode;
} FakeFile;

static FakeDisk *fake_disk(Disk *disk) {
        return container_of(disk, FakeDisk, disk);
}

static FakeInode *file_inode(DiskFile *file) {
        return container_of(file, FakeFile, file)->inode;
}

static bool fake_fails(FakeDisk *fake, uint32_t chance) {
        return chance > 0 && random_chance(&fake->random, chance, 1000000);
}

/* ---- contents ---- */

static int inode_grow(FakeInode *inode, size_t length) {
        size_t sectors = (length + FAKE_DISK_SECTOR - 1) / FAKE_DISK_SECTOR, capacity;
        char *now;
        uint8_t *dirty;

        if (length <= inode->length)
                return 0;
        if (sectors > inode->sectors) {
                capacity = max_of(sectors, inode->sectors * 2);
                now = realloc(inode->now, capacity * FAKE_DISK_SECTOR);
                if (!now)
                        return -ENOMEM;
                inode->now = now;
                dirty = realloc(inode->dirty, capacity);
                if (!dirty)
                        return -ENOMEM;
                memset(dirty + inode->sectors, 0, capacity - inode->sectors);
                inode->dirty = dirty;
                inode->sectors = capacity;
        }
        memset(inode->now + inode->length, 0, length - inode->length);
        inode->length = length;
        return 0;
}

static void lie_forget(FakeLie *lie) {
        free(lie->bytes);
        free(lie->overwritten);
        *lie = (FakeLie){0};
}

/* Copies into what reads see; into what a crash leaves, too, when that is what a sync made safe. */
static void inode_place(FakeInode *inode, uint64_t offset, const char *bytes, size_t length, bool safe) {
        length = offset < inode->length ? min_of(length, inode->length - (size_t)offset) : 0;
        if (length == 0)
                return;
        memcpy(inode->now + offset, bytes, length);
        if (safe && offset + length <= inode->safe_length)
                memcpy(inode->safe + offset, bytes, length);
        else
                for (size_t s = offset / FAKE_DISK_SECTOR; s <= (offset + length - 1) / FAKE_DISK_SECTOR; s++)
                        inode->dirty[s] = 1;
}

static void lie_put_right(FakeLie *lie) {
        if (lie->inode && lie->overwritten)
                inode_place(lie->inode, lie->wrong_at, lie->overwritten, lie->length, true);
        if (lie->inode)
                inode_place(lie->inode, lie->offset, lie->bytes, lie->length, lie->synced);
        lie_forget(lie);
}

static int lie_begin(FakeDisk *fake, FakeInode *inode, uint64_t offset, const void *bytes, size_t length) {
        FakeLie *lie = &fake->lie;

        lie->bytes = malloc(length);
        if (!lie->bytes)
                return -ENOMEM;
        memcpy(lie->bytes, bytes, length);
        lie->inode = inode;
        lie->offset = offset;
        lie->length = length;
        fake->faults.next_write_lies = false;
        if (offset < length || !random_chance(&fake->random, 1, 2))
                return 0;
        /* before its own place: what it might overwrite behind that would look like a torn end */
        lie->misdirected = true;
        lie->wrong_at = random_below(&fake->random, (offset - length) / FAKE_DISK_SECTOR + 1) * FAKE_DISK_SECTOR;
        return 0;
}

/* A later write. True: it overlaps, so the lie was none. */
static bool lie_meets_write(FakeLie *lie, const FakeInode *inode, uint64_t offset, size_t length) {
        if (lie->inode != inode || lie->final)
                return false;
        lie->followed = true;
        return offset < lie->offset + lie->length && lie->offset < offset + length;
}

static void lie_become_final(FakeDisk *fake) {
        FakeLie *lie = &fake->lie;

        lie->final = true;
        fake->counts.lies++;
        if (!lie->misdirected)
                return;
        lie->overwritten = malloc(lie->length);
        if (!lie->overwritten)
                return;
        memcpy(lie->overwritten, lie->inode->now + lie->wrong_at, lie->length);
        inode_place(lie->inode, lie->wrong_at, lie->bytes, lie->length, true);
        fake->counts.misdirected++;
}

/* After the file was synced. */
static void lie_meets_sync(FakeDisk *fake, const FakeInode *inode) {
        FakeLie *lie = &fake->lie;

        if (lie->inode != inode || lie->final)
                return;
        lie->synced = true;
        if (lie->followed)
                lie_become_final(fake);
}

/* A file that gets another name after its sync is no torn one. */
static void lie_meets_rename(FakeDisk *fake, const FakeInode *inode, const char *name) {
        FakeLie *lie = &fake->lie;

        if (lie->inode != inode)
                return;
        memcpy(lie->name, name, strlen(name) + 1);
        if (lie->synced && !lie->final)
                lie_become_final(fake);
}

static void inode_free(FakeInode *inode) {
        list_unlink(&inode->link);
        free(inode->now);
        free(inode->safe);
        free(inode->dirty);
        free(inode);
}

static void inode_release(FakeDisk *fake, FakeInode *inode) {
        if (!inode || --inode->names > 0)
                return;
        if (fake->lie.inode == inode)
                lie_forget(&fake->lie);
        inode_free(inode);
}

static FakeInode *inode_hold(FakeInode *inode) {
        if (inode)
                inode->names++;
        return inode;
}

/* All sectors are safe now. */
static int inode_settle(FakeInode *inode) {
        if (inode->safe_length != inode->length) {
                char *safe = realloc(inode->safe, max_of(inode->length, (size_t)1));

                if (!safe)
                        return -ENOMEM;
                inode->safe = safe;
                if (inode->length > inode->safe_length)
                        memset(safe + inode->safe_length, 0, inode->length - inode->safe_length);
                inode->safe_length = inode->length;
        }
        for (size_t s = 0; s * FAKE_DISK_SECTOR < inode->length; s++) {
                size_t at = s * FAKE_DISK_SECTOR;

                if (inode->dirty[s])
                        memcpy(inode->safe + at, inode->now + at, min_of((size_t)FAKE_DISK_SECTOR, inode->length - at));
                inode->dirty[s] = 0;
        }
        return 0;
}

/* What a crash does to one sector that was not synced: old, new, or new up to some byte. */
static void inode_tear(FakeDisk *fake, FakeInode *inode, size_t sector) {
        size_t at = sector * FAKE_DISK_SECTOR, length = min_of((size_t)FAKE_DISK_SECTOR, inode->length - at), kept;
        char old[FAKE_DISK_SECTOR] = {0};

        if (at < inode->safe_length)
                memcpy(old, inode->safe + at, min_of(length, inode->safe_length - at));
        switch (random_below(&fake->random, 5)) {
        case 0:
        case 1:
                kept = 0;
                break;
        case 2:
                kept = random_below(&fake->random, length + 1);
                fake->counts.torn++;
                break;
        default:
                kept = length;
        }
        memcpy(inode->now + at + kept, old + kept, length - kept);
}

static void inode_crash(FakeDisk *fake, FakeInode *inode) {
        /* the new size may be lost as well, and with it what lies beyond the old */
        if (inode->length != inode->safe_length && random_chance(&fake->random, 1, 3)) {
                if (inode->length < inode->safe_length)
                        (void)inode_grow(inode, inode->safe_length);
                inode->length = inode->safe_length;
        }
        for (size_t s = 0; s * FAKE_DISK_SECTOR < inode->length; s++)
                if (inode->dirty[s])
                        inode_tear(fake, inode, s);
        (void)inode_settle(inode);
}

/* ---- names ---- */

static FakeName *fake_find(FakeDisk *fake, const char *name) {
        list_foreach(&fake->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                if (str_equals(one->name, name))
                        return one;
        }
        return NULL;
}

static FakeName *fake_find_or_make(FakeDisk *fake, const char *name) {
        FakeName *one = fake_find(fake, name);

        if (one)
                return one;
        assert(strlen(name) < FAKE_NAME_MAX);
        one = calloc(1, sizeof(*one));
        if (!one)
                return NULL;
        memcpy(one->name, name, strlen(name) + 1);
        list_append(&fake->names, &one->link);
        return one;
}

static int fake_list(Disk *disk, StringList *ret_names) {
        int r = 0;

        list_foreach(&fake_disk(disk)->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                if (one->now && r >= 0)
                        r = string_list_add(ret_names, one->name);
        }
        return r;
}

static int fake_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        FakeDisk *fake = fake_disk(disk);
        FakeName *one = create ? fake_find_or_make(fake, name) : fake_find(fake, name);
        FakeFile *file;

        if (!one)
                return create ? -ENOMEM : -ENOENT;
        if (!one->now) {
                if (!create)
                        return -ENOENT;
                one->now = calloc(1, sizeof(*one->now));
                if (!one->now)
                        return -ENOMEM;
                one->now->names = 1;
                list_append(&fake->inodes, &one->now->link);
        }
        file = calloc(1, sizeof(*file));
        if (!file)
                return -ENOMEM;
        file->file.disk = disk;
        file->inode = inode_hold(one->now);
        *ret_file = &file->file;
        return 0;
}

static void fake_close(DiskFile *file) {
        inode_release(fake_disk(file->disk), file_inode(file));
        free(container_of(file, FakeFile, file));
}

static int fake_rename(Disk *disk, const char *from, const char *to) {
        FakeDisk *fake = fake_disk(disk);
        FakeName *source = fake_find(fake, from), *target;

        if (!source || !source->now)
                return -ENOENT;
        target = fake_find_or_make(fake, to);
        if (!target)
                return -ENOMEM;
        inode_release(fake, target->now);
        target->now = source->now;
        source->now = NULL;
        lie_meets_rename(fake, target->now, to);
        return 0;
}

static int fake_unlink(Disk *disk, const char *name) {
        FakeName *one = fake_find(fake_disk(disk), name);

        if (!one || !one->now)
                return -ENOENT;
        inode_release(fake_disk(disk), one->now);
        one->now = NULL;
        return 0;
}

static int fake_sync_names(Disk *disk) {
        FakeDisk *fake = fake_disk(disk);

        fake->counts.syncs++;
        if (fake_fails(fake, fake->faults.sync_fails)) {
                fake->counts.failed_syncs++;
                return -EIO;
        }
        if (fake->faults.sync_lies)
                return 0;
        list_foreach(&fake->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                if (one->safe == one->now)
                        continue;
                inode_release(fake, one->safe);
                one->safe = inode_hold(one->now);
        }
        return 0;
}

/* ---- files ---- */

static int fake_size(DiskFile *file, uint64_t *ret_size) {
        *ret_size = file_inode(file)->length;
        return 0;
}

static int fake_read(DiskFile *file, uint64_t offset, void *bytes, size_t length, size_t *ret_read) {
        FakeInode *inode = file_inode(file);
        FakeDisk *fake = fake_disk(file->disk);
        size_t got = offset < inode->length ? min_of(length, inode->length - (size_t)offset) : 0;

        if (got)
                memcpy(bytes, inode->now + offset, got);
        if (got && fake_fails(fake, fake->faults.read_flips_bit)) {
                ((uint8_t *)bytes)[random_below(&fake->random, got)] ^= (uint8_t)(1u << random_below(&fake->random, 8));
                fake->counts.flips++;
        }
        *ret_read = got;
        return 0;
}

static uint64_t fake_used(FakeDisk *fake) {
        uint64_t used = 0;

        list_foreach(&fake->inodes, node)
                used += container_of(node, FakeInode, link)->length;
        return used;
}

/* NULL: any name will do. */
static bool inode_is_named(FakeDisk *fake, const FakeInode *inode, const char *prefix) {
        if (!prefix)
                return true;
        list_foreach(&fake->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                if (one->now == inode && str_starts_with(one->name, prefix))
                        return true;
        }
        return false;
}

/* All of it is lost, or some sectors. */
static int fake_write_lying(FakeDisk *fake, FakeInode *inode, uint64_t offset, const char *bytes, size_t length) {
        size_t sectors = length / FAKE_DISK_SECTOR, from = 0, lost = length;

        if (sectors > 1 && random_chance(&fake->random, 1, 2)) {
                from = random_below(&fake->random, sectors) * FAKE_DISK_SECTOR;
                lost = min_of(length - from, (1 + random_below(&fake->random, sectors)) * FAKE_DISK_SECTOR);
        }
        inode_place(inode, offset, bytes, from, false);
        inode_place(inode, offset + from + lost, bytes + from + lost, length - from - lost, false);
        return lie_begin(fake, inode, offset + from, bytes + from, lost);
}

static int fake_write(DiskFile *file, uint64_t offset, const void *bytes, size_t length) {
        FakeInode *inode = file_inode(file);
        FakeDisk *fake = fake_disk(file->disk);
        int r = 0;

        fake->counts.writes++;
        if (length == 0)
                return 0;
        if (offset + length > inode->length && fake->faults.capacity &&
            fake_used(fake) + (offset + length - inode->length) > fake->faults.capacity) {
                fake->counts.full++;
                return -ENOSPC;
        }
        if (fake_fails(fake, fake->faults.write_fails)) {
                fake->counts.failed_writes++;
                length = random_below(&fake->random, length);
                r = -EIO;
                if (length == 0)
                        return r;
        }
        if (inode_grow(inode, offset + length) < 0)
                return -ENOMEM;
        if (lie_meets_write(&fake->lie, inode, offset, length))
                lie_put_right(&fake->lie);
        if (r == 0 && fake->faults.next_write_lies && !fake->lie.inode &&
            inode_is_named(fake, inode, fake->faults.lies_in))
                return fake_write_lying(fake, inode, offset, bytes, length);
        inode_place(inode, offset, bytes, length, false);
        fake->counts.bytes += length;
        return r;
}

static int fake_sync(DiskFile *file) {
        FakeDisk *fake = fake_disk(file->disk);

        fake->counts.syncs++;
        if (fake_fails(fake, fake->faults.sync_fails)) {
                fake->counts.failed_syncs++;
                inode_crash(fake, file_inode(file));
                return -EIO;
        }
        if (fake->faults.sync_lies)
                return 0;
        if (inode_settle(file_inode(file)) < 0)
                return -ENOMEM;
        lie_meets_sync(fake, file_inode(file));
        return 0;
}

static int fake_truncate(DiskFile *file, uint64_t size) {
        FakeInode *inode = file_inode(file);
        FakeDisk *fake = fake_disk(file->disk);

        if (size > inode->length)
                return inode_grow(inode, size);
        if (fake->lie.inode == inode && !fake->lie.final)
                lie_put_right(&fake->lie);
        /* what lies behind it is gone for good once that is synced, even if the file grows again */
        for (size_t s = size / FAKE_DISK_SECTOR; s * FAKE_DISK_SECTOR < inode->length; s++)
                inode->dirty[s] = 1;
        inode->length = size;
        return 0;
}

static const DiskOps fake_ops = {
        .list = fake_list,
        .open = fake_open,
        .close = fake_close,
        .size = fake_size,
        .read = fake_read,
        .write = fake_write,
        .sync = fake_sync,
        .truncate = fake_truncate,
        .rename = fake_rename,
        .unlink = fake_unlink,
        .sync_names = fake_sync_names,
};

/* ---- the disk ---- */

Disk *fake_disk_new(const Random *random) {
        FakeDisk *fake = calloc(1, sizeof(*fake));

        if (!fake)
                return NULL;
        fake->disk.ops = &fake_ops;
        fake->random = *random;
        list_init(&fake->names);
        list_init(&fake->inodes);
        return &fake->disk;
}

Disk *fake_disk_free(Disk *disk) {
        FakeDisk *fake;

        if (!disk)
                return NULL;
        fake = fake_disk(disk);
        lie_forget(&fake->lie);
        list_foreach(&fake->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                inode_release(fake, one->now);
                inode_release(fake, one->safe);
                free(one);
        }
        assert(list_is_empty(&fake->inodes)); /* or a file is still open */
        free(fake);
        return NULL;
}

FakeDiskFaults *fake_disk_faults(Disk *disk) {
        return &fake_disk(disk)->faults;
}

const FakeDiskCounts *fake_disk_counts(const Disk *disk) {
        return &container_of(disk, FakeDisk, disk)->counts;
}

void fake_disk_crash(Disk *disk) {
        FakeDisk *fake = fake_disk(disk);
        bool names_kept = random_chance(&fake->random, 1, 2); /* a journal keeps them in order: a rename is never half done */

        fake->counts.crashes++;
        if (!fake->lie.final)
                lie_put_right(&fake->lie);
        list_foreach(&fake->inodes, node)
                inode_crash(fake, container_of(node, FakeInode, link));
        list_foreach(&fake->names, node) {
                FakeName *one = container_of(node, FakeName, link);

                if (one->safe == one->now)
                        continue;
                if (names_kept) {
                        inode_release(fake, one->safe);
                        one->safe = inode_hold(one->now);
                } else {
                        inode_release(fake, one->now);
                        one->now = inode_hold(one->safe);
                        fake->counts.lost_names++;
                }
        }
}

bool fake_disk_has_lied(const Disk *disk) {
        return container_of(disk, const FakeDisk, disk)->lie.final;
}

bool fake_disk_lie_is_in(const Disk *disk, const char *prefix) {
        return str_starts_with(container_of(disk, const FakeDisk, disk)->lie.name, prefix);
}

void fake_disk_end_lie(Disk *disk, bool put_right) {
        FakeDisk *fake = fake_disk(disk);

        fake->faults.next_write_lies = false;
        if (put_right)
                lie_put_right(&fake->lie);
        else
                lie_forget(&fake->lie);
}

char *fake_disk_contents(Disk *disk, const char *name, size_t *ret_length) {
        FakeName *one = fake_find(fake_disk(disk), name);

        if (!one || !one->now)
                return NULL;
        *ret_length = one->now->length;
        return one->now->now;
}

void fake_disk_set_length(Disk *disk, const char *name, size_t length) {
        FakeName *one = fake_find(fake_disk(disk), name);

        assert(one && one->now && length <= one->now->length);
        one->now->length = length;
        (void)inode_settle(one->now);
}
