#include "cli/template.h"

#include <ctype.h>
#include <errno.h>

#include "base/str.h"

enum { PATH_PARTS_MAX = 32 };

/* ".A.B" from `value`; NULL: absent. */
static int walk(Slice path, json_t *value, json_t **ret, Error *error) {
        Slice rest = path, part;

        if (path.length == 0 || path.data[0] != '.')
                return error_set(error, -EINVAL,
                                 "--format: only {{.Path}} and {{json .Path}} are understood, not {{%.*s}}",
                                 (int)path.length, path.data);
        (void)slice_split(&rest, '.', &part);
        for (int depth = 0; rest.data && slice_split(&rest, '.', &part); depth++) {
                char name[128];

                if (part.length == 0 && !rest.data)
                        break; /* "." alone */
                if (depth >= PATH_PARTS_MAX || part.length == 0 || part.length >= sizeof(name))
                        return error_set(error, -EINVAL, "--format: {{%.*s}} is not a path", (int)path.length,
                                         path.data);
                for (size_t i = 0; i < part.length; i++)
                        if (!isalnum((unsigned char)part.data[i]) && part.data[i] != '_')
                                return error_set(error, -EINVAL, "--format: {{%.*s}} is not a path", (int)path.length,
                                                 path.data);
                memcpy(name, part.data, part.length);
                name[part.length] = '\0';
                value = json_object_get(value, name);
        }
        *ret = value;
        return 0;
}

static void show(json_t *value, Buffer *to) {
        if (!value) {
                (void)buffer_append_string(to, "<no value>");
        } else if (json_is_string(value)) {
                (void)buffer_append(to, json_string_value(value), json_string_length(value));
        } else if (json_is_null(value)) {
                (void)buffer_append_string(to, "<nil>");
        } else {
                _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

                (void)buffer_append_string(to, text ?: "");
        }
}

static int show_action(Slice action, json_t *value, Buffer *to, Error *error) {
        static const char json_word[] = "json ";
        bool as_json = action.length > strlen(json_word) && memcmp(action.data, json_word, strlen(json_word)) == 0;
        json_t *found = NULL;
        int r;

        if (as_json)
                action = slice_trim((Slice){action.data + strlen(json_word), action.length - strlen(json_word)});
        r = walk(action, value, &found, error);
        if (r < 0)
                return r;
        if (as_json) {
                _cleanup_free_ char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

                (void)buffer_append_string(to, text ?: "null");
        } else {
                show(found, to);
        }
        return 0;
}

int template_format(const char *format, json_t *value, Buffer *to, Error *error) {
        while (*format) {
                const char *open = strstr(format, "{{"), *close;
                int r;

                if (!open) {
                        (void)buffer_append_string(to, format);
                        break;
                }
                (void)buffer_append(to, format, (size_t)(open - format));
                close = strstr(open, "}}");
                if (!close)
                        return error_set(error, -EINVAL, "--format: \"%s\" is not closed by }}", open);
                r = show_action(slice_trim((Slice){open + 2, (size_t)(close - open - 2)}), value, to, error);
                if (r < 0)
                        return r;
                format = close + 2;
        }
        return buffer_failed(to);
}
