#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "store/api/auth-handlers.h"
#include "store/api/auth-json.h"

/* A change that finds its record changed meanwhile begins anew so many times. */
enum { AUTH_CHANGE_TRIES = 8 };

typedef struct AuthCall AuthCall;
typedef void (*AuthStep)(AuthCall *call);

/* One change under way. It goes from step to step: each asks the cluster or a worker thread for something, and names the next. A
 * step that has answered calls auth_call_end(). The change goes on when its client is gone. */
struct AuthCall {
        Api *api;
        HttpRequest *http; /* NULL: its connection is lost */
        AuthChangeKind kind;
        char *name;
        AuthUser user; /* as the body has it */
        AuthRole role;
        AuthUser made_user; /* as it is to be stored */
        AuthRole made_role;
        PasswordJob job;
        bool hashed; /* job.hash is the hash of the new password */
        AuthStep next;
        const StoreOutcome *outcome; /* for `next`, of what it waited for */
        Command command;
        Buffer path, value; /* of the command */
        AuthStep after_folders;
        unsigned folder;
        unsigned tries;
};

static void auth_call_free(AuthCall *call) {
        explicit_bzero(call->job.hash, sizeof(call->job.hash));
        auth_user_deinit(&call->user);
        auth_user_deinit(&call->made_user);
        auth_role_deinit(&call->role);
        auth_role_deinit(&call->made_role);
        buffer_deinit(&call->path);
        buffer_deinit(&call->value);
        free(call->name);
        free(call);
}
CLEANUP_DEFINE(AuthCall, auth_call_free)

static void auth_call_gone(HttpRequest *http) {
        AuthCall *call = http_request_data(http);

        call->http = NULL;
}

/* ---- answers ---- */

static HttpRequest *auth_call_take_http(AuthCall *call) {
        HttpRequest *http = take_ptr(call->http);

        if (http) {
                http_request_set_data(http, NULL);
                http_request_set_gone(http, NULL, false);
        }
        return http;
}

static void auth_call_fail(AuthCall *call, unsigned status, const char *message) {
        HttpRequest *http = auth_call_take_http(call);

        if (http)
                auth_fail(call->api, http, status, message);
        auth_call_free(call);
}

/* `format` has one %s: the name. */
static void auth_call_fail_name(AuthCall *call, unsigned status, const char *format) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *percent = strstr(format, "%s");

        (void)buffer_append(&text, format, (size_t)(percent - format));
        (void)buffer_append_string(&text, call->name);
        (void)buffer_append_string(&text, percent + 2);
        auth_call_fail(call, status, buffer_string(&text) ?: "out of memory");
}

static void auth_call_fail_cluster(AuthCall *call, const char *reason) {
        auth_call_fail(call, 500, reason ?: "Internal Server Error");
}

/* What the step waited for came to nothing, which is answered. `expected` (or 0) is a refusal of the tree that clients are to
 * hear of: with `status` and `format`, as auth_call_fail_name() has it. */
static bool auth_call_has_failed(AuthCall *call, int expected, unsigned status, const char *format) {
        const StoreOutcome *outcome = call->outcome;

        if (outcome->r == 0)
                return false;
        if (outcome->r < 0)
                auth_call_fail_cluster(call, outcome->reason);
        else if (outcome->r == expected)
                auth_call_fail_name(call, status, format);
        else
                auth_call_fail_cluster(call, NULL);
        return true;
}

/* `r` is a status with `error`, or a negative errno. */
static void auth_call_refuse(AuthCall *call, int r, const Error *error) {
        if (r > 0)
                auth_call_fail(call, (unsigned)r, error->text);
        else
                auth_call_fail(call, 500, "etcdserver: out of memory");
}

static void auth_call_answer(AuthCall *call, unsigned status, Buffer *body) {
        HttpRequest *http = auth_call_take_http(call);

        if (http)
                auth_respond(call->api, http, status, body);
        auth_call_free(call);
}

static void auth_call_answer_empty(AuthCall *call) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        auth_call_answer(call, 200, &body);
}

static void auth_call_answer_user(AuthCall *call, unsigned status) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        explicit_bzero(call->made_user.password, strlen(call->made_user.password)); /* never shown */
        (void)auth_user_format(&call->made_user, &body);
        auth_call_answer(call, status, &body);
}

