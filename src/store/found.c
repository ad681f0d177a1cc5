#include "store/found.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/http-client.h"
#include "store/data-directory.h"
#include "store/discovery/discovery.h"
#include "store/discovery/srv.h"
#include "store/log/disk-directory.h"
#include "store/log/log.h"
#include "store/proxying.h"
#include "storeclient/reply.h"

#define FOUND_ANSWER (10 * USEC_PER_SEC)
#define FOUND_WAIT (300 * USEC_PER_SEC) /* of a watch; a silent one is made anew */
#define FOUND_BODY_MAX ((size_t)4 << 20)

enum { PAUSE_FIRST_SEC = 1, PAUSE_MAX_SEC = 30, HTTP_PORT = 80, HTTPS_PORT = 443, ID_DIGITS = 16 };

/* ---- one question ---- */

typedef struct Question {
        StoreReply reply;
        bool answered;
} Question;

static uint64_t store_index(const HttpCall *call) {
        Slice text = http_call_header(call, "x-etcd-index");
        uint64_t index = 0;

        if (!text.data || str_parse_u64(text, UINT64_MAX - 1, &index) < 0)
                return 0;
        return index;
}

static void on_answer(HttpCall *call, int r, const Error *error) {
        Question *question = http_call_userdata(call);

        question->answered = true;
        if (r < 0) {
                question->reply.r = r == -EBADMSG ? -EIO : r;
                (void)error_set(&question->reply.error, r, "%s", error ? error->text : "no answer");
                return;
        }
        r = reply_parse(http_call_body(call), http_call_status(call), store_index(call), &question->reply);
        if (r < 0)
                question->reply = (StoreReply){.r = r, .status = http_call_status(call)};
}

static const HttpCallOps question_ops = {.done = on_answer};

static int ask(uv_loop_t *loop, HttpClient *client, const HttpCallSpec *spec, StoreReply *ret_reply) {
        Question question = {0};
        HttpCall *call;
        int r;

        r = http_client_call(client, spec, &question_ops, &question, &call);
        if (r < 0)
                return r;
        while (!question.answered)
                (void)uv_run(loop, UV_RUN_ONCE);
        *ret_reply = question.reply;
        return 0;
}

/* ---- by URL ---- */

typedef struct TokenServer {
        uv_loop_t *loop;
        HttpClient *client;
        Url url;            /* of the token */
        Url proxy;          /* host empty: none */
} TokenServer;

static int ask_next(const TokenServer *server, const Discovery *discovery, StoreReply *ret_reply) {
        _cleanup_(discovery_request_deinit) DiscoveryRequest request = {0};
        _cleanup_free_ char *target = NULL;
        char origin[URL_TEXT_MAX];
        Url bare = server->url;
        int r;

        r = discovery_next(discovery, &request);
        if (r < 0)
                return r;
        bare.path[0] = '\0';
        url_format(&bare, origin);
        target = str_printf("%s%s", server->proxy.host[0] ? origin : "", request.target);
        if (!target)
                return -ENOMEM;
        return ask(server->loop, server->client,
                   &(HttpCallSpec){
                           .url = server->proxy.host[0] ? &server->proxy : &server->url,
                           .method = request.method,
                           .target = target,
                           .headers = request.form ? "Content-Type: application/x-www-form-urlencoded\r\n" : NULL,
                           .body = request.form ? slice_from(request.form) : (Slice){0},
                           .head_timeout = request.waits ? FOUND_WAIT : FOUND_ANSWER,
                           .idle_timeout = request.waits ? FOUND_WAIT : FOUND_ANSWER,
                           .body_limit = FOUND_BODY_MAX,
                   },
                   ret_reply);
}

