#pragma once
/*
 * A binary min-heap of 64-bit keys with embedded nodes: timers and expiry times. Borrows the nodes. Nodes with equal
 * keys leave in the order of `tie` (lower first), so that the order is the same in every run.
 */
#include "base/util.h"

#define HEAP_UNLINKED SIZE_MAX

typedef struct HeapNode {
        uint64_t key;
        uint64_t tie;
        size_t position; /* HEAP_UNLINKED: in no heap */
} HeapNode;

#define HEAP_NODE_INIT ((HeapNode){.position = HEAP_UNLINKED})

typedef struct Heap {
        HeapNode **nodes;
        size_t length;
        size_t capacity;
} Heap;

void heap_deinit(Heap *heap);

/* -ENOMEM. The node must be in no heap. */
int heap_insert(Heap *heap, HeapNode *node);

/* Does nothing when the node is in no heap. */
void heap_remove(Heap *heap, HeapNode *node);

/* The least node, or NULL. */
static inline HeapNode *heap_first(const Heap *heap) {
        return heap->length ? heap->nodes[0] : NULL;
}
