/* member list, add, remove and update: words and exit codes are etcdctl's. */
#include <ctype.h>
#include <jansson.h>

#include "base/json-write.h"
#include "cli/store.h"

typedef struct MemberVerb {
        const char *name;
        const char *arguments;
        int count;             /* of the arguments */
        const char *complaint; /* etcdctl's, when there are more or fewer */
        int (*run)(StoreGroup *group, char **arguments);
} MemberVerb;

static const char *member_text(json_t *member, const char *key) {
        return json_string_value(json_object_get(member, key)) ?: "";
}

/* ---- asking ---- */

/* What the server says of a change that it refused; the exit code. */
static int complain_of(const char *before, const char *body) {
        json_t *answer = json_loads(body ?: "", 0, NULL);

        (void)fflush(stdout);
        (void)fprintf(stderr, "%s%s\n", before,
                      json_string_value(json_object_get(answer, "message")) ?: "the answer makes no sense");
        json_decref(answer);
        return STORE_EXIT_USAGE;
}

/* The list of members, to be released. 0, or the exit code after saying why. */
static int member_fetch(StoreGroup *group, json_t **ret_answer, char **ret_text) {
        _cleanup_free_ char *text = NULL;
        json_t *answer;
        unsigned status;
        int code;

        code = store_raw(group, "GET", "/v2/members", &status, &text);
        if (code != 0)
                return code;
        answer = json_loads(text ?: "", 0, NULL);
        if (!json_is_array(json_object_get(answer, "members"))) {
                json_decref(answer);
                cli_complain(group->program, "the answer of /v2/members is not a list of members");
                return STORE_EXIT_SERVER;
        }
        *ret_answer = answer;
        if (ret_text)
                *ret_text = take_ptr(text);
        return 0;
}

/* ---- list ---- */

static void print_urls(const char *name, json_t *urls) {
        json_t *url;
        size_t i;

        printf(" %s=", name);
        json_array_foreach(urls, i, url) printf("%s%s", i ? "," : "", json_string_value(url) ?: "");
}

static void print_member(json_t *member, const char *leader) {
        const char *id = member_text(member, "id"), *name = member_text(member, "name");

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

static int member_list(StoreGroup *group, char **arguments) {
        _cleanup_free_ char *members_text = NULL, *leader_text = NULL;
        json_t *members, *leader, *member;
        unsigned status;
        size_t i;
        int code;

        (void)arguments;
        code = member_fetch(group, &members, &members_text);
        if (code != 0)
                return code;
        code = store_raw(group, "GET", "/v2/members/leader", &status, &leader_text);
        leader = json_loads(leader_text ?: "", 0, NULL);
        if (code == 0 && status != 200)
                code = complain_of("Failed to get leader:  ", leader_text);
        else if (code == 0 && group->output == STORE_OUTPUT_JSON)
                printf("%s", members_text);
        else if (code == 0)
                json_array_foreach(json_object_get(members, "members"), i, member)
                        print_member(member, json_string_value(json_object_get(leader, "id")));
        json_decref(members);
        json_decref(leader);
        return code;
}

/* ---- add ---- */

/* "url,url" as {"peerURLs":["url","url"]}, for the caller to free. */
static char *format_urls(const char *text) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter json = json_writer(&buffer);
        Slice rest = slice_from(text), url;

        json_begin_object(&json);
        json_key(&json, "peerURLs");
        json_begin_array(&json);
        while (slice_split(&rest, ',', &url))
                json_write_string(&json, url);
        json_end_array(&json);
        json_end_object(&json);
        return buffer_failed(&buffer) < 0 ? NULL : buffer_steal_string(&buffer, NULL);
}

/* What to start the new member with. One that has no name yet is left out: nobody could name it. */
static void print_environment(const char *name, const char *id, json_t *members) {
        json_t *member, *url;
        bool first = true;
        size_t i, k;

        printf("\nETCD_NAME=\"%s\"\nETCD_INITIAL_CLUSTER=\"", name);
        json_array_foreach(members, i, member) {
                const char *its_name = str_equals(member_text(member, "id"), id) ? name : member_text(member, "name");

                if (!*its_name)
                        continue;
                json_array_foreach(json_object_get(member, "peerURLs"), k, url) {
                        printf("%s%s=%s", first ? "" : ",", its_name, json_string_value(url) ?: "");
                        first = false;
                }
        }
        printf("\"\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n");
}

