#include "unitfile/specifier.h"

#include <ctype.h>
#include <errno.h>

#include "unitfile/name.h"

int specifier_expand(Slice text, const SpecifierSource *source, Buffer *to, Error *error) {
        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i], next = i + 1 < text.length ? text.data[i + 1] : '\0';
                int r;

                if (c == '%' && next == '%') {
                        i++;
                        r = buffer_append_byte(to, '%');
                } else if (c == '%' && isalnum((unsigned char)next)) {
                        i++;
                        r = source->lookup(source->userdata, next, to);
                        if (r > 0)
                                return error_set(error, -EINVAL,
                                                 "unknown specifier %%%c; write %%%% for a percent sign", next);
                        if (r < 0 && r != -ENOMEM)
                                return error_set_errno(error, r, "specifier %%%c", next);
                } else {
                        r = buffer_append_byte(to, c);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The part after the last dash, as %j has it. */
static Slice after_last_dash(Slice text) {
        for (size_t i = text.length; i > 0; i--)
                if (text.data[i - 1] == '-')
                        return (Slice){text.data + i, text.length - i};
        return text;
}

static int append_slice(Buffer *to, Slice slice) {
        return slice.length ? buffer_append(to, slice.data, slice.length) : 0;
}

/* %f: the unescaped instance, or prefix without one, as a path. */
static int append_path(Buffer *to, const UnitName *name) {
        Slice part = name->instance.length ? name->instance : name->prefix;
        size_t before = buffer_length(to);
        int r;

        r = buffer_append_byte(to, '/');
        if (r < 0 || slice_equals(part, slice_from("-")))
                return r;
        r = unit_name_unescape(part, to);
        if (r < 0)
                buffer_truncate(to, before);
        return r;
}

static int lookup_name(const char *unit, char specifier, Buffer *to) {
        UnitName name;

        if (!unit)
                return strchr("nNpPiIjJf", specifier) ? -ENODATA : 1;
        name = unit_name_split(slice_from(unit));
        switch (specifier) {
        case 'n':
                return append_slice(to, name.full);
        case 'N':
                return append_slice(to, name.stem);
        case 'p':
                return append_slice(to, name.prefix);
        case 'P':
                return unit_name_unescape(name.prefix, to);
        case 'i':
                return append_slice(to, name.instance);
        case 'I':
                return unit_name_unescape(name.instance, to);
        case 'j':
                return append_slice(to, after_last_dash(name.prefix));
        case 'J':
                return unit_name_unescape(after_last_dash(name.prefix), to);
        case 'f':
                return append_path(to, &name);
        default:
                return 1;
        }
}

static int lookup_facts(void *userdata, char specifier, Buffer *to) {
        const SpecifierFacts *facts = userdata;
        const struct {
                char specifier;
                const char *value;
        } table[] = {
                {'m', facts->machine_id},   {'b', facts->boot_id},    {'H', facts->host_name},
                {'l', facts->host_name},    {'v', facts->kernel_release}, {'a', facts->architecture},
                {'u', facts->user},         {'U', facts->uid},        {'g', facts->group},
                {'G', facts->gid},          {'h', facts->home},       {'s', facts->shell},
                {'t', facts->runtime_root}, {'S', facts->state_root}, {'C', facts->cache_root},
                {'L', facts->logs_root},    {'E', facts->config_root}, {'T', facts->temporary},
                {'V', facts->large_temporary},
        };
        int r = lookup_name(facts->unit, specifier, to);

        for (size_t i = 0; r == 1 && i < ARRAY_SIZE(table); i++) {
                const char *value = table[i].value;

                if (table[i].specifier != specifier)
                        continue;
                if (!value)
                        return -ENODATA;
                return buffer_append(to, value, specifier == 'l' ? strcspn(value, ".") : strlen(value));
        }
        return r;
}

SpecifierSource specifier_source(const SpecifierFacts *facts) {
        return (SpecifierSource){lookup_facts, (void *)(uintptr_t)facts};
}
