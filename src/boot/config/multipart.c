#include "boot/config/multipart.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/encode.h"

typedef struct Reader {
        Slice rest;
        unsigned line; /* that `rest` begins on */
} Reader;

/* The next line without its end. False: there is none. */
static bool next_line(Reader *reader, Slice *ret) {
        const char *end;

        if (reader->rest.length == 0)
                return false;
        end = memchr(reader->rest.data, '\n', reader->rest.length);
        *ret = (Slice){reader->rest.data, end ? (size_t)(end - reader->rest.data) : reader->rest.length};
        reader->rest.data += ret->length + (end ? 1 : 0);
        reader->rest.length -= ret->length + (end ? 1 : 0);
        reader->line++;
        if (ret->length > 0 && ret->data[ret->length - 1] == '\r')
                ret->length--;
        return true;
}

static bool begins_with(Slice text, const char *what) {
        return text.length >= strlen(what) && strncasecmp(text.data, what, strlen(what)) == 0;
}

/* ---- headers ---- */

typedef struct Headers {
        Slice type, encoding; /* "" : none. A type goes on over its folded lines */
        bool any;
} Headers;

static Slice value_behind(Slice line, const char *name) {
        size_t length = strlen(name);

        return slice_trim((Slice){line.data + length, line.length - length});
}

static bool is_header(Slice line) {
        size_t at = 0;

        while (at < line.length && (isalnum((unsigned char)line.data[at]) || line.data[at] == '-'))
                at++;
        return at > 0 && at < line.length && line.data[at] == ':';
}

/* Up to the empty line. -EINVAL: something else stands there. */
static int read_headers(Reader *reader, Headers *headers) {
        bool type_goes_on = false;
        Slice line;

        *headers = (Headers){.type = {"", 0}, .encoding = {"", 0}};
        for (size_t i = 0; next_line(reader, &line); i++) {
                if (line.length == 0)
                        return 0;
                if (i == MULTIPART_HEADERS_MAX)
                        return -EINVAL;
                if (i > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
                        if (type_goes_on)
                                headers->type.length = (size_t)(line.data + line.length - headers->type.data);
                        continue;
                }
                if (!is_header(line))
                        return -EINVAL;
                headers->any = true;
                type_goes_on = begins_with(line, "Content-Type:");
                if (type_goes_on)
                        headers->type = value_behind(line, "Content-Type:");
                if (begins_with(line, "Content-Transfer-Encoding:"))
                        headers->encoding = value_behind(line, "Content-Transfer-Encoding:");
        }
        return 0;
}

/* The value of boundary=, without quotes; "" when there is none. */
static Slice find_boundary(Slice type) {
        static const char name[] = "boundary=";

        for (size_t at = 0; at + strlen(name) < type.length; at++) {
                Slice rest = {type.data + at, type.length - at};
                const char *end;

                if (!begins_with(rest, name))
                        continue;
                rest = (Slice){rest.data + strlen(name), rest.length - strlen(name)};
                if (rest.data[0] == '"') {
                        end = memchr(rest.data + 1, '"', rest.length - 1);
                        return end ? (Slice){rest.data + 1, (size_t)(end - rest.data - 1)} : (Slice){"", 0};
                }
                at = 0;
                while (at < rest.length && !strchr("; \t\r\n", rest.data[at]) && rest.data[at])
                        at++;
                return (Slice){rest.data, at};
        }
        return (Slice){"", 0};
}

static int read_head(Reader *reader, Slice *ret_boundary) {
        Headers headers;

        if (read_headers(reader, &headers) < 0 || !begins_with(headers.type, "multipart/"))
                return -EINVAL;
        *ret_boundary = find_boundary(headers.type);
        return 0;
}

bool multipart_is(Slice text) {
        Reader reader = {text, 1};
        Slice boundary;

        return text.length > 0 && read_head(&reader, &boundary) >= 0;
}

/* ---- parts ---- */

typedef enum Boundary {
        BOUNDARY_NONE,
        BOUNDARY_NEXT,
        BOUNDARY_LAST,
} Boundary;

