#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "store/cluster-view.h"

static const char answer[] =
        "{\"cluster\":\"f7\",\"members\":["
        "{\"id\":\"a\",\"name\":\"one\",\"peerURLs\":[\"http://10.0.0.1:2380\"],\"standby\":false},"
        "{\"id\":\"b\",\"name\":\"\",\"peerURLs\":[\"http://10.0.0.2:2380\"],\"standby\":true}],"
        "\"removed\":[\"c\"]}";

static void parse(const char *text, ClusterView *view) {
        Error error = ERROR_NONE;

        assert_int_equal(cluster_view_parse(slice_from(text), view, &error), 0);
        assert_string_equal(error.text, "");
}

static void test_answer_is_understood(void **state) {
        _cleanup_cluster_view_ ClusterView view = {0};

        (void)state;
        parse(answer, &view);
        assert_int_equal(view.cluster, 0xf7);
        assert_int_equal(view.count, 2);
        assert_string_equal(cluster_view_find(&view, 0xa)->name, "one");
        assert_true(cluster_view_find(&view, 0xb)->standby);
        assert_true(cluster_view_has_removed(&view, 0xc));
        assert_false(cluster_view_has_removed(&view, 0xa));
}

static void test_other_answers_are_refused(void **state) {
        static const char *const wrong[] = {
                "",
                "[]",
                "{}",
                "404 page not found\n",
                "{\"cluster\":\"f7\",\"members\":[]}",
                "{\"cluster\":\"0\",\"members\":[],\"removed\":[]}",
                "{\"cluster\":\"F7\",\"members\":[],\"removed\":[]}",
                "{\"cluster\":\"f7\",\"members\":[{\"id\":\"a\"}],\"removed\":[]}",
                "{\"cluster\":\"f7\",\"members\":[{\"id\":\"11112222333344445\",\"name\":\"\"}],\"removed\":[]}",
                "{\"cluster\":\"f7\",\"members\":[],\"removed\":[7]}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                ClusterView view = {0};
                Error error = ERROR_NONE;

                assert_int_equal(cluster_view_parse(slice_from(wrong[i]), &view, &error), -EINVAL);
                assert_non_null(strstr(error.text, "makes no sense"));
        }
}

static int join(const char *initial_cluster, const char *name, uint64_t *ret_id, Error *error) {
        _cleanup_cluster_view_ ClusterView view = {0};
        Bootstrap bootstrap;
        const ClusterViewMember *member;
        int r;

        *error = ERROR_NONE;
        parse(answer, &view);
        assert_int_equal(bootstrap_parse(initial_cluster, "t", &bootstrap, error), 0);
        r = cluster_view_join(&view, &bootstrap, bootstrap_find(&bootstrap, name), &member, error);
        if (r == 0)
                *ret_id = member->id;
        bootstrap_deinit(&bootstrap);
        return r;
}

static void test_joining_member_finds_its_id_by_its_urls(void **state) {
        uint64_t id = 0;
        Error error;

        (void)state;
        assert_int_equal(join("one=http://10.0.0.1:2380,two=http://10.0.0.2:2380", "two", &id, &error), 0);
        assert_int_equal(id, 0xb);
        /* a name is what it calls itself: the cluster has not heard it yet */
        assert_int_equal(join("two=http://10.0.0.2:2380,uno=http://10.0.0.1:2380", "two", &id, &error), 0);
}

static void test_join_says_what_does_not_match(void **state) {
        uint64_t id = 0;
        Error error;

        (void)state;
        assert_int_equal(join("one=http://10.0.0.1:2380,two=http://10.0.0.3:2380", "two", &id, &error), -ENOENT);
        assert_non_null(strstr(error.text, "member add two http://10.0.0.3:2380"));
        assert_non_null(strstr(error.text, "one=http://10.0.0.1:2380"));
        assert_int_equal(join("one=http://10.0.0.9:2380,two=http://10.0.0.2:2380", "two", &id, &error), -EINVAL);
        assert_non_null(strstr(error.text, "one=http://10.0.0.9:2380"));
}

/* It could vote twice in a term, or lose what it acknowledged. */
static void test_member_without_its_data_is_not_let_in_again(void **state) {
        _cleanup_cluster_view_ ClusterView view = {0};
        BootstrapMember self = {.name = (char[]){"one"}, .id = 0xa};
        uint64_t id = 0;
        Error error;

        (void)state;
        assert_int_equal(join("one=http://10.0.0.1:2380,two=http://10.0.0.2:2380", "one", &id, &error), -EEXIST);
        assert_non_null(strstr(error.text, "lost its data"));
        parse(answer, &view);
        assert_int_equal(cluster_view_may_found(&view, &self, &error), -EEXIST);
        self.id = 0xc;
        assert_int_equal(cluster_view_may_found(&view, &self, &error), -EEXIST);
        assert_non_null(strstr(error.text, "was removed"));
        self.id = 0xb;
        assert_int_equal(cluster_view_may_found(&view, &self, &error), 0);
}

static void test_what_is_said_is_understood(void **state) {
        _cleanup_cluster_view_ ClusterView view = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        RaftConfState configuration = {.voters = {.length = 1, .items = {5}}};
        char url[] = "http://10.0.0.1:2380", *urls[] = {url};
        StoreMember items[] = {{.id = 5, .name = "five", .peer_urls = {urls, 1, 1}}, {.id = 6, .name = ""}};
        Members members = {.items = items, .length = 2};
        Tree tree;

        (void)state;
        assert_int_equal(tree_init(&tree, NULL), 0);
        assert_int_equal(tree_apply(&tree, &(Command){.kind = COMMAND_SET, .path = slice_from("/0/removed_members/7")},
                                    NULL, NULL),
                         0);
        assert_int_equal(cluster_view_format(&text, 9, &members, &configuration, &tree), 0);
        parse(buffer_string(&text), &view);
        assert_int_equal(view.cluster, 9);
        assert_false(cluster_view_find(&view, 5)->standby);
        assert_string_equal(cluster_view_find(&view, 5)->peer_urls.items[0], url);
        assert_true(cluster_view_find(&view, 6)->standby);
        assert_true(cluster_view_has_removed(&view, 7));
        tree_deinit(&tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answer_is_understood),
                cmocka_unit_test(test_other_answers_are_refused),
                cmocka_unit_test(test_joining_member_finds_its_id_by_its_urls),
                cmocka_unit_test(test_join_says_what_does_not_match),
                cmocka_unit_test(test_member_without_its_data_is_not_let_in_again),
                cmocka_unit_test(test_what_is_said_is_understood),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
