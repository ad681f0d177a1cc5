#include "store/tree/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"

static int apply(Tree *tree, Command command) {
        return tree_apply(tree, &command, NULL, NULL);
}

static void test_invalid_command_changes_nothing(void **state) {
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = slice_from("no")}), -EINVAL);
        assert_int_equal(apply(&tree, (Command){.kind = 77, .path = slice_from("/1/a")}), -EINVAL);
        assert_int_equal(tree.index, 0);
        assert_int_equal(tree.count, 2);
        tree_deinit(&tree);
}

static void append_depth(Buffer *path, size_t depth) {
        assert_int_equal(buffer_append_string(path, "/1"), 0);
        for (size_t i = 1; i < depth; i++)
                assert_int_equal(buffer_append_string(path, "/d"), 0);
}

static void test_deepest_path_is_made_walked_and_removed(void **state) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        size_t nodes = 0;
        Slice deepest;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        append_depth(&path, TREE_DEPTH_MAX);
        deepest = (Slice){buffer_data(&path), buffer_length(&path)};
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = deepest}), 0);
        for (const Node *node = tree.root; node; node = node_next(node, tree.root))
                nodes++;
        assert_int_equal(nodes, TREE_DEPTH_MAX + 2); /* with the root and the other top */
        assert_int_equal(tree.count, nodes - 1);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_DELETE, .path = slice_from("/1/d"), .recursive = true}),
                         0);
        assert_int_equal(tree.count, 2);
        assert_int_equal(tree.bytes, 2);
        tree_deinit(&tree);
}

static void test_payload_is_counted(void **state) {
        Tree tree;
        size_t before;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        before = tree.bytes;
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = slice_from("/1/ab/c"),
                                                .value = slice_from("12345")}), 0);
        assert_int_equal(tree.bytes - before, 2 + 1 + 5);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = slice_from("/1/ab/c"),
                                                .value = slice_from("1")}), 0);
        assert_int_equal(tree.bytes - before, 2 + 1 + 1);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = slice_from("/1/ab/c"), .dir = true}), 0);
        assert_int_equal(tree.bytes - before, 2 + 1);
        tree_deinit(&tree);
}

/* The events of a set share the node's value: 1,000 of them in the history copy nothing. */
static void test_values_are_shared(void **state) {
        const Node *node;
        Event *event;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_SET, .path = slice_from("/1/a"),
                                                .value = slice_from("v")}), 0);
        assert_int_equal(tree_find(&tree, slice_from("/1/a"), &node, NULL), 0);
        event = history_at(&tree.history, 0);
        assert_ptr_equal(event->node.value, node->value);
        assert_int_equal(apply(&tree, (Command){.kind = COMMAND_DELETE, .path = slice_from("/1/a")}), 0);
        assert_ptr_equal(history_at(&tree.history, 1)->previous.value, event->node.value);
        assert_int_equal(event->node.value->references, 2);
        tree_deinit(&tree);
}

/* Random commands over few keys, so that all kinds meet each other. */
static Command random_command(Random *random, char *path, size_t size) {
        static const char *const values[] = {"", "x", "yy", "zzz"};
        Command command = {.kind = (CommandKind)(1 + random_below(random, 7))};
        int used = snprintf(path, size, "/1");

        command.time = (WallUsec)(1000000000 + random_below(random, 100)) * 1000000;
        if (command.kind == COMMAND_SYNC)
                return command;
        for (uint64_t depth = 1 + random_below(random, 3); depth > 0; depth--)
                used += snprintf(path + used, size - (size_t)used, "/%s%c", random_chance(random, 1, 5) ? "_" : "",
                                 (char)('a' + random_below(random, 3)));
        command.path = slice_from(path);
        command.dir = (command.kind == COMMAND_SET || command.kind == COMMAND_CREATE ||
                       command.kind == COMMAND_DELETE) && random_chance(random, 1, 3);
        command.unique = command.kind == COMMAND_CREATE && random_chance(random, 1, 3);
        command.recursive = command.kind == COMMAND_DELETE && random_chance(random, 1, 3);
        if (command.kind < COMMAND_DELETE) {
                command.has_expiry = random_chance(random, 1, 3);
                command.expiry = command.has_expiry ? command.time + 20000000 : 0;
                command.refresh = command.kind != COMMAND_CREATE && random_chance(random, 1, 5);
                if (!command.dir && !command.refresh)
                        command.value = slice_from(values[random_below(random, 4)]);
        }
        if (command.kind == COMMAND_COMPARE_AND_SWAP || command.kind == COMMAND_COMPARE_AND_DELETE)
                command.prev_value = slice_from(values[1 + random_below(random, 3)]);
        return command;
}

