#include "unitfile/name.h"

#include <errno.h>

#include "base/encode.h"

static const char name_characters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";

UnitName unit_name_split(Slice name) {
        UnitName result = {.full = name, .stem = name};
        const char *at;

        for (size_t i = name.length; i > 0; i--)
                if (name.data[i - 1] == '.') {
                        result.stem = (Slice){name.data, i - 1};
                        result.type = (Slice){name.data + i, name.length - i};
                        break;
                }
        at = result.stem.length ? memchr(result.stem.data, '@', result.stem.length) : NULL;
        if (!at) {
                result.prefix = result.stem;
                return result;
        }
        result.prefix = (Slice){result.stem.data, (size_t)(at - result.stem.data)};
        result.instance = (Slice){at + 1, result.stem.length - result.prefix.length - 1};
        result.kind = result.instance.length > 0 ? UNIT_NAME_INSTANCE : UNIT_NAME_TEMPLATE;
        return result;
}

bool unit_type_is_valid(Slice type) {
        static const char *const types[] = {"service", "socket", "target", "device", "mount", "automount",
                                            "swap",    "timer",  "path",   "slice",  "scope"};

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (slice_equals(type, slice_from(types[i])))
                        return true;
        return false;
}

static bool is_name_character(char c) {
        return c != '\0' && strchr(name_characters, c);
}

bool unit_name_is_valid(Slice name) {
        UnitName parts;

        if (name.length >= UNIT_NAME_MAX)
                return false;
        parts = unit_name_split(name);
        if (parts.prefix.length == 0 || !unit_type_is_valid(parts.type))
                return false;
        for (size_t i = 0; i < parts.stem.length; i++)
                if (!is_name_character(parts.stem.data[i]))
                        return false;
        return true;
}

char *unit_name_template(const UnitName *name) {
        return str_printf("%.*s@.%.*s", (int)name->prefix.length, name->prefix.data, (int)name->type.length,
                          name->type.data);
}

char *unit_name_instance(const UnitName *template, Slice instance) {
        return str_printf("%.*s@%.*s.%.*s", (int)template->prefix.length, template->prefix.data, (int)instance.length,
                          instance.data, (int)template->type.length, template->type.data);
}

static int escape_byte(char c, Buffer *to) {
        return buffer_printf(to, "\\x%02x", (unsigned char)c);
}

int unit_name_escape(Slice text, Buffer *to) {
        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];
                int r;

                if (c == '/')
                        r = buffer_append_byte(to, '-');
                else if (c == '-' || c == '\\' || c == '@' || !is_name_character(c) || (c == '.' && i == 0))
                        r = escape_byte(c, to);
                else
                        r = buffer_append_byte(to, c);
                if (r < 0)
                        return r;
        }
        return 0;
}

int unit_name_escape_path(Slice path, Buffer *to) {
        _cleanup_buffer_ Buffer simple = BUFFER_INIT;
        Slice part;

        while (slice_split(&path, '/', &part)) {
                if (part.length == 0 || slice_equals(part, slice_from(".")))
                        continue;
                if (buffer_length(&simple) > 0)
                        (void)buffer_append_byte(&simple, '/');
                (void)buffer_append(&simple, part.data, part.length);
        }
        if (buffer_failed(&simple) < 0)
                return buffer_failed(&simple);
        if (buffer_length(&simple) == 0)
                return buffer_append_byte(to, '-');
        return unit_name_escape((Slice){buffer_data(&simple), buffer_length(&simple)}, to);
}

int unit_name_unescape(Slice text, Buffer *to) {
        size_t before = buffer_length(to);

        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];
                int r;

                if (c == '\\') {
                        if (text.length - i < 4 || text.data[i + 1] != 'x')
                                r = -EINVAL;
                        else
                                r = decode_hex(to, (Slice){text.data + i + 2, 2});
                        i += 3;
                } else {
                        r = buffer_append_byte(to, c == '-' ? '/' : c);
                }
                if (r < 0) {
                        buffer_truncate(to, before);
                        return r;
                }
        }
        return 0;
}
