#pragma once
/* What api.c hands requests to. `path` is decoded and clean, and follows the handler's prefix; borrowed. */
#include "store/api/api.h"

void keys_handle(Api *api, HttpRequest *request, Slice path);
void auth_enable_handle(Api *api, HttpRequest *request, Slice path);
void auth_roles_handle(Api *api, HttpRequest *request, Slice path);
void auth_users_handle(Api *api, HttpRequest *request, Slice path);
void members_handle(Api *api, HttpRequest *request, Slice path);
void machines_handle(Api *api, HttpRequest *request, Slice path);
void stats_store_handle(Api *api, HttpRequest *request, Slice path);
void stats_self_handle(Api *api, HttpRequest *request, Slice path);
void stats_leader_handle(Api *api, HttpRequest *request, Slice path);
void metrics_handle(Api *api, HttpRequest *request, Slice path);
void debug_vars_handle(Api *api, HttpRequest *request, Slice path);
void debug_pprof_handle(Api *api, HttpRequest *request, Slice path);
void config_log_handle(Api *api, HttpRequest *request, Slice path);
void version_handle(Api *api, HttpRequest *request, Slice path);
void health_handle(Api *api, HttpRequest *request, Slice path);
