/* /v2/auth, and what it means for other requests, over the fake backend. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/encode.h"
#include "store/api/test-api.h"

#define WAIT (10 * USEC_PER_SEC)

/* Runs the loop until the answer is whole: a password may have to be hashed first. */
static const char *wait_answer(Fixture *fixture, int fd, Buffer *answer) {
        Usec end = clock_monotonic() + WAIT;
        const char *got;

        do {
                got = receive(fixture, fd, answer);
                if (got && strstr(got, "\r\n\r\n"))
                        return got;
                (void)usleep(1000);
        } while (clock_monotonic() < end);
        fail_msg("no answer");
        return NULL;
}

static int ask(Fixture *fixture, const char *line, const char *who, const char *body) {
        _cleanup_buffer_ Buffer request = BUFFER_INIT;

        (void)buffer_printf(&request, "%s HTTP/1.1\r\nHost: x\r\n", line);
        if (who) {
                (void)buffer_append_string(&request, "Authorization: Basic ");
                (void)encode_base64(&request, BASE64_STANDARD, who, strlen(who));
                (void)buffer_append_string(&request, "\r\n");
        }
        if (body)
                (void)buffer_printf(&request, "Content-Length: %zu\r\n", strlen(body));
        (void)buffer_printf(&request, "\r\n%s", body ?: "");
        return send_request(fixture, buffer_string(&request));
}

static void expect(Fixture *fixture, int fd, unsigned status, const char *text) {
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        const char *got = wait_answer(fixture, fd, &answer);
        char expected[32];

        (void)close(fd);
        (void)snprintf(expected, sizeof(expected), "HTTP/1.1 %u ", status);
        if (strncmp(got, expected, strlen(expected)) != 0 || !strstr(got, text))
                fail_msg("wanted %u with '%s', got: %s", status, text, got);
}

#define asked(fixture, line, who, body, status, text) expect(fixture, ask(fixture, line, who, body), status, text)

static void make_user(Fixture *fixture, const char *name, const char *password, const char *roles, const char *who) {
        _cleanup_free_ char *line = str_printf("PUT /v2/auth/users/%s", name);
        _cleanup_free_ char *body =
                str_printf("{\"user\":\"%s\",\"password\":\"%s\",\"roles\":[%s]}", name, password, roles);

        asked(fixture, line, who, body, *roles ? 200 : 201, name);
}

/* Auth is on; eve may use /app/ alone, guests may read /pub. */
static void enable(Fixture *fixture) {
        make_user(fixture, "root", "r", "", NULL);
        make_user(fixture, "eve", "e", "\"app\"", NULL);
        asked(fixture, "PUT /v2/auth/roles/app", NULL,
              "{\"role\":\"app\",\"permissions\":{\"kv\":{\"read\":[\"/app/*\"],\"write\":[\"/app/*\"]}}}", 201, "app");
        asked(fixture, "PUT /v2/auth/roles/guest", NULL,
              "{\"role\":\"guest\",\"permissions\":{\"kv\":{\"read\":[\"/pub\"]}}}", 201, "guest");
        asked(fixture, "PUT /v2/auth/enable", NULL, NULL, 200, "\r\n\r\n");
}

static void test_who_may_what(void **state) {
        Fixture *fixture = *state;

        asked(fixture, "PUT /v2/auth/enable", NULL, NULL, 409, "No root user");
        enable(fixture);
        asked(fixture, "PUT /v2/auth/enable", "root:r", NULL, 409, "already enabled");
        asked(fixture, "PUT /v2/keys/app/x?value=1", "eve:e", NULL, 201, "/app/x");
        asked(fixture, "POST /v2/keys/app/q?value=1", "eve:e", NULL, 201, "create");
        asked(fixture, "PUT /v2/keys/other?value=1", "eve:e", NULL, 401, "\"errorCode\":110");
        asked(fixture, "GET /v2/keys/app?recursive=true", "eve:e", NULL, 401, "Insufficient credentials");
        asked(fixture, "GET /v2/keys/app/?recursive=true", "eve:e", NULL, 200, "/app/x");
        asked(fixture, "GET /v2/keys/other?wait=true", "eve:e", NULL, 401, "X-Etcd-Index: 0\r\n");
        asked(fixture, "GET /v2/keys/app/_hidden", "eve:e", NULL, 404, "/app/_hidden");
        asked(fixture, "GET /v2/keys/app/x", NULL, NULL, 401, "110");
        asked(fixture, "GET /v2/keys/pub", NULL, NULL, 404, "/pub");
        asked(fixture, "PUT /v2/keys/pub?value=1", NULL, NULL, 401, "110");
        asked(fixture, "PUT /v2/keys/any?value=1", "root:r", NULL, 201, "/any");
        asked(fixture, "GET /v2/keys/pub", "eve:wrong", NULL, 401, "110");
        asked(fixture, "GET /v2/keys/pub", "nobody:x", NULL, 401, "110");
        asked(fixture, "GET /v2/keys/pub", "../roles/app:x", NULL, 401, "110");
        /* what is wrong with a request is found before who sends it */
        asked(fixture, "PUT /v2/keys/pub?ttl=x", NULL, NULL, 400, "\"errorCode\":202");
        asked(fixture, "DELETE /v2/members/12", "eve:e", NULL, 401, "Insufficient credentials");
        asked(fixture, "DELETE /v2/members/12", "root:r", NULL, 404, "No such member");
        asked(fixture, "GET /v2/members", NULL, NULL, 200, "members");
        asked(fixture, "GET /v2/stats/store", NULL, NULL, 200, "getsSuccess");
        asked(fixture, "GET /v2/auth/users", "eve:e", NULL, 401, "Insufficient credentials");
        asked(fixture, "GET /v2/auth/users", "root:r", NULL, 200,
              "{\"users\":[{\"user\":\"eve\",\"roles\":[{\"role\":\"app\"");
        asked(fixture, "DELETE /v2/auth/users/root", "root:r", NULL, 403, "while auth is enabled");
        asked(fixture, "GET /v2/auth/users/root%00", "root:r", NULL, 400, "Invalid path");
        asked(fixture, "DELETE /v2/auth/enable", "root:r", NULL, 200, "\r\n\r\n");
        asked(fixture, "PUT /v2/keys/other?value=1", "eve:wrong", NULL, 201, "/other");
}

