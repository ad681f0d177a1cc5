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

/* For https:// endpoints, which cannot be reached without; borrowed. */
void http_storeclient_set_tls(StoreClient *client, TlsContext *tls);

/* Who asks, for a store that wants to know: goes with each request. -ENOMEM. */
int http_storeclient_set_user(StoreClient *client, const char *user, const char *password);
