#pragma once
/* All that is below a node, in order: each directory's own behind it. Iterative, as the depth is the store's. */
#include "storeclient/storeclient.h"

typedef struct StoreNodeWalk {
        struct {
                const StoreNode *node;
                size_t next;
        } stack[STORE_NODE_DEPTH_MAX];
        size_t depth;
} StoreNodeWalk;

/* Borrows the nodes. */
void store_node_walk_begin(StoreNodeWalk *walk, const StoreNode *top);

/* NULL: no more. */
const StoreNode *store_node_walk_next(StoreNodeWalk *walk);
