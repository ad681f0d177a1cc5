/*
 * A log of two segments that is cut, zeroed or changed at every single offset of its end, and read back each time: what comes
 * back is all that was acknowledged before the place of the damage, or a refusal that names file and place. Never anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/log/fake-disk.h"
#include "store/log/log-format.h"

#define FIRST "log-0000000000000001"
#define SECOND "log-0000000000000002"

enum {
        SEGMENT = 64 << 10,
        VALUE_MAX = 800,
        ENTRIES_MAX = 1000,
        OLDER_FROM = 30000, /* this part of the older segment is damaged */
        OLDER_TO = 34096,
        SEGMENTS = 2,
};

/* A disk in memory that stays as it is: what opening a log writes is taken and forgotten. */
typedef struct StillDisk {
        Disk disk;
        char *bytes[SEGMENTS];
        size_t sizes[SEGMENTS];
} StillDisk;

typedef struct StillFile {
        DiskFile file;
        size_t which; /* SEGMENTS: a new one */
} StillFile;

static const char *const names[SEGMENTS] = {FIRST, SECOND};

static int still_list(Disk *disk, StringList *ret_names) {
        int r = 0;

        (void)disk;
        for (size_t i = 0; i < SEGMENTS && r >= 0; i++)
                r = string_list_add(ret_names, names[i]);
        return r;
}

static int still_open(Disk *disk, const char *name, bool create, DiskFile **ret_file) {
        size_t which = SEGMENTS;
        StillFile *file;

        for (size_t i = 0; i < SEGMENTS; i++)
                if (strcmp(name, names[i]) == 0)
                        which = i;
        if (which == SEGMENTS && !create)
                return -ENOENT;
        file = malloc(sizeof(*file));
        assert_non_null(file);
        *file = (StillFile){{disk}, which};
        *ret_file = &file->file;
        return 0;
}

static void still_close(DiskFile *file) {
        free(container_of(file, StillFile, file));
}

static StillDisk *still_disk(DiskFile *file) {
        return container_of(file->disk, StillDisk, disk);
}

static int still_size(DiskFile *file, uint64_t *ret_size) {
        *ret_size = still_disk(file)->sizes[container_of(file, StillFile, file)->which];
        return 0;
}

static int still_read(DiskFile *file, uint64_t offset, void *bytes, size_t length, size_t *ret_read) {
        StillDisk *still = still_disk(file);
        size_t which = container_of(file, StillFile, file)->which;

        *ret_read = offset < still->sizes[which] ? min_of(length, still->sizes[which] - (size_t)offset) : 0;
        memcpy(bytes, still->bytes[which] + offset, *ret_read);
        return 0;
}

static int still_sync(DiskFile *file) {
        (void)file;
        return 0;
}

static int still_write(DiskFile *file, uint64_t offset, const void *bytes, size_t length) {
        (void)offset;
        (void)bytes;
        (void)length;
        assert_true(container_of(file, StillFile, file)->which >= 1); /* one of which nothing is left is written anew */
        return 0;
}

static int still_truncate(DiskFile *file, uint64_t size) {
        (void)size;
        assert_true(container_of(file, StillFile, file)->which >= 1); /* a torn end is cut off */
        return 0;
}

static int still_rename(Disk *disk, const char *from, const char *to) {
        (void)disk;
        (void)from;
        (void)to;
        return 0;
}

static int still_sync_names(Disk *disk) {
        (void)disk;
        return 0;
}

static int still_unlink(Disk *disk, const char *name) {
        (void)disk;
        if (strcmp(name, "spare") == 0)
                return -ENOENT;
        assert_string_equal(name, SECOND); /* of which nothing is left */
        return 0;
}

static const DiskOps still_ops = {
        .list = still_list,
        .open = still_open,
        .close = still_close,
        .size = still_size,
        .read = still_read,
        .write = still_write,
        .sync = still_sync,
        .truncate = still_truncate,
        .rename = still_rename,
        .sync_names = still_sync_names,
        .unlink = still_unlink,
};

/* Every entry has bytes of its own. */
static struct Value {
        size_t length;
        char bytes[VALUE_MAX];
} values[ENTRIES_MAX];

static void fill_values(void) {
        Random random;

        random_seed(&random, 7);
        for (size_t i = 0; i < ENTRIES_MAX; i++) {
                values[i].length = VALUE_MAX / 2 + random_below(&random, VALUE_MAX / 2);
                for (size_t at = 0; at < values[i].length; at++)
                        values[i].bytes[at] = (char)random_u64(&random);
        }
}

