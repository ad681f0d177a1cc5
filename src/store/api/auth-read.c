#include <errno.h>

#include "base/json-write.h"
#include "store/api/auth-handlers.h"
#include "store/api/auth-json.h"
#include "store/api/form.h"
#include "store/api/handlers.h"

void auth_respond(Api *api, HttpRequest *http, unsigned status, Buffer *json) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;

        if (buffer_length(json) > 0)
                (void)buffer_append_byte(json, '\n');
        if (buffer_failed(json)) {
                api_respond_no_memory(http);
                return;
        }
        api_append_cluster_header(api, &headers);
        api_respond(http, status, "application/json", &headers, (Slice){buffer_data(json), buffer_length(json)});
}

void auth_fail(Api *api, HttpRequest *http, unsigned status, const char *message) {
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;

        api_append_cluster_header(api, &headers);
        api_respond_message(http, status, &headers, message);
}

static void auth_fail_missing(Api *api, HttpRequest *http, int r, const char *what, Slice name) {
        _cleanup_free_ char *message = str_printf("auth: %s %.*s does not exist.", what, (int)name.length, name.data);

        if (r == -ENOMEM || !message)
                api_respond_no_memory(http);
        else
                auth_fail(api, http, 404, message);
}

/* The names below a folder that are not hidden, in order. -ENOMEM. */
static int list_names(const Tree *tree, const char *folder, StringList *names) {
        ChildPosition position = {0};
        const Node *directory;
        Node *child;
        int r = 0;

        if (tree_find(tree, slice_from(folder), &directory, NULL) != 0 || !directory->dir)
                return 0;
        while (r == 0 && children_next(&directory->children, &position, &child))
                if (!node_is_hidden(child))
                        r = string_list_add_slice(names, node_name(child));
        return r;
}

/* False after it has answered: etcd looks at the query although it needs nothing of it. */
static bool check_query(Api *api, HttpRequest *http) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        Form form = {0};
        int r = form_add(&form, http_request_query(http), &cause);

        buffer_deinit(&form.text);
        if (r == 0)
                return true;
        auth_fail(api, http, 500, "Internal Server Error");
        return false;
}

static const Tree *api_tree(Api *api) {
        return api->backend->tree(api->userdata);
}

/* ---- roles ---- */

static void roles_list(Api *api, HttpRequest *http) {
        _cleanup_string_list_ StringList names = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        int r;

        r = string_list_add(&names, AUTH_ROOT);
        if (r == 0)
                r = list_names(api_tree(api), AUTH_ROLES, &names);
        if (r < 0) {
                api_respond_no_memory(http);
                return;
        }
        string_list_sort(&names);
        if (!check_query(api, http))
                return;
        json_begin_object(&json);
        json_key(&json, "roles");
        json_begin_array(&json);
        for (size_t i = 0; i < names.length; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                const AuthRole *role;

                r = auth_records_role(&api->auth->records, api_tree(api), slice_from(names.items[i]), &role);
                if (r == 0)
                        r = auth_role_format(role, &text);
                if (r < 0) {
                        auth_fail_missing(api, http, r, "Role", slice_from(names.items[i]));
                        return;
                }
                json_write_raw(&json, (Slice){buffer_data(&text), buffer_length(&text)});
        }
        json_end_array(&json);
        json_end_object(&json);
        auth_respond(api, http, 200, &body);
}

static void role_get(Api *api, HttpRequest *http, Slice name) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        const AuthRole *role;
        int r = auth_records_role(&api->auth->records, api_tree(api), name, &role);

        if (r < 0) {
                auth_fail_missing(api, http, r, "Role", name);
                return;
        }
        (void)auth_role_format(role, &body);
        auth_respond(api, http, 200, &body);
}

/* ---- users ---- */

/* A user with what its roles allow. `strict`: a role that does not exist is *ret_missing and -ENOENT; otherwise it is left out. */
static int write_user(Api *api, JsonWriter *json, const AuthUser *user, bool strict, Slice *ret_missing) {
        bool any = false;

        json_begin_object(json);
        json_field_string(json, "user", user->name);
        for (size_t i = 0; i < user->roles.list.length; i++) {
                Slice name = slice_from(user->roles.list.items[i]);
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                const AuthRole *role;
                int r = auth_records_role(&api->auth->records, api_tree(api), name, &role);

                if (r == -ENOENT && !strict)
                        continue;
                if (r == 0)
                        r = auth_role_format(role, &text);
                if (r < 0) {
                        *ret_missing = name;
                        return r;
                }
                if (!any) {
                        json_key(json, "roles");
                        json_begin_array(json);
                }
                any = true;
                json_write_raw(json, (Slice){buffer_data(&text), buffer_length(&text)});
        }
        if (any)
                json_end_array(json);
        json_end_object(json);
        return buffer_failed(json->buffer);
}

