#pragma once
/* Users and roles as JSON: the bodies of requests, the records below TREE_AUTH, and answers. Field names in any case, as in Go. Pure. */
#include "base/buffer.h"
#include "store/api/auth-rules.h"

/* Bytes of a body or a record. */
#define AUTH_JSON_MAX ((size_t)1024 * 1024)

/* -EINVAL: no such JSON; -ENOMEM. Names are "" when not given. */
int auth_user_parse(Slice text, AuthUser *ret_user);
int auth_role_parse(Slice text, AuthRole *ret_role);

/* Appends the record; the password is left out when it is "". -ENOMEM. */
int auth_user_format(const AuthUser *user, Buffer *buffer);
int auth_role_format(const AuthRole *role, Buffer *buffer);
