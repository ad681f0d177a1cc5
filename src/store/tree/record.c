#include "store/tree/record.h"

#include <assert.h>
#include <errno.h>

enum {
        NODE_DIR = 1 << 0,
        NODE_EXPIRY = 1 << 1,
        NODE_VALUE = 1 << 2,
        NODE_FLAGS = NODE_DIR | NODE_EXPIRY | NODE_VALUE,

        EVENT_REFRESH = 1 << 0,
        EVENT_PREVIOUS = 1 << 1,
        EVENT_FLAGS = EVENT_REFRESH | EVENT_PREVIOUS,
};

void record_put_node(Buffer *buffer, const Node *node, RecordPath *path) {
        size_t length = node_path_length(node), shared = 0, most = min_of(length, path->length);
        char bytes[TREE_PATH_MAX];

        assert(length <= sizeof(bytes));
        node_write_path(node, bytes, length);
        while (shared < most && bytes[shared] == path->bytes[shared])
                shared++;
        memcpy(path->bytes + shared, bytes + shared, length - shared);
        path->length = length;

        wire_put_u8(buffer, RECORD_NODE);
        wire_put_u8(buffer, (uint8_t)((node->dir ? NODE_DIR : NODE_VALUE) | (node->expiry ? NODE_EXPIRY : 0)));
        wire_put_varint(buffer, shared);
        wire_put_bytes(buffer, (Slice){bytes + shared, length - shared});
        wire_put_varint(buffer, node->created);
        wire_put_varint(buffer, node->modified);
        if (node->expiry) {
                wire_put_u64(buffer, (uint64_t)node->expiry->at);
                wire_put_varint(buffer, node->expiry->heap.tie);
        }
        if (!node->dir)
                wire_put_bytes(buffer, value_slice(node->value));
}

static int record_get_path(WireReader *reader, RecordPath *path) {
        uint64_t shared = wire_get_varint(reader);
        Slice rest = wire_get_bytes(reader, TREE_PATH_MAX);

        if (wire_failed(reader) || shared > path->length || rest.length > TREE_PATH_MAX - shared)
                return -EBADMSG;
        /* what could be shared must be */
        if (rest.length > 0 && shared < path->length && path->bytes[shared] == rest.data[0])
                return -EBADMSG;
        memcpy(path->bytes + shared, rest.data, rest.length);
        path->length = (size_t)shared + rest.length;
        if (path->length < 2 || path_check((Slice){path->bytes, path->length}) != PATH_OK)
                return -EBADMSG;
        return 0;
}

static int record_get_value(WireReader *reader, Value **ret_value) {
        Slice bytes = wire_get_bytes(reader, COMMAND_VALUE_MAX);

        return wire_failed(reader) ? -EBADMSG : value_new(bytes, ret_value);
}

int record_get_node(WireReader *reader, RecordPath *path, Node **ret_node) {
        _cleanup_(node_freep) Node *node = NULL;
        uint8_t flags = wire_get_u8(reader);
        int r;

        /* either a directory or a file with a value */
        if ((flags & ~NODE_FLAGS) != 0 || !(flags & NODE_DIR) == !(flags & NODE_VALUE))
                return -EBADMSG;
        r = record_get_path(reader, path);
        if (r < 0)
                return r;
        node = node_new(path_name((Slice){path->bytes, path->length}), flags & NODE_DIR);
        if (!node)
                return -ENOMEM;
        node->created = wire_get_varint(reader);
        node->modified = wire_get_varint(reader);
        if (flags & NODE_EXPIRY) {
                node->expiry = malloc(sizeof(*node->expiry));
                if (!node->expiry)
                        return -ENOMEM;
                *node->expiry = (Expiry){.heap = HEAP_NODE_INIT, .node = node};
                node->expiry->at = (WallUsec)wire_get_u64(reader);
                node->expiry->heap.tie = wire_get_varint(reader);
        }
        if (!node->dir) {
                r = record_get_value(reader, &node->value);
                if (r < 0)
                        return r;
        }
        if (wire_failed(reader) || node->created > node->modified)
                return -EBADMSG;
        *ret_node = take_ptr(node);
        return 0;
}

static void record_put_side(Buffer *buffer, const EventNode *node) {
        wire_put_u8(buffer, (uint8_t)((node->dir ? NODE_DIR : 0) | (node->has_expiry ? NODE_EXPIRY : 0) |
                                      (node->has_value ? NODE_VALUE : 0)));
        wire_put_varint(buffer, node->created);
        wire_put_varint(buffer, node->modified);
        if (node->has_expiry)
                wire_put_u64(buffer, (uint64_t)node->expiry);
        if (node->has_value)
                wire_put_bytes(buffer, value_slice(node->value));
}

static int record_get_side(WireReader *reader, EventNode *node) {
        uint8_t flags = wire_get_u8(reader);

        if ((flags & ~NODE_FLAGS) != 0 || ((flags & NODE_DIR) && (flags & NODE_VALUE)))
                return -EBADMSG;
        node->dir = flags & NODE_DIR;
        node->has_expiry = flags & NODE_EXPIRY;
        node->has_value = flags & NODE_VALUE;
        node->created = wire_get_varint(reader);
        node->modified = wire_get_varint(reader);
        if (node->has_expiry)
                node->expiry = (WallUsec)wire_get_u64(reader);
        if (node->has_value)
                return record_get_value(reader, &node->value);
        return wire_failed(reader) ? -EBADMSG : 0;
}

void record_put_event(Buffer *buffer, const Event *event) {
        wire_put_u8(buffer, RECORD_EVENT);
        wire_put_u8(buffer, (uint8_t)event->action);
        wire_put_u8(buffer,
                    (uint8_t)((event->refresh ? EVENT_REFRESH : 0) | (event->has_previous ? EVENT_PREVIOUS : 0)));
        wire_put_u64(buffer, (uint64_t)event->time);
        wire_put_bytes(buffer, event_path(event));
        record_put_side(buffer, &event->node);
        if (event->has_previous)
                record_put_side(buffer, &event->previous);
}

int record_get_event(WireReader *reader, Event **ret_event) {
        _cleanup_event_ Event *event = NULL;
        uint8_t action = wire_get_u8(reader), flags = wire_get_u8(reader);
        WallUsec time = (WallUsec)wire_get_u64(reader);
        Slice path = wire_get_bytes(reader, TREE_PATH_MAX);
        int r;

        if (wire_failed(reader) || !event_action_name((EventAction)action) || (flags & ~EVENT_FLAGS) != 0 ||
            path_check(path) != PATH_OK)
                return -EBADMSG;
        event = event_new((EventAction)action, path);
        if (!event)
                return -ENOMEM;
        event->refresh = flags & EVENT_REFRESH;
        event->has_previous = flags & EVENT_PREVIOUS;
        event->time = time;
        r = record_get_side(reader, &event->node);
        if (r == 0 && event->has_previous)
                r = record_get_side(reader, &event->previous);
        if (r < 0)
                return r;
        *ret_event = take_ptr(event);
        return 0;
}
