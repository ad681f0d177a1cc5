#include "unitfile/unitfile.h"

#include <errno.h>

#include "base/encode.h"

void unitfile_deinit(UnitFile *file) {
        for (size_t i = 0; i < file->n_sections; i++)
                free(file->sections[i].name);
        for (size_t i = 0; i < file->n_options; i++) {
                free(file->options[i].name);
                free(file->options[i].value);
        }
        unit_note_list_deinit(&file->notes);
        free(file->sections);
        free(file->options);
        *file = (UnitFile){0};
}

static int grow(void **items, size_t *capacity, size_t length, size_t item_size) {
        size_t wanted = *capacity ? *capacity * 2 : 8;
        void *larger;

        if (length < *capacity)
                return 0;
        larger = reallocarray(*items, wanted, item_size);
        if (!larger)
                return -ENOMEM;
        *items = larger;
        *capacity = wanted;
        return 0;
}

int unit_note_list_add(UnitNoteList *notes, TextPosition at, const char *format, ...) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        va_list args;
        int r;

        if (notes->length >= UNITFILE_NOTES_MAX)
                return 0;
        va_start(args, format);
        r = buffer_vprintf(&text, format, args);
        va_end(args);
        if (r < 0)
                return r;
        r = grow((void **)&notes->items, &notes->capacity, notes->length, sizeof(*notes->items));
        if (r < 0)
                return r;
        notes->items[notes->length] = (UnitNote){at, buffer_steal_string(&text, NULL)};
        if (!notes->items[notes->length].text)
                return -ENOMEM;
        notes->length++;
        return 0;
}

void unit_note_list_deinit(UnitNoteList *notes) {
        for (size_t i = 0; i < notes->length; i++)
                free(notes->items[i].text);
        free(notes->items);
        *notes = (UnitNoteList){0};
}

size_t unitfile_find_section(const UnitFile *file, Slice name) {
        for (size_t i = 0; i < file->n_sections; i++)
                if (slice_equals(slice_from(file->sections[i].name), name))
                        return i;
        return SIZE_MAX;
}

static int file_add_section(UnitFile *file, Slice name, TextPosition at, size_t *ret_index, Error *error) {
        size_t index = unitfile_find_section(file, name);
        char *copy;
        int r;

        if (index != SIZE_MAX) {
                *ret_index = index;
                return 0;
        }
        if (file->n_sections >= UNITFILE_SECTIONS_MAX)
                return error_set(error, -EMSGSIZE, "line %u: more than %d sections", at.line, UNITFILE_SECTIONS_MAX);
        r = grow((void **)&file->sections, &file->capacity_sections, file->n_sections, sizeof(*file->sections));
        if (r < 0)
                return r;
        copy = slice_dup(name);
        if (!copy)
                return -ENOMEM;
        file->sections[file->n_sections] = (UnitSection){copy, at};
        *ret_index = file->n_sections++;
        return 0;
}

static int file_add_option(UnitFile *file, size_t section, Slice name, Slice value, TextPosition name_at,
                           TextPosition value_at, Error *error) {
        _cleanup_free_ char *name_copy = NULL, *value_copy = NULL;
        int r;

        if (file->n_options >= UNITFILE_OPTIONS_MAX)
                return error_set(error, -EMSGSIZE, "line %u: more than %d assignments", name_at.line,
                                 UNITFILE_OPTIONS_MAX);
        r = grow((void **)&file->options, &file->capacity_options, file->n_options, sizeof(*file->options));
        if (r < 0)
                return r;
        name_copy = slice_dup(name);
        value_copy = slice_dup(value);
        if (!name_copy || !value_copy)
                return -ENOMEM;
        file->options[file->n_options++] =
                (UnitOption){section, take_ptr(name_copy), take_ptr(value_copy), name_at, value_at};
        return 0;
}

/* The cursor of the parser. Only advance() moves it, so line and column are always right. */
typedef struct Parser {
        UnitFile *file;
        Slice rest;
        TextPosition at;
        size_t section; /* SIZE_MAX before the first header */
        TextPosition *ret_at;
        Error *error;
} Parser;

static void advance(Parser *p, size_t length) {
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)p->rest.data[i];

                if (c == '\n') {
                        p->at.line++;
                        p->at.column = 1;
                } else if ((c & 0xc0) != 0x80) {
                        p->at.column++;
                }
        }
        p->rest.data += length;
        p->rest.length -= length;
}

