#pragma once
/* How far a path leads in the tree. For the tree's own files. */
#include "store/tree/tree.h"

typedef struct Lookup {
        Node *node;    /* the deepest node on the path that exists */
        Slice found;   /* its path */
        Slice missing; /* what is left of the path below it; empty when the node is the path's own */
} Lookup;

Lookup tree_lookup(const Tree *tree, Slice path);

static inline bool lookup_is_exact(const Lookup *lookup) {
        return lookup->missing.length == 0;
}

/* True when a file stands where the path wants a directory. */
static inline bool lookup_is_blocked(const Lookup *lookup) {
        return !lookup_is_exact(lookup) && !lookup->node->dir;
}

/* tree_error_set() with the tree's index. */
int tree_fail(const Tree *tree, TreeError *error, TreeCode code, Slice cause);

/* The outcome of a lookup of `path` that is not exact. */
int tree_fail_lookup(const Tree *tree, const Lookup *lookup, Slice path, TreeError *error);
