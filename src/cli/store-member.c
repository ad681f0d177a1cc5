/* member list, add, remove and update. */
#include "base/json-write.h"
#include "cli/request.h"
#include "cli/store-target.h"
#include "cli/store.h"
#include "cli/table.h"

static int take_words(const StoreGroup *group, const StoreArguments *arguments, size_t count, const char *complaint) {
        return arguments->words.length == count ? 0 : store_complain(group, STORE_EXIT_USAGE, complaint, complaint);
}

/* ---- asking ---- */

/* The list of members, to be released. 0, or the exit code after saying why. */
static int fetch_members(StoreGroup *group, const char *before, json_t **ret_answer, StoreAnswer *ret_text) {
        StoreQuestion question = {.method = "GET", .target = "/v2/members", .before = before};
        json_t *json;
        int code = store_ask(group, &question, ret_text);

        if (code != 0)
                return code;
        json = json_loads(ret_text->body ?: "", 0, NULL);
        if (ret_text->status != 200 || !json_is_array(json_object_get(json, "members"))) {
                json_decref(json);
                return store_complain_answer(group, before, ret_text, false);
        }
        *ret_answer = json;
        return 0;
}

/* ---- list ---- */

static void join_urls(json_t *urls, Buffer *joined) {
        json_t *url;
        size_t i;

        json_array_foreach (urls, i, url)
                (void)buffer_printf(joined, "%s%s", i ? "," : "", json_string_value(url) ?: "");
}

static void print_old(json_t *members, const char *leader) {
        json_t *member;
        size_t i;

        json_array_foreach (members, i, member) {
                _cleanup_buffer_ Buffer peers = BUFFER_INIT, clients = BUFFER_INIT;
                const char *id = cli_text(member, "id"), *name = cli_text(member, "name");

                join_urls(json_object_get(member, "peerURLs"), &peers);
                join_urls(json_object_get(member, "clientURLs"), &clients);
                if (!*name)
                        printf("%s[unstarted]: peerURLs=%s\n", id, buffer_string(&peers) ?: "");
                else
                        printf("%s: name=%s peerURLs=%s clientURLs=%s isLeader=%s\n", id, name,
                               buffer_string(&peers) ?: "", buffer_string(&clients) ?: "",
                               str_equals(leader, id) ? "true" : "false");
        }
}

static void print_table(const StoreGroup *group, json_t *members, const char *leader) {
        static const char *const headings[] = {"MEMBER", "NAME", "ROLE", "PEERS REACH IT AT", "CLIENTS REACH IT AT"};
        _cleanup_table_ Table table;
        json_t *member;
        size_t i;

        table_init(&table, ARRAY_SIZE(headings));
        for (i = 0; i < ARRAY_SIZE(headings); i++)
                (void)table_add(&table, headings[i]);
        json_array_foreach (members, i, member) {
                _cleanup_buffer_ Buffer peers = BUFFER_INIT, clients = BUFFER_INIT;
                const char *id = cli_text(member, "id"), *name = cli_text(member, "name");

                join_urls(json_object_get(member, "peerURLs"), &peers);
                join_urls(json_object_get(member, "clientURLs"), &clients);
                (void)table_add(&table, id);
                (void)table_add(&table, *name ? name : "-");
                (void)table_add(&table, !*name ? "unstarted" : str_equals(leader, id) ? "leader" : "follower");
                (void)table_add(&table, buffer_string(&peers) ?: "");
                (void)table_add(&table, buffer_length(&clients) ? buffer_string(&clients) : "-");
        }
        table_print(&table, TABLE_SPACES, !group->no_legend);
}

static int run_list(StoreGroup *group, const StoreArguments *arguments) {
        StoreQuestion who = {.method = "GET", .target = "/v2/members/leader", .before = "Failed to get leader:  "};
        _cleanup_store_answer_ StoreAnswer text = {0}, leader_text = {0};
        json_t *members, *leader;
        int code = take_words(group, arguments, 0, "No arguments accepted");

        if (code == 0)
                code = store_connect(group);
        if (code == 0)
                code = fetch_members(group, "", &members, &text);
        if (code != 0)
                return code;
        code = store_ask(group, &who, &leader_text);
        leader = json_loads(leader_text.body ?: "", 0, NULL);
        if (code == 0 && leader_text.status != 200)
                code = store_complain_answer(group, "Failed to get leader:  ", &leader_text, false);
        else if (code == 0 && !group->old && group->output == STORE_OUTPUT_JSON)
                printf("%s%s", text.body, str_ends_with(text.body, "\n") ? "" : "\n");
        else if (code == 0 && group->old)
                print_old(json_object_get(members, "members"), cli_text(leader, "id"));
        else if (code == 0)
                print_table(group, json_object_get(members, "members"), cli_text(leader, "id"));
        json_decref(members);
        json_decref(leader);
        return code;
}

