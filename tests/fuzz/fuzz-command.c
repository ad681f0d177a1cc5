/* Commands from the log: whatever decodes has one encoding and can be applied. */
#include <assert.h>

#include "store/tree/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer again = BUFFER_INIT;
        Slice bytes = {(const char *)data, size};
        Command command;
        Tree tree;

        if (command_decode(bytes, &command) < 0)
                return 0;
        assert(command_check(&command) == 0);
        assert(command_encode(&command, &again) == 0);
        assert(slice_equals(bytes, (Slice){buffer_data(&again), buffer_length(&again)}));
        assert(tree_init(&tree, &(TreeOptions){.history_capacity = 4}) == 0);
        assert(tree_apply(&tree, &command, NULL, NULL) >= 0);
        assert(tree_apply(&tree, &command, NULL, NULL) >= 0);
        tree_deinit(&tree);
        return 0;
}
