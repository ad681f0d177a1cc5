/* member list. */
#include <jansson.h>

#include "cli/store.h"

static void print_urls(const char *name, json_t *urls) {
        json_t *url;
        size_t i;

        printf(" %s=", name);
        json_array_foreach(urls, i, url)
                printf("%s%s", i ? "," : "", json_string_value(url) ?: "");
}

static void print_member(json_t *member, const char *leader) {
        const char *id = json_string_value(json_object_get(member, "id")) ?: "";
        const char *name = json_string_value(json_object_get(member, "name")) ?: "";

        if (!*name) {
                printf("%s[unstarted]:", id);
                print_urls("peerURLs", json_object_get(member, "peerURLs"));
                printf("\n");
                return;
        }
        printf("%s: name=%s", id, name);
        print_urls("peerURLs", json_object_get(member, "peerURLs"));
        print_urls("clientURLs", json_object_get(member, "clientURLs"));
        printf(" isLeader=%s\n", leader && str_equals(leader, id) ? "true" : "false");
}

static int member_list(StoreGroup *group) {
        _cleanup_free_ char *members_text = NULL, *leader_text = NULL;
        json_t *members, *leader, *member;
        unsigned status;
        size_t i;
        int code;

        code = store_raw(group, "GET", "/v2/members", &status, &members_text);
        if (code != 0)
                return code;
        code = store_raw(group, "GET", "/v2/members/leader", &status, &leader_text);
        if (code != 0)
                return code;
        members = json_loads(members_text ?: "", 0, NULL);
        leader = json_loads(leader_text ?: "", 0, NULL);
        if (!json_is_array(json_object_get(members, "members"))) {
                cli_complain(group->program, "the answer of /v2/members is not a list of members");
                code = STORE_EXIT_SERVER;
        } else if (group->output == STORE_OUTPUT_JSON) {
                printf("%s", members_text);
        } else {
                json_array_foreach(json_object_get(members, "members"), i, member)
                        print_member(member, json_string_value(json_object_get(leader, "id")));
        }
        json_decref(members);
        json_decref(leader);
        return code;
}

int store_verb_member(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "member", false);
        _cleanup_string_list_ StringList arguments = {0};
        int code;

        if (verb_parse(verb, group->program, NULL, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length != 1 || !str_equals(arguments.items[0], "list")) {
                cli_complain(group->program, "usage: %s member list", group->program);
                return STORE_EXIT_USAGE;
        }
        code = store_connect(group);
        return code != 0 ? code : member_list(group);
}