/* ---- add ---- */

/* "url,url" as {"peerURLs":["url","url"]}, for the caller to free. NULL after saying what is wrong with a URL. */
static char *format_urls(const StoreGroup *group, const char *text) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter json = json_writer(&buffer);
        Slice rest = slice_from(text), url;

        json_begin_object(&json);
        json_key(&json, "peerURLs");
        json_begin_array(&json);
        while (slice_split(&rest, ',', &url)) {
                _cleanup_free_ char *one = slice_dup(url), *old = NULL, *ours = NULL;
                const char *scheme = one ? strstr(one, "://") : NULL;
                Error error = ERROR_NONE;
                Url parsed;

                if (one && !scheme && strcspn(one, ":") < strcspn(one, "/"))
                        old = str_printf("parse \"%s\": first path segment in URL cannot contain colon", one);
                else if (!scheme || (!str_starts_with(one, "http://") && !str_starts_with(one, "https://")))
                        old = str_printf("URL scheme must be http, https, unix, or unixs: %s", one ?: "");
                else if (url_parse(one, 0, &parsed, &error) < 0)
                        old = str_printf("URL address does not have the form \"host:port\": %s", one);
                if (old) {
                        ours = str_printf("a peer URL has the form http://HOST:PORT, and %s has not", one);
                        (void)store_complain(group, 0, old, ours ?: old);
                        return NULL;
                }
                json_write_string(&json, url);
        }
        json_end_array(&json);
        json_end_object(&json);
        return buffer_steal_string(&buffer, NULL);
}

/* What the new member's server is to be started with. */
static void print_environment(const char *name, const char *id, json_t *members) {
        json_t *member, *url;
        bool first = true;
        size_t i, k;

        printf("\nETCD_NAME=\"%s\"\nETCD_INITIAL_CLUSTER=\"", name);
        json_array_foreach (members, i, member) {
                const char *its_name = str_equals(cli_text(member, "id"), id) ? name : cli_text(member, "name");

                json_array_foreach (json_object_get(member, "peerURLs"), k, url) {
                        printf("%s%s=%s", first ? "" : ",", its_name, json_string_value(url) ?: "");
                        first = false;
                }
        }
        printf("\"\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n");
}

static int print_added(StoreGroup *group, const char *name, const StoreAnswer *added_text) {
        _cleanup_store_answer_ StoreAnswer text = {0};
        json_t *added = json_loads(added_text->body ?: "", 0, NULL), *members;
        int code;

        printf("Added member named %s with ID %s to cluster\n", name, cli_text(added, "id"));
        code = fetch_members(group, "", &members, &text);
        if (code == 0) {
                print_environment(name, cli_text(added, "id"), json_object_get(members, "members"));
                json_decref(members);
        }
        json_decref(added);
        return code;
}

static int run_add(StoreGroup *group, const StoreArguments *arguments) {
        StoreQuestion question = {.method = "POST", .target = "/v2/members"};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        _cleanup_free_ char *body = NULL;
        int code = take_words(group, arguments, 2, "Provide a name and a single member peerURL");

        if (code == 0)
                code = store_connect(group);
        if (code != 0)
                return code;
        body = format_urls(group, arguments->words.items[1]);
        if (!body)
                return STORE_EXIT_USAGE;
        question.json = body;
        code = store_ask(group, &question, &answer);
        if (code == 0 && answer.status != 201)
                code = store_complain_answer(group, "", &answer, answer.status == 409);
        return code != 0 ? code : print_added(group, arguments->words.items[0], &answer);
}

/* ---- remove, update ---- */

