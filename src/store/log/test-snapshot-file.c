#include "store/log/snapshot-file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/log/disk-directory.h"
#include "store/log/fake-disk.h"
#include "store/log/test-disk.h"

static SnapshotMeta meta_of(uint64_t index) {
        SnapshotMeta meta = {.index = index, .term = 3};

        for (uint64_t id = 1; id <= 3; id++)
                assert_int_equal(raft_ids_add(&meta.conf_state.voters, id * 77), 0);
        assert_int_equal(raft_ids_add(&meta.conf_state.learners, 5), 0);
        return meta;
}

static Disk *new_disk(uint64_t seed) {
        Random random;
        Disk *disk;

        random_seed(&random, seed);
        disk = fake_disk_new(&random);
        assert_non_null(disk);
        return disk;
}

static void fill(Buffer *payload, size_t length, uint64_t seed) {
        Random random;
        char *to = buffer_reserve(payload, length);

        random_seed(&random, seed);
        for (size_t i = 0; i < length; i++)
                to[i] = (char)random_u64(&random);
        buffer_commit(payload, length);
}

static int write_piece(SnapshotWriter *writer, Slice piece, bool last) {
        DiskJob *job;
        int r = snapshot_writer_add(writer, piece);

        if (r >= 0)
                r = snapshot_writer_begin(writer, last, &job);
        return r < 0 ? r : snapshot_writer_end(writer, job->run(job));
}

/* In `pieces` jobs. */
static int write_snapshot(Disk *disk, uint64_t index, const Buffer *payload, size_t pieces) {
        _cleanup_(snapshot_writer_freep) SnapshotWriter *writer = NULL;
        SnapshotMeta meta = meta_of(index);
        size_t length = buffer_length(payload);
        int r = 0;

        assert_int_equal(snapshot_writer_new(disk, &meta, &writer), 0);
        for (size_t i = 0; r >= 0 && i < pieces; i++) {
                size_t from = length * i / pieces, to = length * (i + 1) / pieces;

                r = write_piece(writer, (Slice){buffer_data(payload) + from, to - from}, i + 1 == pieces);
        }
        return r;
}

static int read_snapshot(Disk *disk, const char *name, Buffer *payload, SnapshotMeta *ret_meta, Error *error) {
        _cleanup_(snapshot_file_closep) SnapshotFile *file = NULL;
        Slice piece;
        int r = snapshot_file_open(disk, name, &file, error);

        if (r < 0)
                return r;
        *ret_meta = *snapshot_file_meta(file);
        while ((r = snapshot_file_next(file, &piece, error)) > 0)
                assert_int_equal(buffer_append(payload, piece.data, piece.length), 0);
        return r;
}

static void check_snapshot(Disk *disk, uint64_t index, const Buffer *expected) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        SnapshotMeta meta, wanted = meta_of(index);
        char name[SNAPSHOT_NAME_MAX];
        Error error = ERROR_NONE;

        snapshot_name(index, 3, name);
        if (read_snapshot(disk, name, &payload, &meta, &error) < 0)
                fail_msg("%s", error.text);
        assert_int_equal(meta.index, index);
        assert_int_equal(meta.term, 3);
        assert_true(raft_conf_state_equals(&meta.conf_state, &wanted.conf_state));
        assert_true(slice_equals((Slice){buffer_data(&payload), buffer_length(&payload)},
                                 (Slice){buffer_data(expected), buffer_length(expected)}));
}

static void test_what_was_written_comes_back(void **state) {
        static const size_t lengths[] = {0, 1, 1000, SNAPSHOT_FRAME_MAX, SNAPSHOT_FRAME_MAX + 1, 3 * SNAPSHOT_FRAME_MAX + 5};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
                _cleanup_buffer_ Buffer payload = BUFFER_INIT;
                Disk *disk = new_disk(i);

                fill(&payload, lengths[i], i);
                assert_int_equal(write_snapshot(disk, 40 + i, &payload, 1 + i), 0);
                fake_disk_crash(disk);
                check_snapshot(disk, 40 + i, &payload);
                fake_disk_free(disk);
        }
}

static void test_a_damaged_or_cut_file_is_refused(void **state) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        Disk *disk = new_disk(1);
        char name[SNAPSHOT_NAME_MAX];
        size_t length;
        char *bytes;

        (void)state;
        fill(&payload, 3000, 1);
        assert_int_equal(write_snapshot(disk, 9, &payload, 7), 0);
        snapshot_name(9, 3, name);
        assert_non_null(fake_disk_contents(disk, name, &length));
        for (size_t at = 0; at < length; at++) {
                _cleanup_buffer_ Buffer read = BUFFER_INIT;
                Error error = ERROR_NONE;
                SnapshotMeta meta;

                bytes = fake_disk_contents(disk, name, &length);
                bytes[at] ^= (char)(1 << at % 8);
                assert_int_equal(read_snapshot(disk, name, &read, &meta, &error), -EBADMSG);
                assert_non_null(strstr(error.text, name));
                bytes = fake_disk_contents(disk, name, &length);
                bytes[at] ^= (char)(1 << at % 8);
        }
        check_snapshot(disk, 9, &payload);
        while (length-- > 0) {
                _cleanup_buffer_ Buffer read = BUFFER_INIT;
                SnapshotMeta meta;

                fake_disk_set_length(disk, name, length);
                assert_int_equal(read_snapshot(disk, name, &read, &meta, NULL), -EBADMSG);
        }
        fake_disk_free(disk);
}

