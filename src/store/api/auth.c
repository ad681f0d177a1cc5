#include "store/api/auth.h"

#include <assert.h>
#include <errno.h>

#include "store/api/basic-auth.h"

/* A password on a worker thread, and all requests that came with it meanwhile. */
typedef struct Check {
        ListNode node; /* in auth->checks */
        Api *api;
        CredentialDigest digest;
        PasswordJob job;
        List waiters;
} Check;

typedef struct CheckWaiter {
        ListNode node;
        Check *check;
        HttpRequest *http;
} CheckWaiter;

Auth *auth_new(uv_loop_t *loop) {
        Auth *auth = calloc(1, sizeof(*auth));

        if (!auth)
                return NULL;
        if (auth_records_init(&auth->records) < 0 || credentials_init(&auth->credentials) < 0) {
                credentials_deinit(&auth->credentials);
                auth_records_deinit(&auth->records);
                free(auth);
                return NULL;
        }
        password_pool_init(&auth->passwords, loop);
        list_init(&auth->checks);
        return auth;
}

Auth *auth_free(Auth *auth) {
        if (!auth)
                return NULL;
        assert(list_is_empty(&auth->checks) && auth->passwords.running == 0);
        credentials_deinit(&auth->credentials);
        auth_records_deinit(&auth->records);
        free(auth);
        return NULL;
}

static const Tree *auth_tree(Api *api) {
        return api->backend->tree(api->userdata);
}

bool auth_is_on(Api *api) {
        return auth_records_enabled(&api->auth->records, auth_tree(api));
}

/* ---- passwords ---- */

static void waiter_drop(CheckWaiter *waiter) {
        list_unlink(&waiter->node);
        free(waiter);
}

static void waiter_gone(HttpRequest *http) {
        CheckWaiter *waiter = http_request_data(http);
        Check *check = waiter->check;

        waiter_drop(waiter);
        check->job.unwanted = list_is_empty(&check->waiters);
}

static int check_wait(Check *check, HttpRequest *http) {
        CheckWaiter *waiter = malloc(sizeof(*waiter));

        if (!waiter)
                return -ENOMEM;
        *waiter = (CheckWaiter){.check = check, .http = http};
        check->job.unwanted = false;
        list_init(&waiter->node);
        list_append(&check->waiters, &waiter->node);
        http_request_set_data(http, waiter);
        http_request_set_gone(http, waiter_gone, false);
        return 0;
}

/* All who waited are handled anew; for them, and as long as this lasts, the outcome is known. Answering one can end others. */
static void check_done(PasswordJob *job) {
        Check *check = container_of(job, Check, job);
        Api *api = check->api;
        Auth *auth = api->auth;

        list_unlink(&check->node);
        if (job->r > 0)
                credentials_add(&auth->credentials, &check->digest);
        while (!list_is_empty(&check->waiters)) {
                CheckWaiter *waiter = container_of(check->waiters.next, CheckWaiter, node);
                HttpRequest *http = waiter->http;

                http_request_set_data(http, NULL);
                http_request_set_gone(http, NULL, false);
                waiter_drop(waiter);
                auth->outcome = &check->digest;
                auth->outcome_right = job->r > 0;
                api_handle(api, http);
                auth->outcome = NULL;
        }
        free(check);
}