static int parser_fail(Parser *p, TextPosition at, const char *what) {
        if (p->ret_at)
                *p->ret_at = at;
        return error_set(p->error, -EINVAL, "line %u, column %u: %s", at.line, at.column, what);
}

/* Length in bytes of the white space at the front, by Go's unicode.IsSpace; 0 when there is none. */
static size_t space_length(Slice text) {
        static const char *const wide[] = {
                "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
                "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
                "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
                "\xe3\x80\x80",
        };

        if (text.length == 0)
                return 0;
        if (text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r'))
                return 1;
        if (!((unsigned char)text.data[0] & 0x80))
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
                size_t length = strlen(wide[i]);

                if (text.length >= length && memcmp(text.data, wide[i], length) == 0)
                        return length;
        }
        return 0;
}

static Slice trim_space(Slice text) {
        size_t length;

        while ((length = space_length(text)) > 0) {
                text.data += length;
                text.length -= length;
        }
        while (text.length > 0) {
                size_t start = text.length - 1;

                while (start > 0 && ((unsigned char)text.data[start] & 0xc0) == 0x80)
                        start--;
                if (space_length((Slice){text.data + start, text.length - start}) != text.length - start)
                        break;
                text.length = start;
        }
        return text;
}

/* The line under the cursor without its end. */
static Slice parser_line(const Parser *p) {
        const char *end = p->rest.length ? memchr(p->rest.data, '\n', p->rest.length) : NULL;

        return (Slice){p->rest.data, end ? (size_t)(end - p->rest.data) : p->rest.length};
}

/* Moves past the line under the cursor and its end. True when there was a line end. */
static bool parser_next_line(Parser *p) {
        Slice line = parser_line(p);
        bool ended = line.length < p->rest.length;

        advance(p, line.length + (ended ? 1 : 0));
        return ended;
}

/* A comment goes on over lines that end in a backslash, blanks after it aside. */
static void parse_comment(Parser *p) {
        for (;;) {
                Slice line = parser_line(p);
                bool more;

                if (line.length > 0 && line.data[line.length - 1] == ' ')
                        line.length--;
                more = line.length > 0 && line.data[line.length - 1] == '\\';
                if (!parser_next_line(p) || !more)
                        return;
        }
}

static int parse_header(Parser *p) {
        TextPosition at = p->at;
        Slice line = parser_line(p), name;
        const char *close = memchr(line.data, ']', line.length);
        int r;

        if (!close)
                return parser_fail(p, at, "unable to find end of section: write [Name] on one line");
        name = (Slice){line.data + 1, (size_t)(close - line.data) - 1};
        r = file_add_section(p->file, name, at, &p->section, p->error);
        if (r < 0)
                return r;
        advance(p, name.length + 2);
        line = parser_line(p);
        if (trim_space(line).length > 0) {
                advance(p, (size_t)(trim_space(line).data - line.data));
                return parser_fail(p, p->at, "found garbage after section name");
        }
        (void)parser_next_line(p);
        return 0;
}

/* The value up to the first line that does not end in a backslash. A blank line ends it as well; the line end before it
 * then stays, so that writing gives the same text again. */
static int parse_value(Parser *p, Buffer *ret_raw) {
        int r;

        for (;;) {
                Slice line = parser_line(p);
                bool ended;

                if (trim_space(line).length == 0) {
                        (void)parser_next_line(p);
                        return 0;
                }
                r = buffer_append(ret_raw, line.data, line.length);
                if (r < 0)
                        return r;
                ended = parser_next_line(p);
                if (line.data[line.length - 1] != '\\' || !ended)
                        return 0;
                r = buffer_append_byte(ret_raw, '\n');
                if (r < 0)
                        return r;
        }
}

/* Blanks at both ends of a raw value go; the line end of a last continuation stays. */
static int trim_value(Buffer *raw, Buffer *ret_value) {
        Slice all = {buffer_data(raw), buffer_length(raw)}, trimmed;
        int r;

        if (all.length == 0)
                return 0;
        trimmed = trim_space(all);
        r = buffer_append(ret_value, trimmed.data, trimmed.length);
        if (r >= 0 && all.data[all.length - 1] == '\n')
                r = buffer_append_byte(ret_value, '\n');
        return r;
}

