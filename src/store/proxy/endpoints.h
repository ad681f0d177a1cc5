#pragma once
/* The clients' URLs of a cluster's members, as a proxy uses them: which there are, and which failed a moment ago. Pure. */
#include "base/error.h"
#include "net/url.h"

/* Members' URLs that one answer may name. */
#define ENDPOINTS_MAX 512

typedef struct Endpoint {
        Url url;
        Usec held_until; /* not used before; 0: works */
} Endpoint;

/* Zeroed is empty. */
typedef struct Endpoints {
        Endpoint *items;
        size_t length;
        StringList peer_urls; /* of the same members: whom to ask next time */
} Endpoints;

void endpoints_deinit(Endpoints *endpoints);

/* Takes what a member answers at /members: a JSON array of members with clientURLs and peerURLs. Those that failed stay held.
 * -EBADMSG with `error`: it is none, or names nobody; `endpoints` is as before. -ENOMEM. */
int endpoints_take(Endpoints *endpoints, Slice json, Error *error);

/* The first at or behind `from` that may be used; -1: none. */
int endpoints_next(const Endpoints *endpoints, size_t from, Usec now);

/* Of the one at `url`, if it still is there. */
void endpoints_hold(Endpoints *endpoints, const Url *url, Usec until);
