#pragma once
/* The bytes of nodes and events in a snapshot: docs/formats/store-snapshot.md. */
#include "base/wire.h"
#include "store/tree/command.h"
#include "store/tree/node.h"
#include "store/tree/path.h"

typedef enum RecordType {
        RECORD_STATE = 1,
        RECORD_EVENT = 2,
        RECORD_NODE = 3,
        RECORD_END = 4,
} RecordType;

/* Most that one record takes: an event with two values. */
#define RECORD_MAX ((size_t)256 + TREE_PATH_MAX + 2 * (size_t)COMMAND_VALUE_MAX)

/* The path of the node record before: a record has only what differs from it. */
typedef struct RecordPath {
        size_t length;
        char bytes[TREE_PATH_MAX];
} RecordPath;

void record_put_node(Buffer *buffer, const Node *node, RecordPath *path);
void record_put_event(Buffer *buffer, const Event *event);

/* Reads what follows the type. `path` becomes that of the node. The node is in no tree; its expiry, if any, in no heap.
 * -EBADMSG, -ENOMEM. */
int record_get_node(WireReader *reader, RecordPath *path, Node **ret_node);
int record_get_event(WireReader *reader, Event **ret_event);
