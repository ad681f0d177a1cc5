/* cluster-health: each member is asked for itself. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "base/json-write.h"
#include "cli/store.h"
#include "cli/table.h"

/* etcdctl's, between two looks with --forever. */
enum { FOREVER_SEC = 10 };

typedef enum MemberHealth {
        MEMBER_HEALTHY,
        MEMBER_UNHEALTHY,
        MEMBER_UNREACHABLE,
} MemberHealth;

typedef struct Finding {
        MemberHealth health;
        char *url; /* that answered, or the last one asked */
        char *why; /* NULL: it is healthy */
} Finding;

static void finding_deinit(Finding *finding) {
        free(finding->url);
        free(finding->why);
}

/* ---- looking ---- */

/* {"health":"true"} or {"health":true}. 1, 0; -EBADMSG: neither. */
static int parse_health(const StoreAnswer *answer, Error *error) {
        json_t *json = json_loads(answer->body ?: "", 0, NULL), *health = json_object_get(json, "health");
        int r = -EBADMSG;

        if (json_is_string(health))
                r = str_equals(json_string_value(health), "true");
        else if (json_is_boolean(health))
                r = json_is_true(health);
        json_decref(json);
        return r < 0 ? error_set(error, r, "the answer of /health (HTTP %u) makes no sense", answer->status) : r;
}

/* 1 healthy, 0 unhealthy, < 0 not reached. In the old voice what failed is told at once. */
static int probe_url(StoreGroup *group, const char *id, const char *url, Error *error) {
        StoreHttpRequest request = {.method = "GET", .target = "/health", .unshown = group->old};
        _cleanup_store_failure_ StoreFailure failure = {0};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        int r = store_http_do_at(group->http, url, &request, &answer, &failure);

        if (r >= 0) {
                r = parse_health(&answer, error);
                if (r < 0 && group->old)
                        printf("failed to check the health of member %s on %s: %s\n", id, url, error->text);
                return r;
        }
        if (failure.reasons.length > 0)
                (void)error_set(error, r, "%s", failure.reasons.items[0]);
        if (failure.unhealthy) /* a member without a leader answers 503 */
                return 0;
        if (group->old)
                printf("failed to check the health of member %s on %s: Get \"%s/health\": %s\n", id, url, url,
                       failure.causes.length > 0 ? failure.causes.items[0] : "context deadline exceeded");
        return r;
}

static void probe_member(StoreGroup *group, json_t *member, Finding *ret) {
        const char *id = json_string_value(json_object_get(member, "id")) ?: "?";
        json_t *urls = json_object_get(member, "clientURLs"), *text;
        Error error = ERROR_NONE;
        size_t i;

        *ret = (Finding){.health = MEMBER_UNREACHABLE};
        json_array_foreach (urls, i, text) {
                const char *url = json_string_value(text) ?: "";
                int r = probe_url(group, id, url, &error);

                free(ret->url);
                ret->url = strdup(url);
                ret->health = r > 0 ? MEMBER_HEALTHY : r == 0 ? MEMBER_UNHEALTHY : MEMBER_UNREACHABLE;
                if (r >= 0)
                        break;
        }
        if (json_array_size(urls) == 0)
                ret->why = strdup(
                        "it has not said yet where clients reach it: its server was never started, or has not joined");
        else if (ret->health == MEMBER_UNHEALTHY)
                ret->why = strdup("it answers, but knows no leader");
        else if (ret->health == MEMBER_UNREACHABLE)
                ret->why = strdup(error.text);
}

/* ---- the old voice ---- */

static void print_old_line(json_t *member, const Finding *finding) {
        const char *id = json_string_value(json_object_get(member, "id")) ?: "?";
        json_t *urls = json_object_get(member, "clientURLs"), *text;
        size_t i;

        if (json_array_size(urls) == 0) {
                printf("member %s is unreachable: no available published client urls\n", id);
        } else if (finding->health == MEMBER_HEALTHY) {
                printf("member %s is healthy: got healthy result from %s\n", id, finding->url ?: "");
        } else if (finding->health == MEMBER_UNHEALTHY) {
                printf("member %s is unhealthy: got unhealthy result from %s\n", id, finding->url ?: "");
        } else {
                printf("member %s is unreachable: [", id);
                json_array_foreach (urls, i, text)
                        printf("%s%s", i ? " " : "", json_string_value(text) ?: "");
                printf("] are all unreachable\n");
        }
}