/* At every call of the disk: the finished name is there with all of it, or not at all. */
static void test_a_crash_leaves_a_whole_snapshot_or_none(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 300; seed++) {
                _cleanup_string_list_ StringList names = {0};
                _cleanup_buffer_ Buffer old = BUFFER_INIT, payload = BUFFER_INIT;
                TestDisk disk = {.disk = {&test_disk_ops}, .behind = new_disk(seed)};
                bool done;

                fill(&old, 2000, seed);
                fill(&payload, 5000, seed + 1);
                assert_int_equal(write_snapshot(&disk.disk, 5, &old, 2), 0);
                disk.calls = 0;
                disk.stop = 1 + seed % 10;
                done = write_snapshot(&disk.disk, 8, &payload, 4) >= 0;
                disk.stop = 0;
                fake_disk_crash(disk.behind);
                assert_int_equal(snapshot_list(&disk.disk, &names), 0);
                assert_true(names.length >= (done ? 2 : 1));
                check_snapshot(&disk.disk, 5, &old);
                if (names.length == 2)
                        check_snapshot(&disk.disk, 8, &payload);
                assert_int_equal(write_snapshot(&disk.disk, 8, &payload, 3), 0);
                check_snapshot(&disk.disk, 8, &payload);
                fake_disk_free(disk.behind);
        }
}

/* Sends one disk's file to another. */
static int receive(Disk *from, Disk *to, uint64_t index, uint64_t said, size_t step) {
        _cleanup_(snapshot_writer_freep) SnapshotWriter *writer = NULL;
        char name[SNAPSHOT_NAME_MAX];
        uint64_t offset = 0;
        bool last = false;
        int r = 0;

        snapshot_name(index, 3, name);
        assert_int_equal(snapshot_writer_new_received(to, said, 3, &writer), 0);
        while (r >= 0 && !last) {
                SnapshotRead read;

                snapshot_read_init(&read, from, name, offset, step);
                assert_int_equal(read.job.run(&read.job), 0);
                last = buffer_length(&read.bytes) < step;
                offset += buffer_length(&read.bytes);
                r = write_piece(writer, (Slice){buffer_data(&read.bytes), buffer_length(&read.bytes)}, last);
                if (r >= 0)
                        assert_int_equal(snapshot_writer_written(writer), offset);
                buffer_deinit(&read.bytes);
        }
        return r;
}

static void test_a_received_file_gets_its_name_only_when_it_is_sound(void **state) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        _cleanup_string_list_ StringList names = {0};
        Disk *from = new_disk(1), *to = new_disk(2);
        char name[SNAPSHOT_NAME_MAX];
        size_t length;

        (void)state;
        fill(&payload, 10000, 4);
        assert_int_equal(write_snapshot(from, 70, &payload, 3), 0);
        snapshot_name(70, 3, name);
        assert_int_equal(receive(from, to, 70, 71, 999), -EBADMSG); /* it is not the one that was told */
        fake_disk_contents(from, name, &length)[5000] ^= 1;
        assert_int_equal(receive(from, to, 70, 70, 999), -EBADMSG);
        assert_int_equal(snapshot_list(to, &names), 0);
        assert_int_equal(names.length, 0);
        fake_disk_contents(from, name, &length)[5000] ^= 1;
        assert_int_equal(receive(from, to, 70, 70, 999), 0);
        assert_int_equal(receive(from, to, 70, 70, length), 0); /* the last piece is empty */
        fake_disk_crash(to);
        check_snapshot(to, 70, &payload);
        fake_disk_free(from);
        fake_disk_free(to);
}

static void test_one_made_here_and_one_received_at_the_same_index_do_not_mix(void **state) {
        _cleanup_(snapshot_writer_freep) SnapshotWriter *received = NULL, *made = NULL;
        _cleanup_buffer_ Buffer payload = BUFFER_INIT, file = BUFFER_INIT;
        Disk *from = new_disk(1), *disk = new_disk(2);
        SnapshotMeta meta = meta_of(6);
        char name[SNAPSHOT_NAME_MAX];
        size_t length;
        char *bytes;

        (void)state;
        fill(&payload, 5000, 1);
        assert_int_equal(write_snapshot(from, 6, &payload, 1), 0);
        snapshot_name(6, 3, name);
        bytes = fake_disk_contents(from, name, &length);
        assert_int_equal(buffer_append(&file, bytes, length), 0);
        assert_int_equal(snapshot_writer_new_received(disk, 6, 3, &received), 0);
        assert_int_equal(snapshot_writer_new(disk, &meta, &made), 0);
        assert_int_equal(write_piece(received, (Slice){buffer_data(&file), 3000}, false), 0);
        assert_int_equal(write_piece(made, (Slice){buffer_data(&payload), 2500}, false), 0);
        assert_int_equal(write_piece(made, (Slice){buffer_data(&payload) + 2500, 2500}, true), 0);
        check_snapshot(disk, 6, &payload);
        assert_int_equal(write_piece(received, (Slice){buffer_data(&file) + 3000, length - 3000}, true), 0);
        check_snapshot(disk, 6, &payload);
        received = snapshot_writer_free(received);
        made = snapshot_writer_free(made);
        fake_disk_free(from);
        fake_disk_free(disk);
}

