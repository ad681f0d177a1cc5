#include "storeclient/storeclient.h"

#include <assert.h>

static void node_deinit(StoreNode *node) {
        free(node->key);
        free(node->value);
        free(node->expiration);
        free(node->nodes);
}

/* Iterative: the depth is the sender's. */
static void node_deinit_all(StoreNode *top) {
        struct {
                StoreNode *node;
                size_t next;
        } stack[STORE_NODE_DEPTH_MAX];
        size_t depth = 1;

        stack[0].node = top;
        stack[0].next = 0;
        while (depth > 0) {
                StoreNode *node = stack[depth - 1].node;

                if (stack[depth - 1].next < node->node_count) {
                        StoreNode *child = &node->nodes[stack[depth - 1].next++];

                        assert(depth < STORE_NODE_DEPTH_MAX);
                        stack[depth].node = child;
                        stack[depth].next = 0;
                        depth++;
                        continue;
                }
                node_deinit(node);
                depth--;
        }
}

StoreNode *store_node_free(StoreNode *node) {
        if (!node)
                return NULL;
        node_deinit_all(node);
        free(node);
        return NULL;
}

void store_reply_deinit(StoreReply *reply) {
        free(reply->message);
        free(reply->cause);
        free(reply->action);
        store_node_free(reply->node);
        store_node_free(reply->prev_node);
        *reply = (StoreReply){0};
}

const char *store_node_name(const StoreNode *node) {
        const char *slash = node->key ? strrchr(node->key, '/') : NULL;

        return slash ? slash + 1 : node->key ?: "";
}

static const StoreNode *child_towards(const StoreNode *node, const char *key) {
        for (size_t i = 0; i < node->node_count; i++) {
                const StoreNode *child = &node->nodes[i];
                size_t length = child->key ? strlen(child->key) : 0;

                if (length > 0 && strncmp(key, child->key, length) == 0 && (key[length] == '\0' || key[length] == '/'))
                        return child;
        }
        return NULL;
}

const StoreNode *store_node_find(const StoreNode *node, const char *key) {
        while (node && !(node->key && str_equals(node->key, key)))
                node = child_towards(node, key);
        return node;
}
