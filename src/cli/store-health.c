/* cluster-health: each member is asked for itself. */
#include <errno.h>
#include <jansson.h>

#include "cli/store.h"

typedef enum MemberHealth {
        MEMBER_HEALTHY,
        MEMBER_UNHEALTHY,
        MEMBER_UNREACHABLE,
} MemberHealth;

typedef struct Probe {
        bool done;
        int r;
        bool healthy;
} Probe;

static void on_health(void *userdata, int r, unsigned status, Slice body, const Error *error) {
        Probe *probe = userdata;
        json_t *answer = json_loadb(body.data, body.length, 0, NULL);
        const char *word = json_string_value(json_object_get(answer, "health"));

        (void)error;
        probe->done = true;
        probe->r = r;
        probe->healthy = r >= 0 && status == 200 && ((word && str_equals(word, "true")) || json_is_true(json_object_get(answer, "health")));
        json_decref(answer);
}

/* Asks the member at that URL alone. */
static MemberHealth probe_url(StoreGroup *group, const Url *url) {
        StoreClient *client;
        Probe probe = {0};

        if (http_storeclient_new(&group->loop, url, 1, &client) < 0)
                return MEMBER_UNREACHABLE;
        http_storeclient_set_tls(client, group->tls.context);
        if (http_storeclient_raw(client, "GET", "/health", NULL, (Slice){NULL, 0}, group->timeout, on_health, &probe) < 0)
                probe = (Probe){.done = true, .r = -ECONNREFUSED};
        while (!probe.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        http_storeclient_free(client);
        return probe.r < 0 ? MEMBER_UNREACHABLE : probe.healthy ? MEMBER_HEALTHY : MEMBER_UNHEALTHY;
}

static MemberHealth probe_member(StoreGroup *group, json_t *member) {
        const char *id = json_string_value(json_object_get(member, "id")) ?: "?";
        json_t *urls = json_object_get(member, "clientURLs"), *text;
        MemberHealth health = MEMBER_UNREACHABLE;
        size_t i;

        if (json_array_size(urls) == 0) {
                printf("member %s is unreachable: no available published client urls\n", id);
                return MEMBER_UNREACHABLE;
        }
        json_array_foreach(urls, i, text) {
                Url url;

                if (url_parse(json_string_value(text) ?: "", 80, &url, NULL) < 0)
                        continue;
                health = probe_url(group, &url);
                if (health == MEMBER_HEALTHY)
                        printf("member %s is healthy: got healthy result from %s\n", id, json_string_value(text));
                else if (health == MEMBER_UNHEALTHY)
                        printf("member %s is unhealthy: got unhealthy result from %s\n", id, json_string_value(text));
                if (health != MEMBER_UNREACHABLE)
                        return health;
        }
        printf("member %s is unreachable: [", id);
        json_array_foreach(urls, i, text)
                printf("%s%s", i ? " " : "", json_string_value(text) ?: "");
        printf("] are all unreachable\n");
        return health;
}

static int print_health(StoreGroup *group, json_t *members) {
        size_t healthy = 0, total = json_array_size(members), i;
        json_t *member;

        json_array_foreach(members, i, member)
                healthy += probe_member(group, member) == MEMBER_HEALTHY;
        if (total > 0 && healthy == total) {
                printf("cluster is healthy\n");
                return CLI_OK;
        }
        if (healthy > total / 2)
                printf("cluster is degraded\n");
        else
                printf("cluster is unavailable\n");
        if (str_starts_with(group->program, "faering"))
                printf("%zu of %zu members are healthy; %zu are needed. Look at the others' logs: journalctl -u faering-store\n",
                       healthy, total, total / 2 + 1);
        return STORE_EXIT_UNHEALTHY;
}

int store_verb_health(void *userdata, int argc, char **argv) {
        StoreGroup *group = userdata;
        const Verb *verb = verb_find(store_verbs, "cluster-health", false);
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *body = NULL;
        json_t *answer;
        unsigned status;
        int code;

        if (verb_parse(verb, group->program, NULL, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        code = store_connect(group);
        if (code == 0)
                code = store_raw(group, "GET", "/v2/members", &status, &body);
        if (code != 0) {
                printf("cluster may be unhealthy: failed to list members\n");
                return STORE_EXIT_UNHEALTHY;
        }
        answer = json_loads(body ?: "", 0, NULL);
        code = print_health(group, json_object_get(answer, "members"));
        json_decref(answer);
        return code;
}
