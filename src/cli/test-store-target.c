/* Paths, queries and forms byte for byte as etcd's client sends them; and endpoints from DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "store/discovery/srv.h"
#include "cli/store-target.h"

static void check_keys(StoreRequest request, const char *expected) {
        _cleanup_free_ char *target = store_target_keys(&request);

        assert_string_equal(target, expected);
}

static void test_keys_as_go_encodes_them(void **state) {
        (void)state;
        check_keys((StoreRequest){.verb = STORE_GET, .key = "a"},
                   "/v2/keys/a?quorum=false&recursive=false&sorted=false");
        check_keys((StoreRequest){.verb = STORE_GET, .key = "/", .sorted = true},
                   "/v2/keys/?quorum=false&recursive=false&sorted=true");
        check_keys((StoreRequest){.verb = STORE_SET, .key = "//a//b/"}, "/v2/keys/a/b/");
        check_keys((StoreRequest){.verb = STORE_SET, .key = "/a/../b/./c"}, "/v2/keys/b/c");
        check_keys((StoreRequest){.verb = STORE_SET, .key = "../../../x"}, "/x");
        check_keys((StoreRequest){.verb = STORE_SET, .key = "/a b?c#d[e]!(f)*ü$&+,:;=@~"},
                   "/v2/keys/a%20b%3Fc%23d%5Be%5D%21%28f%29%2A%C3%BC$&+,:;=@~");
        check_keys((StoreRequest){.verb = STORE_SET,
                                  .key = "/a",
                                  .prev_index = 7,
                                  .prev_value = "x y&z",
                                  .exist = STORE_EXIST_MUST},
                   "/v2/keys/a?prevExist=true&prevIndex=7&prevValue=x+y%26z");
        check_keys((StoreRequest){.verb = STORE_DELETE, .key = "/a", .dir = true, .recursive = true, .prev_index = 3},
                   "/v2/keys/a?dir=true&prevIndex=3&recursive=true");
        check_keys((StoreRequest){.verb = STORE_WATCH, .key = "/a"},
                   "/v2/keys/a?recursive=false&wait=true&waitIndex=0");
        check_keys((StoreRequest){.verb = STORE_CREATE_IN_ORDER, .key = "/q"}, "/v2/keys/q");
}

static void test_forms(void **state) {
        _cleanup_free_ char *form =
                store_target_form(&(StoreRequest){.value = "a b&c=d;e+ü", .has_ttl = true, .ttl = 5});
        _cleanup_free_ char *empty = store_target_form(&(StoreRequest){.dir = true});

        (void)state;
        assert_string_equal(form, "ttl=5&value=a+b%26c%3Dd%3Be%2B%C3%BC");
        assert_string_equal(empty, "");
}

static void test_names_are_joined_as_go_joins_them(void **state) {
        _cleanup_free_ char *plain = store_target_join((const char *const[]){"v2/auth", "users", "a b", NULL});
        _cleanup_free_ char *slash = store_target_join((const char *const[]){"v2/members", "x/", NULL});

        (void)state;
        assert_string_equal(plain, "/v2/auth/users/a%20b");
        assert_string_equal(slash, "/v2/members/x");
}

/* A DNS answer: one question, and the records given. */
static const char dns[] = "\x00\x01\x81\x80\x00\x00\x00\x03\x00\x00\x00\x00"
                          /* root, SRV, IN, ttl 0, 16 bytes: priority 2, weight 1, port 2379, b.example */
                          "\x00\x00\x21\x00\x01\x00\x00\x00\x00\x00\x11\x00\x02\x00\x01\x09\x4b\x01"
                          "b\x07"
                          "example\x00"
                          "\x00\x00\x21\x00\x01\x00\x00\x00\x00\x00\x11\x00\x01\x00\x01\x09\x4b\x01"
                          "a\x07"
                          "example\x00"
                          /* an A record, which is passed over */
                          "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01";

static void test_endpoints_from_dns_come_by_priority(void **state) {
        _cleanup_string_list_ StringList urls = {0};

        (void)state;
        assert_int_equal(srv_parse((Slice){dns, sizeof(dns) - 1}, "http", &urls), 0);
        assert_int_equal(urls.length, 2);
        assert_string_equal(urls.items[0], "http://a.example:2379");
        assert_string_equal(urls.items[1], "http://b.example:2379");
}

static void test_a_cut_answer_of_dns_is_refused(void **state) {
        (void)state;
        for (size_t length = 0; length < sizeof(dns) - 1; length++) {
                _cleanup_string_list_ StringList urls = {0};

                assert_int_equal(srv_parse((Slice){dns, length}, "http", &urls), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys_as_go_encodes_them),
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_names_are_joined_as_go_joins_them),
                cmocka_unit_test(test_endpoints_from_dns_come_by_priority),
                cmocka_unit_test(test_a_cut_answer_of_dns_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
