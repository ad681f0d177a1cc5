#include "cli/store-flags.h"

#include <errno.h>
#include <stdio.h>

/* ---- our own voice ---- */

static OptionType option_type(StoreFlagType type) {
        static const OptionType types[] = {
                [STORE_FLAG_SWITCH] = OPTION_SWITCH, [STORE_FLAG_NUMBER] = OPTION_U64,
                [STORE_FLAG_TEXT] = OPTION_STRING,   [STORE_FLAG_TIME] = OPTION_DURATION,
                [STORE_FLAG_TEXTS] = OPTION_CALL,
        };

        return types[type];
}

static int add_texts(void *target, const char *value, Error *error) {
        Slice rest = slice_from(value), one;

        (void)error;
        while (slice_split(&rest, ',', &one)) {
                int r = string_list_add_slice(target, slice_trim(one));

                if (r < 0)
                        return r;
        }
        return 0;
}

bool store_flags_to_options(const StoreFlag *flags, void *values, Option *options, size_t room, size_t *count) {
        for (const StoreFlag *flag = flags; flag && flag->name; flag++) {
                bool letter = flag->alias && !flag->alias[1];
                Option option = {
                        .name = flag->name,
                        .letter = letter          ? flag->alias[0]
                                  : flag->name[1] ? '\0'
                                                  : flag->name[0],
                        .type = option_type(flag->type),
                        .argument = flag->argument,
                        .help = flag->summary,
                        .target = (char *)values + flag->offset,
                        .call = flag->type == STORE_FLAG_TEXTS ? add_texts : NULL,
                };

                if (*count + 3 > room)
                        return false;
                options[(*count)++] = option;
                if (!flag->alias || letter)
                        continue;
                option.name = flag->alias;
                option.help = NULL;
                options[(*count)++] = option;
        }
        options[*count] = (Option){0};
        return true;
}

/* ---- the old voice ---- */

int store_quote(Buffer *buffer, Slice text) {
        (void)buffer_append_byte(buffer, '"');
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.data[i];
                static const char *const escapes = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";
                const char *escape = NULL;

                for (const char *p = escapes; *p && !escape; p += 2)
                        if (c == (unsigned char)*p)
                                escape = p + 1;
                if (escape)
                        (void)buffer_printf(buffer, "\\%c", *escape);
                else if (c < 0x20 || c == 0x7f)
                        (void)buffer_printf(buffer, "\\x%02x", c);
                else
                        (void)buffer_append_byte(buffer, (char)c);
        }
        (void)buffer_append_byte(buffer, '"');
        return buffer_failed(buffer);
}

/* Go's ParseInt with base 0: a sign, then decimal, 0x…, 0o… or 0…, 0b…. */
static const char *parse_number(const char *text, uint64_t *ret) {
        bool negative = *text == '-';
        const char *digits = text + (*text == '-' || *text == '+');
        unsigned long long value;
        char *end;
        int base = 10;

        if (digits[0] == '0' && digits[1])
                base = digits[1] == 'x' || digits[1] == 'X' ? 16 : digits[1] == 'b' || digits[1] == 'B' ? 2 : 8;
        if (base != 10)
                digits += base != 8 || digits[1] == 'o' || digits[1] == 'O' ? 2 : 1;
        if (!*digits || strchr("+- \t\n\v\f\r", *digits))
                return "parse error";
        errno = 0;
        value = strtoull(digits, &end, base);
        if (*end)
                return "parse error";
        if (errno == ERANGE || value > (uint64_t)INT64_MAX + negative)
                return "value out of range";
        *ret = negative ? 0 - value : value;
        return NULL;
}

/* NULL, or what Go says is wrong with the value. */
static const char *set_value(const StoreFlag *flag, void *values, const char *text) {
        void *target = (char *)values + flag->offset;

        switch (flag->type) {
        case STORE_FLAG_SWITCH:
                return str_parse_bool(slice_from(text), target) < 0 ? "parse error" : NULL;
        case STORE_FLAG_NUMBER:
                return parse_number(text, target);
        case STORE_FLAG_TIME:
                return str_parse_duration(slice_from(text), target) < 0 ? "parse error" : NULL;
        case STORE_FLAG_TEXT: {
                char *copy = strdup(text), **place = target;

                if (!copy)
                        return "out of memory";
                free(*place);
                *place = copy;
                return NULL;
        }
        case STORE_FLAG_TEXTS:
                return string_list_add(target, text) < 0 ? "out of memory" : NULL;
        default:
                return "parse error";
        }
}

static const StoreFlag *find_flag(const StoreFlag *flags, Slice name, size_t *ret_form) {
        for (const StoreFlag *flag = flags; flag && flag->name; flag++) {
                *ret_form = slice_equals(name, slice_from(flag->name)) ? 1 : 2;
                if (*ret_form == 1 || (flag->alias && slice_equals(name, slice_from(flag->alias))))
                        return flag;
        }
        return NULL;
}

static int complain_of_value(const StoreFlag *flag, Slice name, const char *value, const char *problem, Error *error) {
        _cleanup_buffer_ Buffer quoted = BUFFER_INIT;
        bool is_switch = flag->type == STORE_FLAG_SWITCH;

        if (store_quote(&quoted, slice_from(value)) < 0 || !buffer_string(&quoted))
                return -ENOMEM;
        return error_set(error, -EINVAL, "invalid %svalue %s for %s-%.*s: %s", is_switch ? "boolean " : "",
                         buffer_string(&quoted), is_switch ? "" : "flag ", (int)name.length, name.data, problem);
}

/* Both names of a flag on one command line are an error of their own, which is told behind all others. */
static int check_forms(const StoreFlag *flags, const unsigned char *forms, Error *error) {
        for (size_t i = 0; flags && flags[i].name; i++)
                if (forms[i] == 3)
                        return error_set(error, -EINVAL, "Cannot use two forms of the same flag: %s %s", flags[i].alias,
                                         flags[i].name);
        return 0;
}

int store_flags_parse_old(const StoreFlag *flags, void *values, char *const *words, size_t count, size_t *ret_used,
                          Error *error) {
        unsigned char forms[STORE_FLAGS_MAX] = {0};
        size_t at = 0;

        while (at < count) {
                const char *word = words[at], *text, *equals, *value, *problem;
                const StoreFlag *flag;
                size_t form;
                Slice name;

                if (word[0] != '-' || !word[1])
                        break;
                at++;
                text = word + (word[1] == '-' ? 2 : 1);
                if (word[1] == '-' && !*text)
                        break;
                if (!*text || *text == '-' || *text == '=')
                        return error_set(error, -EINVAL, "bad flag syntax: %s", word);
                equals = strchr(text + 1, '=');
                name = (Slice){text, equals ? (size_t)(equals - text) : strlen(text)};
                value = equals ? equals + 1 : NULL;
                flag = find_flag(flags, name, &form);
                if (!flag)
                        return error_set(error, -EINVAL, "flag provided but not defined: -%.*s", (int)name.length,
                                         name.data);
                if (!value && flag->type == STORE_FLAG_SWITCH)
                        value = "true";
                else if (!value && at < count)
                        value = words[at++];
                if (!value)
                        return error_set(error, -EINVAL, "flag needs an argument: -%.*s", (int)name.length, name.data);
                problem = set_value(flag, values, value);
                if (problem)
                        return complain_of_value(flag, name, value, problem, error);
                if (flag - flags < STORE_FLAGS_MAX)
                        forms[flag - flags] |= (unsigned char)form;
        }
        *ret_used = at;
        return check_forms(flags, forms, error);
}
