/* ls: the keys of a directory, one a line. */
#include "cli/store.h"
#include "storeclient/node-walk.h"

static void print_below(const StoreNode *top, bool slash) {
        StoreNodeWalk walk;
        const StoreNode *node;

        store_node_walk_begin(&walk, top);
        while ((node = store_node_walk_next(&walk)))
                printf("%s%s\n", node->key, node->dir && slash ? "/" : "");
}

static int run(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {
                .verb = STORE_GET,
                .key = arguments->words.length > 0 ? arguments->words.items[0] : "/",
                .sorted = arguments->sorted,
                .recursive = arguments->recursive,
                .quorum = arguments->quorum,
        };
        StoreReply reply;
        int code = store_connect(group);

        if (code == 0)
                code = store_request(group, &request, &reply);
        if (code != 0)
                return code;
        if (group->output != STORE_OUTPUT_SIMPLE)
                store_print_reply(group, &reply);
        else if (reply.node && !reply.node->dir)
                printf("%s\n", reply.node->key);
        else if (reply.node)
                print_below(reply.node, arguments->slash);
        store_reply_deinit(&reply);
        return CLI_OK;
}

static const StoreFlag flags[] = {
        {"sort", NULL, STORE_FLAG_SWITCH, STORE_AT(sorted), NULL, "in the order of the keys",
         "returns result in sorted order", NULL, NULL},
        {"recursive", "r", STORE_FLAG_SWITCH, STORE_AT(recursive), NULL, "with all below",
         "returns all key names recursively for the given path", NULL, NULL},
        {"p", NULL, STORE_FLAG_SWITCH, STORE_AT(slash), NULL, "put / behind directories",
         "append slash (/) to directories", NULL, NULL},
        {"quorum", "q", STORE_FLAG_SWITCH, STORE_AT(quorum), NULL, "as new as the whole cluster knows",
         "require quorum for get request", NULL, NULL},
        {0},
};

const StoreCommand store_verb_ls = {
        .name = "ls",
        .arguments = "[KEY]",
        .summary = "list a directory",
        .old_arguments = "[key]",
        .old_summary = "retrieve a directory",
        .flags = flags,
        .run = run,
};
