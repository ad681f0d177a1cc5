#include "unitfile/exec-line.h"

#include <ctype.h>
#include <errno.h>

#include "unitfile/word.h"

static void exec_command_deinit(ExecCommand *command) {
        free(command->path);
        string_list_deinit(&command->arguments);
        *command = (ExecCommand){0};
}

void exec_command_list_deinit(ExecCommandList *list) {
        for (size_t i = 0; i < list->length; i++)
                exec_command_deinit(&list->items[i]);
        free(list->items);
        *list = (ExecCommandList){0};
}

/* Takes the command's contents. */
static int list_take(ExecCommandList *list, ExecCommand *command, Error *error) {
        if (list->length >= EXEC_LINE_COMMANDS_MAX)
                return error_set(error, -EMSGSIZE, "more than %d commands", EXEC_LINE_COMMANDS_MAX);
        if (list->length == list->capacity) {
                size_t capacity = list->capacity ? list->capacity * 2 : 4;
                ExecCommand *items = reallocarray(list->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->length++] = *command;
        *command = (ExecCommand){0};
        return 0;
}

/* Sets what the prefixes say and returns the rest of the word. Each kind counts once; '+', '!' and '!!' exclude each
 * other. A character that may not stand there any more belongs to the path. */
static Slice take_prefixes(Slice word, ExecCommand *command, bool *ret_own_name) {
        while (word.length > 0) {
                bool user_set = command->full_privileges || command->keep_user;
                char c = word.data[0];

                if (c == '-' && !command->ignore_failure) {
                        command->ignore_failure = true;
                } else if (c == '@' && !*ret_own_name) {
                        *ret_own_name = true;
                } else if (c == ':' && !command->keep_variables) {
                        command->keep_variables = true;
                } else if (c == '+' && !user_set) {
                        command->full_privileges = true;
                } else if (c == '!' && !user_set) {
                        command->keep_user = true;
                        if (word.length > 1 && word.data[1] == '!') {
                                word.data++;
                                word.length--;
                        }
                } else {
                        break;
                }
                word.data++;
                word.length--;
        }
        return word;
}

static int expand_word(Slice word, const SpecifierSource *source, char **ret, Error *error) {
        _cleanup_buffer_ Buffer expanded = BUFFER_INIT;
        int r;

        if (!source) {
                *ret = slice_dup(word);
                return *ret ? 0 : -ENOMEM;
        }
        r = specifier_expand(word, source, &expanded, error);
        if (r < 0)
                return r;
        *ret = buffer_steal_string(&expanded, NULL);
        return *ret ? 0 : -ENOMEM;
}

static int check_path(const char *path, Error *error) {
        if (path[0] == '\0')
                return error_set(error, -EINVAL, "empty path of the program");
        if (str_ends_with(path, "/"))
                return error_set(error, -EINVAL, "the program's path \"%s\" is that of a directory", path);
        if (path[0] != '/' && strchr(path, '/'))
                return error_set(error, -EINVAL,
                                 "neither a full path nor a plain name of a program: \"%s\"; begin it with /", path);
        return 0;
}

/* A lone ';' parts commands. */
static bool take_separator(Slice *rest) {
        Slice trimmed = slice_trim(*rest);

        if (trimmed.length == 0 || trimmed.data[0] != ';' ||
            (trimmed.length > 1 && !strchr(" \t\n\r", trimmed.data[1])))
                return false;
        *rest = (Slice){trimmed.data + 1, trimmed.length - 1};
        return true;
}

/* "\;" alone is an argument ";". */
static bool take_escaped_separator(Slice *rest) {
        Slice trimmed = slice_trim(*rest);

        if (trimmed.length < 2 || trimmed.data[0] != '\\' || trimmed.data[1] != ';' ||
            (trimmed.length > 2 && !strchr(" \t\n\r", trimmed.data[2])))
                return false;
        *rest = (Slice){trimmed.data + 2, trimmed.length - 2};
        return true;
}

static int parse_arguments(Slice *rest, const SpecifierSource *source, ExecCommand *command, Error *error) {
        _cleanup_buffer_ Buffer word = BUFFER_INIT;

        while (!take_separator(rest)) {
                char *argument = NULL;
                int r;

                if (take_escaped_separator(rest)) {
                        r = string_list_add(&command->arguments, ";");
                        if (r < 0)
                                return r;
                        continue;
                }
                r = word_next(rest, WORD_ESCAPES_C, &word, error);
                if (r <= 0)
                        return r;
                if (command->arguments.length >= EXEC_LINE_ARGUMENTS_MAX)
                        return error_set(error, -EMSGSIZE, "more than %d arguments", EXEC_LINE_ARGUMENTS_MAX);
                r = expand_word((Slice){buffer_data(&word), buffer_length(&word)}, source, &argument, error);
                if (r < 0)
                        return r;
                r = string_list_take(&command->arguments, argument);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* 1: a command. 0: nothing but blanks and separators is left. */
static int parse_command(Slice *rest, const SpecifierSource *source, ExecCommand *command, Error *error) {
        _cleanup_buffer_ Buffer word = BUFFER_INIT;
        bool own_name = false;
        Slice program;
        int r;

        while (take_separator(rest))
                ;
        r = word_next(rest, WORD_ESCAPES_C, &word, error);
        if (r <= 0)
                return r;
        program = take_prefixes((Slice){buffer_data(&word), buffer_length(&word)}, command, &own_name);
        r = expand_word(program, source, &command->path, error);
        if (r < 0)
                return r;
        r = check_path(command->path, error);
        if (r < 0)
                return r;
        if (!own_name) {
                r = string_list_add(&command->arguments, command->path);
                if (r < 0)
                        return r;
        }
        r = parse_arguments(rest, source, command, error);
        if (r < 0)
                return r;
        if (command->arguments.length == 0)
                return error_set(error, -EINVAL, "after '@' a second word must give the name to run %s under",
                                 command->path);
        return 1;
}

int exec_line_parse(Slice value, const SpecifierSource *source, ExecCommandList *list, Error *error) {
        _cleanup_exec_command_list_ ExecCommandList commands = {0};
        Slice rest = slice_trim(value);
        int r;

        if (rest.length == 0) {
                exec_command_list_deinit(list);
                return 0;
        }
        for (;;) {
                ExecCommand command = {0};

                r = parse_command(&rest, source, &command, error);
                if (r == 0)
                        break;
                if (r > 0)
                        r = list_take(&commands, &command, error);
                exec_command_deinit(&command);
                if (r < 0)
                        return r;
        }
        if (commands.length == 0)
                return error_set(error, -EINVAL, "no command");
        if (list->length + commands.length > EXEC_LINE_COMMANDS_MAX)
                return error_set(error, -EMSGSIZE, "more than %d commands", EXEC_LINE_COMMANDS_MAX);
        if (list->capacity < list->length + commands.length) {
                ExecCommand *items = reallocarray(list->items, list->length + commands.length, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->capacity = list->length + commands.length;
        }
        memcpy(list->items + list->length, commands.items, commands.length * sizeof(*commands.items));
        list->length += commands.length;
        commands.length = 0; /* their contents moved */
        return 0;
}

const char *environment_get(const StringList *environment, Slice name) {
        for (size_t i = environment->length; i > 0; i--) {
                const char *entry = environment->items[i - 1];

                if (name.length > 0 && strncmp(entry, name.data, name.length) == 0 && entry[name.length] == '=')
                        return entry + name.length + 1;
        }
        return NULL;
}

bool environment_name_is_valid(Slice name) {
        if (name.length == 0 || isdigit((unsigned char)name.data[0]))
                return false;
        for (size_t i = 0; i < name.length; i++)
                if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_')
                        return false;
        return true;
}

static int expand_argument(Slice argument, const StringList *environment, Buffer *to) {
        for (size_t i = 0; i < argument.length; i++) {
                Slice rest = {argument.data + i, argument.length - i};
                const char *close = NULL, *value;
                int r;

                if (rest.data[0] == '$' && rest.length > 1 && rest.data[1] == '{')
                        close = memchr(rest.data, '}', rest.length);
                if (close) {
                        value = environment_get(environment, (Slice){rest.data + 2, (size_t)(close - rest.data) - 2});
                        r = buffer_append_string(to, value ? value : "");
                        i += (size_t)(close - rest.data);
                } else {
                        r = buffer_append_byte(to, rest.data[0]);
                        if (rest.data[0] == '$' && rest.length > 1 && rest.data[1] == '$')
                                i++;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Words of a variable's value; one that is not closed properly is taken whole. */
static int add_words(const char *value, StringList *list) {
        _cleanup_string_list_ StringList words = {0};
        int r;

        r = word_split(slice_from(value), WORD_ESCAPES_KEEP, &words, NULL);
        if (r == -EINVAL)
                return string_list_add(list, value);
        for (size_t i = 0; r >= 0 && i < words.length; i++) {
                r = string_list_take(list, words.items[i]);
                words.items[i] = NULL;
        }
        return r;
}

int exec_command_expand(const ExecCommand *command, const StringList *environment, StringList *ret_arguments) {
        _cleanup_string_list_ StringList result = {0};
        _cleanup_buffer_ Buffer expanded = BUFFER_INIT_LIMIT(EXEC_LINE_EXPANDED_MAX);
        size_t total = 0, counted = 0;
        int r;

        for (size_t i = 0; i < command->arguments.length; i++) {
                Slice argument = slice_from(command->arguments.items[i]);

                if (command->keep_variables) {
                        r = string_list_add_slice(&result, argument);
                } else if (argument.length > 1 && argument.data[0] == '$' &&
                           environment_name_is_valid((Slice){argument.data + 1, argument.length - 1})) {
                        const char *value =
                                environment_get(environment, (Slice){argument.data + 1, argument.length - 1});

                        r = value ? add_words(value, &result) : 0;
                } else {
                        buffer_clear(&expanded);
                        r = expand_argument(argument, environment, &expanded);
                        if (r >= 0)
                                r = string_list_add_slice(
                                        &result, (Slice){buffer_data(&expanded), buffer_length(&expanded)});
                }
                if (r < 0)
                        return r;
                for (; counted < result.length; counted++)
                        total += strlen(result.items[counted]) + 1;
                if (total > EXEC_LINE_EXPANDED_MAX)
                        return -EMSGSIZE;
        }
        *ret_arguments = result;
        result = (StringList){0};
        return 0;
}
