/* role add, get, list, remove, grant, revoke. */
#include "base/json-write.h"
#include "cli/request.h"
#include "cli/store-auth.h"
#include "cli/store-target.h"

/* ---- bodies, as Go writes its structs ---- */

static void write_paths(JsonWriter *json, const char *key, const char *path) {
        json_key(json, key);
        if (!path) {
                json_write_null(json);
                return;
        }
        json_begin_array(json);
        json_write_string(json, slice_from(path));
        json_end_array(json);
}

static void write_rights(JsonWriter *json, const char *key, const char *read, const char *write) {
        json_key(json, key);
        json_begin_object(json);
        json_key(json, "kv");
        json_begin_object(json);
        write_paths(json, "read", read);
        write_paths(json, "write", write);
        json_end_object(json);
        json_end_object(json);
}

/* `change`: "grant", "revoke", or NULL. The caller frees. */
static char *format_role(const char *name, const char *change, const char *read, const char *write) {
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        JsonWriter json = json_writer(&buffer);

        json_begin_object(&json);
        json_field_string(&json, "role", name);
        write_rights(&json, "permissions", NULL, NULL);
        if (change)
                write_rights(&json, change, read, write);
        json_end_object(&json);
        return buffer_steal_string(&buffer, NULL);
}

/* ---- add, remove, list, get ---- */

static int run_add(StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_free_ char *body = NULL, *text = NULL;
        json_t *there = NULL, *json = NULL;
        const char *name;
        int code = store_auth_connect(group, arguments, 1, store_auth_role.need_name);

        if (code != 0)
                return code;
        name = arguments->words.items[0];
        body = format_role(name, NULL, NULL, NULL);
        text = str_printf("Role %s already exists", name);
        if (!body || !text)
                return CLI_FAILED;
        code = store_auth_look(group, "roles", name, &there);
        if (code == 0 && there)
                code = store_complain(group, STORE_EXIT_USAGE, text, text);
        else if (code == 0)
                code = store_auth_ask(
                        group,
                        &(StoreAuthQuestion){
                                .method = "PUT", .kind = "roles", .name = name, .json = body, .may_make = true},
                        &json);
        json_decref(there);
        json_decref(json);
        if (code == 0)
                printf("Role %s created\n", name);
        return code;
}

static int run_remove(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_remove(group, arguments, &store_auth_role);
}

static int run_list(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_list(group, arguments, &store_auth_role);
}

static void print_paths(const char *heading, json_t *paths) {
        json_t *path;
        size_t i;

        printf("%s\n", heading);
        json_array_foreach (paths, i, path)
                printf("\t%s\n", json_string_value(path) ?: "");
}

static void print_role(const StoreGroup *group, const json_t *role) {
        json_t *rights = json_object_get(json_object_get(role, "permissions"), "kv");

        (void)group;
        printf("Role: %s\n", cli_text(role, "role"));
        print_paths("KV Read:", json_object_get(rights, "read"));
        print_paths("KV Write:", json_object_get(rights, "write"));
}

static int run_get(StoreGroup *group, const StoreArguments *arguments) {
        return store_auth_get(group, arguments, &store_auth_role, print_role);
}

/* ---- grant, revoke ---- */

/* 0, or the exit code after saying what is wrong with --path and the kind of right. */
static int check_rights(const StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_free_ char *clean = NULL, *text = NULL;

        if (!arguments->path || !*arguments->path)
                return store_complain(group, STORE_EXIT_USAGE, "No path specified; please use `--path`",
                                      "which keys? --path /PATH names one, --path '/PATH/*' all below");
        clean = store_target_clean(arguments->path);
        if (!clean)
                return CLI_FAILED;
        if (!str_equals(clean, arguments->path)) {
                text = str_printf("Not canonical path; please use `--path=%s`", clean);
                return store_complain(group, STORE_EXIT_USAGE, text ?: "", text ?: "");
        }
        if (arguments->read + arguments->write + arguments->readwrite != 1)
                return store_complain(group, STORE_EXIT_USAGE,
                                      "Please specify exactly one of --read, --write or --readwrite",
                                      "exactly one of --read, --write and --readwrite says what is allowed");
        return 0;
}

