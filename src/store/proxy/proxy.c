#include "store/proxy/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/json-write.h"
#include "net/http-client.h"

#define MEMBERS_ANSWER (5 * USEC_PER_SEC)
#define MEMBERS_BODY_MAX ((size_t)4 << 20)
#define CONFIG_PATH "/v2/config/local/proxy"

enum {
        RETRY_MSEC = 1000,              /* between questions for members while none is known */
        QUEUED_MAX = 1 << 20,           /* bytes of an answer that wait for a slow client before the member is held up */
        METHOD_MAX = 32,
};

struct Proxy {
        uv_loop_t *loop;
        ProxyConfig config;
        HttpClient *clients, *peers;
        Endpoints endpoints;
        StringList peer_urls; /* whom to ask */
        size_t asked;         /* index of the one that is asked */
        HttpCall *question;
        uv_timer_t refresh;
        Error trouble; /* of the last question */
        bool told;     /* of the peer URLs, at least once: the first ones may be of flags alone */
        bool silent;   /* nobody answered, and it was said */
};

/* One request on its way. */
typedef struct Errand {
        Proxy *proxy;
        HttpRequest *request;
        HttpCall *call;
        Url url;
        char method[METHOD_MAX], *target;
        Buffer headers;
        size_t next, attempts;
        bool safe, answering;
} Errand;

/* ---- the members ---- */

static void ask_next(Proxy *proxy);

static void on_refresh(uv_timer_t *timer) {
        Proxy *proxy = timer->data;

        proxy->asked = 0;
        if (!proxy->question)
                ask_next(proxy);
}

static void refresh_later(Proxy *proxy) {
        Usec wait = proxy->endpoints.length > 0 ? proxy->config.refresh_interval : RETRY_MSEC * USEC_PER_MSEC;

        (void)uv_timer_start(&proxy->refresh, on_refresh, wait / USEC_PER_MSEC, 0);
}

static bool same_list(const StringList *a, const StringList *b) {
        if (a->length != b->length)
                return false;
        for (size_t i = 0; i < a->length; i++)
                if (!string_list_contains(b, a->items[i]))
                        return false;
        return true;
}

static void adopt_peers(Proxy *proxy) {
        StringList copy = {0};

        if (proxy->endpoints.peer_urls.length == 0 ||
            (proxy->told && same_list(&proxy->endpoints.peer_urls, &proxy->peer_urls)))
                return;
        for (size_t i = 0; i < proxy->endpoints.peer_urls.length; i++)
                if (string_list_add(&copy, proxy->endpoints.peer_urls.items[i]) < 0) {
                        string_list_deinit(&copy);
                        return;
                }
        string_list_deinit(&proxy->peer_urls);
        proxy->peer_urls = copy;
        proxy->told = true;
        proxy->config.changed(proxy->config.userdata, &proxy->peer_urls);
}

static void on_members(HttpCall *call, int r, const Error *error) {
        Proxy *proxy = http_call_userdata(call);
        Error why = ERROR_NONE;

        proxy->question = NULL;
        if (r >= 0 && http_call_status(call) != 200)
                r = error_set(&why, -EPROTO, "status %u", http_call_status(call));
        else if (r < 0)
                (void)error_set(&why, r, "%s", error ? error->text : "no answer");
        if (r >= 0)
                r = endpoints_take(&proxy->endpoints, http_call_body(call), &why);
        if (r < 0) {
                (void)error_set(&proxy->trouble, r, "%s: %s", proxy->peer_urls.items[proxy->asked], why.text);
                proxy->asked++;
                ask_next(proxy);
                return;
        }
        if (proxy->silent)
                proxy->config.note(proxy->config.userdata, false, "members answer again");
        proxy->silent = false;
        adopt_peers(proxy);
        refresh_later(proxy);
}

static const HttpCallOps members_ops = {.done = on_members};

static int ask(Proxy *proxy, const char *text) {
        Url url;
        int r = url_parse(text, 0, &url, &proxy->trouble);

        if (r < 0)
                return r;
        return http_client_call(proxy->peers,
                                &(HttpCallSpec){.url = &url,
                                                .target = "/members",
                                                .connect_timeout = proxy->config.dial_timeout,
                                                .head_timeout = MEMBERS_ANSWER,
                                                .idle_timeout = MEMBERS_ANSWER,
                                                .body_limit = MEMBERS_BODY_MAX},
                                &members_ops, proxy, &proxy->question);
}

static void ask_next(Proxy *proxy) {
        _cleanup_free_ char *text = NULL;

        for (; proxy->asked < proxy->peer_urls.length; proxy->asked++)
                if (ask(proxy, proxy->peer_urls.items[proxy->asked]) >= 0)
                        return;
        if (!proxy->silent) {
                text = str_printf("no member tells who is in the cluster (%s); it goes on asking", proxy->trouble.text);
                proxy->config.note(proxy->config.userdata, true, text ?: "no member answers");
        }
        proxy->silent = true;
        refresh_later(proxy);
}