static void test_a_changed_password_is_out_at_once(void **state) {
        Fixture *fixture = *state;

        enable(fixture);
        asked(fixture, "GET /v2/keys/app/x", "eve:e", NULL, 404, "/app");
        assert_int_equal(fixture->api.auth->credentials.map.length, 1);
        asked(fixture, "PUT /v2/auth/users/eve", "root:r", "{\"user\":\"eve\",\"password\":\"new\"}", 200, "eve");
        asked(fixture, "GET /v2/keys/app/x", "eve:e", NULL, 401, "110");
        asked(fixture, "GET /v2/keys/app/x", "eve:new", NULL, 404, "/app");
        asked(fixture, "DELETE /v2/auth/users/eve", "root:r", NULL, 200, "\r\n\r\n");
        asked(fixture, "GET /v2/keys/app/x", "eve:new", NULL, 401, "110");
        make_user(fixture, "eve", "new", "\"app\"", "root:r");
        asked(fixture, "DELETE /v2/auth/roles/app", "root:r", NULL, 200, "\r\n\r\n");
        asked(fixture, "GET /v2/keys/app/x", "eve:new", NULL, 401, "110");
}

static size_t checks_under_way(const Fixture *fixture) {
        size_t count = 0;

        list_foreach(&fixture->api.auth->checks, node)
                count++;
        return count;
}

static void test_equal_checks_are_one(void **state) {
        Fixture *fixture = *state;
        int fds[4];

        enable(fixture);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = ask(fixture, "GET /v2/keys/app/x", i < 3 ? "eve:e" : "eve:wrong", NULL);
        assert_int_equal(checks_under_way(fixture), 2);
        (void)close(fds[1]); /* who leaves meanwhile is not waited for */
        expect(fixture, fds[0], 404, "/app");
        expect(fixture, fds[2], 404, "/app");
        expect(fixture, fds[3], 401, "110");
        assert_int_equal(checks_under_way(fixture), 0);
        /* known now: answered within the turn */
        exchange(fixture, "GET /v2/keys/app/x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ZXZlOmU=\r\n\r\n", 404,
                 "/app");
}

static void test_too_many_new_passwords_are_refused(void **state) {
        Fixture *fixture = *state;
        size_t *waiting = &fixture->api.auth->passwords.waiting_count;

        enable(fixture);
        *waiting += PASSWORD_QUEUE_MAX;
        asked(fixture, "GET /v2/keys/app/x", "eve:e", NULL, 500, "too many requests");
        asked(fixture, "GET /v2/auth/users", "eve:e", NULL, 503, "too many requests");
        *waiting -= PASSWORD_QUEUE_MAX;
        asked(fixture, "GET /v2/keys/app/x", "eve:e", NULL, 404, "/app");
}

/* What waits when the server closes is dropped; tear_down() then finds nothing under way. */
static void test_closing_drops_checks_that_wait(void **state) {
        Fixture *fixture = *state;
        int fds[8];

        enable(fixture);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                char who[16];

                (void)snprintf(who, sizeof(who), "eve:%zu", i);
                fds[i] = ask(fixture, "GET /v2/keys/app/x", who, NULL);
        }
        assert_int_equal(fixture->api.auth->passwords.running, PASSWORD_RUNNING_MAX);
        assert_int_equal(fixture->api.auth->passwords.waiting_count, ARRAY_SIZE(fds) - PASSWORD_RUNNING_MAX);
        http_server_close(fixture->server, NULL, NULL);
        fixture->server = NULL;
        while (checks_under_way(fixture) > PASSWORD_RUNNING_MAX)
                (void)uv_run(&fixture->loop, UV_RUN_ONCE);
        /* at most those that had begun were hashed */
        assert_true(fixture->api.auth->passwords.waiting_count == 0);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                (void)close(fds[i]);
}

