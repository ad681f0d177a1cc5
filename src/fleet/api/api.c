#include "fleet/api/api.h"

#include <errno.h>

#include "base/encode.h"
#include "fleet/api/handlers.h"
#include "fleet/api/json-fault.h"
#include "net/url.h"

void fleet_respond_json(HttpRequest *request, Buffer *body) {
        if (buffer_failed(body) < 0)
                http_respond_text(request, 500, "out of memory\n");
        else
                http_respond(request, 200, "Content-Type: application/json\r\nServer: fleetd/" FAERING_VERSION "\r\n",
                             (Slice){buffer_data(body), buffer_length(body)});
}

void fleet_respond_empty(HttpRequest *request, unsigned status) {
        http_respond(request, status, "Server: fleetd/" FAERING_VERSION "\r\n", (Slice){"", 0});
}

void fleet_fail(HttpRequest *request, unsigned status, const char *message) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_key(&json, "error");
        json_begin_object(&json);
        json_field_u64(&json, "code", status);
        json_field_string(&json, "message", message);
        json_end_object(&json);
        json_end_object(&json);
        http_respond(request, status, "Content-Type: application/json\r\nServer: fleetd/" FAERING_VERSION "\r\n",
                     (Slice){buffer_data(&body), buffer_length(&body)});
}

bool fleet_check_reply(HttpRequest *request, const StoreReply *reply) {
        _cleanup_free_ char *message = NULL;

        if (reply->r >= 0)
                return true;
        message = str_printf("the store did not take it: %s", reply->error.text);
        fleet_fail(request, 500, message ?: "");
        return false;
}

void fleet_fail_json(HttpRequest *request, const char *prefix, Slice body, const char *otherwise) {
        _cleanup_buffer_ Buffer message = BUFFER_INIT;

        (void)buffer_append_string(&message, prefix);
        if (json_fault_find(body, &message) == 0)
                (void)buffer_append_string(&message, otherwise);
        fleet_fail(request, 400, buffer_string(&message) ?: "");
}

void fleet_fail_shape(HttpRequest *request, const char *prefix, const Error *error) {
        _cleanup_free_ char *message = str_printf("%s%s", prefix, error->text);

        fleet_fail(request, 400, message ?: "");
}

/* ---- pages: the token is base64url of u16 limit and u16 page, little-endian ---- */

static bool is_line_end(char c) {
        return c == '\r' || c == '\n';
}

/* A digit of the token, or '='; line ends are passed over. False: the text has ended. */
static bool base64_next(Slice token, size_t *at, char *ret) {
        while (*at < token.length && is_line_end(token.data[*at]))
                (*at)++;
        if (*at == token.length)
                return false;
        *ret = token.data[(*at)++];
        return true;
}

static bool is_base64_digit(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Where Go sees the fault of a text that has one: SIZE_MAX for a sound one. A group of four that the text ends in has it where
 * the group begins. */
static size_t base64_fault(Slice token) {
        size_t at = 0, digits = 0, begin = 0;
        char c;

        while (base64_next(token, &at, &c)) {
                if (is_base64_digit(c)) {
                        if (digits++ % 4 == 0)
                                begin = at - 1;
                        continue;
                }
                if (c != '=' || digits % 4 < 2)
                        return at - 1;
                if (digits % 4 == 2 && !base64_next(token, &at, &c))
                        return token.length;
                if (c != '=') /* the first '=' was it */
                        return at - 2;
                return base64_next(token, &at, &c) ? at - 1 : SIZE_MAX;
        }
        return digits % 4 ? begin : SIZE_MAX;
}

static int page_token_parse(Slice token, size_t limit, size_t *ret_page, Error *error) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        size_t fault = base64_fault(token);
        const uint8_t *b;

        if (fault != SIZE_MAX)
                return error_set(error, -EINVAL, "illegal base64 data at input byte %zu", fault);
        if (decode_base64(&bytes, BASE64_URL, token) < 0 || buffer_length(&bytes) < 4)
                return error_set(error, -EINVAL, buffer_length(&bytes) > 0 ? "unexpected EOF" : "EOF");
        b = (const uint8_t *)buffer_data(&bytes);
        if ((size_t)(b[0] | b[1] << 8) != limit)
                return error_set(error, -EINVAL, "token limit must be %zu", limit);
        *ret_page = (size_t)(b[2] | b[3] << 8);
        return *ret_page > 0 ? 0 : error_set(error, -EINVAL, "token page must be greater than zero");
}

