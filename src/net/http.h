#pragma once
/* What HTTP/1.1 server and client share: methods, headers, status texts. */
#include "base/buffer.h"
#include "base/str.h"

typedef enum HttpMethod {
        HTTP_METHOD_GET,
        HTTP_METHOD_HEAD,
        HTTP_METHOD_PUT,
        HTTP_METHOD_POST,
        HTTP_METHOD_DELETE,
        HTTP_METHOD_PATCH,
        HTTP_METHOD_OPTIONS,
        HTTP_METHOD_OTHER,
} HttpMethod;

const char *http_method_name(HttpMethod method); /* "GET"; "" for HTTP_METHOD_OTHER */

/* The standard phrase, or "Unknown". */
const char *http_status_text(unsigned status);

enum {
        HTTP_HEADERS_MAX = 256, /* fields in one message */
};

/* Where a field lies in the head's bytes. */
typedef struct HttpField {
        uint32_t name_at, name_length;
        uint32_t value_at, value_length;
} HttpField;

/* The head of one message: all its bytes in one buffer, so that a connection reuses the memory. */
typedef struct HttpHead {
        Buffer bytes;
        uint32_t target_length; /* the request's target lies at the front */
        HttpField *fields;
        size_t length;
        size_t capacity;
} HttpHead;

void http_head_deinit(HttpHead *head);
void http_head_clear(HttpHead *head);

Slice http_head_name(const HttpHead *head, size_t index);
Slice http_head_value(const HttpHead *head, size_t index);

/* The first field of that name (any case); data NULL when there is none. */
Slice http_head_get(const HttpHead *head, const char *name);

/* True when one of the comma-separated elements of the fields of that name is `token` (any case). */
bool http_head_has_token(const HttpHead *head, const char *name, const char *token);
