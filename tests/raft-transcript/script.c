#include "script.h"

#include <errno.h>
#include <stdio.h>

int script_load(Script *script, const char *path, Error *error) {
        FILE *file;
        long size;

        file = fopen(path, "re");
        if (!file)
                return error_set_errno(error, -errno, "cannot open %s", path);
        if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 || (size_t)size > SCRIPT_BYTES_MAX) {
                fclose(file);
                return error_set(error, -EFBIG, "cannot read %s: no file, or above %zu bytes", path, SCRIPT_BYTES_MAX);
        }
        rewind(file);
        *script = (Script){.text = malloc((size_t)size + 1), .size = (size_t)size, .line = 1};
        if (!script->text || fread(script->text, 1, script->size, file) != script->size) {
                script_deinit(script);
                fclose(file);
                return error_set(error, -EIO, "cannot read %s", path);
        }
        fclose(file);
        return 0;
}

void script_deinit(Script *script) {
        free(script->text);
        *script = (Script){0};
}

/* False at the end. The line comes without its end. */
static bool next_line(Script *script, Slice *ret_line) {
        const char *start = script->text + script->position, *end;
        size_t left = script->size - script->position;

        if (left == 0)
                return false;
        end = memchr(start, '\n', left);
        *ret_line = (Slice){start, end ? (size_t)(end - start) : left};
        script->position += ret_line->length + (end ? 1 : 0);
        script->line++;
        return true;
}

static Slice since(const Script *script, size_t start) {
        return (Slice){script->text + start, script->position - start};
}

static int add_value(Argument *argument, Slice value) {
        if (argument->length == SCRIPT_VALUES_MAX)
                return -E2BIG;
        argument->values[argument->length++] = value;
        return 0;
}

/* "(a,b, c)" at the front of *rest. */
static int parse_list(Slice *rest, Argument *argument) {
        const char *end = memchr(rest->data, ')', rest->length);
        Slice inner, value;
        int r;

        if (!end)
                return -EINVAL;
        inner = (Slice){rest->data + 1, (size_t)(end - rest->data) - 1};
        *rest = (Slice){end + 1, rest->length - inner.length - 2};
        if (inner.length == 0)
                return 0;
        while (slice_split(&inner, ',', &value)) {
                r = add_value(argument, slice_trim(value));
                if (r < 0)
                        return r;
        }
        return 0;
}

static size_t word_length(Slice text, const char *ends) {
        size_t length = 0;

        while (length < text.length && !strchr(ends, text.data[length]))
                length++;
        return length;
}

static void skip(Slice *text, size_t length) {
        text->data += length;
        text->length -= length;
}

static int parse_argument(Slice *rest, Argument *argument) {
        size_t length = word_length(*rest, " =");

        *argument = (Argument){.key = {rest->data, length}};
        skip(rest, length);
        if (rest->length == 0 || rest->data[0] != '=')
                return 0;
        skip(rest, 1);
        if (rest->length > 0 && rest->data[0] == '(')
                return parse_list(rest, argument);
        length = word_length(*rest, " ");
        argument->values[argument->length++] = (Slice){rest->data, length};
        skip(rest, length);
        return 0;
}

static int parse_command(Slice line, Directive *directive) {
        size_t length = word_length(line, " ");
        int r;

        directive->command = (Slice){line.data, length};
        directive->length = 0;
        skip(&line, length);
        for (;;) {
                while (line.length > 0 && line.data[0] == ' ')
                        skip(&line, 1);
                if (line.length == 0)
                        return 0;
                if (directive->length == SCRIPT_ARGUMENTS_MAX)
                        return -E2BIG;
                r = parse_argument(&line, &directive->arguments[directive->length++]);
                if (r < 0)
                        return r;
        }
}

int script_next(Script *script, Directive *ret_directive, Slice *ret_skipped, Error *error) {
        size_t start = script->position, begin, input;
        Slice line;

        do {
                begin = script->position;
                ret_directive->line = script->line;
                if (!next_line(script, &line)) {
                        *ret_skipped = since(script, start);
                        return 0;
                }
        } while (slice_trim(line).length == 0 || line.data[0] == '#');
        *ret_skipped = (Slice){script->text + start, begin - start};
        if (parse_command(slice_trim(line), ret_directive) < 0)
                return error_set(error, -EINVAL, "line %zu: too many arguments or values, or a missing \")\"",
                                 ret_directive->line);

        input = script->position;
        do {
                ret_directive->input = slice_trim(since(script, input));
                if (!next_line(script, &line))
                        return error_set(error, -EINVAL, "line %zu: no line \"----\" follows", ret_directive->line);
        } while (!slice_is(line, "----"));
        ret_directive->source = since(script, begin);

        ret_directive->expected_line = script->line;
        start = script->position;
        ret_directive->expected = since(script, start);
        while (next_line(script, &line) && line.length > 0)
                ret_directive->expected = since(script, start);
        return 1;
}

int argument_u64(const Argument *argument, uint64_t *ret_value) {
        return argument->length == 1 ? str_parse_u64(argument->values[0], UINT64_MAX, ret_value) : -EINVAL;
}

int argument_bool(const Argument *argument, bool *ret_value) {
        return argument->length == 1 ? str_parse_bool(argument->values[0], ret_value) : -EINVAL;
}