/* One batch: an entry, and a hard state that goes with it alone. */
static void write_batch(Log *log, uint64_t index) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftEntry entry = {.term = 1 + index / 100, .index = index};
        RaftHardState hard = {.term = entry.term, .vote = index % 3, .commit = index};
        DiskJob *job;

        assert_true(index < ENTRIES_MAX);
        assert_int_equal(raft_payload_new(values[index].bytes, values[index].length, &payload), 0);
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        assert_int_equal(log_append_entry(log, &entry), 0);
        assert_int_equal(log_append_hard_state(log, &hard), 0);
        assert_int_equal(log_begin_write(log, &job), 0);
        assert_int_equal(log_end_write(log, job->run(job)), 0);
}

/* Where the batches of a segment end; 0: it is not there. */
static uint64_t segment_end(const char *bytes, size_t size) {
        LogBatchHeader header;
        uint64_t at = 0;

        while (at + LOG_BATCH_HEADER <= size && log_batch_parse(bytes + at, &header) >= 0)
                at += log_batch_size(header.length);
        return at;
}

/* Two segments, the second nearly full. Returns how many entries they have. */
static uint64_t still_fill(StillDisk *still) {
        static const LogIdentity identity = {.cluster = 0xc1, .member = 0xa1};
        LogOptions options = {.segment_size = SEGMENT};
        Random random;
        uint64_t index = 0;
        Disk *fake;
        Log *log;

        fill_values();
        random_seed(&random, 1);
        options.random = random;
        fake = fake_disk_new(&random);
        assert_non_null(fake);
        assert_int_equal(log_create(fake, &identity, &options, &log), 0);
        for (;;) {
                size_t size;
                const char *bytes;

                write_batch(log, ++index);
                bytes = fake_disk_contents(fake, SECOND, &size);
                if (bytes && segment_end(bytes, size) > SEGMENT - 2 * VALUE_MAX)
                        break;
        }
        (void)log_free(log);
        *still = (StillDisk){.disk = {&still_ops}};
        for (size_t i = 0; i < SEGMENTS; i++) {
                const char *bytes = fake_disk_contents(fake, names[i], &still->sizes[i]);

                still->bytes[i] = malloc(still->sizes[i]);
                assert_non_null(still->bytes[i]);
                memcpy(still->bytes[i], bytes, still->sizes[i]);
        }
        fake_disk_free(fake);
        return index;
}

static void still_deinit(StillDisk *still) {
        for (size_t i = 0; i < SEGMENTS; i++)
                free(still->bytes[i]);
}

/* How many entries the batches have that end at or before `offset` of a segment; *ret_next: where the next batch ends. */
static uint64_t entries_until(const StillDisk *still, size_t which, uint64_t offset, uint64_t *ret_next) {
        const char *bytes = still->bytes[which];
        uint64_t at = 0, count = 0;
        LogBatchHeader header;

        for (;;) {
                Slice records;
                LogRecord record;

                *ret_next = at;
                if (at + LOG_BATCH_HEADER > SEGMENT || log_batch_parse(bytes + at, &header) < 0)
                        return count;
                *ret_next = at + LOG_BATCH_HEADER + header.length;
                if (*ret_next > offset)
                        return count;
                records = (Slice){bytes + at + LOG_BATCH_HEADER, header.length};
                while (log_next_record(&records, &record) > 0)
                        count += record.type == LOG_RECORD_ENTRY;
                at += log_batch_size(header.length);
        }
}

static void check_entries(const LogRecovery *found, const char *what, uint64_t offset) {
        for (size_t i = 0; i < found->entries.length; i++) {
                const RaftEntry *entry = &found->entries.items[i];
                const struct Value *value = &values[i + 1];

                if (entry->index != i + 1 || entry->term != 1 + entry->index / 100 || entry->length != value->length ||
                    memcmp(entry->data, value->bytes, value->length) != 0)
                        fail_msg("%s at %" PRIu64 ": entry %zu is wrong", what, offset, i + 1);
        }
        if (found->hard_state.commit != found->entries.length || found->hard_state.vote != found->entries.length % 3)
                fail_msg("%s at %" PRIu64 ": the hard state is not that of the last entry", what, offset);
}

