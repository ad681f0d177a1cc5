#include "store/api/form.h"

#include <ctype.h>
#include <errno.h>

#include "net/url.h"

static const char *const field_names[FORM_FIELDS] = {
        [FORM_DIR] = "dir",
        [FORM_NO_VALUE_ON_SUCCESS] = "noValueOnSuccess",
        [FORM_PREV_EXIST] = "prevExist",
        [FORM_PREV_INDEX] = "prevIndex",
        [FORM_PREV_VALUE] = "prevValue",
        [FORM_QUORUM] = "quorum",
        [FORM_RECURSIVE] = "recursive",
        [FORM_REFRESH] = "refresh",
        [FORM_SORTED] = "sorted",
        [FORM_STREAM] = "stream",
        [FORM_TTL] = "ttl",
        [FORM_VALUE] = "value",
        [FORM_WAIT] = "wait",
        [FORM_WAIT_INDEX] = "waitIndex",
};

const char *form_field_name(FormField field) {
        return field_names[field];
}

void form_deinit(Form *form) {
        buffer_deinit(&form->text);
        *form = (Form){0};
}

/* The first reason stays. Returns 1. */
static int form_refuse(Buffer *cause, const char *reason, Slice what) {
        if (buffer_length(cause) > 0)
                return 1;
        (void)buffer_append_string(cause, reason);
        if (what.data)
                (void)buffer_printf(cause, "\"%.*s\"", (int)what.length, what.data);
        return buffer_failed(cause) ? buffer_failed(cause) : 1;
}

static bool form_find_field(Slice name, FormField *ret_field) {
        for (size_t i = 0; i < FORM_FIELDS; i++)
                if (slice_equals(name, slice_from(field_names[i]))) {
                        *ret_field = (FormField)i;
                        return true;
                }
        return false;
}

static int form_add_pair(Form *form, Slice name, Slice value, Buffer *cause) {
        size_t start = buffer_length(&form->text), at;
        Slice bad, decoded;
        FormField field;
        int r;

        r = url_decode(&form->text, name, true, &bad);
        if (r == -EINVAL)
                return form_refuse(cause, "invalid URL escape ", bad);
        if (r < 0)
                return r;
        at = buffer_length(&form->text);
        r = url_decode(&form->text, value, true, &bad);
        if (r == -EINVAL) {
                buffer_truncate(&form->text, start);
                return form_refuse(cause, "invalid URL escape ", bad);
        }
        if (r < 0)
                return r;
        decoded = (Slice){buffer_data(&form->text) + start, at - start};
        if (!form_find_field(decoded, &field) || form->fields[field].present) {
                buffer_truncate(&form->text, start);
                return 0;
        }
        form->fields[field].present = true;
        form->fields[field].at = at;
        form->fields[field].length = buffer_length(&form->text) - at;
        return 0;
}

int form_add(Form *form, Slice encoded, Buffer *cause) {
        Slice rest = encoded, pair;
        int r, result = 0;

        if (encoded.length == 0)
                return 0;
        while (slice_split(&rest, '&', &pair)) {
                const char *equals = pair.length ? memchr(pair.data, '=', pair.length) : NULL;
                size_t length = equals ? (size_t)(equals - pair.data) : pair.length;
                Slice value = equals ? (Slice){equals + 1, pair.length - length - 1} : (Slice){"", 0};

                if (pair.length == 0)
                        continue;
                if (memchr(pair.data, ';', pair.length))
                        r = form_refuse(cause, "invalid semicolon separator in query", (Slice){0});
                else
                        r = form_add_pair(form, (Slice){pair.data, length}, value, cause);
                if (r < 0)
                        return r;
                result |= r;
        }
        return result;
}

Slice form_get(const Form *form, FormField field) {
        if (!form->fields[field].present || form->fields[field].length == 0)
                return (Slice){"", 0};
        return (Slice){buffer_data(&form->text) + form->fields[field].at, form->fields[field].length};
}

/* RFC 2045's token */
static size_t token_length(Slice text) {
        size_t n = 0;

        while (n < text.length && text.data[n] > ' ' && text.data[n] < 0x7f &&
               !strchr("()<>@,;:\\\"/[]?=", text.data[n]))
                n++;
        return n;
}

static Slice slice_skip(Slice text, size_t length) {
        return (Slice){text.data + length, text.length - length};
}

static Slice skip_blanks(Slice text) {
        while (text.length > 0 && isspace((unsigned char)text.data[0]))
                text = slice_skip(text, 1);
        return text;
}

/* Takes a token or a quoted string. */
static bool take_parameter_value(Slice *rest) {
        size_t n;

        if (rest->length == 0 || rest->data[0] != '"') {
                n = token_length(*rest);
                *rest = slice_skip(*rest, n);
                return n > 0;
        }
        for (n = 1; n < rest->length && rest->data[n] != '"'; n++)
                if (rest->data[n] == '\\' && n + 1 < rest->length)
                        n++;
        if (n >= rest->length)
                return false;
        *rest = slice_skip(*rest, n + 1);
        return true;
}

static bool parameters_are_right(Slice rest) {
        while ((rest = skip_blanks(rest)).length > 0) {
                size_t n;

                if (rest.data[0] != ';')
                        return false;
                rest = skip_blanks(slice_skip(rest, 1));
                if (rest.length == 0)
                        return true; /* a semicolon at the end does no harm */
                n = token_length(rest);
                rest = skip_blanks(slice_skip(rest, n));
                if (n == 0 || rest.length == 0 || rest.data[0] != '=')
                        return false;
                rest = skip_blanks(slice_skip(rest, 1));
                if (!take_parameter_value(&rest))
                        return false;
        }
        return true;
}

int form_check_content_type(Slice content_type, bool *ret_is_form, Buffer *cause) {
        static const char form_type[] = "application/x-www-form-urlencoded";
        const char *semicolon;
        Slice type, rest;
        size_t n;

        *ret_is_form = false;
        if (content_type.length == 0)
                return 0;
        semicolon = memchr(content_type.data, ';', content_type.length);
        type = content_type;
        if (semicolon)
                type.length = (size_t)(semicolon - content_type.data);
        rest = slice_skip(content_type, type.length);
        type = slice_trim(type);
        n = token_length(type);
        if (n == 0)
                return form_refuse(cause, "mime: no media type", (Slice){0});
        if (n < type.length) {
                Slice subtype = slice_skip(type, n);
                size_t m;

                if (subtype.data[0] != '/')
                        return form_refuse(cause, "mime: expected slash after first token", (Slice){0});
                m = token_length(slice_skip(subtype, 1));
                if (m == 0)
                        return form_refuse(cause, "mime: expected token after slash", (Slice){0});
                if (n + 1 + m != type.length)
                        return form_refuse(cause, "mime: unexpected content after media subtype", (Slice){0});
        }
        if (!parameters_are_right(rest))
                return form_refuse(cause, "mime: invalid media parameter", (Slice){0});
        *ret_is_form = type.length == sizeof(form_type) - 1 && strncasecmp(type.data, form_type, type.length) == 0;
        return 0;
}
