#pragma once
/* Whether a body has the shape that a resource asks for, by the rules of Go's encoding/json and in its words: fleet's clients
 * leave empty fields out, and know these complaints. Pure. */
#include <jansson.h>

#include "base/error.h"

/* The field of that name, in large or small letters; of several the last. NULL: there is none, or it is null. */
json_t *json_shape_field(json_t *object, const char *name);

/* -EINVAL when `value` is there (neither NULL nor null) and of another type; `where` is Go's name of the place:
 * "Go struct field Unit.name of type string". */
int json_shape_check(json_t *value, json_type type, const char *where, Error *error);

/* The same for the string in a field: "" without one. */
int json_shape_string(json_t *object, const char *name, const char *where, const char **ret, Error *error);
