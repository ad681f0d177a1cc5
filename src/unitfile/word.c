#include "unitfile/word.h"

#include <errno.h>

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static bool read_digits(Slice text, size_t count, unsigned base, uint32_t *ret) {
        uint32_t value = 0;

        if (text.length < count)
                return false;
        for (size_t i = 0; i < count; i++) {
                int digit = hex_value(text.data[i]);

                if (digit < 0 || (unsigned)digit >= base)
                        return false;
                value = value * base + (unsigned)digit;
        }
        *ret = value;
        return true;
}

static int append_character(Buffer *to, uint32_t c) {
        char bytes[4];

        if (c < 0x80)
                return buffer_append_byte(to, (char)c);
        if (c < 0x800) {
                bytes[0] = (char)(0xc0 | c >> 6);
                bytes[1] = (char)(0x80 | (c & 0x3f));
                return buffer_append(to, bytes, 2);
        }
        if (c < 0x10000) {
                bytes[0] = (char)(0xe0 | c >> 12);
                bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
                bytes[2] = (char)(0x80 | (c & 0x3f));
                return buffer_append(to, bytes, 3);
        }
        bytes[0] = (char)(0xf0 | c >> 18);
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
        return buffer_append(to, bytes, 4);
}

/* Escapes that name a number. Returns how many bytes after the backslash were used; 0: none of these. NUL is never
 * made: no argument could carry it. */
static int numeric_escape(Slice text, Buffer *to, size_t *ret_used) {
        static const struct {
                char letter;
                unsigned digits;
                bool character;
        } kinds[] = {{'x', 2, false}, {'u', 4, true}, {'U', 8, true}};
        uint32_t value;

        *ret_used = 0;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                Slice digits = {text.data + 1, text.length - 1};

                if (text.data[0] != kinds[i].letter || !read_digits(digits, kinds[i].digits, 16, &value))
                        continue;
                if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
                        return 0;
                *ret_used = kinds[i].digits + 1;
                return kinds[i].character ? append_character(to, value) : buffer_append_byte(to, (char)value);
        }
        if (read_digits(text, 3, 8, &value) && value > 0 && value < 256) {
                *ret_used = 3;
                return buffer_append_byte(to, (char)value);
        }
        return 0;
}

/* `text` begins after the backslash and is not empty. */
static int unescape(Slice text, Buffer *to, size_t *ret_used) {
        static const char letters[] = "abfnrtvs\\\"'";
        static const char meanings[] = "\a\b\f\n\r\t\v \\\"'";
        const char *at = strchr(letters, text.data[0]);
        int r;

        if (at && *at) {
                *ret_used = 1;
                return buffer_append_byte(to, meanings[at - letters]);
        }
        r = numeric_escape(text, to, ret_used);
        if (r < 0 || *ret_used > 0)
                return r;
        r = buffer_append_byte(to, '\\');
        if (r < 0)
                return r;
        *ret_used = 1;
        return buffer_append_byte(to, text.data[0]);
}

int word_next(Slice *rest, WordEscapes escapes, Buffer *word, Error *error) {
        Slice text = *rest;
        char quote = 0;
        size_t i = 0;
        int r;

        buffer_clear(word);
        while (i < text.length && is_blank(text.data[i]))
                i++;
        if (i == text.length) {
                *rest = (Slice){text.data + i, 0};
                return 0;
        }
        while (i < text.length && (quote || !is_blank(text.data[i]))) {
                char c = text.data[i];

                if (c == '\\' && escapes == WORD_ESCAPES_C) {
                        size_t used;

                        if (i + 1 == text.length)
                                return error_set(error, -EINVAL, "the value ends in a backslash");
                        r = unescape((Slice){text.data + i + 1, text.length - i - 1}, word, &used);
                        if (r < 0)
                                return r;
                        i += 1 + used;
                        continue;
                }
                if (quote ? c == quote : c == '"' || c == '\'') {
                        quote = quote ? 0 : c;
                        i++;
                        continue;
                }
                r = buffer_append_byte(word, c);
                if (r < 0)
                        return r;
                i++;
        }
        if (quote)
                return error_set(error, -EINVAL, "the quote %c is not closed", quote);
        *rest = (Slice){text.data + i, text.length - i};
        return 1;
}

int word_split(Slice text, WordEscapes escapes, StringList *list, Error *error) {
        _cleanup_buffer_ Buffer word = BUFFER_INIT;
        int r;

        while ((r = word_next(&text, escapes, &word, error)) > 0) {
                r = string_list_add_slice(list, (Slice){buffer_data(&word), buffer_length(&word)});
                if (r < 0)
                        return r;
        }
        return r;
}
