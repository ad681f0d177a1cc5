/* Commands when memory runs out: each allocation in turn fails, and the tree stays as it was. Linked with --wrap. */
#include "store/tree/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static long allowed = -1; /* allocations that succeed from now on; below zero: all */

static bool allocation_fails(void) {
        if (allowed < 0)
                return false;
        return allowed == 0 ? true : (allowed--, false);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *__wrap_malloc(size_t size) {
        return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
        return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
        return allocation_fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size) {
        return allocation_fails() ? NULL : __real_reallocarray(old, count, size);
}

#define TIME ((WallUsec)1500000000 * 1000000)

static const Command commands[] = {
        {COMMAND_SET, .time = TIME, .path = {"/1/a", 4}, .value = {"x", 1}},
        {COMMAND_SET, .time = TIME, .path = {"/1/new/deep/k", 13}, .value = {"x", 1}, .has_expiry = true,
         .expiry = TIME + 5},
        {COMMAND_SET, .time = TIME, .path = {"/1/a", 4}, .dir = true, .has_expiry = true, .expiry = TIME + 5},
        {COMMAND_SET, .time = TIME, .path = {"/1/a", 4}, .refresh = true, .has_expiry = true, .expiry = TIME + 5},
        {COMMAND_CREATE, .time = TIME, .path = {"/1/d", 4}, .value = {"x", 1}, .unique = true, .has_expiry = true,
         .expiry = TIME + 9},
        {COMMAND_UPDATE, .time = TIME, .path = {"/1/a", 4}, .value = {"y", 1}, .has_expiry = true, .expiry = TIME + 9},
        {COMMAND_UPDATE, .time = TIME, .path = {"/1/d", 4}, .has_expiry = true, .expiry = TIME + 9},
        {COMMAND_COMPARE_AND_SWAP, .time = TIME, .path = {"/1/a", 4}, .value = {"y", 1}, .prev_value = {"old", 3}},
        {COMMAND_COMPARE_AND_SWAP, .time = TIME, .path = {"/1/a", 4}, .value = {"y", 1}, .prev_value = {"no", 2}},
        {COMMAND_COMPARE_AND_DELETE, .time = TIME, .path = {"/1/a", 4}, .prev_value = {"old", 3}},
        {COMMAND_DELETE, .time = TIME, .path = {"/1/d", 4}, .recursive = true},
        {COMMAND_SYNC, .time = TIME + 100},
};

/* /1/a, a directory full of keys, and one key with a TTL. */
static void prepare(Tree *tree) {
        char path[] = "/1/d/00";
        Command file = {COMMAND_SET, .time = TIME, .path = {"/1/a", 4}, .value = {"old", 3}};
        Command expires = {COMMAND_SET, .time = TIME, .path = {"/1/t", 4}, .has_expiry = true, .expiry = TIME + 1};

        assert_int_equal(tree_init(tree, NULL), 0);
        for (int i = 0; i < 16; i++) {
                Command command = {COMMAND_SET, .time = TIME, .path = slice_from(path)};

                path[5] = (char)('0' + i / 10);
                path[6] = (char)('0' + i % 10);
                assert_int_equal(tree_apply(tree, &command, NULL, NULL), 0);
        }
        assert_int_equal(tree_apply(tree, &file, NULL, NULL), 0);
        assert_int_equal(tree_apply(tree, &expires, NULL, NULL), 0);
}

static int apply_with(Tree *tree, const Command *command, long allocations) {
        TreeError error = {0};
        int r;

        allowed = allocations;
        r = tree_apply(tree, command, NULL, &error);
        allowed = -1;
        tree_error_deinit(&error);
        return r;
}

static void test_failed_command_changes_nothing_and_can_be_repeated(void **state) {
        size_t failures = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                Tree plain;
                int expected;

                prepare(&plain);
                expected = apply_with(&plain, &commands[i], -1);
                for (long allocations = 0;; allocations++) {
                        Tree tree;
                        uint64_t before;
                        int r;

                        prepare(&tree);
                        before = tree_hash(&tree);
                        r = apply_with(&tree, &commands[i], allocations);
                        if (r == -ENOMEM) {
                                failures++;
                                assert_true(tree_hash(&tree) == before);
                                assert_int_equal(apply_with(&tree, &commands[i], -1), expected);
                        }
                        assert_true(tree_equal(&tree, &plain, NULL));
                        tree_deinit(&tree);
                        if (r != -ENOMEM) {
                                assert_int_equal(r, expected);
                                break;
                        }
                }
                tree_deinit(&plain);
        }
        assert_true(failures > ARRAY_SIZE(commands));
}

static void test_watcher_without_memory_is_told(void **state) {
        WatchOptions options = {.path = {"/1/a", 4}, .stream = true};
        Watcher *watcher;
        Tree tree;

        (void)state;
        prepare(&tree);
        assert_int_equal(tree_watch(&tree, &options, &watcher, NULL), 0);
        /* the event and the value have memory, the watcher's queue has none */
        assert_int_equal(apply_with(&tree, &commands[0], 2), 0);
        assert_int_equal(watcher_state(watcher), WATCHER_OVERFLOWED);
        assert_true(hub_has_ready(&tree.hub));
        (void)watcher_free(watcher);
        tree_deinit(&tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_failed_command_changes_nothing_and_can_be_repeated),
                cmocka_unit_test(test_watcher_without_memory_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
