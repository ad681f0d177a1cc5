#include "base/siphash.h"
#include "store/tree/tree.h"

/* A digest that a later step takes over from an earlier one. */
static uint64_t digest_bytes(uint64_t digest, Slice bytes) {
        return siphash24(bytes.data, bytes.length, (SipKey){digest, bytes.length});
}

static uint64_t digest_numbers(uint64_t digest, const uint64_t *numbers, size_t count) {
        return digest_bytes(digest, (Slice){(const char *)numbers, count * sizeof(*numbers)});
}

static uint64_t digest_node(uint64_t digest, const Node *node) {
        uint64_t numbers[] = {
                node->created,
                node->modified,
                node->dir,
                node->dir ? children_count(&node->children) : 0,
                node->expiry != NULL,
                node->expiry ? (uint64_t)node->expiry->at : 0,
                node->expiry ? node->expiry->heap.tie : 0,
        };

        digest = digest_numbers(digest, numbers, ARRAY_SIZE(numbers));
        digest = digest_bytes(digest, node_name(node));
        return node->dir ? digest : digest_bytes(digest, value_slice(node->value));
}

static uint64_t digest_event_node(uint64_t digest, const EventNode *node) {
        uint64_t numbers[] = {node->has_value, node->dir,     node->has_expiry, (uint64_t)node->expiry,
                              node->created,   node->modified};

        digest = digest_numbers(digest, numbers, ARRAY_SIZE(numbers));
        return digest_bytes(digest, value_slice(node->value));
}

static uint64_t digest_event(uint64_t digest, const Event *event) {
        uint64_t numbers[] = {event->action, event->refresh, event->has_previous, (uint64_t)event->time};

        digest = digest_numbers(digest, numbers, ARRAY_SIZE(numbers));
        digest = digest_bytes(digest, event_path(event));
        digest = digest_event_node(digest, &event->node);
        return digest_event_node(digest, &event->previous);
}

static uint64_t digest_state(const Tree *tree) {
        const TreeStats *s = &tree->stats;
        uint64_t numbers[] = {
                tree->index,
                s->sets.success,
                s->sets.fail,
                s->deletes.success,
                s->deletes.fail,
                s->updates.success,
                s->updates.fail,
                s->creates.success,
                s->creates.fail,
                s->compare_and_swaps.success,
                s->compare_and_swaps.fail,
                s->compare_and_deletes.success,
                s->compare_and_deletes.fail,
                s->expired,
        };

        return digest_numbers(0, numbers, ARRAY_SIZE(numbers));
}

static uint64_t digest_history(const History *history) {
        uint64_t digest = 0;

        for (size_t i = 0; i < history->length; i++)
                digest = digest_event(digest, history_at(history, i));
        return digest;
}

uint64_t tree_hash(const Tree *tree) {
        uint64_t parts[2] = {digest_state(tree), digest_history(&tree->history)}, digest;

        digest = digest_numbers(0, parts, ARRAY_SIZE(parts));
        for (const Node *node = tree->root; node; node = node_next(node, tree->root))
                digest = digest_node(digest, node);
        return digest;
}

static bool tree_differ(char **ret_where, const Node *node, const char *word) {
        _cleanup_buffer_ Buffer where = BUFFER_INIT;

        if (!ret_where)
                return false;
        if (node)
                (void)node_append_path(node, &where);
        else
                (void)buffer_append_string(&where, word);
        *ret_where = buffer_steal_string(&where, NULL);
        return false;
}

bool tree_equal(const Tree *a, const Tree *b, char **ret_where) {
        const Node *x = a->root, *y = b->root;

        for (; x && y; x = node_next(x, a->root), y = node_next(y, b->root))
                if (digest_node(0, x) != digest_node(0, y))
                        return tree_differ(ret_where, x, NULL);
        if (x || y)
                return tree_differ(ret_where, x ? x : y, NULL);
        if (digest_state(a) != digest_state(b))
                return tree_differ(ret_where, NULL, "index or counters");
        if (digest_history(&a->history) != digest_history(&b->history))
                return tree_differ(ret_where, NULL, "history");
        return true;
}
