#include "store/tree/snapshot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "base/random.h"

static Slice contents(const Buffer *buffer) {
        return (Slice){buffer_data(buffer), buffer_length(buffer)};
}

static int restore(Slice bytes, size_t piece, Tree *tree, Error *error) {
        _cleanup_(snapshot_reader_freep) SnapshotReader *reader = NULL;
        int r;

        assert_int_equal(snapshot_reader_new(NULL, &reader), 0);
        while (bytes.length > 0) {
                Slice part = {bytes.data, min_of(piece, bytes.length)};

                r = snapshot_reader_feed(reader, part, error);
                if (r < 0)
                        return r;
                bytes.data += part.length;
                bytes.length -= part.length;
        }
        return snapshot_reader_finish(reader, tree, error);
}

static void take_all(Tree *tree, Buffer *bytes) {
        _cleanup_(snapshot_freep) TreeSnapshot *snapshot = NULL;
        int r;

        assert_int_equal(snapshot_begin(tree, &snapshot), 0);
        do
                r = snapshot_step(snapshot, SNAPSHOT_STEP_NODES);
        while (r == 1);
        assert_int_equal(r, 0);
        assert_int_equal(buffer_append(bytes, buffer_data(snapshot_output(snapshot)),
                                       buffer_length(snapshot_output(snapshot))), 0);
}

/* A change somewhere in a tree of up to `breadth` names on three levels: mostly sets, some removals of whole parts. */
static void change(Tree *tree, Random *random, uint64_t breadth) {
        char path[64], value[32];
        Command command = {.kind = COMMAND_SET, .time = (WallUsec)(1000000000 + tree->index) * 1000000};
        int used = snprintf(path, sizeof(path), "/1");
        uint64_t depth = 1 + random_below(random, 3), what = random_below(random, 20);

        for (; depth > 0; depth--)
                used += snprintf(path + used, sizeof(path) - (size_t)used, "/%u",
                                 (unsigned)random_below(random, breadth));
        (void)snprintf(value, sizeof(value), "value %u", (unsigned)random_below(random, 100));
        command.path = slice_from(path);
        command.value = slice_from(value);
        if (what < 3) {
                command = (Command){.kind = COMMAND_DELETE, .time = command.time, .path = command.path,
                                    .recursive = true};
        } else if (what < 5) {
                command.kind = COMMAND_UPDATE;
                command.value = (Slice){0};
                command.has_expiry = true;
                command.expiry = command.time + 50 * 1000000;
        } else if (what == 5) {
                command.value = (Slice){0};
                command.dir = true;
        } else if (what == 6) {
                command = (Command){.kind = COMMAND_SYNC, .time = command.time};
        } else if (what == 7) {
                command.kind = COMMAND_CREATE;
                command.unique = true;
        } else if (what < 10) {
                command.has_expiry = true;
                command.expiry = command.time + 30 * 1000000;
        }
        assert_true(tree_apply(tree, &command, NULL, NULL) >= 0);
}

static void test_tree_comes_back(void **state) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        Error error = ERROR_NONE;
        Random random;
        Tree tree, copy;

        (void)state;
        random_seed(&random, 3);
        assert_int_equal(tree_init(&tree, NULL), 0);
        take_all(&tree, &bytes);
        for (size_t pieces = 1; pieces < 3; pieces++) {
                assert_int_equal(tree_init(&copy, NULL), 0);
                assert_int_equal(restore(contents(&bytes), 1, &copy, &error), 0);
                assert_true(tree_equal(&tree, &copy, NULL));
                tree_deinit(&copy);
        }
        for (size_t i = 0; i < 5000; i++)
                change(&tree, &random, 15);
        tree.stats.gets.success = 42;
        buffer_clear(&bytes);
        take_all(&tree, &bytes);
        assert_int_equal(tree_init(&copy, NULL), 0);
        assert_int_equal(restore(contents(&bytes), 777, &copy, &error), 0);
        assert_true(tree_equal(&tree, &copy, NULL));
        assert_int_equal(copy.stats.gets.success, 42);
        assert_int_equal(copy.count, tree.count);
        assert_int_equal(copy.bytes, tree.bytes);
        /* and goes on alike */
        for (size_t i = 0; i < 200; i++) {
                Random same = random;

                change(&tree, &random, 15);
                change(&copy, &same, 15);
        }
        assert_true(tree_equal(&tree, &copy, NULL));
        tree_deinit(&tree);
        tree_deinit(&copy);
}

