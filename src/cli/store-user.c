/* user add, get, list, remove, grant, revoke, passwd. */
#include "base/json-write.h"
#include "cli/request.h"
#include "cli/store-auth.h"

/* The body of a change, as Go writes its struct. `secret` leaves the password out, for --debug. The caller frees. */
static char *format_user(const char *name, const char *password, const char *list_name, const StringList *roles,
                         bool secret) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter json = json_writer(&buffer);

        json_begin_object(&json);
        json_field_string(&json, "user", name);
        if (password && *password)
                json_field_string(&json, "password", secret ? "..." : password);
        json_key(&json, "roles");
        json_write_null(&json);
        if (list_name)
                json_field_strings(&json, list_name, roles);
        json_end_object(&json);
        return buffer_steal_string(&buffer, NULL);
}

static int put_password(StoreGroup *group, const char *name, const char *password, bool may_make) {
        _cleanup_free_ char *body = format_user(name, password, NULL, NULL, false),
                            *shown = format_user(name, password, NULL, NULL, true);
        json_t *json = NULL;
        int code = body && shown ? store_auth_ask(group,
                                                  &(StoreAuthQuestion){.method = "PUT",
                                                                       .kind = "users",
                                                                       .name = name,
                                                                       .json = body,
                                                                       .shown = shown,
                                                                       .may_make = may_make},
                                                  &json)
                                 : CLI_FAILED;

        if (body)
                explicit_bzero(body, strlen(body));
        json_decref(json);
        return code;
}

static int complain_password(const StoreGroup *group) {
        return store_complain(group, STORE_EXIT_USAGE, "Error reading password: EOF",
                              "no password: there is no line on standard input, and no terminal to ask on");
}

/* NAME or NAME:PASSWORD. */
static int run_add(StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_free_ char *name = NULL, *password = NULL;
        const char *given, *colon;
        int code = store_auth_connect(group, arguments, 1, store_auth_user.need_name);

        if (code != 0)
                return code;
        given = arguments->words.items[0];
        colon = strchr(given, ':');
        name = colon ? slice_dup((Slice){given, (size_t)(colon - given)}) : strdup(given);
        password = colon ? strdup(colon + 1) : store_ask_password("New password: ");
        if (!name || !password)
                return complain_password(group);
        code = put_password(group, name, password, true);
        explicit_bzero(password, strlen(password));
        if (code == 0)
                printf("User %s created\n", name);
        return code;
}

static int run_passwd(StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_free_ char *password = NULL;
        int code = store_auth_connect(group, arguments, 1, store_auth_user.need_name);

        if (code != 0)
                return code;
        password = store_ask_password("New password: ");
        if (!password)
                return complain_password(group);
        code = put_password(group, arguments->words.items[0], password, false);
        explicit_bzero(password, strlen(password));
        if (code == 0)
                printf("Password updated\n");
        return code;
}

/* A role of the answer is a name or a role with all its rights: etcd answers with either. */
static const char *role_name(json_t *role) {
        return json_is_string(role) ? json_string_value(role) : cli_text(role, "role");
}

static void print_user(const StoreGroup *group, const json_t *user) {
        json_t *role;
        size_t i;

        printf("User: %s\nRoles: ", cli_text(user, "user"));
        /* etcdctl reads the list twice when its roles are objects, the first time as names that are all empty */
        json_array_foreach (json_object_get(user, "roles"), i, role)
                printf("%s", group->old && json_is_object(role) ? " " : "");
        json_array_foreach (json_object_get(user, "roles"), i, role)
                printf("%s%s", i ? " " : "", role_name(role));
        printf("\n");
}

static int run_get(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_get(group, arguments, &store_auth_user, print_user);
}

static int run_list(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_list(group, arguments, &store_auth_user);
}

static int run_remove(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_remove(group, arguments, &store_auth_user);
}

static int change_roles(StoreGroup *group, const StoreArguments *arguments, const char *list_name) {
        _cleanup_free_ char *body = NULL;
        json_t *json = NULL;
        int code;

        if (arguments->roles.length == 0)
                return store_complain(group, STORE_EXIT_USAGE, "No roles specified; please use `--roles`",
                                      "which roles? --roles ROLE,ROLE names them");
        code = store_auth_connect(group, arguments, 1, store_auth_user.need_name);
        if (code != 0)
                return code;
        body = format_user(arguments->words.items[0], NULL, list_name, &arguments->roles, false);
        code = body ? store_auth_ask(group,
                                     &(StoreAuthQuestion){.method = "PUT",
                                                          .kind = "users",
                                                          .name = arguments->words.items[0],
                                                          .json = body},
                                     &json)
                    : CLI_FAILED;
        json_decref(json);
        if (code == 0)
                printf("User %s updated\n", arguments->words.items[0]);
        return code;
}

static int run_grant(StoreGroup *group, const StoreArguments *arguments) {
        return change_roles(group, arguments, "grant");
}

static int run_revoke(StoreGroup *group, const StoreArguments *arguments) {
        return change_roles(group, arguments, "revoke");
}

static const StoreFlag role_flags[] = {
        {"roles", NULL, STORE_FLAG_TEXTS, STORE_AT(roles), "ROLES", "which roles, separated by commas",
         "List of roles to grant or revoke", NULL, NULL},
        {0},
};

const StoreCommand store_user_add = {
        .group = "user",
        .name = "add",
        .arguments = "NAME[:PASSWORD]",
        .summary = "make a user; the password is asked for",
        .old_arguments = "<user>",
        .old_summary = "add a new user for the etcd cluster",
        .run = run_add,
};

const StoreCommand store_user_get = {
        .group = "user",
        .name = "get",
        .arguments = "NAME",
        .summary = "a user's roles",
        .old_arguments = "<user>",
        .old_summary = "get details for a user",
        .run = run_get,
};

const StoreCommand store_user_list = {
        .group = "user",
        .name = "list",
        .arguments = "",
        .summary = "all users",
        .old_arguments = "<user>",
        .old_summary = "list all current users",
        .run = run_list,
};

const StoreCommand store_user_remove = {
        .group = "user",
        .name = "remove",
        .arguments = "NAME",
        .summary = "remove a user",
        .old_arguments = "<user>",
        .old_summary = "remove a user for the etcd cluster",
        .run = run_remove,
};

const StoreCommand store_user_grant = {
        .group = "user",
        .name = "grant",
        .arguments = "NAME --roles ROLES",
        .summary = "give roles to a user",
        .old_arguments = "<user>",
        .old_summary = "grant roles to an etcd user",
        .flags = role_flags,
        .run = run_grant,
};

const StoreCommand store_user_revoke = {
        .group = "user",
        .name = "revoke",
        .arguments = "NAME --roles ROLES",
        .summary = "take roles from a user",
        .old_arguments = "<user>",
        .old_summary = "revoke roles for an etcd user",
        .flags = role_flags,
        .run = run_revoke,
};

const StoreCommand store_user_passwd = {
        .group = "user",
        .name = "passwd",
        .arguments = "NAME",
        .summary = "change a user's password",
        .old_arguments = "<user>",
        .old_summary = "change password for a user",
        .run = run_passwd,
};
