#pragma once
/* The header field "Authorization: Basic …". Pure. */
#include "base/buffer.h"
#include "base/str.h"

typedef struct BasicAuth {
        Buffer text; /* "user:password", decoded */
        Slice user, password;
} BasicAuth;

/* -EINVAL: not Basic, no base64, no colon; -ENOMEM. */
int basic_auth_parse(Slice field, BasicAuth *ret_basic);
void basic_auth_deinit(BasicAuth *basic); /* wipes it */
#define _cleanup_basic_auth_ _cleanup_(basic_auth_deinit)
