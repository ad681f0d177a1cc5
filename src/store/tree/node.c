#include "store/tree/node.h"

#include <assert.h>
#include <errno.h>

Node *node_new(Slice name, bool dir) {
        Node *node;

        assert(name.length <= NODE_NAME_MAX);
        /* not sizeof: the name begins in what would be padding */
        node = malloc(max_of(offsetof(Node, name) + name.length, sizeof(*node)));
        if (!node)
                return NULL;
        *node = (Node){.dir = dir, .name_length = (uint16_t)name.length};
        if (dir)
                node->children = (Children){0};
        memcpy(node->name, name.data, name.length);
        return node;
}

Node *node_free(Node *node) {
        if (!node)
                return NULL;
        if (node->expiry)
                assert(node->expiry->heap.position == HEAP_UNLINKED);
        free(node->expiry);
        if (node->dir)
                assert(children_count(&node->children) == 0);
        else
                (void)value_unref(node->value);
        free(node);
        return NULL;
}

void node_free_all(Node *top) {
        Node *node = top;

        while (node) {
                Node *child = node->dir ? children_first(&node->children) : NULL, *parent;

                if (child) {
                        node = child;
                        continue;
                }
                if (node == top)
                        break;
                parent = node->parent;
                children_remove(&parent->children, node);
                (void)node_free(node);
                node = parent;
        }
        (void)node_free(top);
}

EventNode node_describe(const Node *node) {
        return (EventNode){
                .value = node->dir ? NULL : value_ref(node->value),
                .has_value = !node->dir,
                .dir = node->dir,
                .has_expiry = node->expiry,
                .expiry = node->expiry ? node->expiry->at : 0,
                .created = node->created,
                .modified = node->modified,
        };
}

size_t node_path_length(const Node *node) {
        size_t length = 0;

        if (!node->parent)
                return 1;
        for (const Node *n = node; n->parent; n = n->parent)
                length += n->name_length + (size_t)1;
        return length;
}

void node_write_path(const Node *node, char *room, size_t length) {
        if (!node->parent) {
                room[0] = '/';
                return;
        }
        for (const Node *n = node; n->parent; n = n->parent) {
                length -= n->name_length;
                memcpy(room + length, n->name, n->name_length);
                room[--length] = '/';
        }
        assert(length == 0);
}

int node_append_path(const Node *node, Buffer *buffer) {
        size_t length = node_path_length(node);
        char *room = buffer_reserve(buffer, length);

        if (!room)
                return -ENOMEM;
        node_write_path(node, room, length);
        buffer_commit(buffer, length);
        return 0;
}

Node *node_next(const Node *node, const Node *top) {
        Node *child = node->dir ? children_first(&node->children) : NULL;

        return child ? child : node_next_after(node, top);
}

Node *node_next_after(const Node *node, const Node *top) {
        while (node != top) {
                Node *next;

                assert(node->parent);
                next = children_after(&node->parent->children, node_name(node));
                if (next)
                        return next;
                node = node->parent;
        }
        return NULL;
}
