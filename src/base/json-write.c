#include "base/json-write.h"

#include <inttypes.h>
#include <math.h>

#include "base/encode.h"

static void json_value_start(JsonWriter *writer) {
        if (writer->comma)
                (void)buffer_append_byte(writer->buffer, ',');
        writer->comma = true;
}

static void json_open(JsonWriter *writer, char bracket) {
        json_value_start(writer);
        (void)buffer_append_byte(writer->buffer, bracket);
        writer->comma = false;
}

static void json_close(JsonWriter *writer, char bracket) {
        (void)buffer_append_byte(writer->buffer, bracket);
        writer->comma = true;
}

void json_begin_object(JsonWriter *writer) {
        json_open(writer, '{');
}

void json_end_object(JsonWriter *writer) {
        json_close(writer, '}');
}

void json_begin_array(JsonWriter *writer) {
        json_open(writer, '[');
}

void json_end_array(JsonWriter *writer) {
        json_close(writer, ']');
}

/* Appends what stands for the character at `p` and returns how many bytes it took; plain ones never come here. */
static size_t json_escape(Buffer *buffer, const char *p, size_t length) {
        uint8_t c = (uint8_t)*p;
        size_t n;

        switch (c) {
        case '"':
        case '\\':
                (void)buffer_append_byte(buffer, '\\');
                (void)buffer_append_byte(buffer, *p);
                return 1;
        case '\n':
                (void)buffer_append_string(buffer, "\\n");
                return 1;
        case '\r':
                (void)buffer_append_string(buffer, "\\r");
                return 1;
        case '\t':
                (void)buffer_append_string(buffer, "\\t");
                return 1;
        default:
                break;
        }
        if (c < 0x80) {
                (void)buffer_printf(buffer, "\\u%04x", c);
                return 1;
        }
        n = utf8_sequence_length(p, length);
        if (n == 0) {
                (void)buffer_append_string(buffer, "\\ufffd");
                return 1;
        }
        if (n == 3 && memcmp(p, "\xe2\x80\xa8", 3) == 0)
                (void)buffer_append_string(buffer, "\\u2028");
        else if (n == 3 && memcmp(p, "\xe2\x80\xa9", 3) == 0)
                (void)buffer_append_string(buffer, "\\u2029");
        else
                (void)buffer_append(buffer, p, n);
        return n;
}

/* Bytes that stand for themselves: printable ASCII and DEL, without what JSON quotes and what Go escapes for HTML. */
static const bool json_plain[256] = {
        [' ' ... '!'] = true, ['#' ... '%'] = true, ['\'' ... ';'] = true, ['='] = true, ['?' ... '['] = true,
        [']' ... 0x7f] = true,
};

static void json_quoted(Buffer *buffer, Slice text) {
        size_t i = 0;

        (void)buffer_append_byte(buffer, '"');
        while (i < text.length) {
                size_t run = i;

                while (run < text.length && json_plain[(uint8_t)text.data[run]])
                        run++;
                (void)buffer_append(buffer, text.data + i, run - i);
                i = run;
                if (i < text.length)
                        i += json_escape(buffer, text.data + i, text.length - i);
        }
        (void)buffer_append_byte(buffer, '"');
}

void json_key(JsonWriter *writer, const char *key) {
        json_value_start(writer);
        json_quoted(writer->buffer, slice_from(key));
        (void)buffer_append_byte(writer->buffer, ':');
        writer->comma = false;
}

void json_write_string(JsonWriter *writer, Slice text) {
        json_value_start(writer);
        json_quoted(writer->buffer, text);
}

void json_write_u64(JsonWriter *writer, uint64_t value) {
        json_value_start(writer);
        (void)buffer_append_u64(writer->buffer, value);
}

void json_write_i64(JsonWriter *writer, int64_t value) {
        json_value_start(writer);
        (void)buffer_printf(writer->buffer, "%" PRId64, value);
}

void json_write_double(JsonWriter *writer, double value) {
        json_value_start(writer);
        (void)buffer_printf(writer->buffer, "%.17g", isfinite(value) ? value : 0.0);
}

void json_write_bool(JsonWriter *writer, bool value) {
        json_value_start(writer);
        (void)buffer_append_string(writer->buffer, value ? "true" : "false");
}

void json_write_null(JsonWriter *writer) {
        json_value_start(writer);
        (void)buffer_append_string(writer->buffer, "null");
}

void json_write_raw(JsonWriter *writer, Slice json) {
        json_value_start(writer);
        (void)buffer_append(writer->buffer, json.data, json.length);
}

void json_field_string(JsonWriter *writer, const char *key, const char *text) {
        json_key(writer, key);
        json_write_string(writer, slice_from(text));
}

void json_field_slice(JsonWriter *writer, const char *key, Slice text) {
        json_key(writer, key);
        json_write_string(writer, text);
}

void json_field_u64(JsonWriter *writer, const char *key, uint64_t value) {
        json_key(writer, key);
        json_write_u64(writer, value);
}

void json_field_i64(JsonWriter *writer, const char *key, int64_t value) {
        json_key(writer, key);
        json_write_i64(writer, value);
}

void json_field_hex(JsonWriter *writer, const char *key, uint64_t value) {
        json_key(writer, key);
        json_value_start(writer);
        (void)buffer_append_byte(writer->buffer, '"');
        (void)buffer_append_hex(writer->buffer, value);
        (void)buffer_append_byte(writer->buffer, '"');
}

void json_field_bool(JsonWriter *writer, const char *key, bool value) {
        json_key(writer, key);
        json_write_bool(writer, value);
}

void json_field_strings(JsonWriter *writer, const char *key, const StringList *strings) {
        json_key(writer, key);
        json_begin_array(writer);
        for (size_t i = 0; i < strings->length; i++)
                json_write_string(writer, slice_from(strings->items[i]));
        json_end_array(writer);
}