static int member_add(StoreGroup *group, char **arguments) {
        _cleanup_free_ char *body = format_urls(arguments[1]), *text = NULL;
        json_t *added, *members;
        unsigned status;
        int code;

        if (!body)
                return CLI_FAILED;
        code = store_raw_json(group, "POST", "/v2/members", body, &status, &text);
        if (code == 0 && status != 201)
                code = complain_of("", text);
        if (code != 0)
                return code;
        added = json_loads(text ?: "", 0, NULL);
        printf("Added member named %s with ID %s to cluster\n", arguments[0], member_text(added, "id"));
        code = member_fetch(group, &members, NULL);
        if (code == 0) {
                print_environment(arguments[0], member_text(added, "id"), json_object_get(members, "members"));
                json_decref(members);
        }
        json_decref(added);
        return code;
}

/* ---- remove, update ---- */

static bool is_id(const char *text) {
        size_t length = strlen(text);

        for (size_t i = 0; i < length; i++)
                if (!isxdigit((unsigned char)text[i]))
                        return false;
        return length > 0 && length <= 16;
}

/* 0 when `id` is a member's id; else the exit code, after saying so. */
static int check_id(StoreGroup *group, const char *id) {
        json_t *answer, *member;
        bool found = false;
        size_t i;
        int code;

        code = member_fetch(group, &answer, NULL);
        if (code != 0)
                return code;
        json_array_foreach(json_object_get(answer, "members"), i, member) {
                found = found || str_equals(member_text(member, "id"), id);
                if (str_equals(member_text(member, "name"), id))
                        (void)fprintf(stderr,
                                      "Found a member named %s; if this is correct, please use its ID, eg:\n\t%s "
                                      "member remove %s\n",
                                      id, group->program, member_text(member, "id"));
        }
        json_decref(answer);
        if (found)
                return 0;
        (void)fprintf(stderr, "Couldn't find a member in the cluster with an ID of %s.\n", id);
        return STORE_EXIT_USAGE;
}

static int member_remove(StoreGroup *group, char **arguments) {
        _cleanup_free_ char *target = str_printf("/v2/members/%s", arguments[0]), *text = NULL, *before = NULL;
        unsigned status;
        int code;

        if (!target)
                return CLI_FAILED;
        code = check_id(group, arguments[0]);
        if (code == 0)
                code = store_raw(group, "DELETE", target, &status, &text);
        if (code != 0)
                return code;
        /* 410: an earlier try of this very request was carried out, though its answer was lost */
        if (status != 204 && status != 410) {
                before = str_printf("Received an error trying to remove member %s: ", arguments[0]);
                return complain_of(before ?: "", text);
        }
        printf("Removed member %s from cluster\n", arguments[0]);
        return CLI_OK;
}

static int member_update(StoreGroup *group, char **arguments) {
        _cleanup_free_ char *target = NULL, *body = format_urls(arguments[1]), *text = NULL;
        unsigned status;
        int code;

        if (!is_id(arguments[0])) {
                (void)fprintf(stderr, "No such member: %s: an ID is a hexadecimal number; see \"%s member list\"\n",
                              arguments[0], group->program);
                return STORE_EXIT_USAGE;
        }
        target = str_printf("/v2/members/%s", arguments[0]);
        if (!target || !body)
                return CLI_FAILED;
        code = store_raw_json(group, "PUT", target, body, &status, &text);
        if (code == 0 && status != 204)
                code = complain_of("", text);
        if (code != 0)
                return code;
        printf("Updated member with ID %s in cluster\n", arguments[0]);
        return CLI_OK;
}

/* ---- the verb ---- */

static const MemberVerb member_verbs[] = {
        {"list", "", 0, "No arguments accepted", member_list},
        {"add", "NAME PEER-URL", 2, "Provide a name and a single member peerURL", member_add},
        {"remove", "ID", 1, "Provide a single member ID", member_remove},
        {"update", "ID PEER-URLS", 2,
         "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)",
         member_update},
};

static int print_usage(const StoreGroup *group) {
        for (size_t i = 0; i < ARRAY_SIZE(member_verbs); i++)
                cli_complain(group->program, "%s %s member %s%s%s", i ? "      " : "usage:", group->program,
                             member_verbs[i].name, *member_verbs[i].arguments ? " " : "", member_verbs[i].arguments);
        return STORE_EXIT_USAGE;
}

int store_verb_member(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "member", false);
        _cleanup_string_list_ StringList arguments = {0};
        const MemberVerb *chosen = NULL;
        int code;

        if (verb_parse(verb, group->program, NULL, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        for (size_t i = 0; arguments.length > 0 && i < ARRAY_SIZE(member_verbs); i++)
                if (str_equals(arguments.items[0], member_verbs[i].name))
                        chosen = &member_verbs[i];
        if (!chosen)
                return print_usage(group);
        if (arguments.length - 1 != (size_t)chosen->count) {
                (void)fprintf(stderr, "%s\n", chosen->complaint);
                return STORE_EXIT_USAGE;
        }
        code = store_connect(group);
        return code != 0 ? code : chosen->run(group, arguments.items + 1);
}
