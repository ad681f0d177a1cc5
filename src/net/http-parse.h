#pragma once
/*
 * The HTTP/1 parser, behind this one file pair so that another parser library can take its place. It is fed bytes and
 * fills an HttpHead; it stops after the head (so that a decision can be made before the body) and after each message.
 */
#include "net/http.h"

typedef enum HttpParseKind {
        HTTP_PARSE_REQUEST,
        HTTP_PARSE_RESPONSE,
} HttpParseKind;

typedef struct HttpParser HttpParser;

/* What http_parser_feed() found when it stopped. */
typedef enum HttpParseEvent {
        HTTP_PARSE_MORE,    /* all bytes used, nothing complete */
        HTTP_PARSE_HEAD,    /* the head is complete */
        HTTP_PARSE_BODY,    /* a piece of body: see http_parser_piece() */
        HTTP_PARSE_MESSAGE, /* the message is complete */
} HttpParseEvent;

/* NULL without memory. `head_limit`: most bytes of request line and fields together. */
HttpParser *http_parser_new(HttpParseKind kind, size_t head_limit);
HttpParser *http_parser_free(HttpParser *parser);

/* For the next message on the same connection. */
void http_parser_reset(HttpParser *parser);

/*
 * Parses from the front of `bytes` until something is found; *ret_used says how far it came. Call again with the rest.
 * Errors: -EBADMSG malformed (http_parser_problem() says how), -EMSGSIZE the head is over its limit, -ENOMEM.
 */
int http_parser_feed(HttpParser *parser, const char *bytes, size_t length, size_t *ret_used, HttpParseEvent *ret_event);

/* The peer's stream ended. HTTP_PARSE_MESSAGE when that completes a message whose length is the connection's,
 * HTTP_PARSE_MORE between messages; -EBADMSG within one. */
int http_parser_feed_end(HttpParser *parser, HttpParseEvent *ret_event);

const char *http_parser_problem(const HttpParser *parser);

/* After HTTP_PARSE_BODY; borrowed from the bytes that were fed. */
Slice http_parser_piece(const HttpParser *parser);

/* Valid from HTTP_PARSE_HEAD until http_parser_reset(). */
const HttpHead *http_parser_head(const HttpParser *parser);
HttpMethod http_parser_method(const HttpParser *parser);
const char *http_parser_method_text(const HttpParser *parser);
Slice http_parser_target(const HttpParser *parser);
unsigned http_parser_status(const HttpParser *parser);
bool http_parser_is_http10(const HttpParser *parser); /* HTTP/1.0 or older */
bool http_parser_keeps_alive(const HttpParser *parser);
bool http_parser_wants_upgrade(const HttpParser *parser);
bool http_parser_has_body(const HttpParser *parser); /* of requests: a length above 0, or chunked */

/* UINT64_MAX: not said. */
uint64_t http_parser_content_length(const HttpParser *parser);

/* Of responses, at HTTP_PARSE_HEAD: no body follows whatever the head says (answer to HEAD). */
void http_parser_skip_body(HttpParser *parser);

/* Give back the memory of an idle connection. */
void http_parser_trim(HttpParser *parser);
