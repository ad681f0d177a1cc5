#include "store/api/keys-request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW ((WallUsec)1500000000 * 1000000)
#define FORM_TYPE "application/x-www-form-urlencoded"

static KeysInput input(KeysMethod method, const char *path, const char *query, const char *body) {
        return (KeysInput){method, slice_from(path), slice_from(query), slice_from(FORM_TYPE), slice_from(body), NOW};
}

static void parse(KeysMethod method, const char *path, const char *query, const char *body, KeysRequest *request) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        KeysInput in = input(method, path, query, body);

        assert_int_equal(keys_request_parse(&in, request, &cause), 0);
        if (method >= KEYS_PUT)
                assert_int_equal(command_check(&request->command), 0);
}

static void assert_refused(KeysMethod method, const char *query, const char *body, int code, const char *text) {
        _cleanup_keys_request_ KeysRequest request;
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        KeysInput in = input(method, "/a", query, body);

        assert_int_equal(keys_request_parse(&in, &request, &cause), code);
        assert_string_equal(buffer_string(&cause), text);
}

static void assert_kind(KeysMethod method, const char *query, CommandKind kind) {
        _cleanup_keys_request_ KeysRequest request;

        parse(method, "/a", query, "", &request);
        assert_int_equal(request.command.kind, kind);
}

static void test_parameters_choose_the_command(void **state) {
        (void)state;
        assert_kind(KEYS_PUT, "value=1", COMMAND_SET);
        assert_kind(KEYS_PUT, "prevIndex=0", COMMAND_SET);
        assert_kind(KEYS_PUT, "prevExist=true", COMMAND_UPDATE);
        assert_kind(KEYS_PUT, "prevExist=false", COMMAND_CREATE);
        assert_kind(KEYS_PUT, "prevExist=false&prevValue=x", COMMAND_CREATE);
        assert_kind(KEYS_PUT, "prevExist=true&prevValue=x", COMMAND_COMPARE_AND_SWAP);
        assert_kind(KEYS_PUT, "prevIndex=4", COMMAND_COMPARE_AND_SWAP);
        assert_kind(KEYS_POST, "prevExist=true&prevValue=x", COMMAND_CREATE);
        assert_kind(KEYS_DELETE, "prevExist=true", COMMAND_DELETE);
        assert_kind(KEYS_DELETE, "prevValue=x&recursive=true&dir=true", COMMAND_COMPARE_AND_DELETE);
        /* what the kind has no use for is dropped */
        assert_kind(KEYS_PUT, "prevExist=true&dir=true&value=x", COMMAND_UPDATE);
        assert_kind(KEYS_PUT, "dir=true&value=x", COMMAND_SET);
        assert_kind(KEYS_PUT, "prevExist=false&refresh=true&ttl=5", COMMAND_CREATE);
        assert_kind(KEYS_DELETE, "ttl=5&value=x", COMMAND_DELETE);
}

static void test_fields_reach_the_command(void **state) {
        _cleanup_keys_request_ KeysRequest request;

        (void)state;
        parse(KEYS_PUT, "/a/b/", "prevIndex=7&noValueOnSuccess=1", "value=x+y&ttl=60&prevValue=old", &request);
        assert_true(slice_equals(request.path, slice_from("/1/a/b")));
        assert_true(slice_equals(request.command.path, request.path));
        assert_true(slice_equals(request.command.value, slice_from("x y")));
        assert_true(slice_equals(request.command.prev_value, slice_from("old")));
        assert_int_equal(request.command.prev_index, 7);
        assert_true(request.command.time == NOW);
        assert_true(request.command.expiry == NOW + 60 * 1000000);
        assert_true(request.no_value_on_success);
}

static void test_get_parameters(void **state) {
        _cleanup_keys_request_ KeysRequest request;

        (void)state;
        parse(KEYS_GET, "", "recursive=T&sorted=1&quorum=TRUE&wait=true&stream=t&waitIndex=12", "", &request);
        assert_true(slice_equals(request.path, slice_from("/1")));
        assert_true(request.recursive && request.sorted && request.quorum && request.wait && request.stream);
        assert_int_equal(request.wait_index, 12);
}

static void test_body_counts_for_put_and_post_only(void **state) {
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;
        _cleanup_keys_request_ KeysRequest request, other;
        KeysInput in = input(KEYS_PUT, "/a", "", "value=x");

        (void)state;
        parse(KEYS_DELETE, "/a", "", "prevValue=nope", &request);
        assert_int_equal(request.command.kind, COMMAND_DELETE);
        in.content_type = slice_from("text/plain");
        assert_int_equal(keys_request_parse(&in, &other, &cause), 0);
        assert_int_equal(other.command.value.length, 0);
}

