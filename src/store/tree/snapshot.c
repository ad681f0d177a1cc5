#include "store/tree/snapshot.h"

#include <assert.h>
#include <errno.h>

#include "base/crc32c.h"
#include "store/tree/record.h"

/*
 * Every node has the number of the last snapshot that has it. The walk goes over the tree in its order and writes each
 * node that does not have this snapshot's number yet. A change to such a node writes it first, as it was, with the
 * directories above it. New nodes are born with the number. So each node that was there at the beginning is written
 * exactly once, as it was then, and parents before children.
 */
struct TreeSnapshot {
        Tree *tree;
        uint64_t index;
        Node *next;     /* the walk's next node; NULL at its end */
        Event **events; /* the history at the beginning: references */
        size_t event_count, event_next;
        uint64_t node_count;
        RecordPath path; /* of the last node written */
        Buffer block;    /* records of the block under way */
        Buffer output;   /* whole blocks */
        int failure;
        bool complete;
};

static void snapshot_put_state(Buffer *buffer, const Tree *tree) {
        const TreeStats *s = &tree->stats;
        const OperationCount *counts[] = {&s->gets,    &s->sets,              &s->deletes,            &s->updates,
                                          &s->creates, &s->compare_and_swaps, &s->compare_and_deletes};

        wire_put_u8(buffer, RECORD_STATE);
        wire_put_varint(buffer, tree->index);
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                wire_put_varint(buffer, counts[i]->success);
                wire_put_varint(buffer, counts[i]->fail);
        }
        wire_put_varint(buffer, s->expired);
}

static void snapshot_flush(TreeSnapshot *snapshot) {
        Buffer *block = &snapshot->block;

        if (buffer_failed(block))
                snapshot->failure = buffer_failed(block);
        wire_put_u32(&snapshot->output, (uint32_t)buffer_length(block));
        wire_put_u32(&snapshot->output, crc32c(0, buffer_data(block), buffer_length(block)));
        (void)buffer_append(&snapshot->output, buffer_data(block), buffer_length(block));
        if (buffer_failed(&snapshot->output))
                snapshot->failure = buffer_failed(&snapshot->output);
        buffer_clear(block);
}

/* To be called after each record: a block holds whole ones. */
static void snapshot_end_record(TreeSnapshot *snapshot) {
        if (buffer_length(&snapshot->block) >= SNAPSHOT_BLOCK_BYTES || buffer_failed(&snapshot->block))
                snapshot_flush(snapshot);
}

int snapshot_begin(Tree *tree, TreeSnapshot **ret_snapshot) {
        _cleanup_(snapshot_freep) TreeSnapshot *snapshot = NULL;

        if (tree->snapshot)
                return -EBUSY;
        snapshot = calloc(1, sizeof(*snapshot));
        if (!snapshot)
                return -ENOMEM;
        snapshot->tree = tree;
        snapshot->index = tree->index;
        snapshot->events = calloc(max_of(tree->history.length, (size_t)1), sizeof(*snapshot->events));
        if (!snapshot->events)
                return -ENOMEM;

        (void)buffer_append_string(&snapshot->output, SNAPSHOT_MAGIC);
        wire_put_u8(&snapshot->output, SNAPSHOT_VERSION);
        snapshot_put_state(&snapshot->block, tree);
        if (buffer_failed(&snapshot->output) || buffer_failed(&snapshot->block))
                return -ENOMEM;
        for (size_t i = 0; i < tree->history.length; i++)
                snapshot->events[snapshot->event_count++] = event_ref(history_at(&tree->history, i));
        tree->snapshots++;
        assert(tree->snapshots != 0);
        tree->root->saved = tree->snapshots;
        tree->snapshot = snapshot;
        snapshot->next = children_first(&tree->root->children);
        *ret_snapshot = take_ptr(snapshot);
        return 0;
}

static void snapshot_drop_events(TreeSnapshot *snapshot) {
        for (; snapshot->event_next < snapshot->event_count; snapshot->event_next++)
                (void)event_unref(snapshot->events[snapshot->event_next]);
}

TreeSnapshot *snapshot_free(TreeSnapshot *snapshot) {
        if (!snapshot)
                return NULL;
        if (snapshot->tree->snapshot == snapshot)
                snapshot->tree->snapshot = NULL;
        snapshot_drop_events(snapshot);
        free(snapshot->events);
        buffer_deinit(&snapshot->block);
        buffer_deinit(&snapshot->output);
        free(snapshot);
        return NULL;
}

uint64_t snapshot_index(const TreeSnapshot *snapshot) {
        return snapshot->index;
}

Buffer *snapshot_output(TreeSnapshot *snapshot) {
        return &snapshot->output;
}

static void snapshot_put_node(TreeSnapshot *snapshot, Node *node) {
        node->saved = snapshot->tree->snapshots;
        if (snapshot->failure)
                return;
        record_put_node(&snapshot->block, node, &snapshot->path);
        snapshot->node_count++;
        snapshot_end_record(snapshot);
}

void snapshot_preserve_now(TreeSnapshot *snapshot, Node *node) {
        Node *chain[TREE_DEPTH_MAX];
        size_t length = 0;

        for (; node->saved != snapshot->tree->snapshots; node = node->parent) {
                assert(length < ARRAY_SIZE(chain));
                chain[length++] = node;
        }
        while (length > 0)
                snapshot_put_node(snapshot, chain[--length]);
}

void snapshot_leave(Tree *tree, const Node *top) {
        TreeSnapshot *snapshot = tree->snapshot;

        if (!snapshot)
                return;
        for (const Node *node = snapshot->next; node; node = node->parent)
                if (node == top) {
                        snapshot->next = node_next_after(top, tree->root);
                        return;
                }
}

static void snapshot_end(TreeSnapshot *snapshot) {
        wire_put_u8(&snapshot->block, RECORD_END);
        wire_put_varint(&snapshot->block, snapshot->event_count);
        wire_put_varint(&snapshot->block, snapshot->node_count);
        snapshot_flush(snapshot);
        snapshot->complete = true;
}

int snapshot_step(TreeSnapshot *snapshot, size_t nodes) {
        size_t before = buffer_length(&snapshot->output);

        while (nodes > 0 && !snapshot->complete && !snapshot->failure &&
               buffer_length(&snapshot->output) - before < SNAPSHOT_STEP_BYTES) {
                if (snapshot->event_next < snapshot->event_count) {
                        Event *event = snapshot->events[snapshot->event_next++];

                        record_put_event(&snapshot->block, event);
                        (void)event_unref(event);
                        snapshot_end_record(snapshot);
                } else if (snapshot->next) {
                        snapshot_preserve(snapshot->tree, snapshot->next);
                        snapshot->next = node_next(snapshot->next, snapshot->tree->root);
                } else
                        snapshot_end(snapshot);
                nodes--;
        }
        if (snapshot->failure)
                return snapshot->failure;
        return snapshot->complete ? 0 : 1;
}
