#include "store/api/auth-json.h"

#include <errno.h>
#include <jansson.h>

#include "base/json-write.h"

static bool field_is(const char *key, const char *name) {
        return strcasecmp(key, name) == 0;
}

/* Go's decoder leaves a field as it was when the value is null. */
static int take_string(const json_t *value, char **target) {
        char *copy;

        if (json_is_null(value))
                return 0;
        if (!json_is_string(value))
                return -EINVAL;
        copy = strdup(json_string_value(value));
        if (!copy)
                return -ENOMEM;
        free(*target);
        *target = copy;
        return 0;
}

static int take_names(const json_t *value, AuthNames *names) {
        size_t i;
        json_t *item;
        int r = 0;

        string_list_deinit(&names->list);
        *names = (AuthNames){0};
        if (json_is_null(value))
                return 0;
        if (!json_is_array(value) || json_array_size(value) > AUTH_NAMES_MAX)
                return -EINVAL;
        names->is_set = true;
        json_array_foreach(value, i, item) {
                if (!json_is_string(item) && !json_is_null(item))
                        return -EINVAL;
                r = string_list_add(&names->list, json_string_value(item) ?: "");
                if (r < 0)
                        break;
        }
        return r;
}

static int take_kv(json_t *value, AuthPermissions *permissions) {
        const char *key;
        json_t *field;
        int r = 0;

        if (json_is_null(value))
                return 0;
        if (!json_is_object(value))
                return -EINVAL;
        json_object_foreach(value, key, field) {
                if (field_is(key, "read"))
                        r = take_names(field, &permissions->read);
                else if (field_is(key, "write"))
                        r = take_names(field, &permissions->write);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ret_given may be NULL. */
static int take_permissions(json_t *value, AuthPermissions *permissions, bool *ret_given) {
        const char *key;
        json_t *field;
        int r;

        if (ret_given)
                *ret_given = !json_is_null(value);
        if (json_is_null(value))
                return 0;
        if (!json_is_object(value))
                return -EINVAL;
        json_object_foreach(value, key, field) {
                r = field_is(key, "kv") ? take_kv(field, permissions) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_role(json_t *root, AuthRole *role) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach(root, key, value) {
                if (field_is(key, "role"))
                        r = take_string(value, &role->name);
                else if (field_is(key, "permissions"))
                        r = take_permissions(value, &role->permissions, NULL);
                else if (field_is(key, "grant"))
                        r = take_permissions(value, &role->grant, &role->has_grant);
                else if (field_is(key, "revoke"))
                        r = take_permissions(value, &role->revoke, &role->has_revoke);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_user(json_t *root, AuthUser *user) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach(root, key, value) {
                if (field_is(key, "user"))
                        r = take_string(value, &user->name);
                else if (field_is(key, "password"))
                        r = take_string(value, &user->password);
                else if (field_is(key, "roles"))
                        r = take_names(value, &user->roles);
                else if (field_is(key, "grant"))
                        r = take_names(value, &user->grant);
                else if (field_is(key, "revoke"))
                        r = take_names(value, &user->revoke);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What follows the first value is not looked at, and null is an object without fields. NULL: no such JSON. */
static json_t *load(Slice text) {
        json_t *root;

        if (text.length == 0 || text.length > AUTH_JSON_MAX)
                return NULL;
        root = json_loadb(text.data, text.length, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
        if (root && !json_is_object(root) && !json_is_null(root)) {
                json_decref(root);
                return NULL;
        }
        return root;
}

int auth_user_parse(Slice text, AuthUser *ret_user) {
        _cleanup_auth_user_ AuthUser user = {.name = strdup(""), .password = strdup("")};
        json_t *root;
        int r;

        if (!user.name || !user.password)
                return -ENOMEM;
        root = load(text);
        if (!root)
                return -EINVAL;
        r = take_user(root, &user);
        json_decref(root);
        if (r < 0)
                return r;
        *ret_user = user;
        user = (AuthUser){0};
        return 0;
}

int auth_role_parse(Slice text, AuthRole *ret_role) {
        _cleanup_auth_role_ AuthRole role = {.name = strdup("")};
        json_t *root;
        int r;

        if (!role.name)
                return -ENOMEM;
        root = load(text);
        if (!root)
                return -EINVAL;
        r = take_role(root, &role);
        json_decref(root);
        if (r < 0)
                return r;
        *ret_role = role;
        role = (AuthRole){0};
        return 0;
}

static void write_names(JsonWriter *json, const char *key, const AuthNames *names) {
        json_key(json, key);
        if (!names->is_set) {
                json_write_null(json);
                return;
        }
        json_begin_array(json);
        for (size_t i = 0; i < names->list.length; i++)
                json_write_string(json, slice_from(names->list.items[i]));
        json_end_array(json);
}

static void write_permissions(JsonWriter *json, const char *key, const AuthPermissions *permissions) {
        json_key(json, key);
        json_begin_object(json);
        json_key(json, "kv");
        json_begin_object(json);
        write_names(json, "read", &permissions->read);
        write_names(json, "write", &permissions->write);
        json_end_object(json);
        json_end_object(json);
}

int auth_user_format(const AuthUser *user, Buffer *buffer) {
        JsonWriter json = json_writer(buffer);

        json_begin_object(&json);
        json_field_string(&json, "user", user->name);
        if (*user->password)
                json_field_string(&json, "password", user->password);
        write_names(&json, "roles", &user->roles);
        if (user->grant.list.length > 0)
                write_names(&json, "grant", &user->grant);
        if (user->revoke.list.length > 0)
                write_names(&json, "revoke", &user->revoke);
        json_end_object(&json);
        return buffer_failed(buffer);
}

int auth_role_format(const AuthRole *role, Buffer *buffer) {
        JsonWriter json = json_writer(buffer);

        json_begin_object(&json);
        json_field_string(&json, "role", role->name);
        write_permissions(&json, "permissions", &role->permissions);
        if (role->has_grant)
                write_permissions(&json, "grant", &role->grant);
        if (role->has_revoke)
                write_permissions(&json, "revoke", &role->revoke);
        json_end_object(&json);
        return buffer_failed(buffer);
}
