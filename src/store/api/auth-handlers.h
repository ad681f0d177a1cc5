#pragma once
/* What the files of /v2/auth share: auth-read.c finds what a request wants and answers those that ask, auth-change.c carries out
 * changes. */
#include "store/api/auth.h"

typedef enum AuthChangeKind {
        AUTH_PUT_USER,
        AUTH_DELETE_USER,
        AUTH_PUT_ROLE,
        AUTH_DELETE_ROLE,
        AUTH_ENABLE,
        AUTH_DISABLE,
} AuthChangeKind;

/* Checks the body, carries out, answers: now or later. `name`: of the user or role, from the path. */
void auth_change(Api *api, HttpRequest *http, AuthChangeKind kind, Slice name);

/* 200 with JSON, whose line end is added. */
void auth_respond(Api *api, HttpRequest *http, unsigned status, Buffer *json);
void auth_fail(Api *api, HttpRequest *http, unsigned status, const char *message);
