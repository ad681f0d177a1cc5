/* set, mk, update: a value from the command line or from standard input. */
#include <errno.h>

#include "cli/store.h"

enum { STDIN_MAX = 16 << 20 };

/* All of standard input, as it is. NULL: nothing, or too much. */
static char *read_stdin(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT_LIMIT(STDIN_MAX);
        ssize_t got;

        do {
                char *to = buffer_reserve(&text, 4096);

                if (!to)
                        return NULL;
                got = read(STDIN_FILENO, to, 4096);
                if (got > 0)
                        buffer_commit(&text, (size_t)got);
        } while (got > 0 || (got < 0 && errno == EINTR));
        return got < 0 || buffer_length(&text) == 0 ? NULL : buffer_steal_string(&text, NULL);
}

/* Connects first, as etcdctl does: a server that is away is told before a missing argument. */
static int set_value(StoreGroup *group, const StoreArguments *arguments, StoreRequest *request) {
        _cleanup_free_ char *value = NULL;
        int code = store_connect(group);

        if (code != 0)
                return code;
        request->key = store_need_key(group, arguments);
        if (!request->key)
                return STORE_EXIT_USAGE;
        if (arguments->words.length > 2 && !group->old)
                return store_complain(group, STORE_EXIT_USAGE, "",
                                      "too many words: a value of several words needs quotes");
        value = arguments->words.length > 1 ? strdup(arguments->words.items[1]) : read_stdin();
        if (!value)
                return store_complain(
                        group, STORE_EXIT_USAGE, "Error:  value required",
                        "which value? There is none behind the key, and none (or more than 16 MiB) on standard input");
        request->value = value;
        request->has_ttl = (int64_t)arguments->ttl > 0;
        request->ttl = arguments->ttl;
        return store_request_and_print(group, request);
}

static int run_set(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {.verb = STORE_SET, .prev_index = arguments->previous_index};

        if (arguments->previous_value && *arguments->previous_value)
                request.prev_value = arguments->previous_value;
        return set_value(group, arguments, &request);
}

static int run_mk(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {.verb = STORE_SET, .exist = STORE_EXIST_MUST_NOT};

        if (arguments->in_order)
                request = (StoreRequest){.verb = STORE_CREATE_IN_ORDER};
        return set_value(group, arguments, &request);
}

static int run_update(StoreGroup *group, const StoreArguments *arguments) {
        StoreRequest request = {.verb = STORE_SET, .exist = STORE_EXIST_MUST};

        return set_value(group, arguments, &request);
}

#define TTL_FLAG                                                                                                       \
        {                                                                                                              \
                "ttl", NULL, STORE_FLAG_NUMBER, STORE_AT(ttl), "SECONDS", "time to live; 0: none",                     \
                        "key time-to-live in seconds", NULL, "0"                                                       \
        }

static const StoreFlag set_flags[] = {
        TTL_FLAG,
        {"swap-with-value", NULL, STORE_FLAG_TEXT, STORE_AT(previous_value), "VALUE", "only if this is the value now",
         "previous value", NULL, NULL},
        {"swap-with-index", NULL, STORE_FLAG_NUMBER, STORE_AT(previous_index), "INDEX",
         "only if this is the modified index now", "previous index", NULL, "0"},
        {0},
};

static const StoreFlag mk_flags[] = {
        {"in-order", NULL, STORE_FLAG_SWITCH, STORE_AT(in_order), NULL,
         "make a key with a rising number in the directory KEY", "create in-order key under directory <key>", NULL,
         NULL},
        TTL_FLAG,
        {0},
};

static const StoreFlag update_flags[] = {TTL_FLAG, {0}};

const StoreCommand store_verb_set = {
        .name = "set",
        .arguments = "KEY [VALUE]",
        .summary = "set a key; without VALUE it is read from standard input",
        .old_arguments = "<key> <value>",
        .old_summary = "set the value of a key",
        .old_description = "Set sets the value of a key.\n\n   When <value> begins with '-', <value> is interpreted as "
                           "a flag.\n   Insert '--' for "
                           "workaround:\n\n   $ set -- <key> <value>",
        .flags = set_flags,
        .run = run_set,
};

const StoreCommand store_verb_mk = {
        .name = "mk",
        .arguments = "KEY [VALUE]",
        .summary = "make a key that must not exist",
        .old_arguments = "<key> <value>",
        .old_summary = "make a new key with a given value",
        .flags = mk_flags,
        .run = run_mk,
};

const StoreCommand store_verb_update = {
        .name = "update",
        .arguments = "KEY [VALUE]",
        .summary = "change a key that must exist",
        .old_arguments = "<key> <value>",
        .old_summary = "update an existing key with a given value",
        .flags = update_flags,
        .run = run_update,
};
