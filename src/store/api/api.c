#include "store/api/api.h"

#include <errno.h>
#include <inttypes.h>

#include "base/json-write.h"
#include "store/api/handlers.h"
#include "store/api/keys-request.h"

static const struct {
        const char *path;
        bool below; /* also what is below it */
        void (*handle)(Api *api, HttpRequest *request, Slice path);
} routes[] = {
        {KEYS_PREFIX, true, keys_handle},
        {"/v2/auth/enable", false, auth_enable_handle},
        {"/v2/auth/roles", true, auth_roles_handle},
        {"/v2/auth/users", true, auth_users_handle},
        {"/v2/members", true, members_handle},
        {"/v2/machines", false, machines_handle},
        {"/v2/stats/store", false, stats_store_handle},
        {"/v2/stats/self", false, stats_self_handle},
        {"/v2/stats/leader", false, stats_leader_handle},
        {"/version", false, version_handle},
        {"/health", false, health_handle},
        {"/metrics", false, metrics_handle},
        {"/debug/vars", false, debug_vars_handle},
        {"/debug/pprof", true, debug_pprof_handle},
        {"/config/local/log", false, config_log_handle},
};

#define CORS_FIELDS                                                             \
        "Access-Control-Allow-Headers: accept, content-type, authorization\r\n" \
        "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n"     \
        "Access-Control-Allow-Origin: "

void api_init(Api *api, const StoreBackend *backend, void *userdata, Auth *auth) {
        *api = (Api){.backend = backend, .userdata = userdata, .auth = auth};
        metrics_init(&api->metrics);
}

void api_deinit(Api *api) {
        access_deinit(&api->access);
}

void api_append_cors(const HttpRequest *request, Buffer *headers) {
        const Api *api = http_request_server_data(request);
        Slice origin;

        if (!api->access.some_origins) {
                (void)buffer_append_string(headers, CORS_FIELDS "*\r\n");
                return;
        }
        origin = access_allowed_origin(&api->access, http_request_header(request, "Origin"));
        if (!origin.data)
                return;
        (void)buffer_append_string(headers, CORS_FIELDS);
        (void)buffer_append(headers, origin.data, origin.length);
        (void)buffer_append_string(headers, "\r\n");
}

void api_respond_no_memory(HttpRequest *request) {
        http_respond(request, 500, "", slice_from("not enough memory for the answer\n"));
}

void api_respond(HttpRequest *request, unsigned status, const char *content_type, Buffer *headers, Slice body) {
        _cleanup_buffer_ Buffer own = BUFFER_INIT;
        const char *text;

        if (!headers)
                headers = &own;
        api_append_cors(request, headers);
        if (content_type) {
                (void)buffer_append_string(headers, "Content-Type: ");
                (void)buffer_append_string(headers, content_type);
                (void)buffer_append_string(headers, "\r\n");
        }
        text = buffer_failed(headers) ? NULL : buffer_string(headers);
        if (text)
                http_respond(request, status, text, body);
        else
                api_respond_no_memory(request);
}

void api_respond_text(HttpRequest *request, unsigned status, Buffer *headers, const char *text) {
        _cleanup_buffer_ Buffer own = BUFFER_INIT, body = BUFFER_INIT;

        if (!headers)
                headers = &own;
        (void)buffer_append_string(headers, "X-Content-Type-Options: nosniff\r\n");
        (void)buffer_printf(&body, "%s\n", text);
        api_respond(request, status, "text/plain; charset=utf-8", headers,
                    (Slice){buffer_data(&body), buffer_length(&body)});
}

void api_respond_message(HttpRequest *request, unsigned status, Buffer *headers, const char *message) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_field_string(&json, "message", message);
        json_end_object(&json);
        if (buffer_failed(&body))
                api_respond_no_memory(request);
        else
                api_respond(request, status, "application/json", headers, (Slice){buffer_data(&body), buffer_length(&body)});
}

bool api_allow_method(HttpRequest *request, const char *allowed) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        Slice rest = slice_from(allowed), one;

        while (slice_split(&rest, ',', &one))
                if (slice_equals(one, http_request_method_text(request)))
                        return true;
        (void)buffer_printf(&headers, "Allow: %s\r\n", allowed);
        api_respond_text(request, 405, &headers, "Method Not Allowed");
        return false;
}

StoreStatus api_status(const Api *api) {
        StoreStatus status = {0};

        api->backend->status(api->userdata, &status);
        return status;
}

void api_append_cluster_header(const Api *api, Buffer *headers) {
        (void)buffer_printf(headers, "X-Etcd-Cluster-Id: %" PRIx64 "\r\n", api_status(api).cluster_id);
}