static void auth_call_answer_role(AuthCall *call, unsigned status, const AuthRole *role) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        (void)auth_role_format(role, &body);
        auth_call_answer(call, status, &body);
}

/* ---- steps that wait ---- */

static const Tree *call_tree(const AuthCall *call) {
        return call->api->backend->tree(call->api->userdata);
}

static void auth_call_outcome(void *data, const StoreOutcome *outcome) {
        AuthCall *call = data;

        call->outcome = outcome;
        call->next(call);
}

/* Goes on when the tree here has all that was there before. */
static void auth_call_read(AuthCall *call, AuthStep next) {
        call->next = next;
        call->api->backend->read_index(call->api->userdata, 0, auth_call_outcome, call);
}

static void auth_call_propose(AuthCall *call, AuthStep next) {
        call->next = next;
        call->command.time = call->api->backend->now(call->api->userdata);
        call->api->backend->propose(call->api->userdata, &call->command, auth_call_outcome, call);
}

/* The folders, and that auth is off, are made before the first write: each is a change of its own, as in etcd. */
static const struct {
        const char *path;
        const char *value; /* NULL: a directory */
} folders[] = {{TREE_AUTH, NULL}, {AUTH_USERS, NULL}, {AUTH_ROLES, NULL}, {AUTH_ENABLED, "false"}};

static void auth_call_folders(AuthCall *call);

static void auth_call_folder_made(AuthCall *call) {
        if (call->outcome->r < 0)
                auth_call_fail_cluster(call, call->outcome->reason);
        else if (call->outcome->r > 0 && call->outcome->r != TREE_KEY_EXISTS)
                auth_call_fail_cluster(call, NULL);
        else {
                call->folder++;
                auth_call_folders(call);
        }
}

static void auth_call_folders(AuthCall *call) {
        const Node *node;

        while (call->folder < ARRAY_SIZE(folders) &&
               tree_find(call_tree(call), slice_from(folders[call->folder].path), &node, NULL) == 0)
                call->folder++;
        if (call->folder == ARRAY_SIZE(folders)) {
                call->after_folders(call);
                return;
        }
        call->command = (Command){
                .kind = COMMAND_CREATE,
                .path = slice_from(folders[call->folder].path),
                .value = slice_from(folders[call->folder].value ?: ""),
                .dir = !folders[call->folder].value,
        };
        auth_call_propose(call, auth_call_folder_made);
}

static void auth_call_with_folders(AuthCall *call, AuthStep then) {
        call->folder = 0;
        call->after_folders = then;
        auth_call_folders(call);
}

static void auth_call_hash_done(PasswordJob *job) {
        AuthCall *call = container_of(job, AuthCall, job);

        if (job->r < 0) {
                auth_call_fail(call, 500,
                               "etcdserver: the password could not be hashed: libcrypt has no bcrypt, or no memory");
                return;
        }
        call->hashed = true;
        call->next(call);
}

static void auth_call_hash(AuthCall *call, AuthStep next) {
        int r;

        call->next = next;
        call->job.makes_hash = true;
        call->job.done = auth_call_hash_done;
        call->job.password = strdup(call->user.password);
        r = call->job.password ? password_pool_submit(&call->api->auth->passwords, &call->job) : -ENOMEM;
        if (r == 0)
                return;
        if (call->job.password)
                explicit_bzero(call->job.password, strlen(call->job.password));
        free(call->job.password);
        auth_call_fail(call, r == -EBUSY ? 503 : 500, r == -EBUSY ? AUTH_BUSY_TEXT : "etcdserver: out of memory");
}

/* The command that writes call->value to the record; false after a refusal. */
static bool auth_call_make_command(AuthCall *call, CommandKind kind, const char *folder, uint64_t prev_index) {
        buffer_clear(&call->path);
        (void)buffer_printf(&call->path, "%s/%s", folder, call->name);
        if (buffer_failed(&call->path) || buffer_failed(&call->value)) {
                auth_call_refuse(call, -ENOMEM, NULL);
                return false;
        }
        call->command = (Command){
                .kind = kind,
                .path = {buffer_data(&call->path), buffer_length(&call->path)},
                .value = {buffer_data(&call->value), buffer_length(&call->value)},
                .prev_index = prev_index,
        };
        if (kind == COMMAND_DELETE)
                call->command.value = (Slice){"", 0};
        if (path_check(call->command.path) == PATH_OK)
                return true;
        auth_call_fail(call, 400, path_fault_text(path_check(call->command.path)));
        return false;
}

