#include "cli/store.h"

#include <errno.h>
#include <jansson.h>

#define DEFAULT_ENDPOINTS "http://127.0.0.1:2379,http://127.0.0.1:4001"

const Verb store_verbs[] = {
        {"get", "KEY", "print a key's value", store_verb_get},
        {"set", "KEY [VALUE]", "set a key; without VALUE it is read from standard input", store_verb_set},
        {"mk", "KEY [VALUE]", "make a key that must not exist", store_verb_mk},
        {"update", "KEY [VALUE]", "change a key that must exist", store_verb_update},
        {"rm", "KEY", "remove a key or directory", store_verb_rm},
        {"ls", "[KEY]", "list a directory", store_verb_ls},
        {"mkdir", "KEY", "make a directory that must not exist", store_verb_mkdir},
        {"setdir", "KEY", "make a directory, or renew one's time to live", store_verb_setdir},
        {"updatedir", "KEY", "renew the time to live of a directory that must exist", store_verb_updatedir},
        {"rmdir", "KEY", "remove a key or an empty directory", store_verb_rmdir},
        {"watch", "KEY", "wait for a change", store_verb_watch},
        {"exec-watch", "KEY -- COMMAND", "run a command at each change", store_verb_exec_watch},
        {"member", "list|add|remove|update", "the members of the cluster: list and change them", store_verb_member},
        {"cluster-health", "", "whether the cluster works", store_verb_health},
        {0},
};

/* ---- requests ---- */

typedef struct Await {
        uv_loop_t *loop;
        bool done;
        StoreReply *reply;
        int r;
        unsigned status;
        char *body;
        Error error;
} Await;


/* The reply is moved out of the callback, whose owner would free it. */
static void on_reply(void *userdata, const StoreReply *reply) {
        Await *await = userdata;
        StoreReply *from = (StoreReply *)(uintptr_t)reply;

        *await->reply = *from;
        *from = (StoreReply){0};
        await->done = true;
        uv_stop(await->loop);
}

static void on_raw_reply(void *userdata, int r, unsigned status, Slice body, const Error *error) {
        Await *await = userdata;

        await->r = r;
        await->status = status;
        await->body = slice_dup(body);
        await->error = *error;
        await->done = true;
        uv_stop(await->loop);
}

static void await_done(Await *await) {
        while (!await->done)
                (void)uv_run(await->loop, UV_RUN_ONCE);
}

int store_complain(const StoreGroup *group, const StoreReply *reply) {
        (void)fflush(stdout);
        if (reply->r != -EREMOTEIO) {
                (void)fprintf(stderr, "Error:  %s\n", reply->error.text);
                if (str_starts_with(group->program, "faering"))
                        (void)fprintf(stderr, "Is a store running there? \"%s cluster-health\" asks each member; --endpoints "
                                              "names others.\n", group->program);
                return STORE_EXIT_CONNECTION;
        }
        (void)fprintf(stderr, "Error:  %s\n", reply->error.text);
        return reply->code == STORE_UNAUTHORIZED ? STORE_EXIT_AUTHENTICATION : STORE_EXIT_SERVER;
}

int store_request(StoreGroup *group, const StoreRequest *request, StoreReply *ret_reply) {
        Await await = {.loop = &group->loop, .reply = ret_reply};
        StoreRequest timed = *request;
        int r, code;

        if (!timed.timeout)
                timed.timeout = group->total_timeout;
        *ret_reply = (StoreReply){0};
        r = storeclient_send(group->client, &timed, on_reply, &await, NULL);
        if (r < 0) {
                cli_complain(group->program, "cannot send the request: %s", strerror(-r));
                return STORE_EXIT_CONNECTION;
        }
        await_done(&await);
        if (ret_reply->r >= 0)
                return 0;
        code = store_complain(group, ret_reply);
        store_reply_deinit(ret_reply);
        return code;
}