static int change_rights(StoreGroup *group, const StoreArguments *arguments, const char *change) {
        const char *path = arguments->path, *name;
        _cleanup_free_ char *body = NULL;
        json_t *before = NULL, *after = NULL;
        int code = check_rights(group, arguments);

        if (code == 0)
                code = store_auth_connect(group, arguments, 1, store_auth_role.need_name);
        if (code != 0)
                return code;
        name = arguments->words.items[0];
        body = format_role(name, change, arguments->write ? NULL : path, arguments->read ? NULL : path);
        code = body ? store_auth_ask(group, &(StoreAuthQuestion){.method = "GET", .kind = "roles", .name = name},
                                     &before)
                    : CLI_FAILED;
        if (code == 0)
                code = store_auth_ask(
                        group, &(StoreAuthQuestion){.method = "PUT", .kind = "roles", .name = name, .json = body},
                        &after);
        /* without an end of line: it is etcdctl's */
        if (code == 0 && json_equal(before, after))
                printf("Role unchanged; already %s%s", str_equals(change, "grant") ? "granted" : "revoked",
                       group->old ? "" : "\n");
        if (code == 0)
                printf("Role %s updated\n", name);
        json_decref(before);
        json_decref(after);
        return code;
}

static int run_grant(StoreGroup *group, const StoreArguments *arguments) {
        return change_rights(group, arguments, "grant");
}

static int run_revoke(StoreGroup *group, const StoreArguments *arguments) {
        return change_rights(group, arguments, "revoke");
}

static const StoreFlag grant_flags[] = {
        {"path", NULL, STORE_FLAG_TEXT, STORE_AT(path), "PATH", "a key, or with * at its end all that begin so",
         "Path granted for the role to access", NULL, NULL},
        {"read", NULL, STORE_FLAG_SWITCH, STORE_AT(read), NULL, "reading", "Grant read-only access", NULL, NULL},
        {"write", NULL, STORE_FLAG_SWITCH, STORE_AT(write), NULL, "writing", "Grant write-only access", NULL, NULL},
        {"readwrite", "rw", STORE_FLAG_SWITCH, STORE_AT(readwrite), NULL, "both", "Grant read-write access", NULL,
         NULL},
        {0},
};

static const StoreFlag revoke_flags[] = {
        {"path", NULL, STORE_FLAG_TEXT, STORE_AT(path), "PATH", "a path that was granted",
         "Path revoked for the role to access", NULL, NULL},
        {"read", NULL, STORE_FLAG_SWITCH, STORE_AT(read), NULL, "reading", "Revoke read access", NULL, NULL},
        {"write", NULL, STORE_FLAG_SWITCH, STORE_AT(write), NULL, "writing", "Revoke write access", NULL, NULL},
        {"readwrite", "rw", STORE_FLAG_SWITCH, STORE_AT(readwrite), NULL, "both", "Revoke read-write access", NULL,
         NULL},
        {0},
};

const StoreCommand store_role_add = {
        .group = "role",
        .name = "add",
        .arguments = "ROLE",
        .summary = "make a role that may do nothing yet",
        .old_arguments = "<role> ",
        .old_summary = "add a new role for the etcd cluster",
        .run = run_add,
};

const StoreCommand store_role_get = {
        .group = "role",
        .name = "get",
        .arguments = "ROLE",
        .summary = "what a role may read and write",
        .old_arguments = "<role>",
        .old_summary = "get details for a role",
        .run = run_get,
};

const StoreCommand store_role_list = {
        .group = "role",
        .name = "list",
        .arguments = "",
        .summary = "all roles",
        .old_arguments = " ",
        .old_summary = "list all roles",
        .run = run_list,
};

const StoreCommand store_role_remove = {
        .group = "role",
        .name = "remove",
        .arguments = "ROLE",
        .summary = "remove a role",
        .old_arguments = "<role>",
        .old_summary = "remove a role from the etcd cluster",
        .run = run_remove,
};

const StoreCommand store_role_grant = {
        .group = "role",
        .name = "grant",
        .arguments = "ROLE --path PATH --read|--write|--readwrite",
        .summary = "let a role read or write",
        .old_arguments = "<role>",
        .old_summary = "grant path matches to an etcd role",
        .flags = grant_flags,
        .run = run_grant,
};

const StoreCommand store_role_revoke = {
        .group = "role",
        .name = "revoke",
        .arguments = "ROLE --path PATH --read|--write|--readwrite",
        .summary = "take a right from a role",
        .old_arguments = "<role>",
        .old_summary = "revoke path matches for an etcd role",
        .flags = revoke_flags,
        .run = run_revoke,
};
