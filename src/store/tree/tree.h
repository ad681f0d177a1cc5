#pragma once
/*
 * The v2 key tree: keys, directories, TTLs, the history of events and the watchers. Pure and deterministic: it changes
 * only through commands, and knows only the time that they carry.
 *
 * The tree owns all nodes, the history and the hub. Its keys are full internal paths: see path.h.
 */
#include "base/heap.h"
#include "store/tree/command.h"
#include "store/tree/history.h"
#include "store/tree/hub.h"
#include "store/tree/node.h"
#include "store/tree/path.h"
#include "store/tree/stats.h"
#include "store/tree/tree-error.h"

/* Where the keys of clients live, and what the store keeps about its members. Both always exist and are read only. */
#define TREE_KEYS "/1"
#define TREE_SYSTEM "/0"

/* Where the users and roles of clients live, once there are any. */
#define TREE_AUTH "/2"

/* Expiry times before this mean "permanent" when a key is set or created, as in etcd: 2000-01-01. */
#define TREE_EXPIRY_MIN ((WallUsec)946684800 * 1000000)

typedef struct TreeOptions {
        size_t history_capacity; /* 0: HISTORY_CAPACITY_DEFAULT */
        SipKey seed;             /* of tables whose keys come from clients: secret in a server, fixed in a simulation */
} TreeOptions;

typedef struct TreeSnapshot TreeSnapshot;

typedef struct Tree {
        Node *root;
        uint64_t index;      /* of the last change; each change adds one */
        size_t count;        /* nodes, without the root */
        size_t bytes;        /* of names and values: the payload */
        Heap expiries;
        History history;
        Hub hub;
        TreeStats stats;
        uint32_t snapshots;     /* number of the last snapshot begun */
        TreeSnapshot *snapshot; /* the one under way, or NULL; borrowed */
} Tree;

int tree_init(Tree *tree, const TreeOptions *options); /* -ENOMEM; options may be NULL */

/* Watchers and the snapshot under way must be gone before. */
void tree_deinit(Tree *tree);

/*
 * Carries out a command. 0: done; ret_event (may be NULL) gets a reference to the event, or NULL after SYNC, which
 * makes one event for each expired key. Above zero: a TreeCode, `error` (may be NULL) says more, and nothing has changed.
 * -ENOMEM: nothing has changed, or for SYNC some keys have expired, and applying it again goes on from there; a replica
 * must not go on without applying it.
 */
int tree_apply(Tree *tree, const Command *command, Event **ret_event, TreeError *error);

/* The node at a full internal path (checked), borrowed until the next change. TREE_KEY_NOT_FOUND: the cause is the
 * first component's path that is missing. TREE_NOT_DIRECTORY: the cause is the file on the way. -ENOMEM. */
int tree_find(const Tree *tree, Slice path, const Node **ret_node, TreeError *error);

/* As tree_find(), counted as a get. */
int tree_get(Tree *tree, Slice path, const Node **ret_node, TreeError *error);

/* Starts a watch: see hub.h. TREE_INDEX_CLEARED, -ENOMEM. */
int tree_watch(Tree *tree, const WatchOptions *options, Watcher **ret_watcher, TreeError *error);

/* When the next key expires; false: no key has a TTL. The leader proposes SYNC when that time has come. */
bool tree_next_expiry(const Tree *tree, WallUsec *ret_time);

/* A digest of all that must be the same on every replica at the same index: nodes, TTLs, indices, history, counters but
 * those of gets. Walks the whole tree. */
uint64_t tree_hash(const Tree *tree);

/* Whether two trees are the same in that sense. On a difference ret_where (may be NULL) gets the path of the first node
 * that differs, or a word for what else does; the caller frees it. */
bool tree_equal(const Tree *a, const Tree *b, char **ret_where);
