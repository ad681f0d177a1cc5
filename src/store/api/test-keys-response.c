#include "store/api/keys-response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECOND ((WallUsec)1000000)
#define NOW (1500000000 * SECOND)

static void assert_event(Tree *tree, Command command, bool bare, const char *expected) {
        _cleanup_buffer_ Buffer json = BUFFER_INIT;
        _cleanup_event_ Event *event = NULL;

        command.time = NOW;
        assert_int_equal(tree_apply(tree, &command, &event, NULL), 0);
        assert_int_equal(keys_write_event(&json, event, bare), 0);
        assert_string_equal(buffer_string(&json), expected);
}

static void test_events(void **state) {
        Tree tree;
        Slice path = slice_from("/1/a/b");

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        assert_event(&tree, (Command){COMMAND_SET, .path = path, .value = slice_from("<x>")}, false,
                     "{\"action\":\"set\",\"node\":{\"key\":\"/a/b\",\"value\":\"\\u003cx\\u003e\","
                     "\"modifiedIndex\":1,\"createdIndex\":1}}\n");
        assert_event(&tree,
                     (Command){COMMAND_UPDATE, .path = path, .has_expiry = true, .expiry = NOW + 2 * SECOND + 500000},
                     false,
                     "{\"action\":\"update\",\"node\":{\"key\":\"/a/b\",\"value\":\"\","
                     "\"expiration\":\"2017-07-14T02:40:02.5Z\",\"ttl\":3,\"modifiedIndex\":2,\"createdIndex\":1},"
                     "\"prevNode\":{\"key\":\"/a/b\",\"value\":\"\\u003cx\\u003e\",\"modifiedIndex\":1,"
                     "\"createdIndex\":1}}\n");
        assert_event(&tree, (Command){COMMAND_SET, .path = path, .value = slice_from("2")}, true,
                     "{\"action\":\"set\"}\n");
        assert_event(&tree, (Command){COMMAND_DELETE, .path = slice_from("/1/a"), .recursive = true}, true,
                     "{\"action\":\"delete\",\"node\":{\"key\":\"/a\",\"dir\":true,\"modifiedIndex\":4,"
                     "\"createdIndex\":1},\"prevNode\":{\"key\":\"/a\",\"dir\":true,\"modifiedIndex\":1,"
                     "\"createdIndex\":1}}\n");
        tree_deinit(&tree);
}

static void assert_get(const Tree *tree, const char *path, bool recursive, const char *expected) {
        _cleanup_buffer_ Buffer json = BUFFER_INIT;
        const Node *node;

        assert_int_equal(tree_find(tree, slice_from(path), &node, NULL), 0);
        assert_int_equal(keys_write_get(&json, node, recursive, NOW), 0);
        assert_string_equal(buffer_string(&json), expected);
}

static void test_listings(void **state) {
        static const char *const paths[] = {"/1/d/x/y", "/1/d/_h/k", "/1/c"};
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        assert_get(&tree, "/1", false, "{\"action\":\"get\",\"node\":{\"dir\":true}}\n");
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
                assert_int_equal(tree_apply(&tree, &(Command){COMMAND_SET, .path = slice_from(paths[i])}, NULL, NULL),
                                 0);
        assert_get(&tree, "/1", false,
                   "{\"action\":\"get\",\"node\":{\"dir\":true,\"nodes\":["
                   "{\"key\":\"/c\",\"value\":\"\",\"modifiedIndex\":3,\"createdIndex\":3},"
                   "{\"key\":\"/d\",\"dir\":true,\"modifiedIndex\":1,\"createdIndex\":1}]}}\n");
        assert_get(&tree, "/1/d", true,
                   "{\"action\":\"get\",\"node\":{\"key\":\"/d\",\"dir\":true,\"nodes\":["
                   "{\"key\":\"/d/x\",\"dir\":true,\"nodes\":["
                   "{\"key\":\"/d/x/y\",\"value\":\"\",\"modifiedIndex\":1,\"createdIndex\":1}],"
                   "\"modifiedIndex\":1,\"createdIndex\":1}],\"modifiedIndex\":1,\"createdIndex\":1}}\n");
        assert_get(&tree, "/1/d/_h", false,
                   "{\"action\":\"get\",\"node\":{\"key\":\"/d/_h\",\"dir\":true,\"nodes\":["
                   "{\"key\":\"/d/_h/k\",\"value\":\"\",\"modifiedIndex\":2,\"createdIndex\":2}],"
                   "\"modifiedIndex\":2,\"createdIndex\":2}}\n");
        tree_deinit(&tree);
}

/* Expired, but SYNC has not come yet. */
static void test_seconds_left_are_rounded_as_go_divides(void **state) {
        static const struct {
                WallUsec left;
                const char *json;
        } cases[] = {{1, "\"ttl\":1,"}, {SECOND, "\"ttl\":1,"}, {SECOND + 1, "\"ttl\":2,"}, {0, NULL},
                     {-1, NULL},        {-SECOND, "\"ttl\":-1,"}, {-SECOND - 1, "\"ttl\":-1,"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_buffer_ Buffer json = BUFFER_INIT;
                const Node *node;
                Tree tree;

                assert_int_equal(tree_init(&tree, NULL), 0);
                assert_int_equal(tree_apply(&tree, &(Command){COMMAND_SET, .path = slice_from("/1/a"),
                                                              .has_expiry = true, .expiry = NOW + cases[i].left},
                                            NULL, NULL), 0);
                assert_int_equal(tree_find(&tree, slice_from("/1/a"), &node, NULL), 0);
                assert_int_equal(keys_write_get(&json, node, false, NOW), 0);
                assert_non_null(strstr(buffer_string(&json), cases[i].json ? cases[i].json : "Z\",\"modified"));
                tree_deinit(&tree);
        }
}

static void test_errors(void **state) {
        _cleanup_buffer_ Buffer json = BUFFER_INIT;

        (void)state;
        assert_int_equal(keys_write_error(&json, 100, slice_from("/a"), 7), 0);
        assert_int_equal(keys_write_error(&json, 102, slice_from(""), 0), 0);
        assert_string_equal(buffer_string(&json),
                            "{\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/a\",\"index\":7}\n"
                            "{\"errorCode\":102,\"message\":\"Not a file\",\"index\":0}\n");
        assert_int_equal(keys_error_text(101)->status, 412);
        assert_int_equal(keys_error_text(12345)->code, 300);
}

static void test_times(void **state) {
        char text[40];

        (void)state;
        keys_format_time(0, text);
        assert_string_equal(text, "1970-01-01T00:00:00Z");
        keys_format_time(NOW + 120, text);
        assert_string_equal(text, "2017-07-14T02:40:00.00012Z");
        keys_format_time(-1, text);
        assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_events),
                cmocka_unit_test(test_listings),
                cmocka_unit_test(test_seconds_left_are_rounded_as_go_divides),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
