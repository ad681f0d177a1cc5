#pragma once
/*
 * Command lines of ExecStart= and its kin: systemd.service(5), "Command lines". Reading one gives path, prefixes and
 * arguments with quotes, escapes and specifiers resolved; variables are replaced when the environment is known, by
 * exec_command_expand().
 */
#include "unitfile/specifier.h"

#define EXEC_LINE_COMMANDS_MAX 1024
#define EXEC_LINE_ARGUMENTS_MAX 4096
#define EXEC_LINE_EXPANDED_MAX ((size_t)1024 * 1024) /* bytes of all arguments together, after variables */

typedef struct ExecCommand {
        char *path;           /* absolute, or a bare name to look for in the search path */
        StringList arguments; /* arguments.items[0] is argv[0] */
        bool ignore_failure;  /* '-' */
        bool keep_variables;  /* ':' no variables are replaced */
        bool full_privileges; /* '+' User=, Group= and sandboxing do not apply */
        bool keep_user;       /* '!' or '!!' User= and Group= do not apply */
} ExecCommand;

typedef struct ExecCommandList {
        ExecCommand *items;
        size_t length;
        size_t capacity;
} ExecCommandList;

void exec_command_list_deinit(ExecCommandList *list);
#define _cleanup_exec_command_list_ _cleanup_(exec_command_list_deinit)

/* Appends the commands of one value (joined: see unitfile_join_value()); a lone ";" parts commands. An empty value
 * empties the list, as assignments to lists do. -EINVAL: the error says why; the list stays as it was. -ENOMEM.
 * `source` may be NULL: then percent signs stay. */
int exec_line_parse(Slice value, const SpecifierSource *source, ExecCommandList *list, Error *error);

/* The value of a variable in a list of NAME=value, where a later entry wins; NULL when unset. */
const char *environment_get(const StringList *environment, Slice name);

/* Whether it can name a variable: a letter or underscore, then letters, digits, underscores. */
bool environment_name_is_valid(Slice name);

/* The arguments with variables replaced: ${NAME} anywhere by its value as it is, an argument that is $NAME by the words
 * of its value (none when empty or unset), $$ by a dollar sign. -EMSGSIZE, -ENOMEM. */
int exec_command_expand(const ExecCommand *command, const StringList *environment, StringList *ret_arguments);
