#pragma once
/* URLs, percent-encoding and query strings. Pure. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* Decodes %XX; with `plus_is_space` also '+' (forms and queries, not paths). Appended to `buffer`. -EINVAL with the bad
 * escape in *ret_bad (may be NULL); the buffer then stays as it was. */
int url_decode(Buffer *buffer, Slice text, bool plus_is_space, Slice *ret_bad);

typedef enum UrlPart {
        URL_PATH,    /* keeps '/' */
        URL_SEGMENT, /* one path segment, or a query's name or value */
} UrlPart;

/* Percent-encodes everything but RFC 3986's unreserved characters (and what `part` keeps). */
int url_encode(Buffer *buffer, UrlPart part, Slice text);

/* Cuts the next "name=value" (both still encoded) off a query or form. False at the end; empty pairs are skipped. */
bool url_query_next(Slice *rest, Slice *ret_name, Slice *ret_value);

/* The decoded value of the first pair called `name`, appended to `value`. 1 when found, 0 when not, or an error. */
int url_query_get(Slice query, const char *name, Buffer *value);

typedef enum UrlScheme {
        URL_HTTP,
        URL_HTTPS,
        URL_UNIX, /* unix:///path/of/socket or unix:/path */
} UrlScheme;

#define URL_TEXT_MAX 544

/* An address that a program listens on or connects to. */
typedef struct Url {
        UrlScheme scheme;
        char host[256]; /* name or address without brackets; the socket's path for URL_UNIX */
        uint16_t port;  /* 0 for URL_UNIX */
        char path[256]; /* "" or begins with '/'; "" for URL_UNIX */
} Url;

/* Parses an absolute URL. A missing port becomes `default_port`; when that is 0 it is an error. -EINVAL with `error`. */
int url_parse(const char *text, uint16_t default_port, Url *ret, Error *error);

/* "http://host:port/path", with brackets around IPv6. */
void url_format(const Url *url, char text[static URL_TEXT_MAX]);

bool urls_have_https(const Url *urls, size_t count);

/* A comma-separated list; each is added to *ret (heap array, the caller frees). */
int url_parse_list(const char *text, uint16_t default_port, Url **ret, size_t *ret_count, Error *error);
