#pragma once
/* Paths, queries and forms of the v2 API, byte for byte as etcd's own client sends them: --debug shows them. Pure. */
#include "storeclient/storeclient.h"

/* "/v2/keys/…?…": the key's path is cleaned ("//", ".", ".."), but a '/' at its end stays. The caller frees; NULL: no memory. */
char *store_target_keys(const StoreRequest *request);

/* The form of a SET or CREATE_IN_ORDER; the caller frees. NULL: no memory. */
char *store_target_form(const StoreRequest *request);

/* "/v2/auth/users/NAME", "/v2/members/ID": `parts`, NULL at the end, joined and cleaned. The caller frees; NULL: no memory. */
char *store_target_join(const char *const *parts);

/* A path without "//", "." and "..", with '/' in front; one at the end stays. The caller frees. */
char *store_target_clean(const char *path);
