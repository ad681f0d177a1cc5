#include "store/tree/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/tree/tree-error.h"

static void add(History *history, uint64_t index, EventAction action, const char *path) {
        _cleanup_event_ Event *event = event_new(action, slice_from(path));

        assert_non_null(event);
        event->node.modified = index;
        event->previous.dir = event->has_previous = action == EVENT_DELETE;
        history_add(history, event);
}

/* Index of the event that a scan finds; 0: none yet. */
static uint64_t scan(const History *history, const char *path, bool recursive, uint64_t since) {
        Event *event;

        assert_int_equal(history_scan(history, slice_from(path), recursive, since, 99, &event, NULL), 0);
        return event ? event_index(event) : 0;
}

static void test_oldest_goes_when_full(void **state) {
        _cleanup_tree_error_ TreeError error = {0};
        History history;
        Event *event;

        (void)state;
        assert_int_equal(history_init(&history, 3), 0);
        assert_int_equal(scan(&history, "/1/a", false, 5), 0);
        for (uint64_t i = 1; i <= 10; i++)
                add(&history, i, EVENT_SET, "/1/a");
        assert_int_equal(history_oldest(&history), 8);
        assert_int_equal(history_newest(&history), 10);
        assert_int_equal(scan(&history, "/1/a", false, 8), 8);
        assert_int_equal(scan(&history, "/1/a", false, 10), 10);
        assert_int_equal(scan(&history, "/1/a", false, 11), 0);
        assert_int_equal(history_scan(&history, slice_from("/1/a"), false, 7, 12, &event, &error), TREE_INDEX_CLEARED);
        assert_int_equal(error.index, 12);
        assert_string_equal(buffer_string(&error.cause), "the requested history has been cleared [8/7]");
        history_deinit(&history);
}

static void test_matching(void **state) {
        History history;

        (void)state;
        assert_int_equal(history_init(&history, 100), 0);
        add(&history, 1, EVENT_SET, "/1/foo/x");
        add(&history, 2, EVENT_SET, "/1/foobar");
        add(&history, 3, EVENT_SET, "/1/foo");
        assert_int_equal(scan(&history, "/1/foo", false, 1), 3);
        assert_int_equal(scan(&history, "/1/foo", true, 1), 1);
        assert_int_equal(scan(&history, "/1/foo", true, 2), 3);
        assert_int_equal(scan(&history, "/1/foobar", true, 1), 2);
        assert_int_equal(scan(&history, "/", true, 2), 2);
        add(&history, 4, EVENT_DELETE, "/1/foo");
        assert_int_equal(scan(&history, "/1/foo/x/y", false, 1), 4);
        assert_int_equal(scan(&history, "/1/foobar", false, 3), 4); /* bytes, as etcd compares */
        assert_int_equal(scan(&history, "/1/fo", false, 1), 0);
        history_deinit(&history);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_oldest_goes_when_full),
                cmocka_unit_test(test_matching),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