/* "--BOUNDARY", "--BOUNDARY--"; blanks may follow. */
static Boundary boundary_of(Slice line, Slice boundary) {
        Slice rest;

        if (line.length < boundary.length + 2 || memcmp(line.data, "--", 2) != 0 ||
            memcmp(line.data + 2, boundary.data, boundary.length) != 0)
                return BOUNDARY_NONE;
        rest = slice_trim((Slice){line.data + 2 + boundary.length, line.length - 2 - boundary.length});
        if (rest.length == 0)
                return BOUNDARY_NEXT;
        return slice_equals(rest, (Slice){"--", 2}) ? BOUNDARY_LAST : BOUNDARY_NONE;
}

static bool is_encoding(Slice encoding, const char *name) {
        return encoding.length == strlen(name) && strncasecmp(encoding.data, name, encoding.length) == 0;
}

static int decode(MultipartPart *part, Slice encoding, size_t number, Error *error) {
        _cleanup_buffer_ Buffer raw = BUFFER_INIT;

        if (encoding.length == 0 || is_encoding(encoding, "7bit") || is_encoding(encoding, "8bit") ||
            is_encoding(encoding, "binary"))
                return 0;
        if (!is_encoding(encoding, "base64"))
                return error_set(
                        error, -EINVAL,
                        "part %zu of the user-data has the encoding \"%.*s\": 7bit, 8bit, binary and base64 are "
                        "known",
                        number, (int)min_of(encoding.length, (size_t)64), encoding.data);
        raw = part->text;
        part->text = BUFFER_INIT;
        part->line = 0;
        if (decode_base64(&part->text, BASE64_STANDARD,
                          (Slice){buffer_length(&raw) ? buffer_data(&raw) : "", buffer_length(&raw)}) < 0)
                return error_set(error, -EINVAL, "part %zu of the user-data is not base64", number);
        return 0;
}

/* The line end in front of a boundary belongs to the boundary. */
static int read_part(Reader *reader, Slice boundary, MultipartPart *part, size_t number, bool *ret_last, Error *error) {
        Headers headers;
        Slice line;

        if (read_headers(reader, &headers) < 0)
                return error_set(error, -EINVAL,
                                 "line %u: the headers of part %zu of the user-data do not end with an empty line",
                                 reader->line - 1, number);
        if (begins_with(headers.type, "multipart/"))
                return error_set(error, -EINVAL, "part %zu of the user-data is itself one of several parts", number);
        part->line = reader->line;
        for (bool first = true; next_line(reader, &line); first = false) {
                Boundary kind = boundary_of(line, boundary);

                if (kind != BOUNDARY_NONE) {
                        *ret_last = kind == BOUNDARY_LAST;
                        return buffer_failed(&part->text) < 0 ? -ENOMEM : decode(part, headers.encoding, number, error);
                }
                if (!first)
                        (void)buffer_append_byte(&part->text, '\n');
                (void)buffer_append(&part->text, line.data, line.length);
        }
        return error_set(error, -EINVAL, "part %zu of the user-data has no end: the line --%.*s-- is missing", number,
                         (int)min_of(boundary.length, (size_t)70), boundary.data);
}

/* What stands in front of the first boundary is for programs that know no MIME. */
static int skip_preamble(Reader *reader, Slice boundary, Error *error) {
        Slice line;

        while (next_line(reader, &line))
                if (boundary_of(line, boundary) != BOUNDARY_NONE)
                        return 0;
        return error_set(error, -EINVAL, "the user-data is to be of several parts, but none begins with --%.*s",
                         (int)min_of(boundary.length, (size_t)70), boundary.data);
}

int multipart_split(Slice text, Multipart *multipart, Error *error) {
        Reader reader = {text, 1};
        bool last = false;
        Slice boundary;
        int r;

        if (read_head(&reader, &boundary) < 0 || boundary.length == 0)
                return error_set(error, -EINVAL, "the Content-Type of the user-data names no boundary");
        r = skip_preamble(&reader, boundary, error);
        while (r >= 0 && !last) {
                if (multipart->length == MULTIPART_PARTS_MAX)
                        return error_set(error, -EMSGSIZE, "the user-data has more than %d parts", MULTIPART_PARTS_MAX);
                multipart->length++;
                r = read_part(&reader, boundary, &multipart->parts[multipart->length - 1], multipart->length, &last,
                              error);
        }
        return r;
}

void multipart_deinit(Multipart *multipart) {
        for (size_t i = 0; i < multipart->length; i++)
                buffer_deinit(&multipart->parts[i].text);
        multipart->length = 0;
}