static int write_users(Api *api, JsonWriter *json, const StringList *names, Slice *ret_missing) {
        json_begin_object(json);
        json_key(json, "users");
        if (names->length == 0)
                json_write_null(json);
        else
                json_begin_array(json);
        for (size_t i = 0; i < names->length; i++) {
                const AuthUser *user;
                int r;

                *ret_missing = slice_from(names->items[i]);
                r = auth_records_user(&api->auth->records, api_tree(api), *ret_missing, &user);
                if (r == 0)
                        r = write_user(api, json, user, false, ret_missing);
                if (r < 0)
                        return r;
        }
        if (names->length > 0)
                json_end_array(json);
        json_end_object(json);
        return 0;
}

static void users_list(Api *api, HttpRequest *http) {
        _cleanup_string_list_ StringList names = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        Slice missing = {"", 0};
        int r = list_names(api_tree(api), AUTH_USERS, &names);

        if (r < 0) {
                api_respond_no_memory(http);
                return;
        }
        string_list_sort(&names);
        if (!check_query(api, http))
                return;
        r = write_users(api, &json, &names, &missing);
        if (r < 0)
                auth_fail_missing(api, http, r, "User", missing);
        else
                auth_respond(api, http, 200, &body);
}

static void user_get(Api *api, HttpRequest *http, Slice name) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        const AuthUser *user;
        Slice missing;
        int r = auth_records_user(&api->auth->records, api_tree(api), name, &user);

        if (r < 0) {
                auth_fail_missing(api, http, r, "User", name);
                return;
        }
        if (!check_query(api, http))
                return;
        r = write_user(api, &json, user, true, &missing);
        if (r < 0)
                auth_fail_missing(api, http, r, "Role", missing);
        else
                auth_respond(api, http, 200, &body);
}

/* ---- what is wanted ---- */

typedef enum PathKind { PATH_ALL, PATH_ONE, PATH_WRONG } PathKind;

/* "" and "/" are all of them, "/NAME" and "/NAME/" one. */
static PathKind split_path(Slice path, Slice *ret_name) {
        if (path.length > 1 && path.data[path.length - 1] == '/')
                path.length--;
        if (path.length <= 1)
                return PATH_ALL;
        *ret_name = (Slice){path.data + 1, path.length - 1};
        if (memchr(ret_name->data, '/', ret_name->length) || memchr(ret_name->data, '\0', ret_name->length))
                return PATH_WRONG;
        return PATH_ONE;
}

typedef struct Resource {
        void (*list)(Api *api, HttpRequest *http);
        void (*get)(Api *api, HttpRequest *http, Slice name);
        AuthChangeKind put, delete;
} Resource;

static void handle_resource(Api *api, HttpRequest *http, Slice path, const Resource *resource) {
        Slice name = {"", 0};
        PathKind kind = split_path(path, &name);

        if (kind == PATH_WRONG) {
                api_respond_message(http, 400, NULL, "Invalid path");
                return;
        }
        if (!api_allow_method(http, kind == PATH_ALL ? "GET" : "GET,PUT,DELETE") || !auth_demand_root(api, http))
                return;
        if (kind == PATH_ALL)
                resource->list(api, http);
        else if (http_request_method(http) == HTTP_METHOD_GET)
                resource->get(api, http, name);
        else
                auth_change(api, http, http_request_method(http) == HTTP_METHOD_PUT ? resource->put : resource->delete,
                            name);
}

void auth_roles_handle(Api *api, HttpRequest *http, Slice path) {
        static const Resource roles = {roles_list, role_get, AUTH_PUT_ROLE, AUTH_DELETE_ROLE};

        handle_resource(api, http, path, &roles);
}

void auth_users_handle(Api *api, HttpRequest *http, Slice path) {
        static const Resource users = {users_list, user_get, AUTH_PUT_USER, AUTH_DELETE_USER};

        handle_resource(api, http, path, &users);
}

void auth_enable_handle(Api *api, HttpRequest *http, Slice path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        (void)path;
        if (!api_allow_method(http, "GET,PUT,DELETE"))
                return;
        if (http_request_method(http) != HTTP_METHOD_GET) {
                if (auth_demand_root(api, http))
                        auth_change(api, http,
                                    http_request_method(http) == HTTP_METHOD_PUT ? AUTH_ENABLE : AUTH_DISABLE,
                                    (Slice){"", 0});
                return;
        }
        json_begin_object(&json);
        json_field_bool(&json, "enabled", auth_is_on(api));
        json_end_object(&json);
        auth_respond(api, http, 200, &body);
}
