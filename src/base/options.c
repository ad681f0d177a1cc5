#include "base/options.h"

#include <errno.h>
#include <stdio.h>

#include "base/suggest.h"

enum { OPTIONS_MAX = 192 };

static size_t options_count(const Option *options) {
        size_t n = 0;

        while (options[n].name)
                n++;
        return n;
}

static const Option *options_find(const Option *options, Slice name) {
        for (const Option *option = options; option->name; option++)
                if (slice_equals(name, slice_from(option->name)))
                        return option;
        return NULL;
}

static const Option *options_find_letter(const Option *options, char letter) {
        for (const Option *option = options; option->name; option++)
                if (option->letter == letter)
                        return option;
        return NULL;
}

static bool option_wants_value(const Option *option) {
        return option->type == OPTION_CALL ? option->argument != NULL : option->type != OPTION_SWITCH;
}

static int parse_duration(const char *value, Usec *ret) {
        uint64_t seconds;

        if (str_parse_u64(slice_from(value), UINT64_MAX / USEC_PER_SEC, &seconds) >= 0) {
                *ret = seconds * USEC_PER_SEC;
                return 0;
        }
        return str_parse_duration(slice_from(value), ret);
}

static int option_store_string(const Option *option, const char *value) {
        char **target = option->target, *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*target);
        *target = copy;
        return 0;
}

static int option_apply(const Option *option, const char *value, Error *error) {
        static const char *const expected[] = {
                [OPTION_SWITCH] = "true or false",
                [OPTION_U64] = "a whole number",
                [OPTION_DURATION] = "a length of time such as 30s or 1m",
                [OPTION_SIZE] = "a size such as 64m",
        };
        int r;

        switch (option->type) {
        case OPTION_SWITCH:
                r = str_parse_bool(slice_from(value ?: "true"), option->target);
                break;
        case OPTION_STRING:
                return option_store_string(option, value);
        case OPTION_U64:
                r = str_parse_u64(slice_from(value), UINT64_MAX, option->target);
                break;
        case OPTION_DURATION:
                r = parse_duration(value, option->target);
                break;
        case OPTION_SIZE:
                r = str_parse_size(slice_from(value), option->target);
                break;
        case OPTION_LIST:
                return string_list_add(option->target, value);
        case OPTION_CALL:
                return option->call(option->target, value, error);
        default:
                return -EINVAL;
        }
        if (r < 0)
                return error_set(error, r, "\"%s\" is not %s", value, expected[option->type]);
        return 0;
}

static int options_unknown(const Option *options, const char *dashes, Slice name, Error *error) {
        const char *names[OPTIONS_MAX], *nearest;
        _cleanup_free_ char *word = slice_dup(name);
        size_t count = min_of(options_count(options), (size_t)OPTIONS_MAX);

        if (!word)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                names[i] = options[i].name;
        nearest = suggest_nearest(word, names, count);
        if (nearest)
                return error_set(error, -EINVAL, "unknown option %s%s; did you mean %s%s?", dashes, word, dashes, nearest);
        return error_set(error, -EINVAL, "unknown option %s%s; see --help", dashes, word);
}

typedef struct OptionsParse {
        const Option *options;
        OptionsFlags flags;
        int argc;
        char *const *argv;
        int at;
        bool given[OPTIONS_MAX];
        Error *error;
} OptionsParse;

/* Applies `option`, whose text on the command line is `shown`; takes the value from the next word when needed. */
static int options_use(OptionsParse *parse, const Option *option, const char *shown, const char *value) {
        int r;

        if (!value && option_wants_value(option)) {
                if (parse->at + 1 >= parse->argc)
                        return error_set(parse->error, -EINVAL, "option %s needs a value (%s)", shown,
                                         option->argument ?: "VALUE");
                value = parse->argv[++parse->at];
        }
        parse->given[option - parse->options] = true;
        r = option_apply(option, value, parse->error);
        if (r < 0)
                return error_prefix(parse->error, r, "option %s", shown);
        return 0;
}