/* False after it was answered. */
static bool page_limit(HttpRequest *request, size_t *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint64_t limit = FLEET_PAGE_LIMIT;

        if (url_query_get(http_request_query(request), "limit", &text) > 0 &&
            (str_parse_u64((Slice){buffer_data(&text), buffer_length(&text)}, FLEET_PAGE_LIMIT_MAX, &limit) < 0 || limit == 0)) {
                fleet_fail(request, 400, "limit must be a number from 1 to 10000");
                return false;
        }
        *ret = limit;
        return true;
}

static bool pair_is_token(Slice name) {
        _cleanup_buffer_ Buffer decoded = BUFFER_INIT;

        return url_decode(&decoded, name, true, NULL) >= 0 && str_equals(buffer_string(&decoded), "nextPageToken");
}

bool fleet_page(HttpRequest *request, FleetPage *ret) {
        Slice rest = http_request_query(request), name, value;
        _cleanup_buffer_ Buffer token = BUFFER_INIT;
        Error error = ERROR_NONE;
        size_t page = 1, tokens = 0, limit;

        if (!page_limit(request, &limit))
                return false;
        while (url_query_next(&rest, &name, &value))
                if (pair_is_token(name)) {
                        buffer_clear(&token);
                        if (url_decode(&token, value, true, NULL) >= 0) /* as Go: a pair with a bad escape is none */
                                tokens++;
                }
        if (tokens > 1) {
                fleet_fail(request, 400, "too many values for page token");
                return false;
        }
        if (tokens == 1 && page_token_parse((Slice){buffer_data(&token), buffer_length(&token)}, limit, &page, &error) < 0) {
                fleet_fail(request, 400, error.text);
                return false;
        }
        *ret = (FleetPage){.first = (page - 1) * limit, .limit = limit};
        return true;
}

void fleet_write_next_page(JsonWriter *json, const FleetPage *page, size_t total) {
        size_t next = page->first / page->limit + 2;
        uint8_t bytes[4] = {(uint8_t)page->limit, (uint8_t)(page->limit >> 8), (uint8_t)next, (uint8_t)(next >> 8)};
        _cleanup_buffer_ Buffer token = BUFFER_INIT;

        if (page->first + page->limit >= total || next > UINT16_MAX)
                return;
        if (encode_base64(&token, BASE64_URL, bytes, sizeof(bytes)) < 0 || buffer_append_string(&token, "==") < 0)
                return;
        json_field_slice(json, "nextPageToken", (Slice){buffer_data(&token), buffer_length(&token)});
}

static int compare_units(const void *a, const void *b) {
        return strcmp((*(const RegistryUnit *const *)a)->name, (*(const RegistryUnit *const *)b)->name);
}

const RegistryUnit **fleet_sorted_units(const Registry *registry, size_t *ret_count) {
        const Map *units = registry_units(registry);
        const RegistryUnit **list = calloc(units->length + 1, sizeof(*list));
        size_t count = 0;

        if (!list)
                return NULL;
        map_foreach (units, entry)
                if (registry_unit_is_complete(entry->value))
                        list[count++] = entry->value;
        qsort(list, count, sizeof(*list), compare_units);
        *ret_count = count;
        return list;
}

static int compare_machines(const void *a, const void *b) {
        return strcmp((*(const RegistryMachine *const *)a)->id, (*(const RegistryMachine *const *)b)->id);
}

const RegistryMachine **fleet_sorted_machines(const Registry *registry, size_t *ret_count) {
        const Map *machines = registry_machines(registry);
        const RegistryMachine **list = calloc(machines->length + 1, sizeof(*list));
        size_t count = 0;

        if (!list)
                return NULL;
        map_foreach (machines, entry)
                list[count++] = entry->value;
        qsort(list, count, sizeof(*list), compare_machines);
        *ret_count = count;
        return list;
}

