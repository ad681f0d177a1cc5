#pragma once
/*
 * The client API on an HTTP server: finds the handler of a path and answers what belongs to none, as Go's ServeMux and
 * etcd do. Handlers live in keys.c, members.c and stats.c.
 */
#include "net/http-server.h"
#include "store/api/access.h"
#include "store/api/backend.h"
#include "store/api/metrics.h"

typedef struct Auth Auth;

typedef struct Api {
        const StoreBackend *backend; /* borrowed, with its data */
        void *userdata;
        Auth *auth; /* borrowed */

        /* NULL: certificates say nothing about who sends a request. The common name in the client certificate of the request's
         * connection, borrowed; NULL: it has shown none. */
        const char *(*common_name)(const HttpRequest *request);

        /* NULL: none is. Whether the request came over TLS: any host name may be asked for there. */
        bool (*is_secure)(const HttpRequest *request);

        Access access;
        Metrics metrics;
} Api;

/* `auth` is borrowed; the rest lets everyone in. */
void api_init(Api *api, const StoreBackend *backend, void *userdata, Auth *auth);
void api_deinit(Api *api);

/* HttpServerOps.handle; `userdata` is the Api, which must outlive the server. */
void api_handle(void *userdata, HttpRequest *request);

/* ---- for the handlers ---- */

/* Answers with a body. `headers`: further fields, or NULL. The fields for CORS are added. */
void api_respond(HttpRequest *request, unsigned status, const char *content_type, Buffer *headers, Slice body);

/* Plain text with a line end, as Go's http.Error() answers; `headers` may be NULL. */
void api_respond_text(HttpRequest *request, unsigned status, Buffer *headers, const char *text);

/* {"message":…}, as etcd answers outside of the keys; `headers` may be NULL. */
void api_respond_message(HttpRequest *request, unsigned status, Buffer *headers, const char *message);

/* 500 when there was no memory for an answer. */
void api_respond_no_memory(HttpRequest *request);

/* Appends the fields for CORS to the fields of an answer. */
void api_append_cors(const HttpRequest *request, Buffer *headers);

/* True when the request's method is in `allowed` ("GET,PUT"); otherwise answers 405. */
bool api_allow_method(HttpRequest *request, const char *allowed);

StoreStatus api_status(const Api *api);

/* Appends X-Etcd-Cluster-Id. */
void api_append_cluster_header(const Api *api, Buffer *headers);
