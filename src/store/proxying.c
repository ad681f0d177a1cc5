#include "store/proxying.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "base/json-write.h"
#include "base/log.h"
#include "host/file.h"
#include "net/http-server.h"
#include "store/proxy/proxy.h"

struct Proxying {
        const Settings *settings;
        HttpServer *http;
        Proxy *proxy;
        TlsContext *client_tls, *peer_tls;
        char *file; /* of the members' peer URLs */
        bool stopped;
};

/* ---- the file ---- */

static char *file_path(const Settings *settings) {
        return str_printf("%s/proxy/cluster", settings->data_dir);
}

int proxying_has_data(const Settings *settings) {
        _cleanup_free_ char *path = file_path(settings);

        return path && access(path, F_OK) == 0;
}

static int make_folder(const Settings *settings, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/proxy", settings->data_dir);

        return path ? file_make_folder(path, 0700, error) : -ENOMEM;
}

static void on_changed(void *userdata, const StringList *urls) {
        Proxying *proxying = userdata;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_strings(&json, "PeerURLs", urls);
        json_end_object(&json);
        if (buffer_failed(&text) || file_replace(proxying->file, 0600, (Slice){buffer_data(&text), buffer_length(&text)}, true, NULL) < 0)
                log_warning("cannot keep the list of members in %s: the next start asks those that the flags name", proxying->file);
}

static int read_file(const char *path, StringList *urls) {
        json_t *root = json_load_file(path, 0, NULL), *list = json_object_get(root, "PeerURLs");
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(list) && i < ENDPOINTS_MAX; i++)
                if (json_is_string(json_array_get(list, i)))
                        r = string_list_add(urls, json_string_value(json_array_get(list, i)));
        json_decref(root);
        return r;
}

static int first_members(const Proxying *proxying, StringList *urls) {
        const Bootstrap *bootstrap = &proxying->settings->bootstrap;
        char text[URL_TEXT_MAX];
        int r;

        r = read_file(proxying->file, urls);
        for (size_t i = 0; r >= 0 && urls->length == 0 && i < bootstrap->count; i++)
                for (size_t k = 0; r >= 0 && k < bootstrap->members[i].url_count; k++) {
                        url_format(&bootstrap->members[i].urls[k], text);
                        r = string_list_add(urls, text);
                }
        return r;
}

/* ---- the proxy ---- */

static void on_note(void *userdata, bool bad, const char *text) {
        (void)userdata;
        if (bad)
                log_warning("proxy: %s", text);
        else
                log_info("proxy: %s", text);
}

static const HttpServerOps http_ops = {.handle = proxy_handle};

static int listen_all(Proxying *proxying, uv_loop_t *loop, Inherited *inherited, Error *error) {
        proxying->http = http_server_new(loop, &http_ops, proxying->proxy, NULL);
        if (!proxying->http)
                return -ENOMEM;
        http_server_set_tls(proxying->http, proxying->client_tls);
        return inherited_listen(inherited, INHERITED_CLIENT, &proxying->settings->listen_client, proxying->http, error);
}

static int begin(Proxying *proxying, uv_loop_t *loop, Inherited *inherited, Error *error) {
        const Settings *settings = proxying->settings;
        _cleanup_string_list_ StringList urls = {0};
        int r;

        proxying->file = file_path(settings);
        r = proxying->file ? make_folder(settings, error) : -ENOMEM;
        if (r >= 0)
                r = first_members(proxying, &urls);
        if (r >= 0)
                r = settings_tls_context(settings, false, on_note, &proxying->client_tls, error);
        if (r >= 0)
                r = settings_tls_context(settings, true, on_note, &proxying->peer_tls, error);
        if (r < 0)
                return r;
        proxying->proxy = proxy_new(loop, &(ProxyConfig){
                                                  .peer_urls = &urls,
                                                  .readonly = str_equals(settings->proxy.mode, "readonly"),
                                                  .failure_wait = settings->proxy.failure_wait_msec * USEC_PER_MSEC,
                                                  .refresh_interval = settings->proxy.refresh_interval_msec * USEC_PER_MSEC,
                                                  .dial_timeout = settings->proxy.dial_timeout_msec * USEC_PER_MSEC,
                                                  .read_timeout = settings->proxy.read_timeout_msec * USEC_PER_MSEC,
                                                  .client_tls = proxying->client_tls,
                                                  .peer_tls = proxying->peer_tls,
                                                  .changed = on_changed,
                                                  .note = on_note,
                                                  .userdata = proxying,
                                          });
        return proxying->proxy ? listen_all(proxying, loop, inherited, error) : -ENOMEM;
}

int proxying_new(uv_loop_t *loop, const Settings *settings, Inherited *inherited, Proxying **ret_proxying, Error *error) {
        Proxying *proxying = calloc(1, sizeof(*proxying));
        int r;

        if (!proxying)
                return -ENOMEM;
        proxying->settings = settings;
        r = begin(proxying, loop, inherited, error);
        if (r < 0) {
                proxying_stop(proxying);
                (void)uv_run(loop, UV_RUN_DEFAULT);
                (void)proxying_free(proxying);
                return r;
        }
        log_info("a proxy%s, with no data of its own: clients' requests go to the members",
                 str_equals(settings->proxy.mode, "readonly") ? " for reading" : "");
        *ret_proxying = proxying;
        return 0;
}

void proxying_stop(Proxying *proxying) {
        if (proxying->stopped)
                return;
        proxying->stopped = true;
        if (proxying->http)
                http_server_close(proxying->http, NULL, NULL);
        if (proxying->proxy)
                proxy_close(proxying->proxy);
}

Proxying *proxying_free(Proxying *proxying) {
        if (!proxying)
                return NULL;
        (void)tls_context_free(proxying->client_tls);
        (void)tls_context_free(proxying->peer_tls);
        free(proxying->file);
        free(proxying);
        return NULL;
}