static int parse_assignment(Parser *p) {
        _cleanup_buffer_ Buffer raw = BUFFER_INIT, value = BUFFER_INIT;
        TextPosition name_at = p->at, value_at;
        Slice line = parser_line(p), name, blanks;
        const char *equals = memchr(line.data, '=', line.length);
        int r;

        if (!equals || memchr(line.data, '\r', (size_t)(equals - line.data)))
                return parser_fail(p, name_at, "expected Name=value, [Section] or a comment: there is no '='");
        name = trim_space((Slice){line.data, (size_t)(equals - line.data)});
        if (name.length == 0) {
                r = unit_note_list_add(&p->file->notes, name_at, "assignment without a name");
                if (r < 0)
                        return r;
        }
        advance(p, (size_t)(equals - line.data) + 1);
        blanks = parser_line(p);
        advance(p, (size_t)(trim_space(blanks).data - blanks.data));
        value_at = p->at;
        r = parse_value(p, &raw);
        if (r < 0)
                return r;
        r = trim_value(&raw, &value);
        if (r < 0)
                return r;
        if (buffer_length(&value) > 0 && buffer_data(&value)[buffer_length(&value) - 1] == '\\')
                return parser_fail(p, name_at,
                                   "the value ends in a backslash that continues nothing (end of the file, or a CR "
                                   "before the line end): once written, it would take in the next line");
        return file_add_option(p->file, p->section, name, (Slice){buffer_data(&value), buffer_length(&value)}, name_at,
                               value_at, p->error);
}

/* Before the first header fleet skipped any text, comments aside character by character, to the first '['. */
static int parse_preamble(Parser *p) {
        bool noted = false;

        while (p->rest.length > 0 && p->rest.data[0] != '[') {
                size_t space = space_length(p->rest);

                if (p->rest.data[0] == '#' || p->rest.data[0] == ';') {
                        parse_comment(p);
                        continue;
                }
                if (!space && !noted) {
                        int r = unit_note_list_add(&p->file->notes, p->at, "text before the first [Section] is ignored");

                        if (r < 0)
                                return r;
                        noted = true;
                }
                advance(p, space ? space : 1);
        }
        return 0;
}