/* What Go leaves alone in the path of a URL that it writes, besides what is unreserved. */
static int append_escaped_path(Buffer *buffer, Slice path) {
        static const char kept[] = "$&+,/:;=@-_.~";

        for (size_t i = 0; i < path.length; i++) {
                char c = path.data[i];
                bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c != '\0' && strchr(kept, c));

                if (plain)
                        (void)buffer_append_byte(buffer, c);
                else
                        (void)buffer_printf(buffer, "%%%02X", (uint8_t)c);
        }
        return buffer_failed(buffer);
}

static void append_html_escaped(Buffer *buffer, Slice text) {
        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];

                if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
                        (void)buffer_printf(buffer, "&#%d;", c);
                else
                        (void)buffer_append_byte(buffer, c);
        }
}

/* 301 to the clean form of the path, with the query. */
static void api_redirect(HttpRequest *request, Slice clean) {
        _cleanup_buffer_ Buffer location = BUFFER_INIT, headers = BUFFER_INIT, body = BUFFER_INIT;
        Slice query = http_request_query(request), target;
        HttpMethod method = http_request_method(request);
        bool with_body = method == HTTP_METHOD_GET;

        (void)append_escaped_path(&location, clean);
        if (query.length > 0) {
                (void)buffer_append_byte(&location, '?');
                (void)buffer_append(&location, query.data, query.length);
        }
        target = (Slice){buffer_data(&location), buffer_length(&location)};
        (void)buffer_append_string(&headers, "Location: ");
        (void)buffer_append(&headers, target.data, target.length);
        (void)buffer_append_string(&headers, "\r\n");
        if (with_body) {
                (void)buffer_append_string(&body, "<a href=\"");
                append_html_escaped(&body, target);
                (void)buffer_append_string(&body, "\">Moved Permanently</a>.\n\n");
        }
        if (buffer_failed(&location) || buffer_failed(&body)) {
                api_respond_no_memory(request);
                return;
        }
        api_respond(request, 301, with_body || method == HTTP_METHOD_HEAD ? "text/html; charset=utf-8" : NULL, &headers,
                    (Slice){buffer_data(&body), buffer_length(&body)});
}

static bool route_matches(size_t index, Slice path, Slice *ret_rest) {
        Slice prefix = slice_from(routes[index].path);

        if (path.length < prefix.length || memcmp(path.data, prefix.data, prefix.length) != 0)
                return false;
        *ret_rest = (Slice){path.data + prefix.length, path.length - prefix.length};
        return ret_rest->length == 0 || (routes[index].below && ret_rest->data[0] == '/');
}

/* True when the host may be asked for; otherwise answers. */
static bool api_check_host(const Api *api, HttpRequest *request) {
        Slice host = http_request_header(request, "Host"), name = access_host_name(host);
        _cleanup_free_ char *text = NULL;

        if (access_allows_host(&api->access, host) || (api->is_secure && api->is_secure(request)))
                return true;
        text = str_printf("The host name \"%.*s\" of this request is not among those that this store answers to.\n"
                          "That keeps web pages from reaching it by a name of their own (DNS rebinding, CVE-2018-5702).\n"
                          "Ask over HTTPS, or start the store with the name in --host-whitelist.\n",
                          (int)min_of(name.length, (size_t)255), name.data ?: "");
        http_respond_text(request, 421, text ?: "host not allowed\n");
        return false;
}

void api_handle(void *userdata, HttpRequest *request) {
        _cleanup_buffer_ Buffer decoded = BUFFER_INIT, clean = BUFFER_INIT;
        Api *api = userdata;
        Slice path, rest;
        int r;

        if (api->access.some_hosts && !api_check_host(api, request))
                return;
        if (http_request_method(request) == HTTP_METHOD_OPTIONS) {
                api_respond(request, 200, NULL, NULL, (Slice){"", 0});
                return;
        }
        r = url_decode(&decoded, http_request_path(request), false, NULL);
        if (r == -EINVAL) {
                api_respond_text(request, 400, NULL, "400 Bad Request");
                return;
        }
        path = (Slice){buffer_data(&decoded), buffer_length(&decoded)};
        if (r == 0)
                r = keys_clean_path(path, &clean);
        if (r < 0) {
                api_respond_no_memory(request);
                return;
        }
        if (!slice_equals(path, (Slice){buffer_data(&clean), buffer_length(&clean)})) {
                api_redirect(request, (Slice){buffer_data(&clean), buffer_length(&clean)});
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
                if (route_matches(i, path, &rest)) {
                        routes[i].handle(api, request, rest);
                        return;
                }
        api_respond_text(request, 404, NULL, "404 page not found");
}
