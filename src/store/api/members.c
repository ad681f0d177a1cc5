#include <inttypes.h>
#include <stdio.h>

#include "base/json-write.h"
#include "store/api/handlers.h"

static void write_urls(JsonWriter *json, const char *key, const StringList *urls) {
        json_key(json, key);
        json_begin_array(json);
        for (size_t i = 0; i < urls->length; i++)
                json_write_string(json, slice_from(urls->items[i]));
        json_end_array(json);
}

static void write_member(JsonWriter *json, const StoreMember *member) {
        char id[17];

        (void)snprintf(id, sizeof(id), "%" PRIx64, member->id);
        json_begin_object(json);
        json_field_string(json, "id", id);
        json_field_string(json, "name", member->name);
        write_urls(json, "peerURLs", &member->peer_urls);
        write_urls(json, "clientURLs", &member->client_urls);
        json_end_object(json);
}

static void members_respond(Api *api, HttpRequest *request, unsigned code, Buffer *body) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        StoreStatus status = api_status(api);

        (void)buffer_append_byte(body, '\n');
        if (buffer_failed(body)) {
                api_respond_no_memory(request);
                return;
        }
        (void)buffer_printf(&headers, "X-Etcd-Cluster-Id: %" PRIx64 "\r\n", status.cluster_id);
        api_respond(request, code, "application/json", &headers, (Slice){buffer_data(body), buffer_length(body)});
}

static void members_fail(Api *api, HttpRequest *request, unsigned code, const char *message) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_field_string(&json, "message", message);
        json_end_object(&json);
        members_respond(api, request, code, &body);
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

void members_handle(Api *api, HttpRequest *request, Slice path) {
        if (!api_allow_method(request, "GET"))
                return;
        if (path.length > 0)
                path = (Slice){path.data + 1, path.length - 1}; /* the slash */
        if (path.length == 0)
                members_list(api, request);
        else if (slice_equals(path, slice_from("leader")))
                members_leader(api, request);
        else
                members_fail(api, request, 404, "Not found");
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
