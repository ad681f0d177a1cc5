/* Requests of the verbs, and what is said when they fail. */
#include <errno.h>

#include "cli/store-target.h"
#include "cli/store.h"
#include "storeclient/reply.h"

/* ---- complaints ---- */

int store_complain(const StoreGroup *group, int code, const char *old, const char *ours) {
        (void)fflush(stdout);
        if (group->old)
                (void)fprintf(stderr, "%s\n", old);
        else
                cli_complain(group->program, "%s", ours);
        return code;
}

/* etcd's client calls it one error with all causes in it, and etcdctl prints the causes once more. */
static void complain_causes(const StoreFailure *failure) {
        if (failure->timed_out) {
                (void)fprintf(stderr, "Error:  context deadline exceeded\n");
                return;
        }
        if (failure->single && failure->causes.length == 1) {
                (void)fprintf(stderr, "Error:  %s\n", failure->causes.items[0]);
                return;
        }
        (void)fprintf(stderr, "Error:  client: etcd cluster is unavailable or misconfigured");
        for (size_t i = 0; i < failure->causes.length; i++)
                (void)fprintf(stderr, "; error #%zu: %s\n", i, failure->causes.items[i]);
        (void)fprintf(stderr, "\n");
        for (size_t i = 0; i < failure->causes.length; i++)
                (void)fprintf(stderr, "error #%zu: %s\n", i, failure->causes.items[i]);
        (void)fprintf(stderr, "\n");
}

int store_complain_failure(const StoreGroup *group, int code, const StoreFailure *failure) {
        (void)fflush(stdout);
        if (failure->interrupted)
                return CLI_OK;
        if (group->old) {
                complain_causes(failure);
                return code;
        }
        if (failure->unhealthy)
                cli_complain(group->program, "no member could do it");
        else
                cli_complain(group->program, "no member answers%s",
                             failure->timed_out ? " in time (--total-timeout)" : "");
        for (size_t i = 0; i < failure->reasons.length; i++)
                (void)fprintf(stderr, "  %s\n", failure->reasons.items[i]);
        (void)fprintf(stderr, "%s\"%s health\" asks each member; --endpoints names others.\n",
                      failure->unhealthy ? "" : "Is a store running there? ", group->program);
        return code;
}

