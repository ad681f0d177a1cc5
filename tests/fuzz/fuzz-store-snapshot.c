/*
 * Snapshots from disk or a peer. An input whose first byte is odd is read as it is; otherwise its bytes are put into a
 * block with the right checksum, for no fuzzer finds that by itself. What is read must be a tree that can be used.
 */
#include <assert.h>
#include <errno.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "store/tree/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(Tree *tree) {
        Command command = {.kind = COMMAND_SYNC, .time = INT64_MAX};

        (void)tree_hash(tree);
        assert(tree_apply(tree, &command, NULL, NULL) >= 0);
        command = (Command){.kind = COMMAND_SET, .path = slice_from("/1/a/b")};
        assert(tree_apply(tree, &command, NULL, NULL) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(snapshot_reader_freep) SnapshotReader *reader = NULL;
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        Tree tree;
        int r;

        if (size == 0)
                return 0;
        if (data[0] % 2 == 0) {
                (void)buffer_append_string(&bytes, SNAPSHOT_MAGIC);
                wire_put_u8(&bytes, SNAPSHOT_VERSION);
                wire_put_u32(&bytes, (uint32_t)(size - 1));
                wire_put_u32(&bytes, crc32c(0, data + 1, size - 1));
        }
        (void)buffer_append(&bytes, data + 1, size - 1);
        assert(snapshot_reader_new(&(TreeOptions){.history_capacity = 4}, &reader) == 0);
        r = snapshot_reader_feed(reader, (Slice){buffer_data(&bytes), buffer_length(&bytes)}, NULL);
        assert(r == 0 || r == -EBADMSG);
        assert(tree_init(&tree, NULL) == 0);
        if (r == 0 && snapshot_reader_finish(reader, &tree, NULL) == 0)
                use(&tree);
        tree_deinit(&tree);
        return 0;
}
