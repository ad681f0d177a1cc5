#include "store/ask.h"

#include <errno.h>

#include "net/http-client.h"

#define ASK_CONNECT USEC_PER_SEC
#define ASK_ANSWER (2 * USEC_PER_SEC)
#define ASK_BODY_MAX ((size_t)4 << 20)

typedef struct Ask {
        bool (*accept)(const void *userdata, const ClusterView *view);
        const void *userdata;
        size_t waiting;
        bool taken, answered;
        ClusterView view;
        Error error; /* of the last that did not answer */
} Ask;

typedef struct AskCall {
        Ask *ask;
        char url[URL_TEXT_MAX];
} AskCall;

static void ask_take(Ask *ask, Slice body, Error *error) {
        _cleanup_cluster_view_ ClusterView view = {0};

        if (cluster_view_parse(body, &view, error) < 0)
                return;
        ask->answered = true;
        if (ask->taken || !ask->accept(ask->userdata, &view))
                return;
        ask->taken = true;
        ask->view = view;
        view = (ClusterView){0};
}

static void on_answer(HttpCall *http, int r, const Error *error) {
        AskCall *call = http_call_userdata(http);
        Ask *ask = call->ask;
        Error why = ERROR_NONE;

        ask->waiting--;
        if (r < 0)
                (void)error_set(&why, r, "%s", error ? error->text : "");
        else if (http_call_status(http) != 200)
                (void)error_set(&why, -EPROTO, "status %u", http_call_status(http));
        else
                ask_take(ask, http_call_body(http), &why);
        if (why.text[0])
                (void)error_set(&ask->error, -EHOSTUNREACH, "%s: %s", call->url, why.text);
}

static const HttpCallOps ask_ops = {.done = on_answer};

static int ask_url(HttpClient *client, const Url *url, AskCall *call) {
        const HttpCallSpec spec = {
                .url = url,
                .target = ASK_PATH,
                .connect_timeout = ASK_CONNECT,
                .head_timeout = ASK_ANSWER,
                .idle_timeout = ASK_ANSWER,
                .body_limit = ASK_BODY_MAX,
        };
        HttpCall *http;
        int r;

        url_format(url, call->url);
        r = http_client_call(client, &spec, &ask_ops, call, &http);
        if (r >= 0)
                call->ask->waiting++;
        return r;
}

static int ask_all(Ask *ask, HttpClient *client, const Bootstrap *bootstrap, const BootstrapMember *self,
                   AskCall *calls) {
        for (size_t i = 0; i < bootstrap->count; i++) {
                const BootstrapMember *member = &bootstrap->members[i];

                for (size_t k = 0; member != self && k < member->url_count; k++) {
                        calls->ask = ask;
                        if (ask_url(client, &member->urls[k], calls++) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

int ask_members(uv_loop_t *loop, TlsContext *tls, const Bootstrap *bootstrap, const BootstrapMember *self,
                bool (*accept)(const void *userdata, const ClusterView *view), const void *userdata,
                ClusterView *ret_view, Error *error) {
        _cleanup_free_ AskCall *calls = NULL;
        Ask ask = {.accept = accept, .userdata = userdata};
        HttpClient *client = http_client_new(loop, &(HttpClientConfig){.tls = tls});
        size_t urls = 1;
        int r;

        for (size_t i = 0; i < bootstrap->count; i++)
                urls += bootstrap->members[i].url_count;
        calls = calloc(urls, sizeof(*calls));
        r = client && calls ? ask_all(&ask, client, bootstrap, self, calls) : -ENOMEM;
        while (r >= 0 && ask.waiting > 0 && !ask.taken)
                (void)uv_run(loop, UV_RUN_ONCE);
        if (client)
                http_client_close(client);
        (void)uv_run(loop, UV_RUN_DEFAULT); /* until its memory is gone */
        if (r >= 0 && ask.taken) {
                *ret_view = ask.view;
                return 0;
        }
        cluster_view_deinit(&ask.view);
        if (r < 0)
                return r;
        if (ask.answered)
                return error_set(error, -ENOENT, "the other members that answer know of no such cluster yet");
        return error_set(error, -EHOSTUNREACH, "none of the other members answers (%s)", ask.error.text);
}
