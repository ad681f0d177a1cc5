#pragma once
/* A registry's answer 401 says how to log in: `WWW-Authenticate: Bearer realm="…",service="…",scope="…"` (RFC 6750, the distribution project's token
 * specification). Pure. */
#include "base/str.h"

typedef struct Challenge {
        bool basic; /* Basic instead of Bearer: the rest is empty */
        char realm[1024];
        char service[256];
        char scope[1024];
} Challenge;

/* -EBADMSG: neither, damaged, or too long. */
int challenge_parse(Slice header, Challenge *ret);
