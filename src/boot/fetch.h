#pragma once
/*
 * The seam to the network: one GET at a time, blocking. fetch-curl.c is the real one. libcurl rather than net/http-client,
 * because metadata services and the URLs of people need redirects, https with the system's certificates, and the
 * proxies of the environment, all of which it has.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#define FETCH_SECONDS 10 /* for one GET, all of it */
#define FETCH_TRIES 15
#define FETCH_REDIRECTS_MAX 10

typedef struct Fetch Fetch;

typedef struct FetchOps {
        /* Appends the body, at most `max` bytes, and tells the status, whatever it is. `header` ("Name: value") may be
         * NULL. < 0 with `error`: no whole answer; -EINVAL: no such URL; -EMSGSIZE; -ECANCELED: fetch_stop(). */
        int (*get)(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, unsigned *ret_status,
                   Error *error);
        /* Lets time pass. -ECANCELED: fetch_stop(). */
        int (*pause)(Fetch *fetch, Usec time);
} FetchOps;

struct Fetch {
        const FetchOps *ops;
};

/* One GET. -ENOENT: status 4xx; -EIO: another that is not 2xx. */
int fetch_once(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, Error *error);

/* Tries again after a failure of the network or the server, FETCH_TRIES times, with pauses that grow from 100 ms to 5 s.
 * What it says of the last try is in `error`. */
int fetch_retry(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, Error *error);

/* ---- the real one ---- */

typedef struct CurlFetch CurlFetch;

/* -ENOMEM. */
int curl_fetch_new(CurlFetch **ret);
CurlFetch *curl_fetch_free(CurlFetch *fetch);
CLEANUP_DEFINE(CurlFetch, curl_fetch_free)
#define _cleanup_curl_fetch_ _cleanup_(curl_fetch_freep)

Fetch *curl_fetch_base(CurlFetch *fetch);

/* From another thread: what goes on there ends with -ECANCELED, and so does what is begun after. */
void curl_fetch_stop(CurlFetch *fetch);
