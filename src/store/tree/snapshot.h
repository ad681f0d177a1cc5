#pragma once
/*
 * Writes the whole tree in steps while it goes on changing, and reads it back. What is written is the tree as it was
 * at snapshot_begin(): docs/decisions/store-snapshot.md says how, docs/formats/store-snapshot.md has the bytes.
 */
#include "base/error.h"
#include "store/tree/tree.h"

/* First bytes of a snapshot, and the version of what follows. */
#define SNAPSHOT_MAGIC "FAERTREE"
#define SNAPSHOT_VERSION 1

/* Records are gathered into blocks of about this size, each with its checksum. */
#define SNAPSHOT_BLOCK_BYTES ((size_t)64 * 1024)

/* A step ends early when it has written so much. */
#define SNAPSHOT_STEP_BYTES ((size_t)1024 * 1024)

/* Nodes that one snapshot_step() looks at by default: well under a millisecond. */
#define SNAPSHOT_STEP_NODES 1000

/* Begins. One at a time: -EBUSY while another is under way. -ENOMEM. Takes time in the order of the history. */
int snapshot_begin(Tree *tree, TreeSnapshot **ret_snapshot);

/* Ends it, complete or not. Must come before the tree's end. NULL is allowed; returns NULL. */
TreeSnapshot *snapshot_free(TreeSnapshot *snapshot);
CLEANUP_DEFINE(TreeSnapshot, snapshot_free)

/* The tree's index that the snapshot has. */
uint64_t snapshot_index(const TreeSnapshot *snapshot);

/*
 * Goes on by at most `nodes` nodes. 1: there is more, 0: complete, -ENOMEM: this snapshot is lost (the tree is not).
 * Afterwards snapshot_output() has bytes to be written out in order; consume them with buffer_consume(). Changes of
 * the tree between steps add to it too.
 */
int snapshot_step(TreeSnapshot *snapshot, size_t nodes);
Buffer *snapshot_output(TreeSnapshot *snapshot);

/* For the tree: `node` is about to change or to go, so a snapshot under way must have it now. */
void snapshot_preserve_now(TreeSnapshot *snapshot, Node *node);

static inline void snapshot_preserve(Tree *tree, Node *node) {
        if (tree->snapshot && node->saved != tree->snapshots)
                snapshot_preserve_now(tree->snapshot, node);
}

/* For the tree: `top` and all below it are about to go, so the walk must not stand there. */
void snapshot_leave(Tree *tree, const Node *top);

/*
 * Reading back, also in steps: bytes are fed as they come, in pieces of any size.
 */
typedef struct SnapshotReader SnapshotReader;

int snapshot_reader_new(const TreeOptions *options, SnapshotReader **ret_reader); /* -ENOMEM */
SnapshotReader *snapshot_reader_free(SnapshotReader *reader);
CLEANUP_DEFINE(SnapshotReader, snapshot_reader_free)

/* -EBADMSG with a text in `error` when the bytes are no snapshot, or damaged; -ENOMEM. The reader is then of no more
 * use. */
int snapshot_reader_feed(SnapshotReader *reader, Slice bytes, Error *error);

/* After the last byte: puts what was read in the place of the tree's contents. Watchers stay: they see the events they
 * missed or become WATCHER_CLEARED. -EBADMSG when the snapshot is not complete; the tree is then as it was. The tree
 * must have no snapshot under way. */
int snapshot_reader_finish(SnapshotReader *reader, Tree *tree, Error *error);