static int options_parse_long(OptionsParse *parse, const char *word) {
        const char *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
        Slice key = {name, equals ? (size_t)(equals - name) : strlen(name)};
        const Option *option = options_find(parse->options, key);
        char shown[128];

        (void)snprintf(shown, sizeof(shown), "%.*s", (int)(key.length + (size_t)(name - word)), word);
        if (!option)
                return options_unknown(parse->options, word[1] == '-' ? "--" : "-", key, parse->error);
        return options_use(parse, option, shown, equals ? equals + 1 : NULL);
}

static int options_parse_cluster(OptionsParse *parse, const char *word) {
        for (const char *p = word + 1; *p; p++) {
                const Option *option = options_find_letter(parse->options, *p);
                char shown[3] = {'-', *p, '\0'};
                int r;

                if (!option)
                        return options_unknown(parse->options, "-", (Slice){p, 1}, parse->error);
                if (option_wants_value(option) && p[1])
                        return options_use(parse, option, shown, p[1] == '=' ? p + 2 : p + 1);
                r = options_use(parse, option, shown, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int options_parse_environment(OptionsParse *parse) {
        size_t count = options_count(parse->options);

        for (size_t i = 0; i < count; i++) {
                const Option *option = &parse->options[i];
                const char *value = option->environment ? getenv(option->environment) : NULL;
                int r;

                if (!value || !*value || parse->given[i])
                        continue;
                r = option_apply(option, value, parse->error);
                if (r < 0)
                        return error_prefix(parse->error, r, "environment variable %s", option->environment);
        }
        return 0;
}

int options_parse(const Option *options, OptionsFlags flags, int argc, char *const *argv, StringList *ret_arguments,
                  Error *error) {
        OptionsParse parse = {.options = options, .flags = flags, .argc = argc, .argv = argv, .error = error};
        bool options_end = false;
        int r;

        if (options_count(options) > OPTIONS_MAX)
                return -E2BIG;
        for (parse.at = 1; parse.at < argc; parse.at++) {
                const char *word = argv[parse.at];

                if (!options_end && str_equals(word, "--")) {
                        options_end = true;
                        continue;
                }
                if (options_end || word[0] != '-' || !word[1]) {
                        if (flags & OPTIONS_STOP_AT_ARGUMENT)
                                options_end = true;
                        r = string_list_add(ret_arguments, word);
                } else if (word[1] == '-' || flags & OPTIONS_GO) {
                        r = options_parse_long(&parse, word);
                } else {
                        r = options_parse_cluster(&parse, word);
                }
                if (r < 0)
                        return r;
        }
        return options_parse_environment(&parse);
}

int options_set(const Option *options, const char *name, const char *value, Error *error) {
        const Option *option = options_find(options, slice_from(name));
        int r;

        if (!option)
                return error_set(error, -ENOENT, "unknown option %s", name);
        r = option_apply(option, value, error);
        if (r < 0)
                return error_prefix(error, r, "option %s", name);
        return 0;
}

int option_default(char **target, const char *value) {
        if (*target)
                return 0;
        *target = strdup(value);
        return *target ? 0 : -ENOMEM;
}

int options_format_help(const Option *options, const char *dashes, Buffer *buffer) {
        size_t width = 0;

        for (int pass = 0; pass < 2; pass++)
                for (const Option *option = options; option->name; option++) {
                        char left[128];

                        if (!option->help)
                                continue;
                        if (option->letter)
                                (void)snprintf(left, sizeof(left), "  -%c, %s%s %s", option->letter, dashes, option->name,
                                               option->argument ?: "");
                        else
                                (void)snprintf(left, sizeof(left), "      %s%s %s", dashes, option->name,
                                               option->argument ?: "");
                        if (pass == 0)
                                width = max_of(width, strlen(left));
                        else
                                (void)buffer_printf(buffer, "%-*s  %s\n", (int)width, left, option->help);
                }
        return buffer_failed(buffer);
}