/* ---- users ---- */

static void user_put_begin(AuthCall *call);

static void user_created(AuthCall *call) {
        if (!auth_call_has_failed(call, TREE_KEY_EXISTS, 409, "auth: User %s already exists.")) /* etcd says 201 only when it could have been a change as well */
                auth_call_answer_user(call, call->user.roles.list.length > 0 ? 200 : 201);
}

static void user_create_write(AuthCall *call) {
        buffer_clear(&call->value);
        (void)auth_user_format(&call->made_user, &call->value);
        if (auth_call_make_command(call, COMMAND_CREATE, AUTH_USERS, 0))
                auth_call_propose(call, user_created);
}

static void user_create_hashed(AuthCall *call) {
        int r;

        auth_user_deinit(&call->made_user);
        r = auth_user_copy(&call->user, call->job.hash, &call->made_user);
        if (r == 0)
                r = auth_user_attach_root(&call->made_user);
        if (r < 0)
                auth_call_refuse(call, r, NULL);
        else
                auth_call_with_folders(call, user_create_write);
}

static void user_create(AuthCall *call) {
        if (!*call->user.password)
                auth_call_fail_name(call, 400, "auth: Cannot create user %s with an empty password");
        else if (call->hashed)
                user_create_hashed(call);
        else
                auth_call_hash(call, user_create_hashed);
}

static void user_updated(AuthCall *call) {
        if (call->outcome->r < 0)
                auth_call_fail_cluster(call, call->outcome->reason);
        else if (call->outcome->r == 0)
                auth_call_answer_user(call, 200);
        else if (++call->tries < AUTH_CHANGE_TRIES) /* another change came between */
                user_put_begin(call);
        else
                auth_call_fail_cluster(call, "etcdserver: others change this user all the time, try again");
}

/* Both the record and, when it is to change, the hash of the password are here. */
static void user_update(AuthCall *call) {
        const Node *node = auth_find_node(call_tree(call), AUTH_USERS, slice_from(call->name));
        bool new_password = *call->user.password;
        Error error = ERROR_NONE;
        const AuthUser *old;
        int r;

        r = auth_records_user(&call->api->auth->records, call_tree(call), slice_from(call->name), &old);
        if (r == -ENOENT || !node) {
                auth_call_fail_name(call, 404, "auth: User %s does not exist.");
                return;
        }
        auth_user_deinit(&call->made_user);
        if (r == 0)
                r = auth_user_merge(old, &call->user, new_password ? (call->hashed ? call->job.hash : "") : NULL,
                                    &call->made_user, &error);
        if (r != 0) {
                auth_call_refuse(call, r, &error);
                return;
        }
        if (new_password && !call->hashed) {
                auth_call_hash(call, user_update);
                return;
        }
        buffer_clear(&call->value);
        (void)auth_user_format(&call->made_user, &call->value);
        if (auth_call_make_command(call, COMMAND_COMPARE_AND_SWAP, AUTH_USERS, node->modified))
                auth_call_propose(call, user_updated);
}

static void user_put_read(AuthCall *call) {
        const AuthUser *user;
        int r;

        if (call->outcome->r < 0) {
                auth_call_fail_cluster(call, call->outcome->reason);
                return;
        }
        r = auth_records_user(&call->api->auth->records, call_tree(call), slice_from(call->name), &user);
        if (r == 0 || call->user.grant.list.length > 0 || call->user.revoke.list.length > 0)
                user_update(call);
        else
                user_create(call);
}

static void user_put_begin(AuthCall *call) {
        bool changes = call->user.grant.list.length > 0 || call->user.revoke.list.length > 0;

        if (changes && call->user.roles.list.length > 0)
                auth_call_fail(call, 400, "User JSON contains both roles and grant/revoke");
        else if (call->user.roles.list.length > 0)
                user_create(call);
        else
                auth_call_read(call, user_put_read);
}

