/* set, mk, update: a value from the command line or from standard input. */
#include <errno.h>
#include <unistd.h>

#include "cli/store.h"

enum { STDIN_MAX = 16 << 20 };

/* All of standard input, as it is. */
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
        return got < 0 ? NULL : buffer_string(&text) ? buffer_steal_string(&text, NULL) : NULL;
}

static int set_value(StoreGroup *group, const Verb *verb, const StringList *arguments, StoreRequest *request) {
        _cleanup_free_ char *key = NULL, *value = NULL;
        int r;

        if (arguments->length < 1 || arguments->length > 2) {
                cli_complain(group->program, "%s needs a key and a value: %s %s", verb->name, verb->name, verb->arguments);
                return STORE_EXIT_USAGE;
        }
        key = store_key(arguments->items[0]);
        value = arguments->length > 1 ? strdup(arguments->items[1]) : read_stdin();
        if (!key || !value) {
                cli_complain(group->program, "%s: no value could be read (at most %d bytes)", verb->name, STDIN_MAX);
                return STORE_EXIT_USAGE;
        }
        request->key = key;
        request->value = value;
        r = store_connect(group);
        return r != 0 ? r : store_request_and_print(group, request);
}

int store_verb_set(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "set", false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *swap_value = NULL;
        StoreRequest request = {.verb = STORE_SET};
        const Option options[] = {
                {"ttl", 0, OPTION_U64, "SECONDS", NULL, "time to live; 0: none", &request.ttl, NULL},
                {"swap-with-value", 0, OPTION_STRING, "VALUE", NULL, "only if this is the value now", &swap_value, NULL},
                {"swap-with-index", 0, OPTION_U64, "INDEX", NULL, "only if this is the modified index now", &request.prev_index, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GO, argc, argv, &arguments, &code) < 0)
                return code;
        request.has_ttl = request.ttl > 0;
        request.prev_value = swap_value && *swap_value ? swap_value : NULL;
        return set_value(group, verb, &arguments, &request);
}

int store_verb_mk(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "mk", false);
        _cleanup_string_list_ StringList arguments = {0};
        StoreRequest request = {.verb = STORE_SET, .exist = STORE_EXIST_MUST_NOT};
        bool in_order = false;
        const Option options[] = {
                {"ttl", 0, OPTION_U64, "SECONDS", NULL, "time to live; 0: none", &request.ttl, NULL},
                {"in-order", 0, OPTION_SWITCH, NULL, NULL, "make a key with a rising number in the directory KEY", &in_order, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GO, argc, argv, &arguments, &code) < 0)
                return code;
        request.has_ttl = request.ttl > 0;
        if (in_order) {
                request.verb = STORE_CREATE_IN_ORDER;
                request.exist = STORE_EXIST_ANY;
        }
        return set_value(group, verb, &arguments, &request);
}

int store_verb_update(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "update", false);
        _cleanup_string_list_ StringList arguments = {0};
        StoreRequest request = {.verb = STORE_SET, .exist = STORE_EXIST_MUST};
        const Option options[] = {
                {"ttl", 0, OPTION_U64, "SECONDS", NULL, "time to live; 0: none", &request.ttl, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GO, argc, argv, &arguments, &code) < 0)
                return code;
        request.has_ttl = request.ttl > 0;
        return set_value(group, verb, &arguments, &request);
}