static void on_pause_over(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

static void pause_for(uv_loop_t *loop, unsigned seconds) {
        bool over = false;
        uv_timer_t timer;

        (void)uv_timer_init(loop, &timer);
        timer.data = &over;
        (void)uv_timer_start(&timer, on_pause_over, (uint64_t)seconds * 1000, 0);
        while (!over)
                (void)uv_run(loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        (void)uv_run(loop, UV_RUN_NOWAIT); /* until the handle is gone */
}

static void log_progress(const Discovery *discovery, uint64_t *last) {
        if (discovery->step != DISCOVERY_STEP_WAIT || discovery->registered == *last)
                return;
        *last = discovery->registered;
        log_info("discovery: %" PRIu64 " of %" PRIu64 " founders have come to %s; waiting for the others", discovery->registered,
                 discovery->size, discovery->url);
}

static int meet(const TokenServer *server, Discovery *discovery, Error *error) {
        unsigned pause = PAUSE_FIRST_SEC;
        uint64_t last = 0;
        int r;

        do {
                _cleanup_(store_reply_deinit) StoreReply reply = {0};

                r = ask_next(server, discovery, &reply);
                if (r < 0)
                        return r;
                r = discovery_hear(discovery, &reply, error);
                log_progress(discovery, &last);
                if (r == DISCOVERY_AGAIN) {
                        log_warning("%s; asking again in %u s", error->text, pause);
                        pause_for(server->loop, pause);
                        pause = min_of(pause * 2, (unsigned)PAUSE_MAX_SEC);
                } else {
                        pause = PAUSE_FIRST_SEC;
                }
        } while (r == DISCOVERY_ON || r == DISCOVERY_AGAIN);
        return r;
}

static int adopt(Settings *settings, const char *cluster, const char *token, const char *where, Error *error) {
        Bootstrap found = {0};
        int r = bootstrap_parse(cluster, token, &found, error);

        if (r < 0)
                return error_prefix(error, r, "what members have said of themselves at %s", where);
        bootstrap_deinit(&settings->bootstrap);
        settings->bootstrap = found;
        return 0;
}

static int adopt_met(Settings *settings, const Discovery *discovery, Error *error) {
        int r = adopt(settings, discovery->cluster, discovery->url, discovery->url, error);

        if (r < 0)
                return r;
        if (settings->bootstrap.count != discovery->size)
                return error_set(error, -EINVAL,
                                 "%s: two of the %" PRIu64 " founders have the same name (%s): give each its own --name, and use a new token",
                                 discovery->url, discovery->size, discovery->cluster);
        log_info("discovery: the cluster is complete: %s", discovery->cluster);
        return 0;
}

static int become_proxy(Settings *settings) {
        free(settings->proxy.mode);
        settings->proxy.mode = strdup("on");
        return settings->proxy.mode ? 0 : -ENOMEM;
}

static int meet_and_adopt(const TokenServer *server, Settings *settings, Error *error) {
        const BootstrapMember *self = bootstrap_find(&settings->bootstrap, settings->name);
        _cleanup_free_ char *path = strdup(server->url.path);
        _cleanup_(discovery_deinit) Discovery discovery = {
                .url = settings->discovery.url, .path = path, .value = settings->initial_cluster};
        char id[ID_DIGITS + 1];
        int r;

        if (!path)
                return -ENOMEM;
        for (size_t length = strlen(path); length > 0 && path[length - 1] == '/'; length--)
                path[length - 1] = '\0';
        (void)snprintf(id, sizeof(id), "%" PRIx64, self->id);
        discovery.id = settings_proxy_is_on(&settings->proxy) ? NULL : id;
        r = meet(server, &discovery, error);
        if (r == DISCOVERY_FULL && discovery.id && str_equals(settings->discovery.fallback, "proxy")) {
                log_warning("discovery: %s is full: this one becomes a proxy before its %" PRIu64 " members", discovery.url,
                            discovery.size);
                r = become_proxy(settings) < 0 ? -ENOMEM : DISCOVERY_FOUND;
        }
        if (r == DISCOVERY_FULL && discovery.id)
                return error_set(error, -EUSERS,
                                 "%s: the cluster is full: %" PRIu64
                                 " other members have come first (%s). Add this one to the running cluster (faering store member add), "
                                 "or use a new token",
                                 discovery.url, discovery.size, discovery.cluster);
        return r < 0 ? r : adopt_met(settings, &discovery, error);
}

static int parse_flag(const char *flag, const char *text, Url *ret, Error *error) {
        int r = url_parse(text, str_starts_with(text, "https:") ? HTTPS_PORT : HTTP_PORT, ret, error);

        return r < 0 ? error_prefix(error, r, "%s", flag) : 0;
}

static int find_by_url(uv_loop_t *loop, Settings *settings, Error *error) {
        const SettingsDiscovery *flags = &settings->discovery;
        TokenServer server = {.loop = loop};
        TlsContext *tls = NULL;
        int r;

        r = parse_flag("--discovery", flags->url, &server.url, error);
        if (r >= 0 && flags->proxy && *flags->proxy)
                r = parse_flag("--discovery-proxy", flags->proxy, &server.proxy, error);
        if (r >= 0 && server.proxy.host[0] && server.url.scheme != URL_HTTP)
                r = error_set(error, -EINVAL, "--discovery-proxy serves only http:// URLs, but --discovery is %s", flags->url);
        if (r >= 0 && server.url.scheme == URL_HTTPS)
                r = tls_context_new(&(TlsSettings){0}, &tls, error);
        if (r < 0)
                return r;
        server.client = http_client_new(loop, &(HttpClientConfig){.tls = tls});
        r = server.client ? meet_and_adopt(&server, settings, error) : -ENOMEM;
        if (server.client)
                http_client_close(server.client);
        (void)uv_run(loop, UV_RUN_DEFAULT); /* until its memory is gone */
        (void)tls_context_free(tls);
        return r;
}

/* ---- by DNS ---- */

static bool same_address(const struct addrinfo *a, const struct addrinfo *b) {
        for (const struct addrinfo *x = a; x; x = x->ai_next)
                for (const struct addrinfo *y = b; y; y = y->ai_next)
                        if (x->ai_addrlen == y->ai_addrlen && memcmp(x->ai_addr, y->ai_addr, x->ai_addrlen) == 0)
                                return true;
        return false;
}

/* Whether both URLs lead to the same place, by name or by what the names stand for. */
static bool same_place(const Url *a, const Url *b) {
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *left = NULL, *right = NULL;
        bool same;

        if (a->scheme != b->scheme || a->port != b->port)
                return false;
        if (str_equals(a->host, b->host))
                return true;
        same = getaddrinfo(a->host, NULL, &hints, &left) == 0 && getaddrinfo(b->host, NULL, &hints, &right) == 0 &&
               same_address(left, right);
        if (left)
                freeaddrinfo(left);
        if (right)
                freeaddrinfo(right);
        return same;
}

static bool is_own(const Settings *settings, const Url *url) {
        for (size_t i = 0; i < settings->advertise_peer.length; i++)
                if (same_place(&settings->advertise_peer.items[i], url))
                        return true;
        return false;
}

/* All use the records' URLs, also of themselves: ids follow from them and must be alike everywhere. */
static int find_by_srv(Settings *settings, Error *error) {
        const SettingsDiscovery *flags = &settings->discovery;
        _cleanup_string_list_ StringList urls = {0};
        _cleanup_buffer_ Buffer cluster = BUFFER_INIT;
        bool found = false;
        Url url;
        int r;

        r = srv_find_members(flags->srv, flags->srv_name ?: "", &urls, error);
        for (size_t i = 0; r >= 0 && i < urls.length; i++) {
                bool own;

                r = url_parse(urls.items[i], 0, &url, error);
                if (r < 0)
                        return error_prefix(error, r, "--discovery-srv: a record of %s", flags->srv);
                own = !found && is_own(settings, &url);
                found |= own;
                if (own)
                        (void)buffer_printf(&cluster, "%s%s=%s", i ? "," : "", settings->name, urls.items[i]);
                else
                        (void)buffer_printf(&cluster, "%s%zu.%s=%s", i ? "," : "", i, flags->srv, urls.items[i]);
        }
        if (r < 0)
                return r;
        if (!buffer_string(&cluster))
                return -ENOMEM;
        if (!found && !settings_proxy_is_on(&settings->proxy))
                return error_set(error, -ENOENT,
                                 "--discovery-srv: none of the SRV records of %s (%s) is this member's --initial-advertise-peer-urls (%s): "
                                 "correct one of them",
                                 flags->srv, buffer_string(&cluster), settings->initial_advertise_peer_urls);
        log_info("discovery: DNS names these founders: %s", buffer_string(&cluster));
        return adopt(settings, buffer_string(&cluster), settings->initial_cluster_token, flags->srv, error);
}

/* ---- both ---- */

static int has_data(const Settings *settings, Error *error) {
        _cleanup_(disk_directory_freep) Disk *disk = NULL;
        int r = data_directory_open(settings->data_dir, settings->wal_dir, &disk, error);

        if (r < 0)
                return r;
        r = log_exists(disk);
        return r < 0 ? error_set_errno(error, r, "cannot read %s", settings->data_dir) : r;
}

int found_by_discovery(uv_loop_t *loop, Settings *settings, Error *error) {
        bool by_url = settings->discovery.url && *settings->discovery.url, by_srv = settings->discovery.srv && *settings->discovery.srv;
        int r;

        if ((!by_url && !by_srv) || settings->force_new_cluster || str_equals(settings->initial_cluster_state, "existing"))
                return 0;
        if (proxying_has_data(settings)) {
                /* as which it was begun, it goes on */
                return settings_proxy_is_on(&settings->proxy) ? 0 : become_proxy(settings);
        }
        r = settings_proxy_is_on(&settings->proxy) ? 0 : has_data(settings, error);
        if (r != 0)
                return r < 0 ? r : 0;
        return by_url ? find_by_url(loop, settings, error) : find_by_srv(settings, error);
}
