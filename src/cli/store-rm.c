/* rm, rmdir. */
#include "cli/store.h"

static int remove_key(StoreGroup *group, const StoreArguments *arguments, StoreRequest *request) {
        StoreReply reply;
        int code = store_connect(group);

        if (code != 0)
                return code;
        request->key = store_need_key(group, arguments);
        if (!request->key)
                return STORE_EXIT_USAGE;
        code = store_request(group, request, &reply);
        if (code != 0)
                return code;
        if (!reply.node || !reply.node->dir || group->output != STORE_OUTPUT_SIMPLE)
                store_print_reply(group, &reply);
        store_reply_deinit(&reply);
        return CLI_OK;
}

static int run_rm(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {
                .verb = STORE_DELETE,
                .dir = arguments->dir,
                .recursive = arguments->recursive,
                .prev_index = arguments->previous_index,
        };

        if (arguments->previous_value && *arguments->previous_value)
                request.prev_value = arguments->previous_value;
        return remove_key(group, arguments, &request);
}

static int run_rmdir(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {.verb = STORE_DELETE, .dir = true};

        return remove_key(group, arguments, &request);
}

static const StoreFlag flags[] = {
        {"dir", NULL, STORE_FLAG_SWITCH, STORE_AT(dir), NULL, "also an empty directory",
         "removes the key if it is an empty directory or a key-value pair", NULL, NULL},
        {"recursive", "r", STORE_FLAG_SWITCH, STORE_AT(recursive), NULL, "with all below",
         "removes the key and all child keys(if it is a directory)", NULL, NULL},
        {"with-value", NULL, STORE_FLAG_TEXT, STORE_AT(previous_value), "VALUE", "only if this is the value now",
         "previous value", NULL, NULL},
        {"with-index", NULL, STORE_FLAG_NUMBER, STORE_AT(previous_index), "INDEX",
         "only if this is the modified index now", "previous index", NULL, "0"},
        {0},
};

const StoreCommand store_verb_rm = {
        .name = "rm",
        .arguments = "KEY",
        .summary = "remove a key or directory",
        .old_arguments = "<key>",
        .old_summary = "remove a key or a directory",
        .flags = flags,
        .run = run_rm,
};

const StoreCommand store_verb_rmdir = {
        .name = "rmdir",
        .arguments = "KEY",
        .summary = "remove a key or an empty directory",
        .old_arguments = "<key>",
        .old_summary = "removes the key if it is an empty directory or a key-value pair",
        .run = run_rmdir,
};
