#include "store/api/auth-rules.h"

#include <errno.h>

static void auth_names_deinit(AuthNames *names) {
        string_list_deinit(&names->list);
        *names = (AuthNames){0};
}

static void auth_permissions_deinit(AuthPermissions *permissions) {
        auth_names_deinit(&permissions->read);
        auth_names_deinit(&permissions->write);
}

void auth_role_deinit(AuthRole *role) {
        free(role->name);
        auth_permissions_deinit(&role->permissions);
        auth_permissions_deinit(&role->grant);
        auth_permissions_deinit(&role->revoke);
        *role = (AuthRole){0};
}

void auth_user_deinit(AuthUser *user) {
        if (user->password)
                explicit_bzero(user->password, strlen(user->password));
        free(user->password);
        free(user->name);
        auth_names_deinit(&user->roles);
        auth_names_deinit(&user->grant);
        auth_names_deinit(&user->revoke);
        *user = (AuthUser){0};
}

bool auth_permissions_are_empty(const AuthPermissions *permissions) {
        return permissions->read.list.length == 0 && permissions->write.list.length == 0;
}

/* ---- names ---- */

static int names_add(AuthNames *names, const char *name) {
        names->is_set = true;
        return string_list_add(&names->list, name);
}

static void names_remove(AuthNames *names, const char *name) {
        StringList *list = &names->list;
        size_t kept = 0;

        for (size_t i = 0; i < list->length; i++)
                if (str_equals(list->items[i], name))
                        free(list->items[i]);
                else
                        list->items[kept++] = list->items[i];
        list->length = kept;
        if (list->items)
                list->items[kept] = NULL;
}

static bool names_equal(const AuthNames *a, const AuthNames *b) {
        if (a->is_set != b->is_set || a->list.length != b->list.length)
                return false;
        for (size_t i = 0; i < a->list.length; i++)
                if (!str_equals(a->list.items[i], b->list.items[i]))
                        return false;
        return true;
}

/* As a set: each name once. */
static int names_copy(const AuthNames *from, AuthNames *to) {
        int r = 0;

        to->is_set = true;
        for (size_t i = 0; i < from->list.length && r == 0; i++)
                if (!string_list_contains(&to->list, from->list.items[i]))
                        r = string_list_add(&to->list, from->list.items[i]);
        return r;
}

/* In the order of the list, null if it was null. */
static int names_clone(const AuthNames *from, AuthNames *to) {
        int r = 0;

        to->is_set = from->is_set;
        for (size_t i = 0; i < from->list.length && r == 0; i++)
                r = string_list_add(&to->list, from->list.items[i]);
        return r;
}

/* The first of `granted` that is there already or comes twice, or NULL. *ret_r: -ENOMEM. */
static const char *names_grant(AuthNames *names, const AuthNames *granted, int *ret_r) {
        *ret_r = 0;
        for (size_t i = 0; i < granted->list.length && *ret_r == 0; i++) {
                const char *name = granted->list.items[i];

                if (string_list_contains(&names->list, name))
                        return name;
                *ret_r = names_add(names, name);
        }
        return NULL;
}

/* ---- who may what ---- */

static bool pattern_matches(const char *pattern, Slice key, bool recursive) {
        size_t length = strlen(pattern);

        if (length > 0 && pattern[length - 1] == '*')
                return key.length >= length - 1 && memcmp(key.data, pattern, length - 1) == 0;
        return !recursive && slice_equals(slice_from(pattern), key);
}

bool auth_role_allows(const AuthRole *role, Slice key, bool write, bool recursive) {
        const AuthNames *patterns = write ? &role->permissions.write : &role->permissions.read;

        if (str_equals(role->name, AUTH_ROOT))
                return true;
        if (!key.data)
                key.data = "";
        for (size_t i = 0; i < patterns->list.length; i++)
                if (pattern_matches(patterns->list.items[i], key, recursive))
                        return true;
        return false;
}

bool auth_user_has_role(const AuthUser *user, const char *role) {
        return string_list_contains(&user->roles.list, role);
}

int auth_role_init_full(AuthRole *role, const char *name) {
        int r;

        *role = (AuthRole){.name = strdup(name)};
        r = role->name ? names_add(&role->permissions.read, "/*") : -ENOMEM;
        if (r == 0)
                r = names_add(&role->permissions.write, "/*");
        if (r < 0)
                auth_role_deinit(role);
        return r;
}

int auth_user_attach_root(AuthUser *user) {
        if (!str_equals(user->name, AUTH_ROOT) || auth_user_has_role(user, AUTH_ROOT))
                return 0;
        return names_add(&user->roles, AUTH_ROOT);
}