/* Each is wrong in all that come after it, too. */
static void test_order_of_the_checks(void **state) {
        static const struct {
                const char *query;
                int code;
                const char *cause;
        } cases[] = {
                {"x=%zz&prevIndex=a", 210, "invalid URL escape \"%zz\""},
                {"prevIndex=-1&waitIndex=a", 203, "invalid value for \"prevIndex\""},
                {"waitIndex=a&recursive=x", 203, "invalid value for \"waitIndex\""},
                {"recursive=x&sorted=x", 209, "invalid value for \"recursive\""},
                {"sorted=x&wait=x", 209, "invalid value for \"sorted\""},
                {"wait=x&dir=x", 209, "invalid value for \"wait\""},
                {"dir=x&quorum=x", 209, "invalid value for \"dir\""},
                {"quorum=x&stream=x", 209, "invalid value for \"quorum\""},
                {"stream=x&wait=true", 209, "invalid value for \"stream\""},
                {"wait=true&prevValue=", 209, "\"wait\" can only be used with GET requests"},
                {"prevValue=&noValueOnSuccess=x", 201, "\"prevValue\" cannot be empty"},
                {"noValueOnSuccess=x&ttl=x", 209, "invalid value for \"noValueOnSuccess\""},
                {"ttl=x&prevExist=x", 202, "invalid value for \"ttl\""},
                {"prevExist=x&refresh=x", 209, "invalid value for prevExist"},
                {"refresh=x&value=1", 209, "invalid value for refresh"},
                {"refresh=true&value=1", 211, "A value was provided on a refresh"},
                {"refresh=true", 212, "No TTL value set"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_refused(KEYS_PUT, cases[i].query, "", cases[i].code, cases[i].cause);
                assert_refused(KEYS_PUT, "", cases[i].query, cases[i].code, cases[i].cause);
                assert_refused(KEYS_DELETE, cases[i].query, "", cases[i].code, cases[i].cause);
        }
}

static void test_numbers_and_booleans_are_strict(void **state) {
        (void)state;
        assert_refused(KEYS_GET, "waitIndex=", "", 203, "invalid value for \"waitIndex\"");
        assert_refused(KEYS_GET, "waitIndex=%2B1", "", 203, "invalid value for \"waitIndex\"");
        assert_refused(KEYS_GET, "waitIndex=18446744073709551616", "", 203, "invalid value for \"waitIndex\"");
        assert_refused(KEYS_GET, "recursive=", "", 209, "invalid value for \"recursive\"");
        assert_refused(KEYS_GET, "recursive=tRUE", "", 209, "invalid value for \"recursive\"");
        assert_refused(KEYS_PUT, "ttl=1.5", "", 202, "invalid value for \"ttl\"");
        assert_refused(KEYS_PUT, "ttl=-1", "", 202, "invalid value for \"ttl\"");
}

static void assert_ttl(const char *query, bool has_expiry, WallUsec expiry) {
        _cleanup_keys_request_ KeysRequest request;

        parse(KEYS_PUT, "/a", query, "", &request);
        assert_int_equal(request.command.has_expiry, has_expiry);
        assert_true(request.command.expiry == expiry);
}

static void test_ttl(void **state) {
        (void)state;
        assert_ttl("value=1", false, 0);
        assert_ttl("ttl=", false, 0);
        assert_ttl("ttl=0", true, NOW);
        assert_ttl("ttl=3000000", true, NOW + (WallUsec)3000000 * 1000000);
        /* 2^64 - 1 seconds are -1 second in nanoseconds of 64 bits */
        assert_ttl("ttl=18446744073709551615", true, NOW - 1000000);
}

static void test_paths_have_limits(void **state) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT, cause = BUFFER_INIT;
        _cleanup_keys_request_ KeysRequest request;
        KeysInput in;

        (void)state;
        for (size_t i = 0; i < 20000; i++)
                assert_int_equal(buffer_append_string(&path, i ? "x" : "/"), 0);
        in = input(KEYS_PUT, buffer_string(&path), "", "");
        assert_int_equal(keys_request_parse(&in, &request, &cause), 209);
        assert_string_equal(buffer_string(&cause), "key is longer than 16384 bytes");
}

static void assert_clean(const char *path, const char *expected) {
        _cleanup_buffer_ Buffer clean = BUFFER_INIT;

        assert_int_equal(keys_clean_path(slice_from(path), &clean), 0);
        assert_string_equal(buffer_string(&clean), expected);
}

static void test_clean_paths(void **state) {
        (void)state;
        assert_clean("", "/");
        assert_clean("/", "/");
        assert_clean("//", "/");
        assert_clean("/a/", "/a/");
        assert_clean("/a//b///", "/a/b/");
        assert_clean("/a/./b/.", "/a/b");
        assert_clean("/a/b/../c", "/a/c");
        assert_clean("/../../a/..", "/");
        assert_clean("/a/../", "/");
        assert_clean("a", "/a");
        assert_clean("/...", "/...");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parameters_choose_the_command),
                cmocka_unit_test(test_fields_reach_the_command),
                cmocka_unit_test(test_get_parameters),
                cmocka_unit_test(test_body_counts_for_put_and_post_only),
                cmocka_unit_test(test_order_of_the_checks),
                cmocka_unit_test(test_numbers_and_booleans_are_strict),
                cmocka_unit_test(test_ttl),
                cmocka_unit_test(test_paths_have_limits),
                cmocka_unit_test(test_clean_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