static int print_old(json_t *members, const Finding *findings, size_t healthy) {
        size_t total = json_array_size(members);

        (void)findings;
        printf("cluster is %s\n", healthy == total ? "healthy" : healthy == 0 ? "unavailable" : "degraded");
        return healthy == total ? CLI_OK : STORE_EXIT_UNHEALTHY;
}

/* ---- our own voice ---- */

static const char *health_word(MemberHealth health) {
        return health == MEMBER_HEALTHY ? "healthy" : health == MEMBER_UNHEALTHY ? "unhealthy" : "unreachable";
}

static const char *verdict(size_t healthy, size_t total) {
        return healthy == total ? "healthy" : healthy > total / 2 ? "degraded" : "unavailable";
}

static void print_json(json_t *members, const Finding *findings, size_t healthy) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        size_t total = json_array_size(members), i;
        json_t *member;

        json_begin_object(&json);
        json_field_string(&json, "cluster", verdict(healthy, total));
        json_field_u64(&json, "healthy", healthy);
        json_field_u64(&json, "needed", total / 2 + 1);
        json_key(&json, "members");
        json_begin_array(&json);
        json_array_foreach (members, i, member) {
                json_begin_object(&json);
                json_field_string(&json, "id", json_string_value(json_object_get(member, "id")) ?: "");
                json_field_string(&json, "name", json_string_value(json_object_get(member, "name")) ?: "");
                json_field_string(&json, "health", health_word(findings[i].health));
                json_field_string(&json, "url", findings[i].url ?: "");
                if (findings[i].why)
                        json_field_string(&json, "why", findings[i].why);
                json_end_object(&json);
        }
        json_end_array(&json);
        json_end_object(&json);
        printf("%s\n", buffer_string(&text) ?: "");
}

static void print_table(const StoreGroup *group, json_t *members, const Finding *findings) {
        _cleanup_table_ Table table;
        json_t *member;
        size_t i;

        table_init(&table, 4);
        (void)table_add(&table, "MEMBER");
        (void)table_add(&table, "NAME");
        (void)table_add(&table, "HEALTH");
        (void)table_add(&table, "ASKED AT");
        json_array_foreach (members, i, member) {
                const char *name = json_string_value(json_object_get(member, "name")) ?: "";

                (void)table_add(&table, json_string_value(json_object_get(member, "id")) ?: "?");
                (void)table_add(&table, *name ? name : "-");
                (void)table_add(&table, health_word(findings[i].health));
                (void)table_add(&table, findings[i].url ?: "-");
        }
        table_print(&table, TABLE_SPACES, !group->no_legend);
}

/* What is wrong, what it means, and what to do. */
static void print_verdict(json_t *members, const Finding *findings, size_t healthy) {
        size_t total = json_array_size(members), needed = total / 2 + 1, i;
        json_t *member;

        json_array_foreach (members, i, member) {
                const char *name = json_string_value(json_object_get(member, "name")) ?: "";

                if (findings[i].why)
                        printf("%s: %s\n", *name ? name : json_string_value(json_object_get(member, "id")) ?: "?", findings[i].why);
        }
        if (healthy == total) {
                printf("The cluster is healthy.\n");
                return;
        }
        if (healthy >= needed)
                printf("The cluster works, with %zu of %zu members; it needs %zu, so it survives the loss of %zu "
                       "more.\n",
                       healthy, total, needed, healthy - needed);
        else
                printf("The cluster does not work: %zu of %zu members are healthy and it needs %zu. Nothing can be "
                       "written; reads without "
                       "--quorum may be old.\n",
                       healthy, total, needed);
        printf("On the machines of the others: systemctl status faering-store; journalctl -u faering-store. A member "
               "that will not come "
               "back is replaced with \"member remove\" and \"member add\".\n");
}