int auth_user_copy(const AuthUser *user, const char *hash, AuthUser *ret_user) {
        _cleanup_auth_user_ AuthUser copy = {.name = strdup(user->name), .password = strdup(hash)};
        int r;

        if (!copy.name || !copy.password)
                return -ENOMEM;
        r = names_clone(&user->roles, &copy.roles);
        if (r < 0)
                return r;
        *ret_user = copy;
        copy = (AuthUser){0};
        return 0;
}

/* ---- changes ---- */

static int user_change_roles(AuthNames *roles, const AuthUser *change, Error *error) {
        const char *twice;
        int r;

        twice = names_grant(roles, &change->grant, &r);
        if (twice)
                return error_set(error, 409, "auth: Granting duplicate role %s for user %s", twice, change->name);
        for (size_t i = 0; i < change->revoke.list.length && r == 0; i++) {
                const char *name = change->revoke.list.items[i];

                if (!string_list_contains(&roles->list, name))
                        return error_set(error, 409, "auth: Revoking ungranted role %s for user %s", name,
                                         change->name);
                names_remove(roles, name);
        }
        string_list_sort(&roles->list);
        return r;
}

static bool user_equals(const AuthUser *a, const AuthUser *b) {
        return str_equals(a->password, b->password) && names_equal(&a->roles, &b->roles) &&
               names_equal(&a->grant, &b->grant) && names_equal(&a->revoke, &b->revoke);
}

int auth_user_merge(const AuthUser *old, const AuthUser *change, const char *hash, AuthUser *ret_user, Error *error) {
        _cleanup_auth_user_ AuthUser user = {.name = strdup(old->name), .password = strdup(hash ?: old->password)};
        int r;

        if (!user.name || !user.password)
                return -ENOMEM;
        if (!str_equals(old->name, change->name))
                return error_set(error, 409, "auth: Merging user data with conflicting usernames: %s %s", old->name,
                                 change->name);
        r = names_copy(&old->roles, &user.roles);
        if (r == 0)
                r = user_change_roles(&user.roles, change, error);
        if (r != 0)
                return r;
        if (user_equals(old, &user))
                return error_set(error, 400, "auth: User not updated. Use grant/revoke/password to update the user.");
        *ret_user = user;
        user = (AuthUser){0};
        return 0;
}

static int permissions_grant(AuthPermissions *permissions, const AuthPermissions *granted, Error *error) {
        const char *twice;
        int r;

        twice = names_grant(&permissions->read, &granted->read, &r);
        if (twice)
                return error_set(error, 409, "auth: Granting duplicate read permission %s", twice);
        if (r == 0)
                twice = names_grant(&permissions->write, &granted->write, &r);
        if (twice)
                return error_set(error, 409, "auth: Granting duplicate write permission %s", twice);
        return r;
}

/* What was never granted may be revoked all the same. */
static void permissions_revoke(AuthPermissions *permissions, const AuthPermissions *revoked) {
        for (size_t i = 0; i < revoked->read.list.length; i++)
                names_remove(&permissions->read, revoked->read.list.items[i]);
        for (size_t i = 0; i < revoked->write.list.length; i++)
                names_remove(&permissions->write, revoked->write.list.items[i]);
}

static bool permissions_equal(const AuthPermissions *a, const AuthPermissions *b) {
        return names_equal(&a->read, &b->read) && names_equal(&a->write, &b->write);
}

int auth_role_merge(const AuthRole *old, const AuthRole *change, AuthRole *ret_role, Error *error) {
        _cleanup_auth_role_ AuthRole role = {.name = strdup(old->name)};
        bool changes = change->has_grant || change->has_revoke;
        int r;

        if (!role.name)
                return -ENOMEM;
        if (!str_equals(old->name, change->name))
                return error_set(error, 409, "auth: Merging role with conflicting names: %s %s", old->name,
                                 change->name);
        r = (changes ? names_copy : names_clone)(&old->permissions.read, &role.permissions.read);
        if (r == 0)
                r = (changes ? names_copy : names_clone)(&old->permissions.write, &role.permissions.write);
        if (r == 0 && change->has_grant)
                r = permissions_grant(&role.permissions, &change->grant, error);
        if (r != 0)
                return r;
        if (change->has_revoke)
                permissions_revoke(&role.permissions, &change->revoke);
        if (changes) {
                string_list_sort(&role.permissions.read.list);
                string_list_sort(&role.permissions.write.list);
        }
        if (!old->has_grant && !old->has_revoke && permissions_equal(&old->permissions, &role.permissions))
                return error_set(error, 400, "auth: Role not updated. Use grant/revoke to update the role.");
        *ret_role = role;
        role = (AuthRole){0};
        return 0;
}
