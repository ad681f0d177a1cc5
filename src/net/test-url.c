#include "net/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_escapes_are_decoded_strictly(void **state) {
        static const char *const bad[] = {"%", "a%2", "%zz", "%2g", "100%"};

        (void)state;
        {
                _cleanup_buffer_ Buffer out = BUFFER_INIT;

                assert_int_equal(url_decode(&out, slice_from("a%2Fb+c%c3%A6%00"), false, NULL), 0);
                assert_int_equal(buffer_length(&out), 8);
                assert_memory_equal(buffer_data(&out), "a/b+c\xc3\xa6\0", 8);
                assert_int_equal(url_decode(&out, slice_from("+x+"), true, NULL), 0);
                assert_memory_equal(buffer_data(&out) + 8, " x ", 3);
                assert_int_equal(url_decode(&out, (Slice){"", 0}, true, NULL), 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_INIT;
                Slice where = {0};

                assert_int_equal(buffer_append_string(&out, "kept"), 0);
                assert_int_equal(url_decode(&out, slice_from(bad[i]), false, &where), -EINVAL);
                assert_int_equal(where.data[0], '%');
                assert_string_equal(buffer_string(&out), "kept");
        }
}

static void test_all_bytes_survive_encoding(void **state) {
        _cleanup_buffer_ Buffer encoded = BUFFER_INIT, decoded = BUFFER_INIT, path = BUFFER_INIT;
        char bytes[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (char)i;
        assert_int_equal(url_encode(&encoded, URL_SEGMENT, (Slice){bytes, sizeof(bytes)}), 0);
        assert_null(memchr(buffer_data(&encoded), '/', buffer_length(&encoded)));
        assert_int_equal(url_decode(&decoded, (Slice){buffer_data(&encoded), buffer_length(&encoded)}, false, NULL), 0);
        assert_int_equal(buffer_length(&decoded), sizeof(bytes));
        assert_memory_equal(buffer_data(&decoded), bytes, sizeof(bytes));
        assert_int_equal(url_encode(&path, URL_PATH, slice_from("/a b/~c%")), 0);
        assert_string_equal(buffer_string(&path), "/a%20b/~c%25");
}

static void test_queries_are_cut_into_pairs(void **state) {
        Slice rest = slice_from("&a=1&&b&c=x=y&=z&d=%26"), name, value;
        static const char *const expected[] = {"a", "1", "b", "", "c", "x=y", "", "z", "d", "%26"};
        size_t n = 0;

        (void)state;
        while (url_query_next(&rest, &name, &value)) {
                assert_true(slice_equals(name, slice_from(expected[n])));
                assert_true(slice_equals(value, slice_from(expected[n + 1])));
                n += 2;
        }
        assert_int_equal(n, ARRAY_SIZE(expected));
        {
                _cleanup_buffer_ Buffer out = BUFFER_INIT;

                assert_int_equal(url_query_get(slice_from("a=1&b=x+%79&b=2"), "b", &out), 1);
                assert_string_equal(buffer_string(&out), "x y");
                assert_int_equal(url_query_get(slice_from("a=1"), "b", &out), 0);
                assert_int_equal(url_query_get(slice_from("b=%q"), "b", &out), -EINVAL);
        }
}

static void test_good_urls_keep_their_parts(void **state) {
        static const struct {
                const char *text;
                UrlScheme scheme;
                const char *host;
                uint16_t port;
                const char *path, *again;
        } cases[] = {
                {"http://10.0.0.1:2380", URL_HTTP, "10.0.0.1", 2380, "", NULL},
                {"https://example.com/v2/keys", URL_HTTPS, "example.com", 99, "/v2/keys", "https://example.com:99/v2/keys"},
                {"http://[::1]:80/", URL_HTTP, "::1", 80, "/", NULL},
                {"unix:///run/x.sock", URL_UNIX, "/run/x.sock", 0, "", NULL},
                {"unix:/run/x.sock", URL_UNIX, "/run/x.sock", 0, "", "unix:///run/x.sock"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[URL_TEXT_MAX];
                Error error = ERROR_NONE;
                Url url;

                if (url_parse(cases[i].text, 99, &url, &error) < 0)
                        fail_msg("%s: %s", cases[i].text, error.text);
                assert_int_equal(url.scheme, cases[i].scheme);
                assert_string_equal(url.host, cases[i].host);
                assert_int_equal(url.port, cases[i].port);
                assert_string_equal(url.path, cases[i].path);
                url_format(&url, text);
                assert_string_equal(text, cases[i].again ?: cases[i].text);
        }
}

static void test_bad_urls_are_refused_with_a_reason(void **state) {
        static const char *const bad[] = {
                "", "10.0.0.1:2380", "ftp://x:1", "http://", "http://:80", "http://x:", "http://x:65536", "http://x:a", "http://u@x:1",
                "http://[::1", "http://[::1]x:1", "http://x:1?q", "unix://", "unix://run/x", "http://x:-1", "http://x:0",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Error error = ERROR_NONE;
                Url url;

                if (url_parse(bad[i], 80, &url, &error) != -EINVAL || error.text[0] == '\0')
                        fail_msg("\"%s\" was taken", bad[i]);
        }
        {
                Error error = ERROR_NONE;
                Url url;

                assert_int_equal(url_parse("http://x", 0, &url, &error), -EINVAL);
                assert_non_null(strstr(error.text, "port is missing"));
        }
}

static void test_lists(void **state) {
        _cleanup_free_ Url *urls = NULL;
        Error error = ERROR_NONE;
        size_t count = 0;

        (void)state;
        assert_int_equal(url_parse_list("http://a:1,https://b:2", 0, &urls, &count, &error), 0);
        assert_int_equal(count, 2);
        assert_string_equal(urls[1].host, "b");
        assert_true(url_parse_list("http://a:1,,http://b:2", 0, &urls, &count, &error) < 0 || count == 2);
        assert_true(url_parse_list("http://a:1,b", 0, &urls, &count, &error) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_escapes_are_decoded_strictly),
                cmocka_unit_test(test_all_bytes_survive_encoding),
                cmocka_unit_test(test_queries_are_cut_into_pairs),
                cmocka_unit_test(test_good_urls_keep_their_parts),
                cmocka_unit_test(test_bad_urls_are_refused_with_a_reason),
                cmocka_unit_test(test_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
