#include "net/http-parse.h"

#include <assert.h>
#include <errno.h>
#include <http_parser.h>

struct HttpParser {
        http_parser parser;
        HttpHead head;
        size_t head_limit;
        bool in_value;      /* the last bytes of the head were a value's */
        bool head_complete; /* fields from here on are trailers */
        bool in_message;
        HttpParseEvent event; /* what stopped the library's parser */
        Slice piece;
        int failure; /* of a callback */
};

static HttpParser *from_library(http_parser *library) {
        return library->data;
}

static int parser_fail(HttpParser *parser, int r) {
        parser->failure = r;
        return -1;
}

/* Appends bytes of the head and returns where they went through ret_at. */
static int parser_head_append(HttpParser *parser, const char *at, size_t length, uint32_t *ret_at) {
        size_t used = buffer_length(&parser->head.bytes);

        if (length > parser->head_limit - used)
                return parser_fail(parser, -EMSGSIZE);
        if (buffer_append(&parser->head.bytes, at, length) < 0)
                return parser_fail(parser, -ENOMEM);
        *ret_at = (uint32_t)used;
        return 0;
}

static int on_message_begin(http_parser *library) {
        from_library(library)->in_message = true;
        return 0;
}

static int on_url(http_parser *library, const char *at, size_t length) {
        HttpParser *parser = from_library(library);
        uint32_t unused;

        if (parser_head_append(parser, at, length, &unused) < 0)
                return -1;
        parser->head.target_length += (uint32_t)length;
        return 0;
}

static int parser_add_field(HttpParser *parser) {
        HttpHead *head = &parser->head;

        if (head->length == HTTP_HEADERS_MAX)
                return parser_fail(parser, -EMSGSIZE);
        if (head->length == head->capacity) {
                size_t capacity = head->capacity ? head->capacity * 2 : 8;
                HttpField *fields = reallocarray(head->fields, capacity, sizeof(*fields));

                if (!fields)
                        return parser_fail(parser, -ENOMEM);
                head->fields = fields;
                head->capacity = capacity;
        }
        head->fields[head->length++] = (HttpField){0};
        return 0;
}

static int on_header_field(http_parser *library, const char *at, size_t length) {
        HttpParser *parser = from_library(library);
        HttpField *field;
        uint32_t position;

        if (parser->head_complete)
                return 0; /* trailers are dropped: the head's bytes must not move any more */
        if (parser->in_value || parser->head.length == 0) {
                if (parser_add_field(parser) < 0)
                        return -1;
                parser->in_value = false;
        }
        if (parser_head_append(parser, at, length, &position) < 0)
                return -1;
        field = &parser->head.fields[parser->head.length - 1];
        if (field->name_length == 0)
                field->name_at = position;
        field->name_length += (uint32_t)length;
        return 0;
}

static int on_header_value(http_parser *library, const char *at, size_t length) {
        HttpParser *parser = from_library(library);
        HttpField *field;
        uint32_t position;

        if (parser->head_complete)
                return 0;
        if (parser->head.length == 0)
                return parser_fail(parser, -EBADMSG);
        if (parser_head_append(parser, at, length, &position) < 0)
                return -1;
        field = &parser->head.fields[parser->head.length - 1];
        if (field->value_length == 0)
                field->value_at = position;
        field->value_length += (uint32_t)length;
        parser->in_value = true;
        return 0;
}

static int on_headers_complete(http_parser *library) {
        HttpParser *parser = from_library(library);

        parser->head_complete = true;
        parser->event = HTTP_PARSE_HEAD;
        http_parser_pause(library, 1);
        return 0;
}

static int on_body(http_parser *library, const char *at, size_t length) {
        HttpParser *parser = from_library(library);

        parser->piece = (Slice){at, length};
        parser->event = HTTP_PARSE_BODY;
        http_parser_pause(library, 1);
        return 0;
}

static int on_message_complete(http_parser *library) {
        HttpParser *parser = from_library(library);

        parser->event = HTTP_PARSE_MESSAGE;
        parser->in_message = false;
        http_parser_pause(library, 1);
        return 0;
}

static const http_parser_settings settings = {
        .on_message_begin = on_message_begin,
        .on_url = on_url,
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
};

