#include "store/tree/tree.h"

#include <assert.h>
#include <errno.h>

#include "store/tree/lookup.h"

static int tree_add_top(Tree *tree, const char *path) {
        _cleanup_(node_freep) Node *node = node_new(path_name(slice_from(path)), true);
        int r;

        if (!node)
                return -ENOMEM;
        r = children_insert(&tree->root->children, node);
        if (r < 0)
                return r;
        node->parent = tree->root;
        tree->count++;
        tree->bytes += node_payload(node);
        (void)take_ptr(node);
        return 0;
}

int tree_init(Tree *tree, const TreeOptions *options) {
        size_t capacity = options && options->history_capacity ? options->history_capacity : HISTORY_CAPACITY_DEFAULT;
        int r;

        *tree = (Tree){0};
        hub_init(&tree->hub, options ? options->seed : (SipKey){0});
        r = history_init(&tree->history, capacity);
        if (r < 0)
                return r;
        tree->root = node_new((Slice){"", 0}, true);
        r = tree->root ? tree_add_top(tree, TREE_SYSTEM) : -ENOMEM;
        if (r >= 0)
                r = tree_add_top(tree, TREE_KEYS);
        if (r < 0)
                tree_deinit(tree);
        return r;
}

void tree_deinit(Tree *tree) {
        assert(!tree->snapshot);
        heap_deinit(&tree->expiries);
        node_free_all(tree->root);
        history_deinit(&tree->history);
        hub_deinit(&tree->hub);
        *tree = (Tree){0};
}

/* `path` up to and including the component `last`, which is a part of it. */
static Slice path_through(Slice path, Slice last) {
        return (Slice){path.data, (size_t)(last.data + last.length - path.data)};
}

Lookup tree_lookup(const Tree *tree, Slice path) {
        Lookup lookup = {.node = tree->root, .found = {path.data, 1}};
        Slice rest = path, name;

        if (path.length == 1)
                return lookup;
        lookup.missing = path;
        while (path_next(&rest, &name)) {
                Node *child = lookup.node->dir ? children_find(&lookup.node->children, name) : NULL;

                if (!child)
                        return lookup;
                lookup = (Lookup){child, path_through(path, name), rest};
        }
        lookup.missing = (Slice){0};
        return lookup;
}

int tree_fail(const Tree *tree, TreeError *error, TreeCode code, Slice cause) {
        return tree_error_set(error, code, tree->index, cause);
}

int tree_fail_lookup(const Tree *tree, const Lookup *lookup, Slice path, TreeError *error) {
        Slice rest = lookup->missing, name = {0};

        if (lookup_is_blocked(lookup))
                return tree_fail(tree, error, TREE_NOT_DIRECTORY, lookup->found);
        (void)path_next(&rest, &name);
        return tree_fail(tree, error, TREE_KEY_NOT_FOUND, path_through(path, name));
}

int tree_find(const Tree *tree, Slice path, const Node **ret_node, TreeError *error) {
        Lookup lookup = tree_lookup(tree, path);

        if (!lookup_is_exact(&lookup))
                return tree_fail_lookup(tree, &lookup, path, error);
        *ret_node = lookup.node;
        return 0;
}

int tree_get(Tree *tree, Slice path, const Node **ret_node, TreeError *error) {
        int r = tree_find(tree, path, ret_node, error);

        if (r == 0)
                tree->stats.gets.success++;
        else
                tree->stats.gets.fail++;
        return r;
}

int tree_watch(Tree *tree, const WatchOptions *options, Watcher **ret_watcher, TreeError *error) {
        WatchOptions from_now = *options;

        if (from_now.since == 0)
                from_now.since = tree->index + 1;
        return hub_watch(&tree->hub, &tree->history, &from_now, tree->index, ret_watcher, error);
}

bool tree_next_expiry(const Tree *tree, WallUsec *ret_time) {
        const HeapNode *first = heap_first(&tree->expiries);

        if (!first)
                return false;
        *ret_time = container_of(first, const Expiry, heap)->at;
        return true;
}
