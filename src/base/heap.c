#include "base/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { HEAP_CAPACITY_FIRST = 16 };

void heap_deinit(Heap *heap) {
        for (size_t i = 0; i < heap->length; i++)
                heap->nodes[i]->position = HEAP_UNLINKED;
        free(heap->nodes);
        *heap = (Heap){0};
}

static bool node_before(const HeapNode *a, const HeapNode *b) {
        return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void heap_place(Heap *heap, size_t position, HeapNode *node) {
        heap->nodes[position] = node;
        node->position = position;
}

static void heap_sift_up(Heap *heap, size_t position, HeapNode *node) {
        while (position > 0) {
                size_t parent = (position - 1) / 2;

                if (!node_before(node, heap->nodes[parent]))
                        break;
                heap_place(heap, position, heap->nodes[parent]);
                position = parent;
        }
        heap_place(heap, position, node);
}

static void heap_sift_down(Heap *heap, size_t position, HeapNode *node) {
        for (;;) {
                size_t child = position * 2 + 1;

                if (child >= heap->length)
                        break;
                if (child + 1 < heap->length && node_before(heap->nodes[child + 1], heap->nodes[child]))
                        child++;
                if (!node_before(heap->nodes[child], node))
                        break;
                heap_place(heap, position, heap->nodes[child]);
                position = child;
        }
        heap_place(heap, position, node);
}

int heap_insert(Heap *heap, HeapNode *node) {
        assert(node->position == HEAP_UNLINKED);
        if (heap->length == heap->capacity) {
                size_t capacity = heap->capacity ? heap->capacity * 2 : HEAP_CAPACITY_FIRST;
                HeapNode **nodes = reallocarray(heap->nodes, capacity, sizeof(HeapNode *));

                if (!nodes)
                        return -ENOMEM;
                heap->nodes = nodes;
                heap->capacity = capacity;
        }
        heap_sift_up(heap, heap->length++, node);
        return 0;
}

void heap_remove(Heap *heap, HeapNode *node) {
        size_t position = node->position;
        HeapNode *last;

        if (position == HEAP_UNLINKED)
                return;
        assert(heap->nodes[position] == node);
        node->position = HEAP_UNLINKED;
        last = heap->nodes[--heap->length];
        if (last == node)
                return;
        if (position > 0 && node_before(last, heap->nodes[(position - 1) / 2]))
                heap_sift_up(heap, position, last);
        else
                heap_sift_down(heap, position, last);
}