static void test_cluster_that_cannot_write_users_says_so(void **state) {
        Fixture *fixture = *state;

        fixture->fake.reason = "etcdserver: request timed out";
        asked(fixture, "PUT /v2/auth/roles/a", NULL, "{\"role\":\"a\"}", 500, "request timed out");
        asked(fixture, "PUT /v2/auth/users/a", NULL, "{\"user\":\"a\",\"password\":\"x\"}", 500, "request timed out");
        fixture->fake.reason = NULL;
        asked(fixture, "PUT /v2/auth/users/a%2Fb", NULL, "{\"user\":\"a/b\",\"password\":\"x\"}", 400, "Invalid path");
        asked(fixture, "GET /v2/auth/users?%zz", NULL, NULL, 500, "Internal Server Error");
}

static const char *certificate;

static const char *common_name(const HttpRequest *request) {
        (void)request;
        return certificate;
}

static void test_the_name_in_a_certificate_is_a_user(void **state) {
        Fixture *fixture = *state;

        enable(fixture);
        fixture->api.common_name = common_name;
        certificate = "eve";
        asked(fixture, "GET /v2/keys/app/x", NULL, NULL, 404, "/app");
        asked(fixture, "GET /v2/keys/other", NULL, NULL, 401, "110");
        certificate = "stranger";
        asked(fixture, "GET /v2/keys/pub", NULL, NULL, 404, "/pub");
        asked(fixture, "GET /v2/keys/app/x", NULL, NULL, 401, "110");
        certificate = "root";
        asked(fixture, "GET /v2/auth/roles", NULL, NULL, 200, "guest");
        certificate = NULL;
        asked(fixture, "GET /v2/auth/roles", NULL, NULL, 401, "Insufficient");
}

static void test_index_moves_as_in_etcd(void **state) {
        Fixture *fixture = *state;

        /* two directories, their folder and "enabled", although there is nothing to delete */
        asked(fixture, "DELETE /v2/auth/users/none", NULL, NULL, 404, "User none does not exist");
        asked(fixture, "GET /v2/keys/", NULL, NULL, 200, "X-Etcd-Index: 7\r\n");
        asked(fixture, "PUT /v2/auth/users/ann", NULL, "{\"user\":\"ann\",\"password\":\"a\"}", 201,
              "{\"user\":\"ann\",\"roles\":null}");
        asked(fixture, "PUT /v2/auth/users/ann", NULL, "{\"user\":\"ann\",\"grant\":[\"x\"]}", 200,
              "{\"user\":\"ann\",\"roles\":[\"x\"]}");
        asked(fixture, "GET /v2/keys/", NULL, NULL, 200, "X-Etcd-Index: 9\r\n");
}

static void test_credentials_are_bounded(void **state) {
        CredentialDigest first, other, again;
        Credentials credentials;

        (void)state;
        assert_int_equal(credentials_init(&credentials), 0);
        for (unsigned i = 0; i < CREDENTIALS_MAX + 10; i++) {
                Slice name = {(const char *)&i, sizeof(i)};

                assert_int_equal(credentials_digest(&credentials, name, slice_from("p"), "h", &other), 0);
                if (i == 0)
                        first = other;
                credentials_add(&credentials, &other);
                credentials_add(&credentials, &other);
        }
        assert_int_equal(credentials.map.length, CREDENTIALS_MAX);
        assert_false(credentials_has(&credentials, &first));
        assert_true(credentials_has(&credentials, &other));
        /* nothing can be moved from the name to the password */
        assert_int_equal(credentials_digest(&credentials, slice_from("ab"), slice_from("c"), "h", &other), 0);
        assert_int_equal(credentials_digest(&credentials, slice_from("a"), slice_from("bc"), "h", &again), 0);
        assert_memory_not_equal(&other, &again, sizeof(other));
        assert_int_equal(credentials_digest(&credentials, slice_from("ab"), slice_from("c"), "i", &again), 0);
        assert_memory_not_equal(&other, &again, sizeof(other));
        credentials_deinit(&credentials);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_who_may_what, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_changed_password_is_out_at_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_equal_checks_are_one, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_too_many_new_passwords_are_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_closing_drops_checks_that_wait, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cluster_that_cannot_write_users_says_so, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_the_name_in_a_certificate_is_a_user, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_index_moves_as_in_etcd, set_up, tear_down),
                cmocka_unit_test(test_credentials_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
