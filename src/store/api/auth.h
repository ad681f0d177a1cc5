#pragma once
/*
 * Who sends a request, and whether they may. Decided here and now, by the users and roles that this member has applied; a password
 * that was not seen before is checked on a worker thread, and the request is handled anew when the outcome is known.
 */
#include "store/api/api.h"
#include "store/api/auth-records.h"
#include "store/api/credentials.h"
#include "store/api/password-pool.h"

typedef struct Auth {
        AuthRecords records;
        Credentials credentials;
        PasswordPool passwords;
        List checks;                     /* of passwords, under way */
        const CredentialDigest *outcome; /* of the check whose requests are being handled anew, or NULL */
        bool outcome_right;
} Auth;

/* NULL without memory. `loop` is borrowed. */
Auth *auth_new(uv_loop_t *loop);

/* No jobs may be under way: the loop has run until all requests were over. NULL is allowed; returns NULL. */
Auth *auth_free(Auth *auth);

typedef enum RequesterKind {
        REQUESTER_GUEST, /* says nothing about itself */
        REQUESTER_USER,
        REQUESTER_NOBODY, /* no such user, or the password is wrong */
        REQUESTER_LATER,  /* its password is being checked: api_handle() will be called again for it */
        REQUESTER_BUSY,   /* too many passwords are being checked */
        REQUESTER_NO_MEMORY,
} RequesterKind;

typedef struct Requester {
        RequesterKind kind;
        const AuthUser *user; /* borrowed until another user is looked up */
} Requester;

/* Who sends this request: by its Authorization field, or, when there is none, by the common name of its client certificate
 * (Api.common_name). */
Requester auth_resolve(Api *api, HttpRequest *http);

typedef enum AuthVerdict {
        AUTH_GRANTED,
        AUTH_REFUSED,
        AUTH_LATER, /* leave the request alone */
        AUTH_BUSY,
        AUTH_NO_MEMORY,
} AuthVerdict;

/* What AUTH_BUSY is answered with. */
#define AUTH_BUSY_TEXT "etcdserver: too many requests: many new passwords are being checked, try again in some seconds"

bool auth_is_on(Api *api);

/* Whether the request may use `key`, what follows /v2/keys in its path. */
AuthVerdict auth_judge_key(Api *api, HttpRequest *http, Slice key, bool recursive);

/* Whether the request comes from someone with the role "root". */
AuthVerdict auth_judge_root(Api *api, HttpRequest *http);

/* As auth_judge_root(), and answers unless it is granted. */
bool auth_demand_root(Api *api, HttpRequest *http);
