#include "store/tree/children.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"
#include "store/tree/node.h"

enum { NAMES = 2000 };

/* Names of one to four digits, so that many are prefixes of others. */
static Node *make_node(unsigned number) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", number);
        return node_new(slice_from(name), false);
}

static void assert_sorted(const Children *children, Node *const *present) {
        ChildPosition position = {0};
        size_t count = 0, expected = 0;
        Node *node, *last = NULL, *walked = children_first(children);

        for (size_t i = 0; i < NAMES; i++)
                expected += present[i] != NULL;
        while (children_next(children, &position, &node)) {
                assert_ptr_equal(node, walked);
                if (last)
                        assert_true(slice_compare(node_name(last), node_name(node)) < 0);
                walked = children_after(children, node_name(node));
                last = node;
                count++;
        }
        assert_null(walked);
        assert_int_equal(count, expected);
        assert_int_equal(children_count(children), expected);
}

static void assert_find(const Children *children, Node *const *present) {
        for (unsigned i = 0; i < NAMES; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%u", i);
                assert_ptr_equal(children_find(children, slice_from(name)), present[i]);
        }
}

/* Random additions and removals, with spells of mostly one or the other, against an array. */
static void test_random_changes_against_an_array(void **state) {
        static Node *present[NAMES];
        Children children = {0};
        Random random;

        (void)state;
        random_seed(&random, 1);
        for (unsigned step = 0; step < 60000; step++) {
                unsigned number = (unsigned)random_below(&random, NAMES);
                bool add = random_chance(&random, step / 6000 % 2 ? 1 : 9, 10);

                if (add && !present[number]) {
                        present[number] = make_node(number);
                        assert_int_equal(children_insert(&children, present[number]), 0);
                } else if (!add && present[number]) {
                        children_remove(&children, present[number]);
                        present[number] = node_free(present[number]);
                }
                if (step % 5000 == 4999) {
                        assert_sorted(&children, present);
                        assert_find(&children, present);
                }
        }
        for (size_t i = 0; i < NAMES; i++)
                if (present[i]) {
                        children_remove(&children, present[i]);
                        present[i] = node_free(present[i]);
                }
        assert_null(children.table);
}

static void test_names_in_order_and_against_it(void **state) {
        static Node *present[NAMES];
        Children children = {0};

        (void)state;
        for (unsigned i = 0; i < NAMES / 2; i++) {
                present[1000 + i] = make_node(1000 + i);
                assert_int_equal(children_insert(&children, present[1000 + i]), 0);
        }
        for (unsigned i = 1000; i-- > 0;) {
                present[i] = make_node(i);
                assert_int_equal(children_insert(&children, present[i]), 0);
        }
        assert_sorted(&children, present);
        assert_find(&children, present);
        for (size_t i = 0; i < NAMES; i++) {
                children_remove(&children, present[i]);
                (void)node_free(present[i]);
        }
        assert_int_equal(children_count(&children), 0);
}

static void test_after_a_name_that_is_not_there(void **state) {
        Children children = {0};
        Node *one = make_node(10), *two = make_node(30);

        (void)state;
        assert_null(children_after(&children, slice_from("1")));
        assert_int_equal(children_insert(&children, one), 0);
        assert_int_equal(children_insert(&children, two), 0);
        assert_ptr_equal(children_after(&children, slice_from("")), one);
        assert_ptr_equal(children_after(&children, slice_from("10")), two);
        assert_ptr_equal(children_after(&children, slice_from("2")), two);
        assert_null(children_after(&children, slice_from("30")));
        children_deinit(&children);
        (void)node_free(one);
        (void)node_free(two);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_changes_against_an_array),
                cmocka_unit_test(test_names_in_order_and_against_it),
                cmocka_unit_test(test_after_a_name_that_is_not_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
