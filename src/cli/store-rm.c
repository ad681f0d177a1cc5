/* rm, rmdir. */
#include "cli/store.h"

static int remove_key(StoreGroup *group, const Verb *verb, const StringList *arguments, StoreRequest *request) {
        _cleanup_free_ char *key = NULL;
        int code;

        if (arguments->length != 1) {
                cli_complain(group->program, "%s needs one key", verb->name);
                return STORE_EXIT_USAGE;
        }
        key = store_key(arguments->items[0]);
        request->key = key;
        code = key ? store_connect(group) : CLI_FAILED;
        return code != 0 ? code : store_request_and_print(group, request);
}

int store_verb_rm(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "rm", false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *value = NULL;
        StoreRequest request = {.verb = STORE_DELETE};
        const Option options[] = {
                {"dir", 0, OPTION_SWITCH, NULL, NULL, "also an empty directory", &request.dir, NULL},
                {"recursive", 'r', OPTION_SWITCH, NULL, NULL, "with all below", &request.recursive, NULL},
                {"with-value", 0, OPTION_STRING, "VALUE", NULL, "only if this is the value now", &value, NULL},
                {"with-index", 0, OPTION_U64, "INDEX", NULL, "only if this is the modified index now", &request.prev_index, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        request.prev_value = value && *value ? value : NULL;
        return remove_key(group, verb, &arguments, &request);
}

int store_verb_rmdir(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "rmdir", false);
        _cleanup_string_list_ StringList arguments = {0};
        StoreRequest request = {.verb = STORE_DELETE, .dir = true};
        int code;

        if (verb_parse(verb, group->program, NULL, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        return remove_key(group, verb, &arguments, &request);
}