/* Reads the damaged log: from `least` to `most` entries, or a refusal that names the file. 1: refused. */
static int check_damage(StillDisk *still, const char *what, size_t which, uint64_t offset, uint64_t least,
                        uint64_t most) {
        _cleanup_(log_recovery_deinit) LogRecovery found = {0};
        _cleanup_(log_freep) Log *log = NULL;
        LogOptions options = {.segment_size = SEGMENT};
        Error error = ERROR_NONE;
        int r;

        random_seed(&options.random, offset);
        r = log_open(&still->disk, &options, 0, 0, &log, &found, &error);
        if (r < 0) {
                if (r != -EBADMSG || !strstr(error.text, " at byte ") || !strstr(error.text, names[which]))
                        fail_msg("%s of %s at %" PRIu64 ": %d, \"%s\"", what, names[which], offset, r, error.text);
                return 1;
        }
        if (found.entries.length < least || found.entries.length > most)
                fail_msg("%s of %s at %" PRIu64 ": %zu entries came back; %" PRIu64 " to %" PRIu64 " had to", what,
                         names[which], offset, found.entries.length, least, most);
        check_entries(&found, what, offset);
        return 0;
}

static void test_a_log_cut_at_any_byte_gives_what_is_before(void **state) {
        StillDisk still;
        uint64_t before, next, unused;
        size_t refused = 0;
        char *whole;

        (void)state;
        (void)still_fill(&still);
        before = entries_until(&still, 0, SEGMENT, &unused);
        whole = malloc(SEGMENT);
        memcpy(whole, still.bytes[1], SEGMENT);
        for (uint64_t cut = SEGMENT; cut-- > 0;) {
                uint64_t kept = before + entries_until(&still, 1, cut, &next);

                still.sizes[1] = cut;
                refused += (size_t)check_damage(&still, "a cut", 1, cut, kept, kept);
        }
        still.sizes[1] = SEGMENT; /* the same with zeros, which is how the file was before it was written to */
        for (uint64_t cut = SEGMENT; cut-- > 0;) {
                uint64_t kept;

                still.bytes[1][cut] = whole[cut];
                kept = before + entries_until(&still, 1, cut, &next);
                still.bytes[1][cut] = 0;
                refused += (size_t)check_damage(&still, "zeros", 1, cut, kept, kept + 1);
        }
        assert_int_equal(refused, 0);
        free(whole);
        still_deinit(&still);
}

/* Only damage to the last batch can pass for a torn end; all else is refused. */
static void test_a_bit_that_flips_at_any_byte_of_the_end_is_noticed(void **state) {
        StillDisk still;
        uint64_t all, end, next;
        size_t refused = 0;

        (void)state;
        all = still_fill(&still);
        end = segment_end(still.bytes[1], SEGMENT);
        for (uint64_t at = 0; at < SEGMENT; at++) {
                uint64_t before, padded;
                bool last;

                (void)entries_until(&still, 1, at, &next);
                before = next;
                padded = (before + LOG_BATCH_ALIGN - 1) / LOG_BATCH_ALIGN * LOG_BATCH_ALIGN;
                last = padded >= end;
                still.bytes[1][at] ^= (char)(1 << at % 8);
                refused += (size_t)check_damage(&still, "a flipped bit", 1, at, last && at < end ? all - 1 : all, all);
                still.bytes[1][at] ^= (char)(1 << at % 8);
        }
        print_message("%zu of %d refused\n", refused, SEGMENT);
        assert_true(refused > SEGMENT * 9 / 10);
        still_deinit(&still);
}

static void test_a_bit_that_flips_in_an_older_segment_is_noticed(void **state) {
        StillDisk still;
        size_t refused = 0;
        uint64_t all;

        (void)state;
        all = still_fill(&still);
        for (uint64_t at = OLDER_FROM; at < OLDER_TO; at++)
                for (int bit = 0; bit < 8; bit++) {
                        still.bytes[0][at] ^= (char)(1 << bit);
                        refused += (size_t)check_damage(&still, "a flipped bit", 0, at, all, all);
                        still.bytes[0][at] ^= (char)(1 << bit);
                }
        assert_true(refused > (size_t)(OLDER_TO - OLDER_FROM) * 8 * 9 / 10);
        still_deinit(&still);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_log_cut_at_any_byte_gives_what_is_before),
                cmocka_unit_test(test_a_bit_that_flips_at_any_byte_of_the_end_is_noticed),
                cmocka_unit_test(test_a_bit_that_flips_in_an_older_segment_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
