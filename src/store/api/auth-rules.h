#pragma once
/*
 * Users, roles and who may do what: the rules of etcd's v2 auth. Pure. A list is null until something was said of it: the store
 * tells `null` from `[]`, in what it answers and in whether a change changes anything, as etcd does.
 */
#include "base/error.h"
#include "base/str.h"

#define AUTH_ROOT "root"   /* the user, and the role that may do everything */
#define AUTH_GUEST "guest" /* the role of requests that name nobody */

/* Names or patterns in one list. */
#define AUTH_NAMES_MAX ((size_t)1024)

typedef struct AuthNames {
        StringList list;
        bool is_set; /* otherwise null, and empty */
} AuthNames;

/* Patterns: a key's path, or, with '*' at the end, what begins like it. */
typedef struct AuthPermissions {
        AuthNames read, write;
} AuthPermissions;

typedef struct AuthRole {
        char *name;
        AuthPermissions permissions;
        bool has_grant, has_revoke;
        AuthPermissions grant, revoke; /* of a change */
} AuthRole;

typedef struct AuthUser {
        char *name;
        char *password; /* of a request: in plain; in the store: its hash. "" when none */
        AuthNames roles;
        AuthNames grant, revoke; /* of a change */
} AuthUser;

void auth_role_deinit(AuthRole *role);
void auth_user_deinit(AuthUser *user); /* the password is wiped */
#define _cleanup_auth_role_ _cleanup_(auth_role_deinit)
#define _cleanup_auth_user_ _cleanup_(auth_user_deinit)

bool auth_permissions_are_empty(const AuthPermissions *permissions);

/* The role that nobody can change: all keys. -ENOMEM. */
int auth_role_init_full(AuthRole *role, const char *name);

/* Gives the user "root" its role. -ENOMEM. */
int auth_user_attach_root(AuthUser *user);

/* Name and roles of a new user, with `hash` as its password. -ENOMEM. */
int auth_user_copy(const AuthUser *user, const char *hash, AuthUser *ret_user);

bool auth_user_has_role(const AuthUser *user, const char *role);

/* Whether `key` ("" or "/a/b", as in the request's path) may be used; `recursive`: with all that is below it. */
bool auth_role_allows(const AuthRole *role, Slice key, bool write, bool recursive);

/* Makes of `old` and what `change` grants and revokes a new user, with `hash` (NULL: as it was) as its password. 0, -ENOMEM, or
 * the HTTP status of a refusal with `error`: granted twice, revoked but not granted, or nothing changes. */
int auth_user_merge(const AuthUser *old, const AuthUser *change, const char *hash, AuthUser *ret_user, Error *error);
int auth_role_merge(const AuthRole *old, const AuthRole *change, AuthRole *ret_role, Error *error);