/* The property that matters: whatever changes while a snapshot is written, it has the tree of its beginning. */
static void test_changes_meanwhile_are_not_in_the_snapshot(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 150; seed++) {
                _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
                Error error = ERROR_NONE;
                Random random;
                Tree tree;
                uint64_t breadth;

                random_seed(&random, seed);
                breadth = 2 + random_below(&random, 12);
                assert_int_equal(tree_init(&tree, NULL), 0);
                for (uint64_t i = random_below(&random, 1500); i > 0; i--)
                        change(&tree, &random, breadth);
                for (int round = 0; round < 2; round++) {
                        TreeSnapshot *snapshot;
                        uint64_t before = tree_hash(&tree), index = tree.index;
                        Tree copy;
                        int r;

                        buffer_clear(&bytes);
                        assert_int_equal(snapshot_begin(&tree, &snapshot), 0);
                        do {
                                Buffer *output = snapshot_output(snapshot);

                                for (uint64_t i = random_below(&random, 20); i > 0; i--)
                                        change(&tree, &random, breadth);
                                r = snapshot_step(snapshot, 1 + random_below(&random, 40));
                                assert_int_equal(buffer_append(&bytes, buffer_data(output), buffer_length(output)), 0);
                                buffer_clear(output);
                        } while (r == 1);
                        assert_int_equal(r, 0);
                        assert_int_equal(snapshot_index(snapshot), index);
                        (void)snapshot_free(snapshot);

                        assert_int_equal(tree_init(&copy, NULL), 0);
                        r = restore(contents(&bytes), 100000, &copy, &error);
                        assert_string_equal(error.text, "");
                        assert_int_equal(r, 0);
                        assert_true(tree_hash(&copy) == before);
                        tree_deinit(&copy);
                }
                tree_deinit(&tree);
        }
}

static void test_one_at_a_time_and_may_be_given_up(void **state) {
        TreeSnapshot *snapshot, *second;
        Random random;
        Tree tree;

        (void)state;
        random_seed(&random, 9);
        assert_int_equal(tree_init(&tree, NULL), 0);
        for (size_t i = 0; i < 500; i++)
                change(&tree, &random, 10);
        assert_int_equal(snapshot_begin(&tree, &snapshot), 0);
        assert_int_equal(snapshot_begin(&tree, &second), -EBUSY);
        assert_int_equal(snapshot_step(snapshot, 10), 1);
        (void)snapshot_free(snapshot);
        for (size_t i = 0; i < 100; i++)
                change(&tree, &random, 10);
        assert_int_equal(snapshot_begin(&tree, &snapshot), 0);
        (void)snapshot_free(snapshot);
        tree_deinit(&tree);
}

static void small_snapshot(Buffer *bytes) {
        Random random;
        Tree tree;

        random_seed(&random, 4);
        assert_int_equal(tree_init(&tree, NULL), 0);
        for (size_t i = 0; i < 40; i++)
                change(&tree, &random, 3);
        take_all(&tree, bytes);
        tree_deinit(&tree);
}

static void assert_refused(Slice bytes, const char *why) {
        Error error = ERROR_NONE;
        uint64_t before;
        Tree tree;

        assert_int_equal(tree_init(&tree, NULL), 0);
        before = tree_hash(&tree);
        assert_int_equal(restore(bytes, SIZE_MAX, &tree, &error), -EBADMSG);
        if (!strstr(error.text, why))
                fail_msg("'%s' is not in '%s'", why, error.text);
        assert_true(tree_hash(&tree) == before);
        tree_deinit(&tree);
}

static void test_damage_is_refused_and_named(void **state) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        char *data;
        size_t length;

        (void)state;
        small_snapshot(&bytes);
        data = buffer_data(&bytes);
        length = buffer_length(&bytes);
        for (size_t cut = 0; cut < length; cut++)
                assert_refused((Slice){data, cut}, cut == 0 ? "too early" : "");
        assert_refused((Slice){data, length - 1}, "too early");
        for (size_t i = 0; i < length; i++) {
                data[i] ^= 0x20;
                assert_refused((Slice){data, length}, "");
                data[i] ^= 0x20;
        }
        data[0] = 'X';
        assert_refused((Slice){data, length}, "no snapshot of a store");
        data[0] = 'F';
        data[8] = 2;
        assert_refused((Slice){data, length}, "version 2");
        data[8] = SNAPSHOT_VERSION;
        data[length - 3] ^= 1;
        assert_refused((Slice){data, length}, "checksum");
        data[length - 3] ^= 1;
        assert_int_equal(buffer_append_string(&bytes, "more"), 0);
        assert_refused(contents(&bytes), "too early");
}