static void user_deleted(AuthCall *call) {
        if (!auth_call_has_failed(call, TREE_KEY_NOT_FOUND, 404, "auth: User %s does not exist"))
                auth_call_answer_empty(call);
}

static void user_delete(AuthCall *call) {
        if (auth_call_make_command(call, COMMAND_DELETE, AUTH_USERS, 0))
                auth_call_propose(call, user_deleted);
}

static void user_delete_begin(AuthCall *call) {
        if (auth_is_on(call->api) && str_equals(call->name, AUTH_ROOT))
                auth_call_fail(call, 403, "auth: Cannot delete root user while auth is enabled.");
        else
                auth_call_with_folders(call, user_delete);
}

/* ---- roles ---- */

static void role_put_begin(AuthCall *call);

static void role_created(AuthCall *call) {
        if (!auth_call_has_failed(call, TREE_KEY_EXISTS, 409, "auth: Role %s already exists."))
                auth_call_answer_role(call, 201, &call->role);
}

static void role_create(AuthCall *call) {
        buffer_clear(&call->value);
        (void)auth_role_format(&call->role, &call->value);
        if (auth_call_make_command(call, COMMAND_CREATE, AUTH_ROLES, 0))
                auth_call_propose(call, role_created);
}

static void role_updated(AuthCall *call) {
        if (call->outcome->r < 0)
                auth_call_fail_cluster(call, call->outcome->reason);
        else if (call->outcome->r == 0)
                auth_call_answer_role(call, 200, &call->made_role);
        else if (++call->tries < AUTH_CHANGE_TRIES)
                role_put_begin(call);
        else
                auth_call_fail_cluster(call, "etcdserver: others change this role all the time, try again");
}

static void role_update(AuthCall *call) {
        const Node *node = auth_find_node(call_tree(call), AUTH_ROLES, slice_from(call->name));
        Error error = ERROR_NONE;
        const AuthRole *old;
        int r;

        if (call->outcome->r < 0) {
                auth_call_fail_cluster(call, call->outcome->reason);
                return;
        }
        r = auth_records_role(&call->api->auth->records, call_tree(call), slice_from(call->name), &old);
        if (r == -ENOENT || !node) {
                auth_call_fail_name(call, 404, "auth: Role %s does not exist.");
                return;
        }
        auth_role_deinit(&call->made_role);
        if (r == 0)
                r = auth_role_merge(old, &call->role, &call->made_role, &error);
        if (r != 0) {
                auth_call_refuse(call, r, &error);
                return;
        }
        buffer_clear(&call->value);
        (void)auth_role_format(&call->made_role, &call->value);
        if (auth_call_make_command(call, COMMAND_COMPARE_AND_SWAP, AUTH_ROLES, node->modified))
                auth_call_propose(call, role_updated);
}

static void role_put_begin(AuthCall *call) {
        bool changes =
                !auth_permissions_are_empty(&call->role.grant) || !auth_permissions_are_empty(&call->role.revoke);

        if (changes && !auth_permissions_are_empty(&call->role.permissions))
                auth_call_fail(call, 400, "Role JSON contains both permissions and grant/revoke");
        else if (str_equals(call->name, AUTH_ROOT))
                auth_call_fail_name(call, 403, "auth: Cannot modify role %s: is root role.");
        else if (changes)
                auth_call_read(call, role_update);
        else
                auth_call_with_folders(call, role_create);
}

static void role_deleted(AuthCall *call) {
        if (!auth_call_has_failed(call, TREE_KEY_NOT_FOUND, 404, "auth: Role %s doesn't exist."))
                auth_call_answer_empty(call);
}

static void role_delete(AuthCall *call) {
        if (auth_call_make_command(call, COMMAND_DELETE, AUTH_ROLES, 0))
                auth_call_propose(call, role_deleted);
}

static void role_delete_begin(AuthCall *call) {
        if (str_equals(call->name, AUTH_ROOT))
                auth_call_fail_name(call, 403, "auth: Cannot modify role %s: is root role.");
        else
                auth_call_with_folders(call, role_delete);
}

/* ---- on and off ---- */

static void enabled_written(AuthCall *call) {
        if (!auth_call_has_failed(call, 0, 0, NULL))
                auth_call_answer_empty(call);
}

