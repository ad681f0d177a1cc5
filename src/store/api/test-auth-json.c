/* Bodies and records of users and roles, the Authorization field, and bcrypt. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/api/auth-json.h"
#include "store/api/basic-auth.h"
#include "store/api/password.h"

#define ETCD_HASH "$2a$10$zXVGWUWoYYIKoKMfoc461./hnLYG1i5mC6LtZM7SyaAZGIP4JQYu."

static void assert_user_again(const char *text, const char *expected) {
        _cleanup_auth_user_ AuthUser user = {0};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        assert_int_equal(auth_user_parse(slice_from(text), &user), 0);
        assert_int_equal(auth_user_format(&user, &buffer), 0);
        assert_string_equal(buffer_string(&buffer), expected);
}

static void assert_role_again(const char *text, const char *expected) {
        _cleanup_auth_role_ AuthRole role = {0};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        assert_int_equal(auth_role_parse(slice_from(text), &role), 0);
        assert_int_equal(auth_role_format(&role, &buffer), 0);
        assert_string_equal(buffer_string(&buffer), expected);
}

static void test_users(void **state) {
        (void)state;
        assert_user_again("{\"user\":\"a\"}", "{\"user\":\"a\",\"roles\":null}");
        assert_user_again("{\"USER\":\"a\",\"Password\":\"p\",\"roles\":[],\"more\":1} rest",
                          "{\"user\":\"a\",\"password\":\"p\",\"roles\":[]}");
        assert_user_again("{\"user\":\"a\",\"roles\":[\"x\",null],\"grant\":[\"g\"],\"revoke\":[\"r\"]}",
                          "{\"user\":\"a\",\"roles\":[\"x\",\"\"],\"grant\":[\"g\"],\"revoke\":[\"r\"]}");
        assert_user_again("null", "{\"user\":\"\",\"roles\":null}");
}

static void test_roles(void **state) {
        (void)state;
        assert_role_again("{\"role\":\"a\"}",
                          "{\"role\":\"a\",\"permissions\":{\"kv\":{\"read\":null,\"write\":null}}}");
        assert_role_again("{\"role\":\"a\",\"permissions\":{\"KV\":{\"read\":[\"/x\"],\"write\":[]}},\"grant\":null}",
                          "{\"role\":\"a\",\"permissions\":{\"kv\":{\"read\":[\"/x\"],\"write\":[]}}}");
        assert_role_again("{\"role\":\"a\",\"revoke\":{}}",
                          "{\"role\":\"a\",\"permissions\":{\"kv\":{\"read\":null,\"write\":null}},"
                          "\"revoke\":{\"kv\":{\"read\":null,\"write\":null}}}");
}

static void test_what_is_no_user_is_refused(void **state) {
        static const char *const bad[] = {"",
                                          "junk",
                                          "{",
                                          "1",
                                          "[]",
                                          "\"a\"",
                                          "{\"user\":1}",
                                          "{\"user\":\"a\",\"roles\":\"x\"}",
                                          "{\"user\":\"a\",\"grant\":[1]}",
                                          "{\"user\":\"a\\u0000b\"}",
                                          "{\"password\":{}}"};
        _cleanup_auth_user_ AuthUser user = {0};
        _cleanup_auth_role_ AuthRole role = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(auth_user_parse(slice_from(bad[i]), &user), -EINVAL);
        assert_int_equal(auth_role_parse(slice_from("{\"role\":\"a\",\"permissions\":[]}"), &role), -EINVAL);
        assert_int_equal(auth_role_parse(slice_from("{\"role\":\"a\",\"grant\":{\"kv\":{\"read\":\"/x\"}}}"), &role),
                         -EINVAL);
}

static void assert_basic(const char *field, const char *user, const char *password) {
        _cleanup_basic_auth_ BasicAuth basic = {0};

        assert_int_equal(basic_auth_parse(slice_from(field), &basic), user ? 0 : -EINVAL);
        if (!user)
                return;
        assert_true(slice_equals(basic.user, slice_from(user)));
        assert_true(slice_equals(basic.password, slice_from(password)));
}

static void test_authorization_field(void **state) {
        (void)state;
        assert_basic("Basic cm9vdDpwOnc=", "root", "p:w");
        assert_basic("bAsIc cm9vdDo=", "root", "");
        assert_basic("Basic Og==", "", "");
        assert_basic("Basic cm9vdA==", NULL, NULL);
        assert_basic("Basic ", NULL, NULL);
        assert_basic("Basic !!!!", NULL, NULL);
        assert_basic("Basic cm9vdDpwOnc", NULL, NULL);
        assert_basic("Bearer cm9vdDpwOnc=", NULL, NULL);
        assert_basic("", NULL, NULL);
}

static void test_hashes(void **state) {
        static const char salt[16] = "0123456789abcdef";
        char hash[PASSWORD_HASH_SIZE];

        (void)state;
        assert_int_equal(password_hash("secret", salt, hash), 0);
        assert_int_equal(strncmp(hash, "$2b$10$", 7), 0);
        assert_true(password_matches("secret", hash));
        assert_false(password_matches("Secret", hash));
        assert_false(password_matches("", hash));
        assert_false(password_matches("secret", ""));
        assert_false(password_matches("secret", "secret"));
        /* libcrypt's failure tokens, and other methods, are no passwords */
        assert_false(password_matches("secret", "*0"));
        assert_false(password_matches("secret", "$1$0123$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
}

/* Made by etcd 3.4.23. */
static void test_hashes_of_etcd(void **state) {
        (void)state;
        assert_true(password_matches("rpw", ETCD_HASH));
        assert_false(password_matches("rpw2", ETCD_HASH));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_roles),
                cmocka_unit_test(test_what_is_no_user_is_refused),
                cmocka_unit_test(test_authorization_field),
                cmocka_unit_test(test_hashes),
                cmocka_unit_test(test_hashes_of_etcd),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