static bool digest_equals(const CredentialDigest *a, const CredentialDigest *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

static Check *find_check(Auth *auth, const CredentialDigest *digest) {
        list_foreach(&auth->checks, node) {
                Check *check = container_of(node, Check, node);

                if (digest_equals(&check->digest, digest))
                        return check;
        }
        return NULL;
}

static int check_new(Api *api, const CredentialDigest *digest, Slice password, const char *hash, Check **ret_check) {
        Check *check = calloc(1, sizeof(*check));
        int r;

        if (!check)
                return -ENOMEM;
        check->api = api;
        check->digest = *digest;
        list_init(&check->waiters);
        list_init(&check->node);
        check->job.done = check_done;
        check->job.password = slice_dup(password);
        memcpy(check->job.hash, hash, strlen(hash) + 1);
        r = check->job.password ? password_pool_submit(&api->auth->passwords, &check->job) : -ENOMEM;
        if (r < 0) {
                if (check->job.password)
                        explicit_bzero(check->job.password, password.length);
                free(check->job.password);
                free(check);
                return r;
        }
        list_append(&api->auth->checks, &check->node);
        *ret_check = check;
        return 0;
}

static RequesterKind check_password(Api *api, HttpRequest *http, const BasicAuth *basic, const AuthUser *user) {
        Auth *auth = api->auth;
        CredentialDigest digest;
        Check *check;
        int r = 0;

        if (strlen(user->password) >= PASSWORD_HASH_SIZE || memchr(basic->password.data, '\0', basic->password.length))
                return REQUESTER_NOBODY;
        if (credentials_digest(&auth->credentials, basic->user, basic->password, user->password, &digest) < 0)
                return REQUESTER_NO_MEMORY;
        if (auth->outcome && digest_equals(auth->outcome, &digest))
                return auth->outcome_right ? REQUESTER_USER : REQUESTER_NOBODY;
        if (credentials_has(&auth->credentials, &digest))
                return REQUESTER_USER;
        check = find_check(auth, &digest);
        if (!check)
                r = check_new(api, &digest, basic->password, user->password, &check);
        if (r == 0)
                r = check_wait(check, http);
        return r == 0 ? REQUESTER_LATER : r == -EBUSY ? REQUESTER_BUSY : REQUESTER_NO_MEMORY;
}

/* ---- who ---- */

static Requester resolve_user(Api *api, Slice name) {
        const AuthUser *user;
        int r = auth_records_user(&api->auth->records, auth_tree(api), name, &user);

        if (r < 0)
                return (Requester){r == -ENOMEM ? REQUESTER_NO_MEMORY : REQUESTER_NOBODY, NULL};
        return (Requester){REQUESTER_USER, user};
}

Requester auth_resolve(Api *api, HttpRequest *http) {
        Slice field = http_request_header(http, "Authorization");
        _cleanup_basic_auth_ BasicAuth basic = {0};
        const char *common_name;
        Requester requester;
        int r;

        if (field.length == 0) {
                common_name = api->common_name ? api->common_name(http) : NULL;
                requester =
                        common_name ? resolve_user(api, slice_from(common_name)) : (Requester){REQUESTER_GUEST, NULL};
                return requester.kind == REQUESTER_NOBODY ? (Requester){REQUESTER_GUEST, NULL} : requester;
        }
        r = basic_auth_parse(field, &basic);
        if (r < 0)
                return (Requester){r == -ENOMEM ? REQUESTER_NO_MEMORY : REQUESTER_NOBODY, NULL};
        requester = resolve_user(api, basic.user);
        if (requester.kind == REQUESTER_USER)
                requester.kind = check_password(api, http, &basic, requester.user);
        return requester;
}

static AuthVerdict verdict_of(RequesterKind kind) {
        switch (kind) {
        case REQUESTER_LATER:
                return AUTH_LATER;
        case REQUESTER_BUSY:
                return AUTH_BUSY;
        case REQUESTER_NO_MEMORY:
                return AUTH_NO_MEMORY;
        default:
                return AUTH_REFUSED;
        }
}

/* ---- may they ---- */

/* etcd asks of guests only for the key itself, also when they want all below it. */
static AuthVerdict judge_guest(Api *api, Slice key, bool write) {
        const AuthRole *role;
        int r = auth_records_role(&api->auth->records, auth_tree(api), slice_from(AUTH_GUEST), &role);

        if (r < 0)
                return r == -ENOMEM ? AUTH_NO_MEMORY : AUTH_REFUSED;
        return auth_role_allows(role, key, write, false) ? AUTH_GRANTED : AUTH_REFUSED;
}

AuthVerdict auth_judge_key(Api *api, HttpRequest *http, Slice key, bool recursive) {
        HttpMethod method = http_request_method(http);
        bool write = method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD;
        Requester requester;

        if (!auth_is_on(api))
                return AUTH_GRANTED;
        requester = auth_resolve(api, http);
        if (requester.kind == REQUESTER_GUEST)
                return judge_guest(api, key, write);
        if (requester.kind != REQUESTER_USER)
                return verdict_of(requester.kind);
        for (size_t i = 0; i < requester.user->roles.list.length; i++) {
                const AuthRole *role;
                int r = auth_records_role(&api->auth->records, auth_tree(api),
                                          slice_from(requester.user->roles.list.items[i]), &role);

                if (r == -ENOMEM)
                        return AUTH_NO_MEMORY;
                if (r == 0 && auth_role_allows(role, key, write, recursive))
                        return AUTH_GRANTED;
        }
        return AUTH_REFUSED;
}

AuthVerdict auth_judge_root(Api *api, HttpRequest *http) {
        Requester requester;

        if (!auth_is_on(api))
                return AUTH_GRANTED;
        requester = auth_resolve(api, http);
        if (requester.kind != REQUESTER_USER)
                return verdict_of(requester.kind);
        return auth_user_has_role(requester.user, AUTH_ROOT) ? AUTH_GRANTED : AUTH_REFUSED;
}

bool auth_demand_root(Api *api, HttpRequest *http) {
        switch (auth_judge_root(api, http)) {
        case AUTH_GRANTED:
                return true;
        case AUTH_REFUSED:
                api_respond_message(http, 401, NULL, "Insufficient credentials");
                return false;
        case AUTH_BUSY:
                api_respond_message(http, 503, NULL, AUTH_BUSY_TEXT);
                return false;
        case AUTH_NO_MEMORY:
                api_respond_no_memory(http);
                return false;
        case AUTH_LATER:
                return false;
        }
        return false;
}
