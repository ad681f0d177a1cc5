#pragma once
/*
 * Which browsers may use the API: origins that other sites' scripts come from (CORS), and host names that plain HTTP may ask for,
 * against names that a hostile name server points here. Pure. Zeroed lets all in.
 */
#include "base/error.h"
#include "base/str.h"

/* Entries of either list. */
#define ACCESS_ENTRIES_MAX ((size_t)256)

typedef struct Access {
        StringList origins, hosts;
        bool some_origins, some_hosts; /* only those in the list; otherwise any */
} Access;

void access_deinit(Access *access);
#define _cleanup_access_ _cleanup_(access_deinit)

/* From lists with commas; "" and a "*" among them: all. -EINVAL with `error`; -ENOMEM. */
int access_init(Access *access, const char *origins, const char *hosts, Error *error);

/* What an answer to a request with this Origin field (data NULL: none) names as allowed; data NULL: nothing. */
Slice access_allowed_origin(const Access *access, Slice origin);

/* `host`: the Host field, with or without a port. */
bool access_allows_host(const Access *access, Slice host);

/* The host's name in a Host field: without the port, and without the brackets of an IPv6 address. */
Slice access_host_name(Slice host);
