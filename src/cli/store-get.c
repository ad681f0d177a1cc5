/* get: one key's value. */
#include "cli/store.h"

int store_verb_get(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "get", false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *key = NULL;
        StoreRequest request = {.verb = STORE_GET};
        StoreReply reply;
        const Option options[] = {
                {"sort", 0, OPTION_SWITCH, NULL, NULL, "in the order of the keys", &request.sorted, NULL},
                {"quorum", 'q', OPTION_SWITCH, NULL, NULL, "as new as the whole cluster knows", &request.quorum, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length != 1) {
                cli_complain(group->program, "get needs one key");
                return STORE_EXIT_USAGE;
        }
        key = store_key(arguments.items[0]);
        request.key = key;
        code = key ? store_connect(group) : CLI_FAILED;
        if (code == 0)
                code = store_request(group, &request, &reply);
        if (code != 0)
                return code;
        if (reply.node && reply.node->dir && group->output != STORE_OUTPUT_JSON) {
                (void)fprintf(stderr, "%s: is a directory\n", reply.node->key);
                code = STORE_EXIT_USAGE;
        } else {
                store_print_reply(group, &reply);
        }
        store_reply_deinit(&reply);
        return code;
}
