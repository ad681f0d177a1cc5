/* get: one key's value. */
#include "cli/store.h"

static int run(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {.verb = STORE_GET, .sorted = arguments->sorted, .quorum = arguments->quorum};
        StoreReply reply;
        int code = store_connect(group);

        if (code != 0)
                return code;
        request.key = store_need_key(group, arguments);
        if (!request.key)
                return STORE_EXIT_USAGE;
        code = store_request(group, &request, &reply);
        if (code != 0)
                return code;
        if (reply.node && reply.node->dir && (group->old || group->output != STORE_OUTPUT_JSON)) {
                _cleanup_free_ char *old = str_printf("%s: is a directory", store_old_key(reply.node));
                _cleanup_free_ char *ours = str_printf("%s is a directory; \"%s ls %s\" lists it", reply.node->key,
                                                       group->program, reply.node->key);

                code = store_complain(group, STORE_EXIT_USAGE, old ?: "", ours ?: "");
        } else {
                store_print_reply(group, &reply);
        }
        store_reply_deinit(&reply);
        return code;
}

static const StoreFlag flags[] = {
        {"sort", NULL, STORE_FLAG_SWITCH, STORE_AT(sorted), NULL, "in the order of the keys",
         "returns result in sorted order", NULL, NULL},
        {"quorum", "q", STORE_FLAG_SWITCH, STORE_AT(quorum), NULL, "as new as the whole cluster knows",
         "require quorum for get request", NULL, NULL},
        {0},
};

const StoreCommand store_verb_get = {
        .name = "get",
        .arguments = "KEY",
        .summary = "print a key's value",
        .old_arguments = "<key>",
        .old_summary = "retrieve the value of a key",
        .flags = flags,
        .run = run,
};