/* ---- routing ---- */

const char fleet_api_reading_only[] = "reading only";

typedef struct Route {
        const char *prefix;
        const char *resource;
        void (*handle)(FleetApi *api, HttpRequest *request, const char *path);
        bool reads;  /* served to other machines, for GET */
        bool judges; /* served to those that have shown a certificate, for POST */
} Route;

static const Route routes[] = {
        {"/fleet/v1", "units", fleet_units_handle, false, false},
        {"/fleet/v1", "machines", fleet_machines_handle, false, false},
        {"/fleet/v1", "state", fleet_states_handle, true, false},
        {"/fleet/v1", "discovery", fleet_discovery_handle, false, false},
        {"/v1-alpha", "units", fleet_units_handle, false, false},
        {"/v1-alpha", "machines", fleet_machines_handle, false, false},
        {"/v1-alpha", "state", fleet_states_handle, false, false},
        {"/v1-alpha", "discovery", fleet_discovery_handle, false, false},
        {"/faering/v1", "changes", fleet_changes_handle, false, false},
        {"/faering/v1", "explain", fleet_explain_handle, false, false},
        {"/faering/v1", "machines", fleet_own_machines_handle, false, false},
        {"/faering/v1", "moves", fleet_moves_handle, false, false},
        {"/faering/v1", "plan", fleet_plan_handle, false, false},
        {"/faering/v1", "rebalance", fleet_rebalance_handle, false, false},
        {"/faering/v1", "rolls", fleet_rolls_handle, false, false},
        {"/faering/v1", "states", fleet_own_states_handle, false, false},
        {"/faering/v1", "usage", fleet_usage_handle, true, false},
        {"/faering/v1", "verify", fleet_verify_handle, false, true},
        {"/faering/v1", "whatif", fleet_whatif_handle, false, false},
        {"/faering/v1", "logs", fleet_logs_handle, true, false},
        {"/faering/v1", "status", fleet_status_handle, false, false},
};

static bool route_matches(const Route *route, const char *path, const char **ret_rest) {
        size_t prefix = strlen(route->prefix), resource = strlen(route->resource);

        if (strncmp(path, route->prefix, prefix) != 0 || path[prefix] != '/' ||
            strncmp(path + prefix + 1, route->resource, resource) != 0)
                return false;
        path += prefix + 1 + resource;
        if (path[0] != '\0' && path[0] != '/')
                return false;
        *ret_rest = path;
        return true;
}

static bool route_is_open(const Route *route, HttpRequest *request) {
        HttpMethod method = http_request_method(request);

        return !http_request_listener_data(request) || (route->reads && method == HTTP_METHOD_GET) ||
               (route->judges && method == HTTP_METHOD_POST && http_request_is_tls(request));
}

void fleet_api_handle(void *userdata, HttpRequest *request) {
        FleetApi *api = userdata;
        _cleanup_buffer_ Buffer decoded = BUFFER_INIT;
        const char *path, *rest;

        if (url_decode(&decoded, http_request_path(request), false, NULL) < 0 || !(path = buffer_string(&decoded)) ||
            strlen(path) != buffer_length(&decoded)) {
                fleet_fail(request, 400, "the path has a bad escape");
                return;
        }
        if (!registry_is_readable(api->registry) || !api->registered(api->userdata)) {
                fleet_fail(request, 503, "fleet server unable to communicate with etcd");
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
                if (route_matches(&routes[i], path, &rest)) {
                        if (rest[0] == '/' && (rest[1] == '\0' || strchr(rest + 1, '/')))
                                fleet_fail(request, 404, "");
                        else if (!route_is_open(&routes[i], request))
                                fleet_fail(request, 403, "this address serves only logs, states and usage; the API is on the machine itself");
                        else
                                routes[i].handle(api, request, rest[0] ? rest + 1 : rest);
                        return;
                }
        if (str_equals(path, "/") || str_equals(path, "/fleet/v1") || str_equals(path, "/v1-alpha"))
                fleet_fail(request, 405, "");
        else
                fleet_fail(request, 404, "");
}
