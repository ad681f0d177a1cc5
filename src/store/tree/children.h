#pragma once
/*
 * The children of a directory in bytewise order of their names: a sorted sequence cut into runs of bounded length, so
 * that finding takes two binary searches and a change moves little memory, however large the directory is. Borrows the
 * nodes. Zeroed is empty and valid.
 */
#include "base/str.h"

typedef struct Node Node;
typedef struct ChildRun ChildRun;

#define CHILD_RUN_MAX 128

typedef struct ChildTable {
        uint32_t length;   /* runs */
        uint32_t capacity;
        size_t count;      /* children in all runs */
        ChildRun *runs[];
} ChildTable;

/* One pointer, for a node has one word for either value or children. NULL: no children. */
typedef struct Children {
        ChildTable *table;
} Children;

void children_deinit(Children *children);

static inline size_t children_count(const Children *children) {
        return children->table ? children->table->count : 0;
}

/* NULL when absent. */
Node *children_find(const Children *children, Slice name);

/* The name must be absent. -ENOMEM. */
int children_insert(Children *children, Node *node);

/* The node must be there. */
void children_remove(Children *children, const Node *node);

/* First child, or NULL. */
Node *children_first(const Children *children);

/* The first child after `name`, whether or not a child has that name; NULL at the end. */
Node *children_after(const Children *children, Slice name);

/* In order. Start with a zeroed position; false at the end. No change of the children in between. */
typedef struct ChildPosition {
        uint32_t run, at;
} ChildPosition;
bool children_next(const Children *children, ChildPosition *position, Node **ret_node);