static void test_a_failed_write_spoils_the_writer_only(void **state) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        Disk *disk = new_disk(1);
        SnapshotWriter *writer;
        SnapshotMeta meta = meta_of(6);
        DiskJob *job;

        (void)state;
        fill(&payload, 5000, 1);
        assert_int_equal(write_snapshot(disk, 5, &payload, 1), 0);
        assert_int_equal(snapshot_writer_new(disk, &meta, &writer), 0);
        fake_disk_faults(disk)->write_fails = 1000000;
        assert_int_equal(write_piece(writer, (Slice){buffer_data(&payload), 100}, false), -EIO);
        fake_disk_faults(disk)->write_fails = 0;
        assert_int_equal(snapshot_writer_begin(writer, true, &job), -EIO);
        snapshot_writer_free(writer);
        check_snapshot(disk, 5, &payload);
        fake_disk_free(disk);
}

static void test_the_newest_are_kept_and_listed_first(void **state) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        _cleanup_string_list_ StringList names = {0};
        Disk *disk = new_disk(1);
        char name[SNAPSHOT_NAME_MAX];
        SnapshotPurge purge;
        DiskFile *file;

        (void)state;
        fill(&payload, 100, 1);
        for (uint64_t index = 1; index <= 40; index += 3)
                assert_int_equal(write_snapshot(disk, index * 50, &payload, 1), 0);
        assert_int_equal(disk_open(disk, "unfinished-0000000000000007", true, &file), 0);
        disk_close(file);
        assert_int_equal(disk_open(disk, "snapshot-7-3", true, &file), 0); /* no name of ours */
        disk_close(file);
        snapshot_purge_init(&purge, disk, 2000, 2);
        assert_int_equal(purge.job.run(&purge.job), 0);
        assert_int_equal(snapshot_list(disk, &names), 0);
        assert_int_equal(names.length, 2);
        snapshot_name(2000, 3, name);
        assert_string_equal(names.items[0], name);
        snapshot_name(1850, 3, name);
        assert_string_equal(names.items[1], name);
        assert_int_equal(disk_open(disk, "unfinished-0000000000000007", false, &file), -ENOENT);
        fake_disk_free(disk);
}

static void test_what_waits_to_be_installed_is_not_removed(void **state) {
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        _cleanup_string_list_ StringList names = {0};
        Disk *disk = new_disk(1);
        char name[SNAPSHOT_NAME_MAX];
        SnapshotPurge purge;

        (void)state;
        fill(&payload, 100, 1);
        for (uint64_t index = 1; index <= 7; index++)
                assert_int_equal(write_snapshot(disk, index, &payload, 1), 0);
        snapshot_purge_init(&purge, disk, 4, 2);
        assert_int_equal(purge.job.run(&purge.job), 0);
        assert_int_equal(snapshot_list(disk, &names), 0);
        assert_int_equal(names.length, 5); /* 3 and 4, and all behind 4 */
        snapshot_name(3, 3, name);
        assert_string_equal(names.items[4], name);
        fake_disk_free(disk);
}

static void test_a_real_directory_keeps_a_snapshot(void **state) {
        char path[] = "/tmp/test-snapshot-file-XXXXXX";
        _cleanup_buffer_ Buffer payload = BUFFER_INIT;
        char name[SNAPSHOT_NAME_MAX];
        Disk *disk;

        (void)state;
        assert_non_null(mkdtemp(path));
        assert_int_equal(disk_directory_new(path, NULL, &disk, NULL), 0);
        fill(&payload, 100000, 1);
        assert_int_equal(write_snapshot(disk, 12, &payload, 5), 0);
        check_snapshot(disk, 12, &payload);
        snapshot_name(12, 3, name);
        assert_int_equal(disk->ops->unlink(disk, name), 0);
        disk_directory_free(disk);
        assert_int_equal(rmdir(path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_written_comes_back),
                cmocka_unit_test(test_a_damaged_or_cut_file_is_refused),
                cmocka_unit_test(test_a_crash_leaves_a_whole_snapshot_or_none),
                cmocka_unit_test(test_a_received_file_gets_its_name_only_when_it_is_sound),
                cmocka_unit_test(test_one_made_here_and_one_received_at_the_same_index_do_not_mix),
                cmocka_unit_test(test_a_failed_write_spoils_the_writer_only),
                cmocka_unit_test(test_the_newest_are_kept_and_listed_first),
                cmocka_unit_test(test_what_waits_to_be_installed_is_not_removed),
                cmocka_unit_test(test_a_real_directory_keeps_a_snapshot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