/* ---- requests ---- */

/* etcd's texts. */
static void respond_failure(HttpRequest *request, size_t attempts) {
        char body[128];

        if (attempts == 0)
                (void)snprintf(body, sizeof(body), "{\"message\":\"httpproxy: zero endpoints currently available\"}");
        else
                (void)snprintf(body, sizeof(body), "{\"message\":\"httpproxy: unable to get response from %zu endpoint(s)\"}", attempts);
        http_respond(request, attempts == 0 ? 503 : 502, "Content-Type: application/json\r\n", slice_from(body));
}

/* Fields that speak of one connection, or that client and server write by themselves. */
static bool is_of_connection(Slice name) {
        static const char *const names[] = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
                                            "te", "trailer", "trailers", "transfer-encoding", "upgrade", "content-length", "host",
                                            "expect", "date"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (name.length == strlen(names[i]) && strncasecmp(name.data, names[i], name.length) == 0)
                        return true;
        return false;
}

static void copy_fields(Buffer *to, const HttpHead *head) {
        for (size_t i = 0; i < head->length; i++) {
                Slice name = http_head_name(head, i), value = http_head_value(head, i);

                if (!is_of_connection(name)) {
                        (void)buffer_append(to, name.data, name.length);
                        (void)buffer_append_string(to, ": ");
                        (void)buffer_append(to, value.data, value.length);
                        (void)buffer_append_string(to, "\r\n");
                }
        }
}

static void errand_free(Errand *errand) {
        free(errand->target);
        buffer_deinit(&errand->headers);
        free(errand);
}

/* The answer's last word is about to be said: nothing comes back to the errand. */
static void errand_leave(HttpRequest *request) {
        http_request_set_gone(request, NULL, false);
        http_request_set_drained(request, NULL);
}

static void on_gone(HttpRequest *request) {
        Errand *errand = http_request_data(request);

        if (errand->call)
                http_call_cancel(errand->call);
        errand_free(errand);
}

static void on_drained(HttpRequest *request) {
        Errand *errand = http_request_data(request);

        if (errand->call)
                http_call_pause(errand->call, false);
}

static void on_head(HttpCall *call) {
        Errand *errand = http_call_userdata(call);
        Slice length = http_call_header(call, "content-length");
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        uint64_t bytes = UINT64_MAX;

        copy_fields(&headers, http_call_head(call));
        if (length.data && str_parse_u64(length, UINT64_MAX - 1, &bytes) < 0)
                bytes = UINT64_MAX;
        errand->answering = true;
        (void)http_respond_begin(errand->request, http_call_status(call), buffer_string(&headers) ?: "", bytes);
}

/* The client may be found gone in here: the errand is then over. */
static void on_body(HttpCall *call, Slice bytes) {
        Errand *errand = http_call_userdata(call);

        if (http_respond_write(errand->request, bytes) >= 0 && http_request_queued(errand->request) > QUEUED_MAX)
                http_call_pause(call, true);
}

static void errand_try(Errand *errand);

static void errand_fail(Errand *errand) {
        HttpRequest *request = errand->request;

        errand_leave(request);
        respond_failure(request, errand->attempts);
        errand_free(errand);
}

/* Whether another member may be asked: what is safe, always; a change only if no member can have taken it. */
static bool may_go_on(const Errand *errand, int r) {
        return errand->safe || r == -ECONNREFUSED || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -EPROTO ||
               (r == -ETIMEDOUT && errand->proxy->config.read_timeout == 0);
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Errand *errand = http_call_userdata(call);
        Proxy *proxy = errand->proxy;
        _cleanup_free_ char *text = NULL;
        HttpRequest *request = errand->request;
        char url[URL_TEXT_MAX];

        errand->call = NULL;
        if (r >= 0) {
                errand_leave(request);
                http_respond_end(request);
                errand_free(errand);
                return;
        }
        url_format(&errand->url, url);
        text = str_printf("%s fails: %s", url, error ? error->text : "");
        proxy->config.note(proxy->config.userdata, true, text ?: url);
        endpoints_hold(&proxy->endpoints, &errand->url, clock_monotonic() + proxy->config.failure_wait);
        if (errand->answering) {
                errand_leave(request);
                http_respond_abort(request); /* the client sees that it is not whole */
                errand_free(errand);
        } else if (may_go_on(errand, r)) {
                errand_try(errand);
        } else {
                errand_fail(errand);
        }
}

static const HttpCallOps errand_ops = {.head = on_head, .body = on_body, .done = on_done};

