#include "store/tree/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/tree/tree.h"

static void set(Tree *tree, const char *path) {
        assert_int_equal(tree_apply(tree, &(Command){.kind = COMMAND_SET, .path = slice_from(path)}, NULL, NULL), 0);
}

static void remove_recursive(Tree *tree, const char *path) {
        Command command = {.kind = COMMAND_DELETE, .path = slice_from(path), .recursive = true};

        assert_int_equal(tree_apply(tree, &command, NULL, NULL), 0);
}

static Watcher *watch(Tree *tree, const char *path, bool recursive, bool stream, WatcherReady ready, void *userdata) {
        WatchOptions options = {
                .path = slice_from(path),
                .recursive = recursive,
                .stream = stream,
                .ready = ready,
                .userdata = userdata,
        };
        Watcher *watcher;

        assert_int_equal(tree_watch(tree, &options, &watcher, NULL), 0);
        return watcher;
}

static void count_call(Watcher *watcher, void *userdata) {
        (void)watcher;
        (*(size_t *)userdata)++;
}

static size_t drain(Watcher *watcher) {
        Event *event;
        size_t count = 0;

        for (; (event = watcher_take(watcher)); count++)
                (void)event_unref(event);
        return count;
}

static void test_dispatch_calls_each_ready_watcher_once(void **state) {
        size_t calls = 0;
        Watcher *one, *two;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        one = watch(&tree, "/1/a", false, true, count_call, &calls);
        two = watch(&tree, "/1/b", false, true, count_call, &calls);
        assert_int_equal(tree.hub.count, 2);
        assert_false(hub_has_ready(&tree.hub));
        set(&tree, "/1/a");
        set(&tree, "/1/a");
        assert_true(hub_has_ready(&tree.hub));
        hub_dispatch(&tree.hub);
        assert_int_equal(calls, 1);
        hub_dispatch(&tree.hub);
        assert_int_equal(calls, 1);
        assert_int_equal(drain(one), 2);
        assert_int_equal(drain(two), 0);
        (void)watcher_free(one);
        (void)watcher_free(two);
        assert_int_equal(tree.hub.count, 0);
        tree_deinit(&tree);
}

typedef struct Pair {
        Watcher *watchers[2];
        size_t calls;
} Pair;

static void free_both(Watcher *watcher, void *userdata) {
        Pair *pair = userdata;

        (void)watcher;
        pair->calls++;
        for (size_t i = 0; i < 2; i++)
                pair->watchers[i] = watcher_free(pair->watchers[i]);
}

static void test_callback_may_free_watchers(void **state) {
        Pair pair = {0};
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        for (size_t i = 0; i < 2; i++)
                pair.watchers[i] = watch(&tree, "/1/a", false, true, free_both, &pair);
        set(&tree, "/1/a");
        hub_dispatch(&tree.hub);
        assert_int_equal(pair.calls, 1);
        assert_int_equal(tree.hub.points.length, 0);
        tree_deinit(&tree);
}

/* Between the changes of a large batch: who reads is not taken for slow. */
static void test_crowd_is_seen_in_time(void **state) {
        size_t calls = 0;
        Watcher *watcher;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        watcher = watch(&tree, "/1", true, true, count_call, &calls);
        for (size_t i = 0; i < 3 * WATCHER_QUEUE_MAX; i++) {
                set(&tree, "/1/a");
                if (!hub_is_crowded(&tree.hub))
                        continue;
                hub_dispatch(&tree.hub);
                assert_true(drain(watcher) > 1);
        }
        assert_int_equal(watcher_state(watcher), WATCHER_WAITING);
        assert_int_equal(calls, 6);
        (void)watcher_free(watcher);
        tree_deinit(&tree);
}

static void test_slow_watcher_is_taken_off_and_told(void **state) {
        Watcher *slow;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        slow = watch(&tree, "/1", true, true, NULL, NULL);
        for (size_t i = 0; i < WATCHER_QUEUE_MAX; i++)
                set(&tree, "/1/a");
        assert_int_equal(watcher_state(slow), WATCHER_WAITING);
        set(&tree, "/1/a");
        assert_int_equal(watcher_state(slow), WATCHER_OVERFLOWED);
        assert_int_equal(tree.hub.count, 0);
        set(&tree, "/1/a");
        assert_int_equal(drain(slow), WATCHER_QUEUE_MAX);
        (void)watcher_free(slow);
        tree_deinit(&tree);
}

static void test_events_are_shared_and_their_rendering_goes_with_the_watchers(void **state) {
        Watcher *one, *two;
        Event *a, *b;
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        one = watch(&tree, "/1/a", false, false, NULL, NULL);
        two = watch(&tree, "/1", true, false, NULL, NULL);
        set(&tree, "/1/a");
        a = watcher_take(one);
        b = watcher_take(two);
        assert_ptr_equal(a, b);
        event_keep_json(a, strdup("{}"), 2);
        assert_string_equal(b->json, "{}");
        (void)event_unref(a);
        assert_non_null(b->json);
        (void)event_unref(b);
        a = history_at(&tree.history, 0);
        assert_null(a->json);
        (void)watcher_free(one);
        (void)watcher_free(two);
        tree_deinit(&tree);
}

/* Many watchers elsewhere cost nothing but memory. */
static void test_hundred_thousand_watchers(void **state) {
        enum { COUNT = 100000 };
        Watcher **watchers = calloc(COUNT, sizeof(Watcher *));
        char path[64];
        Tree tree;

        (void)state;
        assert_non_null(watchers);
        assert_int_equal(tree_init(&tree, NULL), 0);
        for (size_t i = 0; i < COUNT; i++) {
                (void)snprintf(path, sizeof(path), "/1/watched/%zu", i / 2);
                watchers[i] = watch(&tree, path, i % 4 == 0, i % 2 == 0, NULL, NULL);
        }
        assert_int_equal(tree.hub.count, COUNT);
        assert_int_equal(tree.hub.points.length, COUNT / 2);
        for (size_t i = 0; i < 1000; i++) {
                (void)snprintf(path, sizeof(path), "/1/other/%zu", i);
                set(&tree, path);
        }
        assert_false(hub_has_ready(&tree.hub));
        set(&tree, "/1/watched/77");
        assert_int_equal(drain(watchers[154]), 1);
        assert_int_equal(drain(watchers[155]), 1);
        assert_int_equal(tree.hub.count, COUNT - 1);
        remove_recursive(&tree, "/1/watched");
        assert_int_equal(drain(watchers[154]), 1);
        assert_int_equal(drain(watchers[0]), 0); /* no key was there */
        for (size_t i = 0; i < COUNT; i++)
                (void)watcher_free(watchers[i]);
        free(watchers);
        tree_deinit(&tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dispatch_calls_each_ready_watcher_once),
                cmocka_unit_test(test_callback_may_free_watchers),
                cmocka_unit_test(test_crowd_is_seen_in_time),
                cmocka_unit_test(test_slow_watcher_is_taken_off_and_told),
                cmocka_unit_test(test_events_are_shared_and_their_rendering_goes_with_the_watchers),
                cmocka_unit_test(test_hundred_thousand_watchers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
