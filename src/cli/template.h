#pragma once
/*
 * The part of Go's templates that people give docker with --format: text with {{.Path.To.Value}} and {{json .Path}}; "." is the whole. What is beyond
 * that is refused, with its place.
 */
#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

/* Appends what `format` makes of `value`. -EINVAL with `error`. A member that is absent shows as <no value>. */
int template_format(const char *format, json_t *value, Buffer *to, Error *error);
