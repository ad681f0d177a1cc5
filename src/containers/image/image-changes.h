#pragma once
/* The configuration of an image that is made here, with lines of a Dockerfile applied to it (docker import --change). Pure. */
#include <jansson.h>

#include "base/error.h"
#include "base/str.h"

#define IMAGE_CHANGES_MAX 256

/* Applies one line, "CMD [\"a\"]", to the "config" object. -EINVAL with `error`. */
int image_change_apply(json_t *config, const char *line, Error *error);
