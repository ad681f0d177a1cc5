#pragma once
/*
 * Scripts with their expected output: directives of a command line, input lines, "----" and output up to a blank line.
 * A Script owns the text; directives borrow from it.
 */
#include "base/error.h"
#include "base/str.h"

#define SCRIPT_BYTES_MAX ((size_t)16 << 20)
#define SCRIPT_ARGUMENTS_MAX 32
#define SCRIPT_VALUES_MAX 64

typedef struct Argument {
        Slice key;
        Slice values[SCRIPT_VALUES_MAX]; /* none: the argument had no "=" */
        size_t length;
} Argument;

typedef struct Directive {
        size_t line;   /* of the command, from 1 */
        Slice source;  /* everything up to and with the "----" line */
        Slice command;
        Argument arguments[SCRIPT_ARGUMENTS_MAX];
        size_t length;
        Slice input;    /* trimmed */
        Slice expected; /* with its last line end */
        size_t expected_line;
} Directive;

typedef struct Script {
        char *text;
        size_t size;
        size_t position;
        size_t line; /* of position, from 1 */
} Script;

int script_load(Script *script, const char *path, Error *error);
void script_deinit(Script *script);

/* 1 and the next directive, with ret_skipped the comments and blank lines before it; 0 at the end, with what is left.
 * -EINVAL with `error`. */
int script_next(Script *script, Directive *ret_directive, Slice *ret_skipped, Error *error);

/* The argument's only value. */
int argument_u64(const Argument *argument, uint64_t *ret_value);
int argument_bool(const Argument *argument, bool *ret_value);

static inline bool slice_is(Slice slice, const char *word) {
        return slice_equals(slice, slice_from(word));
}
