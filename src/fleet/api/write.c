#include "fleet/api/write.h"

#include <errno.h>

static void on_gone(HttpRequest *request) {
        ((FleetWrite *)http_request_data(request))->request = NULL;
}

int fleet_write_begin(FleetWrite *write, FleetApi *api, HttpRequest *request, const char *name, unsigned status) {
        write->name = strdup(name);
        if (!write->name)
                return -ENOMEM;
        write->api = api;
        write->request = request;
        write->status = status;
        http_request_set_data(request, write);
        http_request_set_gone(request, on_gone, false);
        return 0;
}

void fleet_write_note(FleetWrite *write, const StoreReply *reply) {
        if (reply->r >= 0 && reply->node)
                write->index = max_of(write->index, reply->node->modified);
}

/* The request, if it is still there: it is the caller's to answer. */
static HttpRequest *write_release(FleetWrite *write) {
        HttpRequest *request = write->request;

        if (request)
                http_request_set_gone(request, NULL, false);
        free(write->name);
        write->release(write);
        return request;
}

void fleet_write_end(FleetWrite *write, const StoreReply *failure) {
        unsigned status = write->status;
        HttpRequest *request = write_release(write);

        if (request && (!failure || fleet_check_reply(request, failure)))
                fleet_respond_empty(request, status);
}

void fleet_write_refuse(FleetWrite *write, unsigned status, const char *message) {
        HttpRequest *request = write_release(write);

        if (request)
                fleet_fail(request, status, message);
}

void fleet_by_method(const FleetMethods *methods, FleetApi *api, HttpRequest *request, const char *path) {
        HttpMethod method = http_request_method(request);

        if (!*path && method == HTTP_METHOD_GET)
                methods->list(api, request);
        else if (!*path)
                fleet_fail(request, 405, "only GET supported against this resource");
        else if (method == HTTP_METHOD_GET)
                methods->get(api, request, path);
        else if (method == HTTP_METHOD_PUT)
                methods->put(api, request, path);
        else if (method == HTTP_METHOD_DELETE)
                methods->remove(api, request, path);
        else
                fleet_fail(request, 405, "only GET, PUT and DELETE supported against this resource");
}
