#pragma once
/*
 * The command line's verbs: one table row and one file each. The table makes the help texts. `faering` has groups of verbs;
 * under the name of an old program (etcdctl, fleetctl, …) the same verbs are spoken as that program did.
 */
#include <stdio.h>

#include "base/options.h"

/* Exit codes that all verbs share; groups add their own. */
enum {
        CLI_OK = 0,
        CLI_FAILED = 1,
        CLI_USAGE = 2,
};

typedef struct Verb {
        const char *name;
        const char *arguments; /* "KEY [VALUE]"; "" for none */
        const char *summary;   /* one line */
        /* argv[0] is the verb. Returns the exit code, having said on stderr what went wrong. */
        int (*run)(void *group, int argc, char **argv);
} Verb;

/* A row with NULL name ends the table. NULL when there is none; ambiguous prefixes give NULL too. */
const Verb *verb_find(const Verb *verbs, const char *name, bool allow_prefix);

/* "unknown verb …; did you mean …?" */
void verb_complain(const Verb *verbs, const char *program, const char *name);

/* The group's help: usage line, verbs, options. */
void verb_print_group_help(const Verb *verbs, const char *program, const char *what, const Option *options);

/* Parses a verb's options. 0, or -1 after an error or --help were printed, with *ret_exit the exit code to end with. */
int verb_parse(const Verb *verb, const char *program, const Option *options, OptionsFlags flags, int argc, char **argv,
               StringList *ret_arguments, int *ret_exit);

/* Whether standard output is a terminal that wants colour: honours NO_COLOR. */
bool cli_wants_color(FILE *file);

/* Lets out what was printed so far. When nobody reads it any more the program ends, as SIGPIPE ends others; when it cannot be
 * written, it ends with CLI_FAILED, having said why. */
void cli_flush(void);

/* The exit code to end with: CLI_FAILED in place of success when what was printed could not be written. */
int cli_end(int code);

/* "program: text" on stderr. */
void cli_complain(const char *program, const char *format, ...) _printf_(2, 3);
