#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "base/crc32c.h"
#include "store/tree/lookup.h"
#include "store/tree/record.h"
#include "store/tree/snapshot.h"

enum {
        HEADER_LENGTH = sizeof(SNAPSHOT_MAGIC) - 1 + 1,
        BLOCK_HEADER_LENGTH = 8,
};

/* A block ends after the record that fills it. */
#define BLOCK_MAX (SNAPSHOT_BLOCK_BYTES + RECORD_MAX)

struct SnapshotReader {
        Tree tree; /* what was read so far; its hub stays empty */
        Buffer input;
        uint64_t offset; /* of the input's first byte, for messages */
        RecordPath path;
        uint64_t event_count, node_count;
        bool has_header, has_state, complete;
};

int snapshot_reader_new(const TreeOptions *options, SnapshotReader **ret_reader) {
        _cleanup_free_ SnapshotReader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader)
                return -ENOMEM;
        r = tree_init(&reader->tree, options);
        if (r < 0)
                return r;
        /* the snapshot has the directories that every tree begins with */
        heap_deinit(&reader->tree.expiries);
        while (children_count(&reader->tree.root->children) > 0) {
                Node *node = children_first(&reader->tree.root->children);

                children_remove(&reader->tree.root->children, node);
                (void)node_free(node);
        }
        reader->tree.count = reader->tree.bytes = 0;
        *ret_reader = take_ptr(reader);
        return 0;
}

SnapshotReader *snapshot_reader_free(SnapshotReader *reader) {
        if (!reader)
                return NULL;
        tree_deinit(&reader->tree);
        buffer_deinit(&reader->input);
        free(reader);
        return NULL;
}

static int read_state(SnapshotReader *reader, WireReader *wire) {
        TreeStats *s = &reader->tree.stats;
        OperationCount *counts[] = {&s->gets,    &s->sets,              &s->deletes,            &s->updates,
                                    &s->creates, &s->compare_and_swaps, &s->compare_and_deletes};

        if (reader->has_state)
                return -EBADMSG;
        reader->has_state = true;
        reader->tree.index = wire_get_varint(wire);
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                counts[i]->success = wire_get_varint(wire);
                counts[i]->fail = wire_get_varint(wire);
        }
        s->expired = wire_get_varint(wire);
        return wire_failed(wire) ? -EBADMSG : 0;
}

static int read_event(SnapshotReader *reader, WireReader *wire) {
        _cleanup_event_ Event *event = NULL;
        History *history = &reader->tree.history;
        int r;

        r = record_get_event(wire, &event);
        if (r < 0)
                return r;
        if (event_index(event) == 0 || event_index(event) > reader->tree.index ||
            (history->length > 0 && event_index(event) != history_newest(history) + 1))
                return -EBADMSG;
        history_add(history, event);
        reader->event_count++;
        return 0;
}

static int read_expiry(Tree *tree, Node *node) {
        Expiry *expiry = node->expiry;

        if (!expiry)
                return 0;
        expiry->heap.key = (uint64_t)expiry->at ^ (uint64_t)1 << 63;
        return heap_insert(&tree->expiries, &expiry->heap);
}

static int read_node(SnapshotReader *reader, WireReader *wire) {
        _cleanup_(node_freep) Node *node = NULL;
        Tree *tree = &reader->tree;
        Slice path;
        Lookup lookup;
        int r;

        r = record_get_node(wire, &reader->path, &node);
        if (r < 0)
                return r;
        path = (Slice){reader->path.bytes, reader->path.length};
        lookup = tree_lookup(tree, path_parent(path));
        if (!lookup_is_exact(&lookup) || !lookup.node->dir ||
            children_find(&lookup.node->children, node_name(node)) || node->modified > tree->index ||
            (node->expiry && node->expiry->heap.tie > tree->index))
                return -EBADMSG;
        r = read_expiry(tree, node);
        if (r < 0)
                return r;
        r = children_insert(&lookup.node->children, node);
        if (r < 0) {
                if (node->expiry)
                        heap_remove(&tree->expiries, &node->expiry->heap);
                return r;
        }
        node->parent = lookup.node;
        tree->count++;
        tree->bytes += node_payload(node);
        reader->node_count++;
        (void)take_ptr(node);
        return 0;
}

static int read_end(SnapshotReader *reader, WireReader *wire) {
        uint64_t events = wire_get_varint(wire), nodes = wire_get_varint(wire);

        /* the last record of the last block */
        if (!wire_at_end(wire) || events != reader->event_count || nodes != reader->node_count)
                return -EBADMSG;
        if (history_newest(&reader->tree.history) != reader->tree.index)
                return -EBADMSG;
        reader->complete = true;
        return 0;
}

static int read_record(SnapshotReader *reader, WireReader *wire) {
        uint8_t type = wire_get_u8(wire);

        if (type != RECORD_STATE && !reader->has_state)
                return -EBADMSG;
        switch (type) {
        case RECORD_STATE:
                return read_state(reader, wire);
        case RECORD_EVENT:
                return read_event(reader, wire);
        case RECORD_NODE:
                return read_node(reader, wire);
        case RECORD_END:
                return read_end(reader, wire);
        default:
                return -EBADMSG;
        }
}

