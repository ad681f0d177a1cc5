#pragma once
/* One program of the system, run to its end. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define RUN_PROGRAM_SECONDS 60
#define RUN_PROGRAM_OUTPUT_MAX ((size_t)4096)

/*
 * Looks for argv[0] in the folders that programs of the system lie in, gives it `input`, and waits for its end.
 * -ENOENT: it is nowhere; -EIO: it ended with another status than 0, and `error` has what it said; -ETIMEDOUT: it took
 * longer than RUN_PROGRAM_SECONDS, and was ended.
 */
int run_program(const char *const *argv, Slice input, Error *error);

/* The same; appends what it wrote to its standard output, at most `max` bytes (-EMSGSIZE). */
int run_program_output(const char *const *argv, Slice input, size_t max, Buffer *to, Error *error);

bool run_program_is_there(const char *name);
