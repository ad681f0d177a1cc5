/* mkdir, setdir, updatedir: directories, and how long they live. */
#include "cli/store.h"

static int set_directory(StoreGroup *group, const StoreArguments *arguments, StoreExist exist) {
        StoreRequest request = {
                .verb = STORE_SET,
                .dir = true,
                .exist = exist,
                .has_ttl = (int64_t)arguments->ttl > 0,
                .ttl = arguments->ttl,
        };
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
        if (group->output != STORE_OUTPUT_SIMPLE)
                store_print_reply(group, &reply);
        store_reply_deinit(&reply);
        return CLI_OK;
}

static int run_mkdir(StoreGroup *group, const StoreArguments *arguments) {
        return set_directory(group, arguments, STORE_EXIST_MUST_NOT);
}

static int run_setdir(StoreGroup *group, const StoreArguments *arguments) {
        return set_directory(group, arguments, STORE_EXIST_ANY);
}

static int run_updatedir(StoreGroup *group, const StoreArguments *arguments) {
        return set_directory(group, arguments, STORE_EXIST_MUST);
}

static const StoreFlag flags[] = {
        {"ttl", NULL, STORE_FLAG_NUMBER, STORE_AT(ttl), "SECONDS", "time to live; 0: none",
         "key time-to-live in seconds", NULL, "0"},
        {0},
};

const StoreCommand store_verb_mkdir = {
        .name = "mkdir",
        .arguments = "KEY",
        .summary = "make a directory that must not exist",
        .old_arguments = "<key>",
        .old_summary = "make a new directory",
        .flags = flags,
        .run = run_mkdir,
};

const StoreCommand store_verb_setdir = {
        .name = "setdir",
        .arguments = "KEY",
        .summary = "make a directory, or change how long it lives",
        .old_arguments = "<key>",
        .old_summary = "create a new directory or update an existing directory TTL",
        .flags = flags,
        .run = run_setdir,
};

const StoreCommand store_verb_updatedir = {
        .name = "updatedir",
        .arguments = "KEY",
        .summary = "change how long a directory lives that must exist",
        .old_arguments = "<key> <value>",
        .old_summary = "update an existing directory",
        .flags = flags,
        .run = run_updatedir,
};