static int reader_damaged(const SnapshotReader *reader, const char *what, Error *error) {
        return error_set(error, -EBADMSG, "snapshot is damaged at byte %" PRIu64 ": %s", reader->offset, what);
}

static int read_block(SnapshotReader *reader, Slice payload, Error *error) {
        WireReader wire = wire_reader(payload);
        int r;

        while (wire.rest.length > 0) {
                if (reader->complete)
                        return reader_damaged(reader, "there is more after its end", error);
                r = read_record(reader, &wire);
                if (r == -EBADMSG)
                        return reader_damaged(reader, "a record in this block is malformed", error);
                if (r < 0)
                        return error_set_errno(error, r, "reading the snapshot");
        }
        return 0;
}

static int read_header(SnapshotReader *reader, Error *error) {
        const char *header = buffer_data(&reader->input);

        if (memcmp(header, SNAPSHOT_MAGIC, HEADER_LENGTH - 1) != 0)
                return error_set(error, -EBADMSG, "this is no snapshot of a store: it does not begin with %s",
                                 SNAPSHOT_MAGIC);
        if (header[HEADER_LENGTH - 1] != SNAPSHOT_VERSION)
                return error_set(error, -EBADMSG,
                                 "snapshot has version %d, but this program reads version %d: "
                                 "use the program that wrote it",
                                 header[HEADER_LENGTH - 1], SNAPSHOT_VERSION);
        reader->has_header = true;
        return 0;
}

static void reader_consume(SnapshotReader *reader, size_t length) {
        buffer_consume(&reader->input, length);
        reader->offset += length;
}

/* One block, if it is there whole: *ret_more says so. */
static int read_next_block(SnapshotReader *reader, bool *ret_more, Error *error) {
        Slice input = {buffer_data(&reader->input), buffer_length(&reader->input)};
        WireReader wire = wire_reader(input);
        uint32_t length, checksum;
        int r;

        *ret_more = false;
        if (input.length < BLOCK_HEADER_LENGTH)
                return 0;
        length = wire_get_u32(&wire);
        checksum = wire_get_u32(&wire);
        if (length == 0 || length > BLOCK_MAX)
                return reader_damaged(reader, "a block has an impossible length", error);
        if (wire.rest.length < length)
                return 0;
        if (crc32c(0, wire.rest.data, length) != checksum)
                return reader_damaged(reader, "a block's checksum is wrong", error);
        r = read_block(reader, (Slice){wire.rest.data, length}, error);
        if (r < 0)
                return r;
        reader_consume(reader, BLOCK_HEADER_LENGTH + length);
        *ret_more = true;
        return 0;
}

int snapshot_reader_feed(SnapshotReader *reader, Slice bytes, Error *error) {
        bool more = true;
        int r;

        r = buffer_append(&reader->input, bytes.data, bytes.length);
        if (r < 0)
                return error_set_errno(error, r, "reading the snapshot");
        if (!reader->has_header) {
                if (buffer_length(&reader->input) < HEADER_LENGTH)
                        return 0;
                r = read_header(reader, error);
                if (r < 0)
                        return r;
                reader_consume(reader, HEADER_LENGTH);
        }
        while (more) {
                r = read_next_block(reader, &more, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool tree_has_top(const Tree *tree, const char *path) {
        Lookup lookup = tree_lookup(tree, slice_from(path));

        return lookup_is_exact(&lookup) && lookup.node->dir;
}

/* Everything changes places but the hub with its watchers, and what belongs to snapshots. */
static void tree_exchange(Tree *a, Tree *b) {
        Tree old = {
                .root = a->root,
                .index = a->index,
                .count = a->count,
                .bytes = a->bytes,
                .expiries = a->expiries,
                .history = a->history,
                .stats = a->stats,
        };

        a->root = b->root;
        a->index = b->index;
        a->count = b->count;
        a->bytes = b->bytes;
        a->expiries = b->expiries;
        a->history = b->history;
        a->stats = b->stats;
        b->root = old.root;
        b->index = old.index;
        b->count = old.count;
        b->bytes = old.bytes;
        b->expiries = old.expiries;
        b->history = old.history;
        b->stats = old.stats;
}

int snapshot_reader_finish(SnapshotReader *reader, Tree *tree, Error *error) {
        uint64_t last = tree->index;

        assert(!tree->snapshot);
        if (!reader->complete || buffer_length(&reader->input) > 0)
                return reader_damaged(reader, "it ends too early", error);
        if (!tree_has_top(&reader->tree, TREE_KEYS) || !tree_has_top(&reader->tree, TREE_SYSTEM))
                return reader_damaged(reader, "directories that every store has are missing", error);
        tree_exchange(tree, &reader->tree);
        hub_replay(&tree->hub, &tree->history, last);
        return 0;
}