/* What to do about the store's refusals, in our own voice. */
static const char *advice(int code) {
        static const struct {
                int code;
                const char *text;
        } table[] = {
                {STORE_KEY_NOT_FOUND, "\"faering store ls\" lists what is there"},
                {STORE_COMPARE_FAILED, "somebody else changed it; read it again and decide anew"},
                {STORE_NOT_FILE, "it is a directory: \"faering store ls\" lists it, \"rm --recursive\" removes it"},
                {STORE_NOT_DIRECTORY, "a key on the way there is no directory"},
                {STORE_KEY_EXISTS, "\"faering store set\" overwrites it"},
                {STORE_DIRECTORY_NOT_EMPTY, "\"rm --recursive\" removes it with all below"},
                {STORE_UNAUTHORIZED, "--username NAME[:PASSWORD] says whose rights to use"},
                {STORE_INDEX_CLEARED, "the store remembers the last 1000 events; read the key and watch from there"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (table[i].code == code)
                        return table[i].text;
        return NULL;
}

static int complain_refusal(const StoreGroup *group, const StoreReply *reply) {
        const char *next = advice(reply->code);

        (void)fflush(stdout);
        if (group->old) {
                (void)fprintf(stderr, "Error:  %s\n", reply->error.text);
                return STORE_EXIT_SERVER;
        }
        cli_complain(group->program, "%s: %s (%d at index %llu)%s%s",
                     reply->cause && *reply->cause ? reply->cause : "the store", reply->message ?: "it refused",
                     reply->code, (unsigned long long)reply->index, next ? "; " : "", next ?: "");
        return reply->code == STORE_UNAUTHORIZED ? STORE_EXIT_AUTHENTICATION : STORE_EXIT_SERVER;
}

/* ---- keys ---- */

static const char *method_of(StoreVerb verb) {
        return verb == STORE_SET               ? "PUT"
               : verb == STORE_CREATE_IN_ORDER ? "POST"
               : verb == STORE_DELETE          ? "DELETE"
                                               : "GET";
}

int store_send(StoreGroup *group, const StoreRequest *request, uint64_t *index, StoreReply *ret_reply,
               StoreFailure *failure) {
        bool form = request->verb == STORE_SET || request->verb == STORE_CREATE_IN_ORDER;
        _cleanup_free_ char *target = store_target_keys(request), *body = form ? store_target_form(request) : NULL;
        _cleanup_store_answer_ StoreAnswer answer = {0};
        StoreHttpRequest http = {
                .method = method_of(request->verb),
                .target = target,
                .content_type = form || request->verb == STORE_DELETE ? "application/x-www-form-urlencoded" : NULL,
                .body = body,
                .one_shot = request->verb == STORE_DELETE || request->verb == STORE_WATCH ||
                            (request->verb == STORE_SET && request->exist == STORE_EXIST_MUST_NOT),
                .wait = request->verb == STORE_WATCH,
                .index = index,
        };
        int r;

        *ret_reply = (StoreReply){0};
        if (!target || (form && !body))
                return -ENOMEM;
        r = store_http_do(group->http, &http, &answer, failure);
        if (r < 0)
                return r;
        if (answer.status < 300 && answer.length == 0)
                return -ENODATA;
        r = reply_parse((Slice){answer.body, answer.length}, answer.status, answer.index, ret_reply);
        return r < 0 ? r : 0;
}

int store_complain_reply(const StoreGroup *group, int r, const StoreReply *reply, const StoreFailure *failure) {
        if (r == -EHOSTUNREACH)
                return store_complain_failure(group, STORE_EXIT_SERVER, failure);
        if (r >= 0)
                return complain_refusal(group, reply);
        if (r == -ENODATA)
                return store_complain(group, STORE_EXIT_SERVER, "Error:  client: response body is empty",
                                      "the answer is empty: is it a store that answers there?");
        return store_complain(
                group, STORE_EXIT_SERVER,
                r == -ENOMEM ? "Error:  out of memory"
                             : "Error:  client: response is invalid json. The endpoint is probably not valid etcd "
                               "cluster endpoint",
                r == -ENOMEM ? "out of memory"
                             : "the answer is not of etcd's v2 API: is it a store that answers there?");
}

int store_request(StoreGroup *group, const StoreRequest *request, StoreReply *ret_reply) {
        _cleanup_store_failure_ StoreFailure failure = {0};
        int r = store_send(group, request, NULL, ret_reply, &failure), code;

        if (r >= 0 && ret_reply->r >= 0)
                return 0;
        code = store_complain_reply(group, r, ret_reply, &failure);
        store_reply_deinit(ret_reply);
        return code;
}

int store_request_and_print(StoreGroup *group, const StoreRequest *request) {
        StoreReply reply;
        int code = store_request(group, request, &reply);

        if (code != 0)
                return code;
        store_print_reply(group, &reply);
        store_reply_deinit(&reply);
        return CLI_OK;
}

const char *store_need_key(const StoreGroup *group, const StoreArguments *arguments) {
        if (arguments->words.length > 0)
                return arguments->words.items[0];
        (void)store_complain(group, 0, "Error:  key required", "which key? See --help");
        return NULL;
}

/* ---- all else ---- */

/* As one line: the causes are not told once more. */
static int complain_in_one(const StoreGroup *group, const StoreQuestion *question, const StoreFailure *failure) {
        if (!group->old)
                return store_complain_failure(group, STORE_EXIT_USAGE, failure);
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s", question->before ?: "");
        if (failure->timed_out)
                (void)fprintf(stderr, "context deadline exceeded");
        else
                (void)fprintf(stderr, "client: etcd cluster is unavailable or misconfigured");
        for (size_t i = 0; !failure->timed_out && i < failure->causes.length; i++)
                (void)fprintf(stderr, "; error #%zu: %s\n", i, failure->causes.items[i]);
        (void)fprintf(stderr, "%s", question->bare ? "" : "\n");
        return STORE_EXIT_USAGE;
}

int store_ask(StoreGroup *group, const StoreQuestion *question, StoreAnswer *ret_answer) {
        _cleanup_store_failure_ StoreFailure failure = {0};
        StoreHttpRequest http = {
                .method = question->method,
                .target = question->target,
                .content_type = question->json ? "application/json" : NULL,
                .body = question->json,
                .shown_body = question->shown_json,
        };
        int r = store_http_do(group->http, &http, ret_answer, &failure);

        if (r >= 0)
                return 0;
        if (r == -ENOMEM)
                return store_complain(group, STORE_EXIT_USAGE, "out of memory", "out of memory");
        return complain_in_one(group, question, &failure);
}

int store_complain_answer(const StoreGroup *group, const char *before, const StoreAnswer *answer, bool told) {
        json_t *json = json_loads(answer->body ?: "", 0, NULL);
        const char *message = json_string_value(json_object_get(json, "message"));

        (void)fflush(stdout);
        if (!group->old)
                cli_complain(group->program, "%s%s (HTTP %u)%s", before, message ?: "the answer makes no sense",
                             answer->status,
                             answer->status == 401 ? "; --username NAME[:PASSWORD] says whose rights to use" : "");
        else if (told)
                (void)fprintf(stderr, "%s%s\n", before, message ?: "");
        else
                (void)fprintf(stderr, "%sunexpected status code %u\n", before, answer->status);
        json_decref(json);
        return STORE_EXIT_USAGE;
}
