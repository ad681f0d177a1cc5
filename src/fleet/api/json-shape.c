#include "fleet/api/json-shape.h"

#include <errno.h>
#include <strings.h>

static const char *kind(const json_t *value) {
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return "object";
        case JSON_ARRAY:
                return "array";
        case JSON_STRING:
                return "string";
        case JSON_TRUE:
        case JSON_FALSE:
                return "bool";
        default:
                return "number";
        }
}

json_t *json_shape_field(json_t *object, const char *name) {
        json_t *value, *found = NULL;
        const char *key;

        json_object_foreach (object, key, value)
                if (strcasecmp(key, name) == 0 && !json_is_null(value))
                        found = value;
        return found;
}

int json_shape_check(json_t *value, json_type type, const char *where, Error *error) {
        if (!value || json_is_null(value) || json_typeof(value) == type)
                return 0;
        return error_set(error, -EINVAL, "json: cannot unmarshal %s into %s", kind(value), where);
}

int json_shape_string(json_t *object, const char *name, const char *where, const char **ret, Error *error) {
        json_t *value = json_shape_field(object, name);
        int r = json_shape_check(value, JSON_STRING, where, error);

        if (r >= 0)
                *ret = value ? json_string_value(value) : "";
        return r;
}