/* 0 when `id` is a member's id; else the exit code, after saying so. */
static int check_id(StoreGroup *group, const char *id) {
        static const char before[] = "Error while verifying ID against known members: ";
        _cleanup_store_answer_ StoreAnswer text = {0};
        json_t *answer, *member;
        bool found = false;
        size_t i;
        int code = fetch_members(group, before, &answer, &text);

        if (code != 0)
                return code;
        json_array_foreach (json_object_get(answer, "members"), i, member) {
                found = found || str_equals(cli_text(member, "id"), id);
                if (!str_equals(cli_text(member, "name"), id))
                        continue;
                (void)fprintf(
                        stderr,
                        "Found a member named %s; if this is correct, please use its ID, eg:\n\t%s member remove %s\n",
                        id, group->program, cli_text(member, "id"));
                if (group->old)
                        (void)fprintf(stderr, "For more details, read the documentation at "
                                              "https://github.com/etcd-io/etcd/blob/master/"
                                              "Documentation/runtime-configuration.md#remove-a-member\n\n");
        }
        json_decref(answer);
        if (found)
                return 0;
        (void)fprintf(stderr, "Couldn't find a member in the cluster with an ID of %s.\n", id);
        return STORE_EXIT_USAGE;
}

static int run_remove(StoreGroup *group, const StoreArguments *arguments) {
        StoreQuestion question = {.method = "DELETE"};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        _cleanup_free_ char *target = NULL, *before = NULL;
        int code = take_words(group, arguments, 1, "Provide a single member ID");
        const char *id;

        if (code == 0)
                code = store_connect(group);
        if (code != 0)
                return code;
        id = arguments->words.items[0];
        target = store_target_join((const char *const[]){"v2/members", id, NULL});
        before = str_printf("Received an error trying to remove member %s: ", id);
        if (!target || !before)
                return CLI_FAILED;
        code = check_id(group, id);
        question.target = target;
        question.before = before;
        question.bare = true;
        if (code == 0)
                code = store_ask(group, &question, &answer);
        if (code != 0)
                return code;
        /* 410: an earlier try of this very request was carried out, though its answer was lost */
        if (answer.status != 204 && answer.status != 410) {
                if (!group->old)
                        return store_complain_answer(group, before, &answer, true);
                (void)fprintf(stderr, "%sunexpected status code %u", before, answer.status);
                return STORE_EXIT_USAGE;
        }
        printf("Removed member %s from cluster\n", id);
        return CLI_OK;
}

static int run_update(StoreGroup *group, const StoreArguments *arguments) {
        StoreQuestion question = {.method = "PUT"};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        _cleanup_free_ char *target = NULL, *body = NULL;
        int code = take_words(
                group, arguments, 2,
                "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)");

        if (code == 0)
                code = store_connect(group);
        if (code != 0)
                return code;
        body = format_urls(group, arguments->words.items[1]);
        target = store_target_join((const char *const[]){"v2/members", arguments->words.items[0], NULL});
        if (!target || !body)
                return STORE_EXIT_USAGE;
        question.target = target;
        question.json = body;
        code = store_ask(group, &question, &answer);
        if (code != 0)
                return code;
        if (answer.status != 204)
                return store_complain_answer(group, "", &answer,
                                             answer.status == 404 || answer.status == 409 || answer.status == 410);
        printf("Updated member with ID %s in cluster\n", arguments->words.items[0]);
        return CLI_OK;
}

const StoreCommand store_member_list = {
        .group = "member",
        .name = "list",
        .arguments = "",
        .summary = "the members, and which one leads",
        .old_arguments = " ",
        .old_summary = "enumerate existing cluster members",
        .run = run_list,
};

const StoreCommand store_member_add = {
        .group = "member",
        .name = "add",
        .arguments = "NAME PEER-URL",
        .summary = "add a member, and print what to start its server with",
        .old_arguments = "<name> <peerURL>",
        .old_summary = "add a new member to the etcd cluster",
        .run = run_add,
};

const StoreCommand store_member_remove = {
        .group = "member",
        .name = "remove",
        .arguments = "ID",
        .summary = "remove a member for good",
        .old_arguments = "<memberID>",
        .old_summary = "remove an existing member from the etcd cluster",
        .run = run_remove,
};

const StoreCommand store_member_update = {
        .group = "member",
        .name = "update",
        .arguments = "ID PEER-URLS",
        .summary = "change where a member's peers reach it",
        .old_arguments = "<memberID> <peerURLs>",
        .old_summary = "update an existing member in the etcd cluster",
        .run = run_update,
};
