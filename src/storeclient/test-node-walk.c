#include "storeclient/node-walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "storeclient/reply.h"

/* The keys below the answer's node, a blank behind each. */
static void assert_walks(const char *body, const char *keys) {
        _cleanup_buffer_ Buffer walked = BUFFER_INIT;
        StoreReply reply = {0};
        StoreNodeWalk walk;
        const StoreNode *node;

        assert_int_equal(reply_parse(slice_from(body), 200, 1, &reply), 0);
        store_node_walk_begin(&walk, reply.node);
        while ((node = store_node_walk_next(&walk)))
                assert_int_equal(buffer_printf(&walked, "%s ", node->key), 0);
        assert_null(store_node_walk_next(&walk));
        assert_string_equal(buffer_string(&walked) ?: "", keys);
        store_reply_deinit(&reply);
}

static void test_a_directory_is_followed_by_what_is_in_it(void **state) {
        (void)state;
        assert_walks("{\"action\":\"get\",\"node\":{\"key\":\"/\",\"dir\":true,\"nodes\":["
                     "{\"key\":\"/a\",\"value\":\"1\"},"
                     "{\"key\":\"/b\",\"dir\":true,\"nodes\":[{\"key\":\"/b/c\",\"dir\":true,\"nodes\":[{\"key\":\"/b/c/d\",\"value\":\"\"}]},"
                     "{\"key\":\"/b/e\",\"value\":\"2\"}]},"
                     "{\"key\":\"/f\",\"dir\":true},"
                     "{\"key\":\"/g\",\"value\":\"3\"}]}}",
                     "/a /b /b/c /b/c/d /b/e /f /g ");
}

static void test_nothing_is_below_a_file_or_an_empty_directory(void **state) {
        (void)state;
        assert_walks("{\"action\":\"get\",\"node\":{\"key\":\"/a\",\"value\":\"1\"}}", "");
        assert_walks("{\"action\":\"get\",\"node\":{\"key\":\"/d\",\"dir\":true}}", "");
}

static void test_the_deepest_answer_that_is_read_can_be_walked(void **state) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT, keys = BUFFER_INIT;

        (void)state;
        assert_int_equal(buffer_append_string(&body, "{\"action\":\"get\",\"node\":{\"key\":\"/0\""), 0);
        for (int i = 1; i < REPLY_DEPTH_MAX; i++) {
                assert_int_equal(buffer_printf(&body, ",\"dir\":true,\"nodes\":[{\"key\":\"/%d\"", i), 0);
                assert_int_equal(buffer_printf(&keys, "/%d ", i), 0);
        }
        for (int i = 1; i < REPLY_DEPTH_MAX; i++)
                assert_int_equal(buffer_append_string(&body, "}]"), 0);
        assert_int_equal(buffer_append_string(&body, "}}"), 0);
        assert_walks(buffer_string(&body), buffer_string(&keys));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_directory_is_followed_by_what_is_in_it),
                cmocka_unit_test(test_nothing_is_below_a_file_or_an_empty_directory),
                cmocka_unit_test(test_the_deepest_answer_that_is_read_can_be_walked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
