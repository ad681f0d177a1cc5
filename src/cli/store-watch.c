/* watch: one event, or all from here on. */
#include "cli/store-watcher.h"

static void print_event(const StoreGroup *group, const StoreWatcher *watcher, const StoreReply *reply) {
        if (watcher->recursive && (group->old || group->output == STORE_OUTPUT_SIMPLE))
                printf("[%s] %s\n", reply->action ?: "", reply->node->key);
        store_print_reply(group, reply);
        (void)fflush(stdout);
}

static int watch(StoreGroup *group, StoreWatcher *watcher) {
        bool printed = false;

        while (watcher->forever || !printed) {
                StoreReply reply;
                int code = store_watcher_next(watcher, &reply);

                if (code != 0)
                        return code < 0 ? CLI_OK : code;
                /* an event of a directory says nothing in the old voice, and a watch for one event goes on */
                if (!reply.node->dir || (!group->old && group->output == STORE_OUTPUT_JSON)) {
                        print_event(group, watcher, &reply);
                        printed = true;
                }
                store_reply_deinit(&reply);
        }
        return CLI_OK;
}

static int run(StoreGroup *group, const StoreArguments *arguments) {
        StoreWatcher watcher = {0};
        const char *key;
        int code = store_connect(group);

        if (code != 0)
                return code;
        key = store_need_key(group, arguments);
        if (!key)
                return STORE_EXIT_USAGE;
        code = store_watcher_begin(&watcher, group, arguments, key, arguments->forever);
        if (code == 0)
                code = watch(group, &watcher);
        store_watcher_end(&watcher);
        return code;
}

static const StoreFlag flags[] = {
        {"forever", "f", STORE_FLAG_SWITCH, STORE_AT(forever), NULL, "go on until Ctrl-C, also while no member answers",
         "forever watch a key until CTRL+C", NULL, NULL},
        {"after-index", NULL, STORE_FLAG_NUMBER, STORE_AT(after_index), "INDEX", "begin behind this event",
         "watch after the given index", NULL, "0"},
        {"recursive", "r", STORE_FLAG_SWITCH, STORE_AT(recursive), NULL, "also what is below",
         "returns all values for key and child keys", NULL, NULL},
        {0},
};

const StoreCommand store_verb_watch = {
        .name = "watch",
        .arguments = "KEY",
        .summary = "wait for a change",
        .old_arguments = "<key>",
        .old_summary = "watch a key for changes",
        .flags = flags,
        .run = run,
};