static int parse_body(Parser *p) {
        while (p->rest.length > 0) {
                size_t space = space_length(p->rest);
                int r = 0;

                if (space)
                        advance(p, space);
                else if (p->rest.data[0] == '[')
                        r = parse_header(p);
                else if (p->rest.data[0] == '#' || p->rest.data[0] == ';')
                        parse_comment(p);
                else
                        r = parse_assignment(p);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_text(Parser *p) {
        while (p->rest.length > 0) {
                size_t length = utf8_sequence_length(p->rest.data, p->rest.length);

                if (length == 0)
                        return parser_fail(p, p->at, "the text is not valid UTF-8");
                if (p->rest.data[0] == '\0')
                        return parser_fail(p, p->at, "the text contains a NUL byte");
                advance(p, length);
        }
        return 0;
}

int unitfile_parse(UnitFile *file, Slice text, TextPosition *ret_at, Error *error) {
        _cleanup_unitfile_ UnitFile result = {0};
        Parser check = {.rest = text, .at = {1, 1}, .ret_at = ret_at, .error = error};
        Parser parser = {&result, text, {1, 1}, SIZE_MAX, ret_at, error};
        int r;

        if (text.length > UNITFILE_TEXT_MAX)
                return error_set(error, -EMSGSIZE, "the unit file has %zu bytes; at most %zu are allowed", text.length,
                                 UNITFILE_TEXT_MAX);
        r = check_text(&check);
        if (r < 0)
                return r;
        r = parse_preamble(&parser);
        if (r < 0)
                return r;
        r = parse_body(&parser);
        if (r < 0)
                return r;
        *file = result;
        result = (UnitFile){0};
        return 0;
}

/* A value can be written only if reading the written form gives it back: lines within it must be continuations, and it
 * must not make the next assignment one. */
static bool value_can_be_written(Slice value) {
        if (value.length > 0 && value.data[value.length - 1] == '\\')
                return false;
        for (size_t i = 0; i < value.length; i++)
                if (value.data[i] == '\0' || (value.data[i] == '\n' && (i == 0 || value.data[i - 1] != '\\')))
                        return false;
        return utf8_is_valid(value);
}

int unitfile_add(UnitFile *file, Slice section, Slice name, Slice value, Error *error) {
        size_t index;
        int r;

        if (section.length == 0 || memchr(section.data, ']', section.length) ||
            memchr(section.data, '\n', section.length) || memchr(section.data, '\0', section.length) ||
            !utf8_is_valid(section))
                return error_set(error, -EINVAL, "invalid section name");
        if (name.length == 0 || strchr("[#;", name.data[0]) || memchr(name.data, '=', name.length) ||
            memchr(name.data, '\n', name.length) || memchr(name.data, '\r', name.length) ||
            memchr(name.data, '\0', name.length) || trim_space(name).length != name.length || !utf8_is_valid(name))
                return error_set(error, -EINVAL, "section %.*s: invalid option name", (int)section.length,
                                 section.data);
        if (value.length > UNITFILE_TEXT_MAX)
                return error_set(error, -EMSGSIZE, "%.*s= is longer than %zu bytes", (int)name.length, name.data,
                                 UNITFILE_TEXT_MAX);
        if (!value_can_be_written(value))
                return error_set(error, -EINVAL,
                                 "%.*s=: the value ends in a backslash, or has a line end without one, a NUL byte or invalid UTF-8",
                                 (int)name.length, name.data);
        r = file_add_section(file, section, (TextPosition){0}, &index, error);
        if (r < 0)
                return r;
        return file_add_option(file, index, name, value, (TextPosition){0}, (TextPosition){0}, error);
}

static int write_section(const UnitFile *file, size_t section, Buffer *to) {
        bool any = false;

        for (size_t i = 0; i < file->n_options; i++) {
                const UnitOption *option = &file->options[i];

                if (option->section != section)
                        continue;
                if (!any)
                        (void)buffer_printf(to, "%s[%s]\n", buffer_length(to) ? "\n" : "", file->sections[section].name);
                any = true;
                (void)buffer_append_string(to, option->name);
                (void)buffer_append_byte(to, '=');
                (void)buffer_append_string(to, option->value);
                (void)buffer_append_byte(to, '\n');
        }
        return buffer_failed(to);
}

int unitfile_write(const UnitFile *file, Buffer *to) {
        for (size_t i = 0; i < file->n_sections; i++) {
                int r = write_section(file, i, to);

                if (r < 0)
                        return r;
        }
        return buffer_failed(to);
}

const UnitOption *unitfile_next(const UnitFile *file, const char *section, const char *name,
                                const UnitOption *previous) {
        size_t index = unitfile_find_section(file, slice_from(section));

        if (index == SIZE_MAX)
                return NULL;
        for (size_t i = previous ? (size_t)(previous - file->options) + 1 : 0; i < file->n_options; i++)
                if (file->options[i].section == index && str_equals(file->options[i].name, name))
                        return &file->options[i];
        return NULL;
}

TextPosition unitfile_value_position(const UnitOption *option, size_t offset) {
        TextPosition at = option->value_at;

        for (size_t i = 0; i < offset && option->value[i] != '\0'; i++) {
                unsigned char c = (unsigned char)option->value[i];

                if (c == '\n') {
                        at.line++;
                        at.column = 1;
                } else if ((c & 0xc0) != 0x80) {
                        at.column++;
                }
        }
        return at;
}

int unitfile_join_value(const char *value, Buffer *to) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;
        Slice rest = slice_from(value), line, trimmed;
        bool first = true;

        while (slice_split(&rest, '\n', &line)) {
                Slice start = slice_trim(line);

                if (!first && start.length > 0 && (start.data[0] == '#' || start.data[0] == ';'))
                        continue;
                first = false;
                (void)buffer_append(&joined, line.data, line.length);
                if (rest.data && line.length > 0 && line.data[line.length - 1] == '\\') {
                        buffer_truncate(&joined, buffer_length(&joined) - 1);
                        (void)buffer_append_byte(&joined, ' ');
                }
        }
        if (buffer_failed(&joined) < 0)
                return buffer_failed(&joined);
        if (buffer_length(&joined) == 0)
                return 0;
        trimmed = slice_trim((Slice){buffer_data(&joined), buffer_length(&joined)});
        return buffer_append(to, trimmed.data, trimmed.length);
}
