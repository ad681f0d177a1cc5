#pragma once
/*
 * Reads fields of JSON objects that came from outside. A field that is absent or null counts as not given; one of
 * another type is -EINVAL with a text that names it.
 */
#include <jansson.h>

#include "base/error.h"
#include "base/str.h"

enum { JSON_STRING_MAX = 65536, JSON_LIST_MAX = 4096 };

static inline void cleanup_json(json_t **json) {
        json_decref(*json);
}

#define _cleanup_json_ _cleanup_(cleanup_json)

/* *ret is left as it is when the field is not given. An empty string counts as not given. */
int json_field_get_string(const json_t *object, const char *key, char **ret, Error *error);
int json_field_get_bool(const json_t *object, const char *key, bool *ret, Error *error);
int json_field_get_i64(const json_t *object, const char *key, int64_t *ret, Error *error);

/* Adds the elements of a list of strings; *ret_given (may be NULL) says whether there is a list. Docker also takes a
 * single string here. */
int json_field_get_list(const json_t *object, const char *key, StringList *ret, bool *ret_given, Error *error);

/* The object, or NULL when not given. */
int json_field_get_object(const json_t *object, const char *key, json_t **ret, Error *error);
int json_field_get_array(const json_t *object, const char *key, json_t **ret, Error *error);

/* Text of a string value, "" of anything else. */
const char *json_text(const json_t *object, const char *key);
