#include "containers/runtime/json-fields.h"

#include <errno.h>

static int wrong_type(const char *key, const char *wanted, Error *error) {
        return error_set(error, -EINVAL, "%s must be %s", key, wanted);
}

static bool is_given(const json_t *value) {
        return value && !json_is_null(value);
}

static int check_string(const json_t *value, const char *key, Error *error) {
        if (!json_is_string(value))
                return wrong_type(key, "a string", error);
        if (json_string_length(value) > JSON_STRING_MAX)
                return error_set(error, -EINVAL, "%s is longer than %d bytes", key, JSON_STRING_MAX);
        if (strlen(json_string_value(value)) != json_string_length(value))
                return error_set(error, -EINVAL, "%s has a NUL in it", key);
        return 0;
}

int json_field_get_string(const json_t *object, const char *key, char **ret, Error *error) {
        const json_t *value = json_object_get(object, key);
        char *copy;
        int r;

        if (!is_given(value))
                return 0;
        r = check_string(value, key, error);
        if (r < 0 || json_string_length(value) == 0)
                return r;
        copy = strdup(json_string_value(value));
        if (!copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        return 0;
}

int json_field_get_bool(const json_t *object, const char *key, bool *ret, Error *error) {
        const json_t *value = json_object_get(object, key);

        if (!is_given(value))
                return 0;
        if (!json_is_boolean(value))
                return wrong_type(key, "true or false", error);
        *ret = json_is_true(value);
        return 0;
}

int json_field_get_i64(const json_t *object, const char *key, int64_t *ret, Error *error) {
        const json_t *value = json_object_get(object, key);

        if (!is_given(value))
                return 0;
        if (!json_is_integer(value))
                return wrong_type(key, "a whole number", error);
        *ret = json_integer_value(value);
        return 0;
}

int json_field_get_list(const json_t *object, const char *key, StringList *ret, bool *ret_given, Error *error) {
        const json_t *value = json_object_get(object, key);
        int r;

        if (ret_given)
                *ret_given = is_given(value);
        if (!is_given(value))
                return 0;
        if (json_is_string(value)) {
                r = check_string(value, key, error);
                return r < 0 ? r : string_list_add(ret, json_string_value(value));
        }
        if (!json_is_array(value))
                return wrong_type(key, "a list of strings", error);
        if (json_array_size(value) > JSON_LIST_MAX)
                return error_set(error, -EINVAL, "%s has more than %d entries", key, JSON_LIST_MAX);
        for (size_t i = 0; i < json_array_size(value); i++) {
                const json_t *item = json_array_get(value, i);

                r = check_string(item, key, error);
                if (r >= 0)
                        r = string_list_add(ret, json_string_value(item));
                if (r < 0)
                        return r;
        }
        return 0;
}

int json_field_get_object(const json_t *object, const char *key, json_t **ret, Error *error) {
        json_t *value = json_object_get(object, key);

        *ret = NULL;
        if (!is_given(value))
                return 0;
        if (!json_is_object(value))
                return wrong_type(key, "an object", error);
        if (json_object_size(value) > JSON_LIST_MAX)
                return error_set(error, -EINVAL, "%s has more than %d entries", key, JSON_LIST_MAX);
        *ret = value;
        return 0;
}

int json_field_get_array(const json_t *object, const char *key, json_t **ret, Error *error) {
        json_t *value = json_object_get(object, key);

        *ret = NULL;
        if (!is_given(value))
                return 0;
        if (!json_is_array(value))
                return wrong_type(key, "a list", error);
        if (json_array_size(value) > JSON_LIST_MAX)
                return error_set(error, -EINVAL, "%s has more than %d entries", key, JSON_LIST_MAX);
        *ret = value;
        return 0;
}

const char *json_text(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key)) ?: "";
}
