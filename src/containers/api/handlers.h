#pragma once
/* What the handlers of the container API share. */
#include <jansson.h>

#include "base/json-write.h"
#include "containers/api/api.h"

#define API_JSON "Content-Type: application/json\r\n"

enum { API_BODY_MAX = 4 * 1024 * 1024 };

void api_fail(HttpRequest *request, unsigned status, const char *message);

/* Docker's status for an errno; the errno's own text when `error` is empty. */
void api_fail_errno(HttpRequest *request, int r, const Error *error);
void api_respond_json(HttpRequest *request, unsigned status, Buffer *text);
void api_respond_empty(HttpRequest *request, unsigned status);

/* The decoded value of a parameter; NULL: absent. The caller frees. */
char *api_query(HttpRequest *request, const char *name);
bool api_query_bool(HttpRequest *request, const char *name, bool value_default);

/* -EINVAL after the request was answered 400. *ret stays as it is when the parameter is absent. */
int api_query_number(HttpRequest *request, const char *name, int64_t *ret);

/* The body as JSON; NULL after the request was answered 400. */
json_t *api_body(HttpRequest *request);

/* NULL after the request was answered. */
Container *api_container(ContainersApi *api, HttpRequest *request, const char *name);

/* A call of the engine for a request: answered `status` without a body when it is done, 304 for -EALREADY. -ENOMEM is
 * answered. NULL then. */
EngineCall *api_call(HttpRequest *request, unsigned status);

/* "2026-11-22T06:37:35.775985000Z"; 0 is Go's zero time. */
void api_format_time(WallUsec at, char text[static 40]);

/* Writes a jansson value under a key; null when there is none. */
void api_write_json(JsonWriter *json, const char *key, const json_t *value);

/* The streams that a query asks for, as ShimStreams. */
uint8_t api_query_streams(HttpRequest *request);

/* Takes the connection over for attach and exec. NULL after it was answered; `early`: what came behind the request. */
Stream *api_upgrade(HttpRequest *request, bool tty, Buffer *early);

/* ---- filters: {"label":["a=b"]} or {"label":{"a=b":true}} ---- */

/* NULL: none. -EINVAL after the request was answered. */
int api_filters(HttpRequest *request, json_t **ret);
bool api_filter_passes(const json_t *filters, const char *name, bool (*matches)(void *userdata, const char *value),
                       void *userdata);

#define API_HANDLER(name) void name(ContainersApi *api, HttpRequest *request, const char *argument)

API_HANDLER(api_ping);
API_HANDLER(api_version);
API_HANDLER(api_info);
API_HANDLER(api_events);
API_HANDLER(api_disk_usage);
API_HANDLER(api_networks);
API_HANDLER(api_network_inspect);
API_HANDLER(api_volumes);
API_HANDLER(api_volume_inspect);
API_HANDLER(api_volume_create);
API_HANDLER(api_volume_remove);
API_HANDLER(api_containers_list);
API_HANDLER(api_container_inspect);
API_HANDLER(api_container_create);
API_HANDLER(api_container_start);
API_HANDLER(api_container_stop);
API_HANDLER(api_container_restart);
API_HANDLER(api_container_kill);
API_HANDLER(api_container_rename);
API_HANDLER(api_container_remove);
API_HANDLER(api_container_wait);
API_HANDLER(api_container_resize);
API_HANDLER(api_container_attach);
API_HANDLER(api_container_logs);
API_HANDLER(api_container_top);
API_HANDLER(api_containers_prune);
API_HANDLER(api_exec_create);
API_HANDLER(api_exec_start);
API_HANDLER(api_exec_resize);
API_HANDLER(api_exec_inspect);
API_HANDLER(api_not_yet);

/* The inspect object's parts that the listing has as well. */
void api_write_network_settings(JsonWriter *json, const Container *container, bool brief);
void api_write_mounts(JsonWriter *json, const Container *container);
void api_write_exec_ids(JsonWriter *json, const Container *container);
