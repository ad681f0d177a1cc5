#include "boot/text-diff.h"

#include "base/encode.h"

enum { CONTEXT = 2 };

static bool is_text(Slice text) {
        return (text.length == 0 || !memchr(text.data, '\0', text.length)) && utf8_is_valid(text);
}

static Slice line_at(Slice text, size_t at) {
        const char *end = memchr(text.data + at, '\n', text.length - at);

        return (Slice){text.data + at, end ? (size_t)(end - text.data) - at + 1 : text.length - at};
}

/* Bytes of whole lines that both begin with. */
static size_t common_front(Slice a, Slice b) {
        size_t at = 0;

        while (at < a.length && at < b.length) {
                Slice one = line_at(a, at), other = line_at(b, at);

                if (!slice_equals(one, other))
                        break;
                at += one.length;
        }
        return at;
}

/* Where the line begins that ends before `at`. */
static size_t line_before(Slice text, size_t at) {
        const char *end = at > 1 ? memrchr(text.data, '\n', at - 1) : NULL;

        return end ? (size_t)(end - text.data) + 1 : 0;
}

/* The same at their ends, and no more than what is behind `front`. */
static size_t common_back(Slice a, Slice b, size_t front) {
        size_t back = 0;

        while (back < a.length - front && back < b.length - front) {
                size_t one = line_before(a, a.length - back), other = line_before(b, b.length - back);
                Slice line = {a.data + one, a.length - back - one}, same = {b.data + other, b.length - back - other};

                if (one < front || other < front || !slice_equals(line, same))
                        break;
                back += line.length;
        }
        return back;
}

/* Control characters could make a terminal show something else. */
static void append_line(Buffer *to, const char *sign, Slice line) {
        bool ends = line.length > 0 && line.data[line.length - 1] == '\n';

        (void)buffer_append_string(to, sign);
        for (size_t i = 0; i < line.length - ends; i++)
                (void)buffer_append_byte(to, (unsigned char)line.data[i] < ' ' && line.data[i] != '\t' ? '?'
                                                                                                       : line.data[i]);
        (void)buffer_append_string(to, ends ? "\n" : " (no line end)\n");
}

static void append_lines(Buffer *to, const char *sign, Slice lines, size_t *left) {
        for (size_t at = 0; at < lines.length;) {
                Slice line = line_at(lines, at);

                if (*left > 0)
                        append_line(to, sign, line);
                else
                        break;
                if (--*left == 0)
                        (void)buffer_append_string(to, "  … and more\n");
                at += line.length;
        }
}

int text_diff(Slice before, Slice after, Buffer *to) {
        size_t front, back, begin, end, left = TEXT_DIFF_LINES_MAX;

        if (!is_text(before) || !is_text(after))
                return buffer_printf(to, "  %zu bytes before, %zu after\n", before.length, after.length);
        front = begin = common_front(before, after);
        back = common_back(before, after, front);
        end = after.length - back;
        for (int i = 0; i < CONTEXT && begin > 0; i++)
                begin = line_before(after, begin);
        for (int i = 0; i < CONTEXT && end < after.length; i++)
                end += line_at(after, end).length;
        append_lines(to, "    ", (Slice){after.data + begin, front - begin}, &left);
        append_lines(to, "  - ", (Slice){before.data + front, before.length - back - front}, &left);
        append_lines(to, "  + ", (Slice){after.data + front, after.length - back - front}, &left);
        append_lines(to, "    ", (Slice){after.data + after.length - back, end - (after.length - back)}, &left);
        return buffer_failed(to);
}
