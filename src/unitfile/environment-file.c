#include "unitfile/environment-file.h"

#include <errno.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "unitfile/exec-line.h"

typedef struct Reader {
        Slice rest;
        unsigned line; /* of the next character */
} Reader;

static bool at_end(const Reader *reader) {
        return reader->rest.length == 0;
}

static char take(Reader *reader) {
        char c = *reader->rest.data;

        if (c == '\n')
                reader->line++;
        reader->rest.data++;
        reader->rest.length--;
        return c;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

static bool is_line_end(char c) {
        return c == '\n';
}

/* A comment goes on behind a backslash at the end of its line. */
static void skip_comment(Reader *reader) {
        while (!at_end(reader)) {
                char c = take(reader);

                if (c == '\\' && !at_end(reader))
                        (void)take(reader);
                else if (is_line_end(c))
                        return;
        }
}

/* Up to the closing quote, or to the end of the text. */
static int read_quoted(Reader *reader, char quote, Buffer *value) {
        int r = 0;

        while (r >= 0 && !at_end(reader)) {
                char c = take(reader);

                if (c == quote)
                        return 0;
                if (c == '\\' && quote == '"' && !at_end(reader)) {
                        char next = take(reader);

                        if (is_line_end(next))
                                continue;
                        if (!strchr("\"\\`$", next))
                                r = buffer_append_byte(value, '\\');
                        c = next;
                }
                if (r >= 0)
                        r = buffer_append_byte(value, c);
        }
        return r;
}

/* Up to the end of the line. Blanks at the end go, but not those that were quoted. */
static int read_value(Reader *reader, Buffer *value) {
        size_t keep = 0;
        int r = 0;

        while (!at_end(reader) && is_blank(*reader->rest.data))
                (void)take(reader);
        while (r >= 0 && !at_end(reader)) {
                char c = take(reader);

                if (is_line_end(c))
                        break;
                if (c == '\'' || c == '"') {
                        r = read_quoted(reader, c, value);
                        keep = buffer_length(value);
                        continue;
                }
                if (c == '\\') {
                        if (at_end(reader))
                                break;
                        c = take(reader);
                        if (is_line_end(c))
                                continue;
                        r = buffer_append_byte(value, c);
                        keep = buffer_length(value);
                        continue;
                }
                r = buffer_append_byte(value, c);
                if (!is_blank(c))
                        keep = buffer_length(value);
        }
        buffer_truncate(value, keep);
        return r;
}

static bool value_is_printable(Slice value) {
        for (size_t i = 0; i < value.length; i++) {
                unsigned char c = (unsigned char)value.data[i];

                if ((c < ' ' && c != '\t' && c != '\n') || c == 0x7f)
                        return false;
        }
        return utf8_is_valid(value);
}

static int add_entry(Slice name, Buffer *value, unsigned line, StringList *list, Error *error) {
        Slice text = {buffer_data(value), buffer_length(value)};
        char *entry;

        if (!environment_name_is_valid(name))
                return 0;
        if (!value_is_printable(text))
                return error_set(error, -EINVAL, "line %u: the value of %.*s holds bytes that are no text", line,
                                 (int)min_of(name.length, (size_t)64), name.data);
        if (list->length >= ENVIRONMENT_FILE_ENTRIES_MAX)
                return error_set(error, -EMSGSIZE, "line %u: more than %d variables", line, ENVIRONMENT_FILE_ENTRIES_MAX);
        entry = str_printf("%.*s=%s", (int)name.length, name.data, buffer_string(value) ? buffer_string(value) : "");
        return string_list_take(list, entry);
}

static int read_line(Reader *reader, StringList *list, Error *error) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        unsigned line = reader->line;
        Slice name = {reader->rest.data, 0};
        int r;

        while (!at_end(reader) && *reader->rest.data != '=' && !is_line_end(*reader->rest.data)) {
                (void)take(reader);
                name.length++;
        }
        if (at_end(reader) || take(reader) != '=')
                return 0; /* no assignment */
        r = read_value(reader, &value);
        return r < 0 ? r : add_entry(slice_trim(name), &value, line, list, error);
}

static int parse(Slice text, StringList *list, Error *error) {
        Reader reader = {.rest = text, .line = 1};
        int r = 0;

        while (r >= 0 && !at_end(&reader)) {
                char c = *reader.rest.data;

                if (is_blank(c) || is_line_end(c))
                        (void)take(&reader);
                else if (c == '#' || c == ';')
                        skip_comment(&reader);
                else
                        r = read_line(&reader, list, error);
        }
        return r;
}

int environment_file_parse(Slice text, StringList *list, Error *error) {
        _cleanup_string_list_ StringList entries = {0};
        int r;

        if (text.length > ENVIRONMENT_FILE_MAX)
                return error_set(error, -EMSGSIZE, "longer than %zu bytes", ENVIRONMENT_FILE_MAX);
        if (text.length > 0 && memchr(text.data, '\0', text.length))
                return error_set(error, -EINVAL, "holds NUL bytes: it is no text");
        r = parse(text, &entries, error);
        for (size_t i = 0; r >= 0 && i < entries.length; i++) {
                r = string_list_take(list, entries.items[i]);
                entries.items[i] = NULL;
        }
        return r;
}
