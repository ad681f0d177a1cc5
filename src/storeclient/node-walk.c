#include "storeclient/node-walk.h"

#include <assert.h>

static void push(StoreNodeWalk *walk, const StoreNode *node) {
        assert(walk->depth < STORE_NODE_DEPTH_MAX);
        walk->stack[walk->depth].node = node;
        walk->stack[walk->depth].next = 0;
        walk->depth++;
}

void store_node_walk_begin(StoreNodeWalk *walk, const StoreNode *top) {
        walk->depth = 0;
        push(walk, top);
}

const StoreNode *store_node_walk_next(StoreNodeWalk *walk) {
        while (walk->depth > 0) {
                const StoreNode *node = walk->stack[walk->depth - 1].node;
                size_t next = walk->stack[walk->depth - 1].next++;

                if (next < node->node_count) {
                        push(walk, &node->nodes[next]);
                        return &node->nodes[next];
                }
                walk->depth--;
        }
        return NULL;
}
