#pragma once
/* A StoreClient that speaks to servers over HTTP. */
#include <uv.h>

#include "net/tls.h"
#include "net/url.h"
#include "storeclient/storeclient.h"

/* Bytes of one answer. */
#define STORECLIENT_ANSWER_MAX ((size_t)256 << 20)

/* `endpoints` are copied; requests go to the first that answers, and stay there. -EINVAL: none; -ENOMEM. */
int http_storeclient_new(uv_loop_t *loop, const Url *endpoints, size_t count, StoreClient **ret_client);

/* Cancels all; memory goes once the loop has run. NULL is allowed; returns NULL. */
StoreClient *http_storeclient_free(StoreClient *client);

/* More to fall over to (the members that a member list named); requests stay with the one that answers. -ENOMEM: as before. */
int http_storeclient_add_endpoints(StoreClient *client, const Url *endpoints, size_t count);

/* For https:// endpoints, which cannot be reached without; borrowed. */
void http_storeclient_set_tls(StoreClient *client, TlsContext *tls);

/* "name:password" for HTTP's basic authentication, or NULL. -ENOMEM. */
int http_storeclient_set_credentials(StoreClient *client, const char *credentials);

/* Called with a line for people before each request ("curl -X GET …"), for debugging; may be NULL. */
void http_storeclient_set_trace(StoreClient *client, void (*trace)(void *userdata, const char *line), void *userdata);

/* Any other path, raw: `replied` gets the body, or r < 0 with a text. */
typedef void (*StoreRawReplied)(void *userdata, int r, unsigned status, Slice body, const Error *error);
int http_storeclient_raw(StoreClient *client, const char *method, const char *target, const char *content_type, Slice body,
                         Usec timeout, StoreRawReplied replied, void *userdata);