int store_raw_json(StoreGroup *group, const char *method, const char *target, const char *json, unsigned *ret_status,
                   char **ret_body) {
        Await await = {.loop = &group->loop};
        Slice body = json ? slice_from(json) : (Slice){NULL, 0};
        int r;

        r = http_storeclient_raw(group->client, method, target, json ? "application/json" : NULL, body, group->total_timeout,
                                 on_raw_reply, &await);
        if (r < 0) {
                cli_complain(group->program, "cannot send the request: %s", strerror(-r));
                return STORE_EXIT_CONNECTION;
        }
        await_done(&await);
        if (await.r < 0) {
                (void)fflush(stdout);
                (void)fprintf(stderr, "Error:  %s\n", await.error.text);
                free(await.body);
                return STORE_EXIT_CONNECTION;
        }
        *ret_status = await.status;
        *ret_body = await.body;
        return 0;
}

int store_raw(StoreGroup *group, const char *method, const char *target, unsigned *ret_status, char **ret_body) {
        return store_raw_json(group, method, target, NULL, ret_status, ret_body);
}

int store_request_and_print(StoreGroup *group, const StoreRequest *request) {
        StoreReply reply;
        int r = store_request(group, request, &reply);

        if (r != 0)
                return r;
        store_print_reply(group, &reply);
        store_reply_deinit(&reply);
        return CLI_OK;
}

char *store_key(const char *argument) {
        return argument[0] == '/' ? strdup(argument) : str_printf("/%s", argument);
}

/* ---- connecting ---- */

static void on_trace(void *userdata, const char *line) {
        (void)userdata;
        (void)fprintf(stderr, "CURL Command: %s\n", line);
}

/* The members' client URLs come behind the given ones, if they can be had: so a request can fall over to others, and does not begin
 * with one that may just have died while the one that was named answers. */
static void store_sync(StoreGroup *group) {
        _cleanup_free_ char *body = NULL;
        _cleanup_free_ Url *urls = NULL;
        json_t *answer, *members, *member, *list, *url;
        size_t i, k, count = 0, room = 0;
        unsigned status;
        Await await = {.loop = &group->loop};

        if (http_storeclient_raw(group->client, "GET", "/v2/members", NULL, (Slice){NULL, 0}, group->timeout, on_raw_reply, &await) < 0)
                return;
        await_done(&await);
        body = await.body;
        status = await.status;
        if (await.r < 0 || status != 200 || !body)
                return;
        answer = json_loads(body, 0, NULL);
        members = json_object_get(answer, "members");
        json_array_foreach(members, i, member)
                room += json_array_size(json_object_get(member, "clientURLs"));
        urls = calloc(room + 1, sizeof(*urls));
        json_array_foreach(members, i, member) {
                list = json_object_get(member, "clientURLs");
                json_array_foreach(list, k, url)
                        if (urls && json_is_string(url) && url_parse(json_string_value(url), 80, &urls[count], NULL) >= 0)
                                count++;
        }
        json_decref(answer);
        if (count > 0)
                (void)http_storeclient_add_endpoints(group->client, urls, count);
}

static int store_choose_output(StoreGroup *group) {
        static const struct {
                const char *name;
                StoreOutput output;
        } outputs[] = {{"simple", STORE_OUTPUT_SIMPLE}, {"extended", STORE_OUTPUT_EXTENDED}, {"json", STORE_OUTPUT_JSON}};

        for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
                if (str_equals(group->output_name ?: "simple", outputs[i].name)) {
                        group->output = outputs[i].output;
                        return 0;
                }
        cli_complain(group->program, "--output is \"%s\": it must be simple, extended or json", group->output_name);
        return STORE_EXIT_USAGE;
}

int store_connect(StoreGroup *group) {
        _cleanup_free_ Url *urls = NULL;
        Error error = ERROR_NONE;
        size_t count;
        int r;

        r = url_parse_list(group->endpoints ?: DEFAULT_ENDPOINTS, 2379, &urls, &count, &error);
        if (r >= 0)
                r = cli_tls_open(&group->tls, &error);
        if (r >= 0)
                r = http_storeclient_new(&group->loop, urls, count, &group->client);
        if (r >= 0)
                http_storeclient_set_tls(group->client, group->tls.context);
        if (r >= 0 && group->username)
                r = http_storeclient_set_credentials(group->client, group->username);
        if (r < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : strerror(-r));
                return STORE_EXIT_USAGE;
        }
        if (group->debug)
                http_storeclient_set_trace(group->client, on_trace, NULL);
        if (!group->no_sync)
                store_sync(group);
        return 0;
}

