#pragma once
/*
 * Command-line options from a table. One table row serves parsing, environment variables and --help.
 *
 * Two dialects: OPTIONS_GO (Go's flag package, which etcd and coreos-cloudinit use: one or two dashes are the same,
 * "-name=value", "-name value", switches only as "-name" or "-name=false"), and OPTIONS_GNU ("--name", short clusters
 * "-it", "-p80:80"). "--" ends the options in both.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

typedef enum OptionType {
        OPTION_SWITCH,   /* bool */
        OPTION_STRING,   /* char *, heap, owned by the target; the default may be set with strdup() before */
        OPTION_U64,      /* uint64_t */
        OPTION_DURATION, /* Usec, written as Go does: 1m30s; a bare number is seconds */
        OPTION_SIZE,     /* uint64_t bytes, with suffix */
        OPTION_LIST,     /* StringList: each use adds one */
        OPTION_CALL,     /* `call` */
} OptionType;

typedef struct Option Option;
struct Option {
        const char *name;        /* without dashes; NULL ends the table */
        char letter;             /* short form, or 0. Only OPTIONS_GNU */
        OptionType type;
        const char *argument;    /* what --help calls the value; NULL for switches */
        const char *environment; /* variable that gives the value unless the command line does, or NULL */
        const char *help;        /* one line; NULL hides the option */
        void *target;
        /* OPTION_CALL: takes the value (NULL: a switch was given); returns < 0 with `error` set to refuse it. */
        int (*call)(void *target, const char *value, Error *error);
};

typedef enum OptionsFlags {
        OPTIONS_GNU = 0,
        OPTIONS_GO = 1 << 0,
        OPTIONS_STOP_AT_ARGUMENT = 1 << 1, /* the first that is no option ends the options ("docker run IMAGE -x") */
} OptionsFlags;

/* Parses argv[1..], then the environment for what was not given. Arguments that are no options go to `ret_arguments`
 * (borrowed strings copied into the list). -EINVAL with `error`: names the option, and the nearest known one. */
int options_parse(const Option *options, OptionsFlags flags, int argc, char *const *argv, StringList *ret_arguments,
                  Error *error);

/* Applies one value as if it stood on the command line: for configuration files. -ENOENT: no such option. */
int options_set(const Option *options, const char *name, const char *value, Error *error);

/* Gives an OPTION_STRING's target a copy of `value` if nothing did. -ENOMEM. */
int option_default(char **target, const char *value);

/* The table as aligned text for --help, without a heading. `dashes`: "--" or "-". */
int options_format_help(const Option *options, const char *dashes, Buffer *buffer);
