#pragma once
/*
 * One key or directory. A directory owns its children, kept in the order of their names; the tree owns the root. Only
 * the tree changes nodes; others read them until the tree's next change.
 */
#include "base/buffer.h"
#include "base/heap.h"
#include "store/tree/children.h"
#include "store/tree/event.h"

#define NODE_NAME_MAX UINT16_MAX

/* Apart from the node, for most keys live for ever. */
typedef struct Expiry {
        HeapNode heap; /* tie: index of the command that set it, so that equal times expire in that order */
        WallUsec at;
        Node *node;
} Expiry;

struct Node {
        Node *parent; /* NULL: root */
        union {
                Value *value;
                Children children;
        };
        Expiry *expiry; /* NULL: permanent */
        uint64_t created;
        uint64_t modified;
        uint32_t saved; /* number of the last snapshot that has this node, or that was begun before it was made */
        uint16_t name_length;
        bool dir;
        char name[];
};

/* A file with no value or an empty directory, without parent. NULL when there is no memory. */
Node *node_new(Slice name, bool dir);

/* Frees the node alone: it must have no children and be in no heap. NULL is allowed; returns NULL. */
Node *node_free(Node *node);

/* Frees `top`, which is in no directory, and all below it; none may be in a heap. NULL is allowed. Iterative. */
void node_free_all(Node *top);

/* Bytes of name and value. */
static inline size_t node_payload(const Node *node) {
        return node->name_length + (node->dir ? 0 : value_slice(node->value).length);
}

/* The node as one side of an event, with a reference to its value. */
EventNode node_describe(const Node *node);

CLEANUP_DEFINE(Node, node_free)

static inline Slice node_name(const Node *node) {
        return (Slice){node->name, node->name_length};
}

static inline bool node_is_hidden(const Node *node) {
        return node->name_length > 0 && node->name[0] == '_';
}

/* The full internal path: its length, writing it to room for as much, and appending it (-ENOMEM; the buffer then stays
 * as it was). */
size_t node_path_length(const Node *node);
void node_write_path(const Node *node, char *room, size_t length);
int node_append_path(const Node *node, Buffer *buffer);

/* The next node in depth-first order within `top`, parents before children; NULL at the end. Iterative. */
Node *node_next(const Node *node, const Node *top);

/* As node_next(), without going below `node`. */
Node *node_next_after(const Node *node, const Node *top);