/* Each node's expiry is in the heap and knows its node; counts are right. */
static void assert_consistent(const Tree *tree) {
        size_t count = 0, bytes = 0, expiries = 0;

        for (const Node *node = tree->root; node; node = node_next(node, tree->root)) {
                bytes += node_payload(node);
                count++;
                assert_true(node->created <= node->modified && node->modified <= tree->index);
                if (!node->expiry)
                        continue;
                expiries++;
                assert_ptr_equal(node->expiry->node, node);
                assert_ptr_equal(tree->expiries.nodes[node->expiry->heap.position], &node->expiry->heap);
        }
        assert_int_equal(count - 1, tree->count);
        assert_int_equal(bytes, tree->bytes);
        assert_int_equal(expiries, tree->expiries.length);
        assert_int_equal(history_newest(&tree->history), tree->index);
}

static void test_same_commands_make_the_same_tree(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 20; seed++) {
                Random random;
                Tree a, b;

                random_seed(&random, seed);
                assert_int_equal(tree_init(&a, NULL), 0);
                /* another hash key and a path through the encoding make no difference */
                assert_int_equal(tree_init(&b, &(TreeOptions){.seed = {seed, 7}}), 0);
                for (size_t i = 0; i < 1000; i++) {
                        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
                        char path[64];
                        Command command = random_command(&random, path, sizeof(path)), decoded;
                        uint64_t before = tree_hash(&a);
                        int r = tree_apply(&a, &command, NULL, NULL);

                        assert_true(r >= 0);
                        assert_int_equal(command_encode(&command, &bytes), 0);
                        assert_int_equal(
                                command_decode((Slice){buffer_data(&bytes), buffer_length(&bytes)}, &decoded), 0);
                        assert_int_equal(tree_apply(&b, &decoded, NULL, NULL), r);
                        assert_true(tree_hash(&a) == tree_hash(&b));
                        if (command.kind != COMMAND_SYNC)
                                assert_true(tree_hash(&a) != before);
                }
                assert_consistent(&a);
                assert_true(tree_equal(&a, &b, NULL));
                tree_deinit(&a);
                tree_deinit(&b);
        }
}

static void assert_differ(const Tree *a, const Tree *b, const char *where) {
        _cleanup_free_ char *found = NULL;

        assert_false(tree_equal(a, b, &found));
        assert_string_equal(found, where);
        assert_true(tree_hash(a) != tree_hash(b));
}

static void test_difference_is_named(void **state) {
        Tree a, b;

        (void)state;
        assert_int_equal(tree_init(&a, NULL), 0);
        assert_int_equal(tree_init(&b, NULL), 0);
        assert_int_equal(apply(&a, (Command){.kind = COMMAND_SET, .path = slice_from("/1/a/b")}), 0);
        assert_differ(&a, &b, "/1");
        assert_int_equal(apply(&b, (Command){.kind = COMMAND_SET, .path = slice_from("/1/a/b"),
                                             .value = slice_from("x")}), 0);
        assert_differ(&a, &b, "/1/a/b");
        tree_deinit(&b);
        assert_int_equal(tree_init(&b, NULL), 0);
        assert_int_equal(apply(&b, (Command){.kind = COMMAND_SET, .path = slice_from("/1/a/b"), .time = 1}), 0);
        assert_differ(&a, &b, "history");
        assert_int_equal(apply(&a, (Command){.kind = COMMAND_DELETE, .path = slice_from("/1/x")}), TREE_KEY_NOT_FOUND);
        assert_differ(&a, &b, "index or counters");
        tree_deinit(&a);
        tree_deinit(&b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_invalid_command_changes_nothing),
                cmocka_unit_test(test_deepest_path_is_made_walked_and_removed),
                cmocka_unit_test(test_payload_is_counted),
                cmocka_unit_test(test_values_are_shared),
                cmocka_unit_test(test_same_commands_make_the_same_tree),
                cmocka_unit_test(test_difference_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
