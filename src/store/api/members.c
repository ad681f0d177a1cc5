#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/json-write.h"
#include "store/api/auth.h"
#include "store/api/handlers.h"
#include "store/api/members-request.h"

static void write_member(JsonWriter *json, const StoreMember *member) {
        json_begin_object(json);
        json_field_hex(json, "id", member->id);
        json_field_string(json, "name", member->name);
        json_field_strings(json, "peerURLs", &member->peer_urls);
        json_field_strings(json, "clientURLs", &member->client_urls);
        json_end_object(json);
}

static void members_respond(Api *api, HttpRequest *request, unsigned code, Buffer *body) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;

        (void)buffer_append_byte(body, '\n');
        if (buffer_failed(body)) {
                api_respond_no_memory(request);
                return;
        }
        api_append_cluster_header(api, &headers);
        api_respond(request, code, "application/json", &headers, (Slice){buffer_data(body), buffer_length(body)});
}

static void members_fail(Api *api, HttpRequest *request, unsigned code, const char *message) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;

        api_append_cluster_header(api, &headers);
        api_respond_message(request, code, &headers, message);
}

static void members_list(Api *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        size_t count;
        const StoreMember *members = api->backend->members(api->userdata, &count);

        json_begin_object(&json);
        json_key(&json, "members");
        json_begin_array(&json);
        for (size_t i = 0; i < count; i++)
                write_member(&json, &members[i]);
        json_end_array(&json);
        json_end_object(&json);
        members_respond(api, request, 200, &body);
}

static void members_leader(Api *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        StoreStatus status = api_status(api);
        size_t count;
        const StoreMember *members = api->backend->members(api->userdata, &count);

        for (size_t i = 0; i < count; i++)
                if (status.leader_id != 0 && members[i].id == status.leader_id) {
                        write_member(&json, &members[i]);
                        members_respond(api, request, 200, &body);
                        return;
                }
        members_fail(api, request, 503, "During election");
}

/* ---- changes ---- */

/* A change that waits for the cluster. */
typedef struct MembersCall {
        Api *api;
        HttpRequest *request; /* NULL: its connection is lost */
        StoreMemberChange change;
        StringList peer_urls;
} MembersCall;

static void members_call_free(MembersCall *call) {
        string_list_deinit(&call->peer_urls);
        free(call);
}
CLEANUP_DEFINE(MembersCall, members_call_free)

static void members_call_gone(HttpRequest *request) {
        MembersCall *call = http_request_data(request);

        call->request = NULL;
}

static void members_fail_id(Api *api, HttpRequest *request, unsigned code, const char *what, uint64_t id) {
        char message[80];

        (void)snprintf(message, sizeof(message), "%s: %" PRIx64, what, id);
        members_fail(api, request, code, message);
}

static void members_refuse_change(MembersCall *call, HttpRequest *request, const StoreOutcome *outcome) {
        switch (outcome->r) {
        case STORE_MEMBER_EXISTS:
                members_fail(call->api, request, 409, "membership: ID exists");
                break;
        case STORE_MEMBER_URL_EXISTS:
                members_fail(call->api, request, 409, "membership: peerURL exists");
                break;
        case STORE_MEMBER_UNKNOWN:
                members_fail_id(call->api, request, 404, "No such member", call->change.id);
                break;
        case STORE_MEMBER_GONE:
                members_fail_id(call->api, request, 410, "Member permanently removed", call->change.id);
                break;
        default:
                members_fail(call->api, request, 500, outcome->reason ?: "Internal Server Error");
        }
}

static void members_outcome(void *data, const StoreOutcome *outcome) {
        _cleanup_(members_call_freep) MembersCall *call = data;
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        HttpRequest *request = call->request;

        if (!request)
                return;
        http_request_set_gone(request, NULL, false);
        if (outcome->r != 0)
                members_refuse_change(call, request, outcome);
        else if (call->change.kind == STORE_MEMBER_ADD) {
                write_member(&json, outcome->member);
                members_respond(call->api, request, 201, &body);
        } else {
                _cleanup_buffer_ Buffer headers = BUFFER_INIT;

                api_append_cluster_header(call->api, &headers);
                api_respond(request, 204, NULL, &headers, (Slice){"", 0});
        }
}

