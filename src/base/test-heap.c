#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

enum { NODES = 200 };

/* The reference: a walk over all. */
static HeapNode *least(HeapNode *nodes) {
        HeapNode *found = NULL;

        for (size_t i = 0; i < NODES; i++) {
                HeapNode *node = &nodes[i];

                if (node->position == HEAP_UNLINKED)
                        continue;
                if (!found || node->key < found->key || (node->key == found->key && node->tie < found->tie))
                        found = node;
        }
        return found;
}

static void test_the_first_is_the_least_whatever_comes_and_goes(void **state) {
        HeapNode nodes[NODES];
        Heap heap = {0};
        Random random;

        (void)state;
        random_seed(&random, 1);
        for (size_t i = 0; i < NODES; i++)
                nodes[i] = HEAP_NODE_INIT;
        for (int i = 0; i < 50000; i++) {
                size_t n = random_below(&random, NODES);
                HeapNode *node = random_chance(&random, 1, 4) && heap_first(&heap) ? heap_first(&heap) : &nodes[n];

                if (node->position == HEAP_UNLINKED) {
                        node->key = random_chance(&random, 1, 10) ? UINT64_MAX : random_below(&random, 30);
                        node->tie = (uint64_t)(node - nodes);
                        assert_int_equal(heap_insert(&heap, node), 0);
                } else {
                        heap_remove(&heap, node);
                        assert_int_equal(node->position, HEAP_UNLINKED);
                }
                assert_ptr_equal(heap_first(&heap), least(nodes));
        }
        while (heap_first(&heap)) {
                assert_ptr_equal(heap_first(&heap), least(nodes));
                heap_remove(&heap, heap_first(&heap));
        }
        heap_remove(&heap, &nodes[0]); /* in no heap: nothing happens */
        assert_int_equal(heap.length, 0);
        heap_deinit(&heap);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_first_is_the_least_whatever_comes_and_goes)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