static int print_ours(StoreGroup *group, json_t *members, const Finding *findings, size_t healthy) {
        if (group->output == STORE_OUTPUT_JSON) {
                print_json(members, findings, healthy);
        } else {
                print_table(group, members, findings);
                print_verdict(members, findings, healthy);
        }
        return healthy == json_array_size(members) ? CLI_OK : STORE_EXIT_UNHEALTHY;
}

/* ---- the verb ---- */

static int look(StoreGroup *group, json_t *members) {
        size_t total = json_array_size(members), healthy = 0, i;
        _cleanup_free_ Finding *findings = calloc(total + 1, sizeof(*findings));
        json_t *member;
        int code;

        if (!findings)
                return CLI_FAILED;
        json_array_foreach (members, i, member) {
                probe_member(group, member, &findings[i]);
                healthy += findings[i].health == MEMBER_HEALTHY;
                if (group->old)
                        print_old_line(member, &findings[i]);
        }
        code = group->old ? print_old(members, findings, healthy) : print_ours(group, members, findings, healthy);
        for (i = 0; i < total; i++)
                finding_deinit(&findings[i]);
        return code;
}

static int complain_list(const StoreGroup *group, int r, const StoreAnswer *answer, const StoreFailure *failure) {
        if (group->old)
                printf("cluster may be unhealthy: failed to list members\n");
        if (r == -EHOSTUNREACH)
                return store_complain_failure(group, STORE_EXIT_SERVER, failure);
        (void)store_complain_answer(group, group->old ? "Error:  " : "the members cannot be listed: ", answer, false);
        return STORE_EXIT_SERVER;
}

static void on_interrupt(uv_signal_t *signal, int number) {
        (void)number;
        store_http_interrupt(signal->data);
}

/* Until Ctrl-C. */
static void look_forever(StoreGroup *group, json_t *members) {
        uv_signal_t interrupt;

        (void)uv_signal_init(&group->loop, &interrupt);
        interrupt.data = group->http;
        (void)uv_signal_start(&interrupt, on_interrupt, SIGINT);
        while (!store_http_is_interrupted(group->http)) {
                (void)look(group, members);
                printf("\nnext check after %d second...\n\n", FOREVER_SEC);
                (void)fflush(stdout);
                store_http_pause(group->http, FOREVER_SEC * USEC_PER_SEC);
        }
        uv_close((uv_handle_t *)&interrupt, NULL);
        (void)uv_run(&group->loop, UV_RUN_NOWAIT);
}

static int run(StoreGroup *group, const StoreArguments *arguments) {
        StoreHttpRequest request = {.method = "GET", .target = "/v2/members"};
        _cleanup_store_failure_ StoreFailure failure = {0};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        json_t *list, *members;
        int r, code = store_connect_without_sync(group);

        if (code != 0)
                return code;
        r = store_http_do(group->http, &request, &answer, &failure);
        list = r >= 0 ? json_loads(answer.body ?: "", 0, NULL) : NULL;
        members = json_object_get(list, "members");
        if (r < 0 || answer.status != 200 || !json_is_array(members))
                code = complain_list(group, r, &answer, &failure);
        else if (arguments->forever)
                look_forever(group, members);
        else
                code = look(group, members);
        json_decref(list);
        return code;
}

static const StoreFlag flags[] = {
        {"forever", "f", STORE_FLAG_SWITCH, STORE_AT(forever), NULL, "look again every 10 seconds until Ctrl-C",
         "forever check the health every 10 second until CTRL+C", NULL, NULL},
        {0},
};

const StoreCommand store_verb_health = {
        .name = "cluster-health",
        .alias = "health",
        .arguments = "",
        .summary = "whether the cluster works, and what is wrong",
        .old_arguments = " ",
        .old_summary = "check the health of the etcd cluster",
        .flags = flags,
        .run = run,
};