/* ---- the group ---- */

static void group_deinit(StoreGroup *group) {
        group->client = http_storeclient_free(group->client);
        (void)uv_run(&group->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&group->loop);
        free(group->endpoints);
        free(group->output_name);
        free(group->username);
        cli_tls_deinit(&group->tls);
}

static int group_run(StoreGroup *group, int argc, char **argv) {
        bool help = false, version = false;
        const Option options[] = {
                {"endpoints", 'C', OPTION_STRING, "URLS", "ETCDCTL_ENDPOINTS",
                 "members to ask, separated by commas (default: " DEFAULT_ENDPOINTS ")", &group->endpoints, NULL},
                {"endpoint", 0, OPTION_STRING, "URLS", "ETCDCTL_ENDPOINT", NULL, &group->endpoints, NULL},
                {"peers", 0, OPTION_STRING, "URLS", "ETCDCTL_PEERS", NULL, &group->endpoints, NULL},
                {"output", 'o', OPTION_STRING, "FORM", NULL, "simple, extended or json", &group->output_name, NULL},
                {"username", 'u', OPTION_STRING, "NAME:PASSWORD", "ETCDCTL_USERNAME", "whose rights to use", &group->username, NULL},
                {"cert-file", 0, OPTION_STRING, "FILE", "ETCDCTL_CERT_FILE", "the certificate to show at https:// endpoints",
                 &group->tls.cert_file, NULL},
                {"key-file", 0, OPTION_STRING, "FILE", "ETCDCTL_KEY_FILE", "its key", &group->tls.key_file, NULL},
                {"ca-file", 0, OPTION_STRING, "FILE", "ETCDCTL_CA_FILE", "authorities to believe (default: the system's)",
                 &group->tls.ca_file, NULL},
                {"timeout", 0, OPTION_DURATION, "TIME", NULL, "longest wait for one member (default: 2s)", &group->timeout, NULL},
                {"total-timeout", 0, OPTION_DURATION, "TIME", NULL, "longest wait for all of it (default: 5s)",
                 &group->total_timeout, NULL},
                {"no-sync", 0, OPTION_SWITCH, NULL, NULL, "ask only the endpoints given", &group->no_sync, NULL},
                {"debug", 0, OPTION_SWITCH, NULL, NULL, "show each request as a curl command", &group->debug, NULL},
                {"version", 'v', OPTION_SWITCH, NULL, NULL, "print the version", &version, NULL},
                {"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &help, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        const Verb *verb;
        int first;

        if (options_parse(options, OPTIONS_STOP_AT_ARGUMENT, argc, argv, &arguments, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                return STORE_EXIT_USAGE;
        }
        if (version) {
                printf("%s version: %s\nAPI version: 2\n", group->program, FAERING_VERSION);
                return CLI_OK;
        }
        if (help || arguments.length == 0) {
                verb_print_group_help(store_verbs, group->program, "Keys and members of the replicated store.", options);
                return CLI_OK;
        }
        verb = verb_find(store_verbs, arguments.items[0], false);
        if (!verb) {
                verb_complain(store_verbs, group->program, arguments.items[0]);
                return STORE_EXIT_USAGE;
        }
        if (store_choose_output(group) != 0)
                return STORE_EXIT_USAGE;
        first = argc - (int)arguments.length;
        return verb->run(group, argc - first, argv + first);
}

int store_group_main(const char *program, int argc, char **argv) {
        StoreGroup group = {.program = program, .timeout = 2 * USEC_PER_SEC, .total_timeout = 5 * USEC_PER_SEC};
        int code;

        if (uv_loop_init(&group.loop) < 0)
                return CLI_FAILED;
        code = group_run(&group, argc, argv);
        group_deinit(&group);
        return code;
}
