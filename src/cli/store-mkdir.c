/* mkdir, setdir, updatedir: they differ in whether the directory must exist. */
#include "cli/store.h"

static int make_directory(StoreGroup *group, const char *name, StoreExist exist, int argc, char **argv) {
        const Verb *verb = verb_find(store_verbs, name, false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *key = NULL;
        StoreRequest request = {.verb = STORE_SET, .dir = true, .exist = exist};
        const Option options[] = {
                {"ttl", 0, OPTION_U64, "SECONDS", NULL, "time to live; 0: none", &request.ttl, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GO, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length != 1) {
                cli_complain(group->program, "%s needs one key", name);
                return STORE_EXIT_USAGE;
        }
        key = store_key(arguments.items[0]);
        request.key = key;
        request.has_ttl = request.ttl > 0;
        code = key ? store_connect(group) : CLI_FAILED;
        return code != 0 ? code : store_request_and_print(group, &request);
}

int store_verb_mkdir(void *userdata, int argc, char **argv) {
        return make_directory(userdata, "mkdir", STORE_EXIST_MUST_NOT, argc, argv);
}

int store_verb_setdir(void *userdata, int argc, char **argv) {
        return make_directory(userdata, "setdir", STORE_EXIST_ANY, argc, argv);
}

int store_verb_updatedir(void *userdata, int argc, char **argv) {
        return make_directory(userdata, "updatedir", STORE_EXIST_MUST, argc, argv);
}