HttpParser *http_parser_new(HttpParseKind kind, size_t head_limit) {
        HttpParser *parser = calloc(1, sizeof(*parser));

        if (!parser)
                return NULL;
        http_parser_init(&parser->parser, kind == HTTP_PARSE_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE);
        parser->parser.data = parser;
        parser->head_limit = head_limit;
        return parser;
}

HttpParser *http_parser_free(HttpParser *parser) {
        if (!parser)
                return NULL;
        http_head_deinit(&parser->head);
        free(parser);
        return NULL;
}

void http_parser_reset(HttpParser *parser) {
        enum http_parser_type type = parser->parser.type;

        http_head_clear(&parser->head);
        parser->in_value = parser->head_complete = parser->in_message = false;
        parser->failure = 0;
        http_parser_init(&parser->parser, type);
}

int http_parser_feed(HttpParser *parser, const char *bytes, size_t length, size_t *ret_used, HttpParseEvent *ret_event) {
        enum http_errno problem;
        size_t used;

        parser->event = HTTP_PARSE_MORE;
        http_parser_pause(&parser->parser, 0);
        used = length ? http_parser_execute(&parser->parser, &settings, bytes, length) : 0;
        problem = HTTP_PARSER_ERRNO(&parser->parser);
        if (parser->failure)
                return parser->failure;
        if (problem == HPE_HEADER_OVERFLOW)
                return -EMSGSIZE;
        if (problem != HPE_OK && problem != HPE_PAUSED)
                return -EBADMSG;
        assert(parser->event != HTTP_PARSE_MORE || used == length);
        *ret_used = used;
        *ret_event = parser->event;
        return 0;
}

int http_parser_feed_end(HttpParser *parser, HttpParseEvent *ret_event) {
        parser->event = HTTP_PARSE_MORE;
        http_parser_pause(&parser->parser, 0);
        (void)http_parser_execute(&parser->parser, &settings, NULL, 0);
        if (parser->event != HTTP_PARSE_MESSAGE && parser->in_message)
                return -EBADMSG;
        *ret_event = parser->event;
        return 0;
}

const char *http_parser_problem(const HttpParser *parser) {
        return http_errno_description(HTTP_PARSER_ERRNO(&parser->parser));
}

Slice http_parser_piece(const HttpParser *parser) {
        return parser->piece;
}

const HttpHead *http_parser_head(const HttpParser *parser) {
        return &parser->head;
}

HttpMethod http_parser_method(const HttpParser *parser) {
        switch (parser->parser.method) {
        case HTTP_GET:
                return HTTP_METHOD_GET;
        case HTTP_HEAD:
                return HTTP_METHOD_HEAD;
        case HTTP_PUT:
                return HTTP_METHOD_PUT;
        case HTTP_POST:
                return HTTP_METHOD_POST;
        case HTTP_DELETE:
                return HTTP_METHOD_DELETE;
        case HTTP_PATCH:
                return HTTP_METHOD_PATCH;
        case HTTP_OPTIONS:
                return HTTP_METHOD_OPTIONS;
        default:
                return HTTP_METHOD_OTHER;
        }
}

const char *http_parser_method_text(const HttpParser *parser) {
        return http_method_str(parser->parser.method);
}

Slice http_parser_target(const HttpParser *parser) {
        return (Slice){buffer_data(&parser->head.bytes), parser->head.target_length};
}

unsigned http_parser_status(const HttpParser *parser) {
        return parser->parser.status_code;
}

bool http_parser_is_http10(const HttpParser *parser) {
        return parser->parser.http_major < 1 || (parser->parser.http_major == 1 && parser->parser.http_minor == 0);
}

bool http_parser_keeps_alive(const HttpParser *parser) {
        return http_should_keep_alive(&parser->parser);
}

bool http_parser_wants_upgrade(const HttpParser *parser) {
        return parser->parser.upgrade;
}

bool http_parser_has_body(const HttpParser *parser) {
        return parser->parser.flags & F_CHUNKED ||
               (parser->parser.content_length > 0 && parser->parser.content_length != UINT64_MAX);
}

uint64_t http_parser_content_length(const HttpParser *parser) {
        return parser->parser.content_length;
}

void http_parser_skip_body(HttpParser *parser) {
        parser->parser.flags |= F_SKIPBODY;
}

void http_parser_trim(HttpParser *parser) {
        http_head_deinit(&parser->head);
}