/* False after it has answered: the body must be JSON, by its name. */
static bool members_check_type(Api *api, HttpRequest *request) {
        Slice type = http_request_header(request, "Content-Type");
        const char *semicolon = type.length ? memchr(type.data, ';', type.length) : NULL;
        _cleanup_free_ char *message = NULL;

        if (semicolon)
                type = slice_trim((Slice){type.data, (size_t)(semicolon - type.data)});
        if (type.length == 16 && (semicolon ? strncasecmp : strncmp)(type.data, "application/json", 16) == 0)
                return true;
        message = str_printf("Bad Content-Type %.*s, accept application/json", (int)type.length, type.data);
        if (message)
                members_fail(api, request, 415, message);
        else
                api_respond_no_memory(request);
        return false;
}

/* False after it has answered. */
static bool members_parse_id(Api *api, HttpRequest *request, Slice text, uint64_t *ret_id) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        _cleanup_free_ char *message = NULL;
        uint64_t id = 0;
        bool right = text.length <= 16;

        if (text.length == 0) {
                api_append_cluster_header(api, &headers);
                api_respond_text(request, 405, &headers, "Method Not Allowed");
                return false;
        }
        for (size_t i = 0; right && i < text.length; i++) {
                char c = text.data[i];

                right = isxdigit((unsigned char)c);
                id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        if (right) {
                *ret_id = id;
                return true;
        }
        message = str_printf("No such member: %.*s", (int)text.length, text.data);
        if (message)
                members_fail(api, request, 404, message);
        else
                api_respond_no_memory(request);
        return false;
}

static void members_change(Api *api, HttpRequest *request, StoreMemberChangeKind kind, Slice id) {
        _cleanup_(members_call_freep) MembersCall *call = calloc(1, sizeof(*call));
        Error error = ERROR_NONE;
        int r;

        if (!call) {
                api_respond_no_memory(request);
                return;
        }
        *call = (MembersCall){.api = api, .request = request, .change = {.kind = kind}};
        if (kind != STORE_MEMBER_ADD && !members_parse_id(api, request, id, &call->change.id))
                return;
        if (kind != STORE_MEMBER_REMOVE) {
                if (!members_check_type(api, request))
                        return;
                r = members_parse_urls(http_request_body(request), &call->peer_urls, &error);
                if (r < 0) {
                        members_fail(api, request, 400, error.text);
                        return;
                }
                call->change.peer_urls = &call->peer_urls;
        }
        http_request_set_data(request, call);
        http_request_set_gone(request, members_call_gone, false);
        api->backend->change_member(api->userdata, &call->change, members_outcome, call);
        (void)take_ptr(call); /* members_outcome() frees it, and may have done so */
}

static void members_get(Api *api, HttpRequest *request, Slice path) {
        if (path.length == 0)
                members_list(api, request);
        else if (slice_equals(path, slice_from("leader")))
                members_leader(api, request);
        else
                members_fail(api, request, 404, "Not found");
}

void members_handle(Api *api, HttpRequest *request, Slice path) {
        if (!api_allow_method(request, api->backend->change_member ? "GET,POST,DELETE,PUT" : "GET"))
                return;
        if (http_request_method(request) != HTTP_METHOD_GET && !auth_demand_root(api, request))
                return;
        if (path.length > 0)
                path = (Slice){path.data + 1, path.length - 1}; /* the slash */
        switch (http_request_method(request)) {
        case HTTP_METHOD_POST:
                members_change(api, request, STORE_MEMBER_ADD, path);
                break;
        case HTTP_METHOD_PUT:
                members_change(api, request, STORE_MEMBER_UPDATE, path);
                break;
        case HTTP_METHOD_DELETE:
                members_change(api, request, STORE_MEMBER_REMOVE, path);
                break;
        default:
                members_get(api, request, path);
        }
}

void machines_handle(Api *api, HttpRequest *request, Slice path) {
        _cleanup_string_list_ StringList urls = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        const StoreMember *members;
        size_t count;

        (void)path;
        if (!api_allow_method(request, "GET,HEAD"))
                return;
        members = api->backend->members(api->userdata, &count);
        for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < members[i].client_urls.length; k++)
                        if (string_list_add(&urls, members[i].client_urls.items[k]) < 0) {
                                api_respond_no_memory(request);
                                return;
                        }
        string_list_sort(&urls);
        for (size_t i = 0; i < urls.length; i++)
                (void)buffer_printf(&body, "%s%s", i ? ", " : "", urls.items[i]);
        if (buffer_failed(&body))
                api_respond_no_memory(request);
        else
                api_respond(request, 200, "text/plain; charset=utf-8", NULL,
                            (Slice){buffer_data(&body), buffer_length(&body)});
}