static void write_enabled(AuthCall *call) {
        call->command = (Command){
                .kind = COMMAND_UPDATE,
                .path = slice_from(AUTH_ENABLED),
                .value = slice_from(call->kind == AUTH_ENABLE ? "true" : "false"),
        };
        auth_call_propose(call, enabled_written);
}

static void guest_created(AuthCall *call) {
        if (!auth_call_has_failed(call, TREE_KEY_EXISTS, 409, "auth: Role %s already exists."))
                write_enabled(call);
}

/* Guests may do everything until someone says otherwise. */
static void guest_create(AuthCall *call) {
        buffer_clear(&call->value);
        (void)auth_role_format(&call->made_role, &call->value);
        if (auth_call_make_command(call, COMMAND_CREATE, AUTH_ROLES, 0))
                auth_call_propose(call, guest_created);
}

static void enable_read(AuthCall *call) {
        const AuthUser *root;
        const AuthRole *guest;
        Auth *auth = call->api->auth;

        if (call->outcome->r < 0 ||
            auth_records_user(&auth->records, call_tree(call), slice_from(AUTH_ROOT), &root) < 0)
                auth_call_fail(call, 409, "auth: No root user available, please create one");
        else if (auth_records_role(&auth->records, call_tree(call), slice_from(AUTH_GUEST), &guest) == 0)
                auth_call_with_folders(call, write_enabled);
        else if (auth_role_init_full(&call->made_role, AUTH_GUEST) < 0)
                auth_call_refuse(call, -ENOMEM, NULL);
        else
                auth_call_with_folders(call, guest_create);
}

static void enable_begin(AuthCall *call) {
        if (auth_is_on(call->api))
                auth_call_fail(call, 409, "auth: already enabled");
        else
                auth_call_read(call, enable_read);
}

static void disable_begin(AuthCall *call) {
        if (!auth_is_on(call->api))
                auth_call_fail(call, 409, "auth: already disabled");
        else
                auth_call_with_folders(call, write_enabled);
}

/* ---- beginning ---- */

/* `r` is of the body's parsing, `name` what it says of itself. False after a refusal. */
static bool check_body(const AuthCall *call, int r, const char *kind, const char *name) {
        char text[64];

        if (r == 0 && str_equals(name, call->name))
                return true;
        (void)snprintf(text, sizeof(text), "%s JSON name does not match the name in the URL", kind);
        if (r == -ENOMEM)
                api_respond_no_memory(call->http);
        else
                auth_fail(call->api, call->http, 400, r < 0 ? "Invalid JSON in request body." : text);
        return false;
}

static bool take_body(AuthCall *call) {
        Slice body = http_request_body(call->http);
        int r;

        if (call->kind == AUTH_PUT_USER) {
                r = auth_user_parse(body, &call->user);
                return check_body(call, r, "User", call->user.name);
        }
        if (call->kind == AUTH_PUT_ROLE) {
                r = auth_role_parse(body, &call->role);
                return check_body(call, r, "Role", call->role.name);
        }
        return true;
}

void auth_change(Api *api, HttpRequest *http, AuthChangeKind kind, Slice name) {
        static const AuthStep begin[] = {
                [AUTH_PUT_USER] = user_put_begin, [AUTH_DELETE_USER] = user_delete_begin,
                [AUTH_PUT_ROLE] = role_put_begin, [AUTH_DELETE_ROLE] = role_delete_begin,
                [AUTH_ENABLE] = enable_begin,     [AUTH_DISABLE] = disable_begin,
        };
        _cleanup_(auth_call_freep) AuthCall *call = calloc(1, sizeof(*call));
        AuthCall *begun;

        if (call)
                *call = (AuthCall){.api = api,
                                   .http = http,
                                   .kind = kind,
                                   .name = slice_dup(kind == AUTH_ENABLE ? slice_from(AUTH_GUEST) : name)};
        if (!call || !call->name) {
                api_respond_no_memory(http);
                return;
        }
        if (!take_body(call))
                return;
        begun = take_ptr(call);
        http_request_set_data(http, begun);
        http_request_set_gone(http, auth_call_gone, false);
        begin[kind](begun);
}
