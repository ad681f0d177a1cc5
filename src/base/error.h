#pragma once
/*
 * Errors. Functions return a result `r`:
 *
 *   r < 0   a negative errno. Fatal to the call; passed up unchanged.
 *   r == 0  success.
 *   r > 0   an expected outcome of this very function, an enum that its caller handles.
 *
 * Where a person will read the outcome, the function also takes an `Error *`: room for one text that says what
 * happened, where, why and what to do next. It is filled once, where the facts are known; outer layers may put their
 * context in front. All functions accept a NULL Error. An Error owns nothing and needs no clean-up.
 */
#include <stdarg.h>

#include "base/util.h"

#define ERROR_TEXT_MAX 1024

typedef struct Error {
        char text[ERROR_TEXT_MAX];
} Error;

#define ERROR_NONE ((Error){.text = ""})

/* Replaces the text and returns `r`, so that `return error_set(error, -EINVAL, "…")` reads well. Too long a text is cut. */
int error_set(Error *error, int r, const char *format, ...) _printf_(3, 4);

/* As error_set(), followed by ": " and the system's text for the errno in `r` (negative). */
int error_set_errno(Error *error, int r, const char *format, ...) _printf_(3, 4);

/* Puts a context and ": " before the text that is there. Returns `r`. */
int error_prefix(Error *error, int r, const char *format, ...) _printf_(3, 4);
