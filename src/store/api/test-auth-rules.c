#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "store/api/auth-rules.h"

static void names_put(AuthNames *names, const char *text) {
        Slice rest = slice_from(text), one;

        names->is_set = true;
        if (*text == '\0')
                return;
        while (slice_split(&rest, ' ', &one))
                assert_int_equal(string_list_add_slice(&names->list, one), 0);
}

static void assert_names(const AuthNames *names, const char *text) {
        _cleanup_free_ char *got = strdup("");

        assert_true(names->is_set);
        for (size_t i = 0; i < names->list.length; i++) {
                char *longer = str_printf("%s%s%s", got, i ? " " : "", names->list.items[i]);

                free(got);
                got = longer;
        }
        assert_string_equal(got, text);
}

static AuthRole role_make(const char *name, const char *read, const char *write) {
        AuthRole role = {.name = strdup(name)};

        names_put(&role.permissions.read, read);
        names_put(&role.permissions.write, write);
        return role;
}

static AuthUser user_make(const char *name, const char *roles, const char *grant, const char *revoke) {
        AuthUser user = {.name = strdup(name), .password = strdup("")};

        names_put(&user.roles, roles);
        names_put(&user.grant, grant);
        names_put(&user.revoke, revoke);
        return user;
}

static void test_patterns(void **state) {
        static const struct {
                const char *pattern, *key;
                bool alone, below;
        } cases[] = {
                {"/a", "/a", true, false},      {"/a", "/a/", false, false},  {"/a", "/ab", false, false},
                {"/a", "/a/b", false, false},   {"/a/*", "/a", false, false}, {"/a/*", "/a/", true, true},
                {"/a/*", "/a/b/c", true, true}, {"/a*", "/ab", true, true},   {"/*", "/x", true, true},
                {"/*", "", false, false},       {"*", "", true, true},        {"", "", true, false},
                {"/a*b", "/axb", false, false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_auth_role_ AuthRole role = role_make("r", cases[i].pattern, "");

                if (cases[i].pattern[0] == '\0')
                        assert_int_equal(string_list_add(&role.permissions.read.list, ""), 0);
                print_message("%s on \"%s\"\n", cases[i].pattern, cases[i].key);
                assert_int_equal(auth_role_allows(&role, slice_from(cases[i].key), false, false), cases[i].alone);
                assert_int_equal(auth_role_allows(&role, slice_from(cases[i].key), false, true), cases[i].below);
                assert_false(auth_role_allows(&role, slice_from(cases[i].key), true, false));
        }
}

static void test_root_role_may_do_everything(void **state) {
        _cleanup_auth_role_ AuthRole role = role_make(AUTH_ROOT, "", "");

        (void)state;
        assert_true(auth_role_allows(&role, slice_from(""), true, true));
}

static void test_grants_and_revokes_of_a_user(void **state) {
        _cleanup_auth_user_ AuthUser old = user_make("u", "b a", "", ""), change = user_make("u", "", "c", "a"),
                                     made = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(auth_user_merge(&old, &change, NULL, &made, &error), 0);
        assert_names(&made.roles, "b c");
        auth_user_deinit(&change);
        change = user_make("u", "", "x x", "");
        assert_int_equal(auth_user_merge(&old, &change, NULL, NULL, &error), 409);
        assert_string_equal(error.text, "auth: Granting duplicate role x for user u");
        auth_user_deinit(&change);
        change = user_make("u", "", "", "z");
        assert_int_equal(auth_user_merge(&old, &change, NULL, NULL, &error), 409);
        assert_string_equal(error.text, "auth: Revoking ungranted role z for user u");
        auth_user_deinit(&change);
        change = user_make("v", "", "", "");
        assert_int_equal(auth_user_merge(&old, &change, NULL, NULL, &error), 409);
}

static void test_a_user_that_stays_the_same_is_refused(void **state) {
        _cleanup_auth_user_ AuthUser old = user_make("u", "a", "", ""), change = user_make("u", "", "", ""), made = {0};
        Error error = ERROR_NONE;

        (void)state;
        old.grant = old.revoke = (AuthNames){0};
        assert_int_equal(auth_user_merge(&old, &change, NULL, NULL, &error), 400);
        assert_int_equal(auth_user_merge(&old, &change, "hash", &made, &error), 0);
        assert_string_equal(made.password, "hash");
        auth_user_deinit(&made);
        /* a list that was null becomes one that is empty: that counts as a change */
        string_list_deinit(&old.roles.list);
        old.roles = (AuthNames){0};
        assert_int_equal(auth_user_merge(&old, &change, NULL, &made, &error), 0);
        assert_names(&made.roles, "");
}

static void test_grants_and_revokes_of_a_role(void **state) {
        _cleanup_auth_role_ AuthRole old = role_make("r", "/b /a /a", "/w"), change = role_make("r", "", ""),
                                     made = {0};
        Error error = ERROR_NONE;

        (void)state;
        change.has_grant = change.has_revoke = true;
        names_put(&change.grant.read, "/c");
        names_put(&change.revoke.write, "/w /never");
        assert_int_equal(auth_role_merge(&old, &change, &made, &error), 0);
        assert_names(&made.permissions.read, "/a /b /c");
        assert_names(&made.permissions.write, "");
        names_put(&change.grant.write, "/w");
        assert_int_equal(auth_role_merge(&old, &change, NULL, &error), 409);
        assert_string_equal(error.text, "auth: Granting duplicate write permission /w");
}

static void test_a_role_that_stays_the_same_is_refused(void **state) {
        _cleanup_auth_role_ AuthRole old = role_make("r", "/a", ""), change = role_make("r", "", "");
        Error error = ERROR_NONE;

        (void)state;
        change.has_revoke = true;
        names_put(&change.revoke.read, "/none");
        assert_int_equal(auth_role_merge(&old, &change, NULL, &error), 400);
}

/* Random changes of a role against a set that is kept in the plainest way: bit i is pattern i. */
enum { PATTERNS = 6 };
static const char *const patterns[PATTERNS] = {"/a", "/a/*", "/a/b", "/b*", "/*", "/c"};
static const char *const keys[] = {"", "/", "/a", "/a/", "/a/b", "/a/b/c", "/b", "/bc", "/c", "/d"};

static void names_put_set(AuthNames *names, unsigned set) {
        names->is_set = true;
        for (unsigned i = 0; i < PATTERNS; i++)
                if (set & 1U << i)
                        assert_int_equal(string_list_add(&names->list, patterns[i]), 0);
}

static bool set_allows(unsigned set, const char *key, bool recursive) {
        for (unsigned i = 0; i < PATTERNS; i++) {
                bool star = str_ends_with(patterns[i], "*");
                bool matches = star ? strncmp(key, patterns[i], strlen(patterns[i]) - 1) == 0
                                    : !recursive && str_equals(key, patterns[i]);

                if (set & 1U << i && matches)
                        return true;
        }
        return false;
}

static void test_roles_follow_a_plain_set(void **state) {
        unsigned read = 0, write = 0, refused = 0, changed = 0;
        AuthRole role = role_make("r", "", "");
        Random random;

        (void)state;
        random_seed(&random, 20);
        for (int round = 0; round < 2000; round++) {
                unsigned grant_read = (unsigned)random_below(&random, 4) ? 0 : 1U << random_below(&random, PATTERNS);
                unsigned grant_write = (unsigned)random_below(&random, 4) ? 0 : 1U << random_below(&random, PATTERNS);
                unsigned revoke_read = (unsigned)random_below(&random, 1U << PATTERNS);
                unsigned revoke_write = (unsigned)random_below(&random, 1U << PATTERNS);
                _cleanup_auth_role_ AuthRole change = {.name = strdup("r"), .has_grant = true, .has_revoke = true};
                AuthRole made = {0};
                Error error;
                unsigned next_read = (read | grant_read) & ~revoke_read,
                         next_write = (write | grant_write) & ~revoke_write;
                int r, expected = (read & grant_read) || (write & grant_write)            ? 409
                                  : round > 0 && next_read == read && next_write == write ? 400
                                                                                          : 0;

                names_put_set(&change.grant.read, grant_read);
                names_put_set(&change.grant.write, grant_write);
                names_put_set(&change.revoke.read, revoke_read);
                names_put_set(&change.revoke.write, revoke_write);
                r = auth_role_merge(&role, &change, &made, &error);
                if (round > 0)
                        assert_int_equal(r, expected);
                refused += r != 0;
                if (r == 0) {
                        changed++;
                        auth_role_deinit(&role);
                        role = made;
                        read = next_read;
                        write = next_write;
                }
                for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                        for (int recursive = 0; recursive < 2; recursive++) {
                                assert_int_equal(auth_role_allows(&role, slice_from(keys[i]), false, recursive),
                                                 set_allows(read, keys[i], recursive));
                                assert_int_equal(auth_role_allows(&role, slice_from(keys[i]), true, recursive),
                                                 set_allows(write, keys[i], recursive));
                        }
        }
        assert_true(refused > 100 && changed > 100);
        auth_role_deinit(&role);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_patterns),
                cmocka_unit_test(test_root_role_may_do_everything),
                cmocka_unit_test(test_grants_and_revokes_of_a_user),
                cmocka_unit_test(test_a_user_that_stays_the_same_is_refused),
                cmocka_unit_test(test_grants_and_revokes_of_a_role),
                cmocka_unit_test(test_a_role_that_stays_the_same_is_refused),
                cmocka_unit_test(test_roles_follow_a_plain_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