/* Bytes changed under a right checksum, as a hostile peer could send them: refused, or a tree like any other. */
static void test_changed_records_do_no_harm(void **state) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        size_t payload;
        Random random;
        char *data;

        (void)state;
        random_seed(&random, 5);
        small_snapshot(&bytes);
        data = buffer_data(&bytes);
        payload = buffer_length(&bytes) - 17;
        assert_true(payload < SNAPSHOT_BLOCK_BYTES); /* one block */
        for (size_t i = 0; i < 3000; i++) {
                char *at = data + 17 + random_below(&random, payload), old = *at;
                Error error = ERROR_NONE;
                uint32_t crc;
                Tree tree;

                *at = (char)random_u64(&random);
                crc = crc32c(0, data + 17, payload);
                for (unsigned k = 0; k < 4; k++)
                        data[13 + k] = (char)(crc >> (8 * k));
                assert_int_equal(tree_init(&tree, NULL), 0);
                if (restore(contents(&bytes), SIZE_MAX, &tree, &error) == 0)
                        for (size_t k = 0; k < 50; k++)
                                change(&tree, &random, 3);
                tree_deinit(&tree);
                *at = old;
        }
}

static void test_watchers_outlive_a_restore_or_are_told(void **state) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        WatchOptions options = {.path = slice_from("/1/k"), .stream = true};
        Error error = ERROR_NONE;
        Watcher *near, *far, *late;
        Tree leader, follower;
        Event *event;

        (void)state;
        assert_int_equal(tree_init(&leader, &(TreeOptions){.history_capacity = 10}), 0);
        assert_int_equal(tree_init(&follower, NULL), 0);
        assert_int_equal(tree_watch(&follower, &options, &far, NULL), 0);
        for (int i = 0; i < 20; i++) {
                Command command = {.kind = COMMAND_SET, .path = slice_from("/1/k")};

                assert_int_equal(tree_apply(&leader, &command, NULL, NULL), 0);
                if (i < 15)
                        assert_int_equal(tree_apply(&follower, &command, NULL, NULL), 0);
        }
        while ((event = watcher_take(far)))
                (void)event_unref(event);
        options.path = slice_from("/1");
        options.recursive = true;
        assert_int_equal(tree_watch(&follower, &options, &near, NULL), 0);
        take_all(&leader, &bytes);
        assert_int_equal(restore(contents(&bytes), SIZE_MAX, &follower, &error), 0);
        assert_int_equal(watcher_queued(far), 5);
        assert_int_equal(watcher_queued(near), 5);
        assert_int_equal(watcher_state(near), WATCHER_WAITING);

        /* now so far ahead that events are missing; who waits for a later index is not concerned */
        options.since = 35;
        assert_int_equal(tree_watch(&follower, &options, &late, NULL), 0);
        for (int i = 0; i < 20; i++)
                assert_int_equal(tree_apply(&leader, &(Command){.kind = COMMAND_SET, .path = slice_from("/1/k")}, NULL,
                                            NULL), 0);
        buffer_clear(&bytes);
        take_all(&leader, &bytes);
        assert_int_equal(restore(contents(&bytes), SIZE_MAX, &follower, &error), 0);
        assert_int_equal(watcher_state(near), WATCHER_CLEARED);
        assert_int_equal(watcher_state(far), WATCHER_CLEARED);
        assert_int_equal(watcher_state(late), WATCHER_WAITING);
        assert_int_equal(watcher_queued(late), 6);
        (void)watcher_free(near);
        (void)watcher_free(far);
        (void)watcher_free(late);
        tree_deinit(&leader);
        tree_deinit(&follower);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tree_comes_back),
                cmocka_unit_test(test_changes_meanwhile_are_not_in_the_snapshot),
                cmocka_unit_test(test_one_at_a_time_and_may_be_given_up),
                cmocka_unit_test(test_damage_is_refused_and_named),
                cmocka_unit_test(test_changed_records_do_no_harm),
                cmocka_unit_test(test_watchers_outlive_a_restore_or_are_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