static int errand_send(Errand *errand) {
        Slice body = http_request_body(errand->request);

        return http_client_call(errand->proxy->clients,
                                &(HttpCallSpec){.url = &errand->url,
                                                .method = errand->method,
                                                .target = errand->target,
                                                .headers = buffer_string(&errand->headers),
                                                .body = body.length > 0 ? body : (Slice){0},
                                                .connect_timeout = errand->proxy->config.dial_timeout,
                                                .head_timeout = errand->proxy->config.read_timeout,
                                                .idle_timeout = errand->proxy->config.read_timeout},
                                &errand_ops, errand, &errand->call);
}

static void errand_try(Errand *errand) {
        int at;

        while ((at = endpoints_next(&errand->proxy->endpoints, errand->next, clock_monotonic())) >= 0) {
                errand->next = (size_t)at + 1;
                errand->url = errand->proxy->endpoints.items[at].url;
                errand->attempts++;
                if (errand_send(errand) >= 0)
                        return;
        }
        errand_fail(errand);
}

static void respond_config(Proxy *proxy, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        char text[URL_TEXT_MAX];

        json_begin_object(&json);
        json_key(&json, "endpoints");
        json_begin_array(&json);
        for (size_t i = 0; i < proxy->endpoints.length; i++) {
                url_format(&proxy->endpoints.items[i].url, text);
                json_write_string(&json, slice_from(text));
        }
        json_end_array(&json);
        json_end_object(&json);
        http_respond(request, 200, "Content-Type: application/json\r\n", (Slice){buffer_data(&body), buffer_length(&body)});
}

static void forward(Proxy *proxy, HttpRequest *request, Slice method) {
        Errand *errand = calloc(1, sizeof(*errand));
        Slice target = http_request_target(request), query = http_request_query(request);
        char peer[128], *port;

        if (errand)
                *errand = (Errand){.proxy = proxy, .request = request, .target = slice_dup(target), .headers = BUFFER_INIT};
        if (!errand || !errand->target || method.length >= METHOD_MAX) {
                http_respond_text(request, 503, "out of memory\n");
                if (errand)
                        errand_free(errand);
                return;
        }
        memcpy(errand->method, method.data, method.length);
        errand->safe = slice_equals(method, slice_from("GET")) || slice_equals(method, slice_from("HEAD"));
        copy_fields(&errand->headers, http_request_head(request));
        http_request_peer_name(request, peer, sizeof(peer));
        port = strrchr(peer, ':');
        (void)buffer_printf(&errand->headers, "X-Forwarded-For: %.*s\r\n", (int)(port ? port - peer : (ptrdiff_t)strlen(peer)), peer);
        http_request_set_data(request, errand);
        http_request_set_gone(request, on_gone, memmem(query.data ?: "", query.length, "wait=true", 9) != NULL);
        http_request_set_drained(request, on_drained);
        errand_try(errand);
}

void proxy_handle(void *userdata, HttpRequest *request) {
        Proxy *proxy = userdata;
        Slice method = http_request_method_text(request);
        bool get = slice_equals(method, slice_from("GET"));

        if (get && slice_equals(http_request_path(request), slice_from(CONFIG_PATH)))
                respond_config(proxy, request);
        else if (proxy->config.readonly && !get)
                http_respond(request, 501, "", (Slice){"", 0});
        else
                forward(proxy, request, method);
}

/* ---- beginning and end ---- */

Proxy *proxy_new(uv_loop_t *loop, const ProxyConfig *config) {
        Proxy *proxy = calloc(1, sizeof(*proxy));
        int r = 0;

        if (!proxy)
                return NULL;
        *proxy = (Proxy){.loop = loop, .config = *config};
        proxy->clients = http_client_new(loop, &(HttpClientConfig){.tls = config->client_tls});
        proxy->peers = http_client_new(loop, &(HttpClientConfig){.tls = config->peer_tls});
        for (size_t i = 0; r >= 0 && i < config->peer_urls->length; i++)
                r = string_list_add(&proxy->peer_urls, config->peer_urls->items[i]);
        (void)uv_timer_init(loop, &proxy->refresh);
        proxy->refresh.data = proxy;
        if (!proxy->clients || !proxy->peers || r < 0) {
                proxy_close(proxy);
                return NULL;
        }
        (void)uv_timer_start(&proxy->refresh, on_refresh, 0, 0);
        return proxy;
}

static void on_closed(uv_handle_t *handle) {
        Proxy *proxy = handle->data;

        endpoints_deinit(&proxy->endpoints);
        string_list_deinit(&proxy->peer_urls);
        free(proxy);
}

void proxy_close(Proxy *proxy) {
        if (proxy->clients)
                http_client_close(proxy->clients);
        if (proxy->peers)
                http_client_close(proxy->peers);
        uv_close((uv_handle_t *)&proxy->refresh, on_closed);
}
