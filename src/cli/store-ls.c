/* ls: the keys of a directory, one a line. */
#include "cli/store.h"

enum { LS_DEPTH_MAX = 256 };

/* Children in order, each directory's own behind it with `recursive`. Iterative: the depth is the server's. */
static void print_children(const StoreNode *top, bool slash) {
        struct {
                const StoreNode *node;
                size_t next;
        } stack[LS_DEPTH_MAX] = {{top, 0}};
        size_t depth = 1;

        while (depth > 0) {
                const StoreNode *node = stack[depth - 1].node, *child;

                if (stack[depth - 1].next == node->node_count) {
                        depth--;
                        continue;
                }
                child = &node->nodes[stack[depth - 1].next++];
                printf("%s%s\n", child->key, child->dir && slash ? "/" : "");
                if (child->node_count > 0 && depth < LS_DEPTH_MAX) {
                        stack[depth].node = child;
                        stack[depth].next = 0;
                        depth++;
                }
        }
}

int store_verb_ls(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "ls", false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *key = NULL;
        StoreRequest request = {.verb = STORE_GET};
        StoreReply reply;
        bool slash = false;
        const Option options[] = {
                {"sort", 0, OPTION_SWITCH, NULL, NULL, "in the order of the keys", &request.sorted, NULL},
                {"recursive", 'r', OPTION_SWITCH, NULL, NULL, "with all below", &request.recursive, NULL},
                {"p", 'p', OPTION_SWITCH, NULL, NULL, "put / behind directories", &slash, NULL},
                {"quorum", 'q', OPTION_SWITCH, NULL, NULL, "as new as the whole cluster knows", &request.quorum, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        key = store_key(arguments.length ? arguments.items[0] : "/");
        request.key = key;
        code = key ? store_connect(group) : CLI_FAILED;
        if (code == 0)
                code = store_request(group, &request, &reply);
        if (code != 0)
                return code;
        if (group->output == STORE_OUTPUT_JSON)
                store_print_json(&reply);
        else if (reply.node && !reply.node->dir)
                printf("%s\n", reply.node->key);
        else if (reply.node)
                print_children(reply.node, slash);
        store_reply_deinit(&reply);
        return code;
}
