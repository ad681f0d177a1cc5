/* YAML: any bytes are refused with a reason, or give a tree that keeps to the limits which whoever walks it relies on. */
#include <assert.h>

#include "boot/config/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static size_t walk(const ConfigNode *node, size_t depth) {
        size_t weight = 1;

        assert(node->complete && depth <= CONFIG_DEPTH_MAX && node->line > 0);
        assert(node->kind != CONFIG_SCALAR || (node->length == 0 && node->text.data[node->text.length] == '\0'));
        for (size_t i = 0; i < node->length; i++) {
                assert((node->entries[i].name != NULL) == (node->kind == CONFIG_MAP));
                weight += walk(node->entries[i].value, depth + 1);
        }
        assert(weight <= CONFIG_NODES_MAX);
        return weight;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        const Slice text = {length ? (const char *)bytes : "", length};
        _cleanup_config_tree_ ConfigTree tree = {0};
        YamlProblem problem = {0};
        Error error = ERROR_NONE;
        int r = config_tree_parse(text, &tree, &problem, &error);

        assert(r >= 0 || (!tree.root && error.text[0]));
        if (r >= 0 && tree.root)
                (void)walk(tree.root, 1);
        return 0;
}
