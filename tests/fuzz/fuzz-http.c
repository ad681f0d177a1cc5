/* Requests and answers in pieces of any size: whatever the pieces, the same is found. The first byte chooses kind and size. */
#include "net/http-parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 50, HEAD_LIMIT = 4096 };

typedef struct Found {
        size_t messages, heads, body_bytes, head_bytes;
        int r;
} Found;

static void note_event(HttpParser *parser, HttpParseEvent event, Found *found) {
        const HttpHead *head = http_parser_head(parser);

        switch (event) {
        case HTTP_PARSE_HEAD:
                found->heads++;
                for (size_t i = 0; i < head->length; i++)
                        found->head_bytes += http_head_name(head, i).length + http_head_value(head, i).length;
                found->head_bytes += http_parser_target(parser).length;
                break;
        case HTTP_PARSE_BODY:
                found->body_bytes += http_parser_piece(parser).length;
                break;
        case HTTP_PARSE_MESSAGE:
                found->messages++;
                http_parser_reset(parser);
                break;
        default:
                break;
        }
}

static Found parse(HttpParseKind kind, const char *bytes, size_t length, size_t step) {
        HttpParser *parser = http_parser_new(kind, HEAD_LIMIT);
        HttpParseEvent event = HTTP_PARSE_MORE;
        Found found = {0};

        if (!parser)
                abort();
        for (size_t at = 0; at < length && found.r >= 0 && found.messages < MESSAGES_MAX;) {
                size_t piece = min_of(step, length - at), used = 0;

                found.r = http_parser_feed(parser, bytes + at, piece, &used, &event);
                if (found.r < 0)
                        break;
                if (used > piece || (used == 0 && event == HTTP_PARSE_MORE))
                        abort();
                at += used;
                note_event(parser, event, &found);
        }
        if (found.r < 0 && !http_parser_problem(parser))
                abort();
        http_parser_free(parser);
        return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *bytes = (const char *)data + 1;
        HttpParseKind kind;
        Found whole, pieces;

        if (size == 0)
                return 0;
        kind = data[0] % 2 ? HTTP_PARSE_RESPONSE : HTTP_PARSE_REQUEST;
        whole = parse(kind, bytes, size - 1, size);
        pieces = parse(kind, bytes, size - 1, data[0] / 2 % 16 + 1);
        if (whole.messages != pieces.messages || whole.heads != pieces.heads || whole.body_bytes != pieces.body_bytes ||
            whole.head_bytes != pieces.head_bytes || (whole.r < 0) != (pieces.r < 0))
                abort();
        return 0;
}
