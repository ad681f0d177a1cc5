#include "containers/image/reference.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SUM "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names_in_full_and_short(void **state) {
        static const struct {
                const char *text, *full, *brief;
        } rows[] = {
                {"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
                {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
                {"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
                {"index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"},
                {"a/b_c/d-e.f", "docker.io/a/b_c/d-e.f:latest", "a/b_c/d-e.f:latest"},
                {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
                {"localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"},
                {"10.0.0.1:5000/a/b", "10.0.0.1:5000/a/b:latest", "10.0.0.1:5000/a/b:latest"},
                {"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"},
                {"quay.io/coreos/etcd:v2.3.7", "quay.io/coreos/etcd:v2.3.7", "quay.io/coreos/etcd:v2.3.7"},
                {"a@" SUM, "docker.io/library/a@" SUM, "a@" SUM},
                {"a:1@" SUM, "docker.io/library/a:1@" SUM, "a:1@" SUM},
        };
        char text[REFERENCE_TEXT_MAX];
        Reference reference;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(reference_parse(rows[i].text, &reference, NULL), 0);
                reference_format(&reference, text);
                assert_string_equal(text, rows[i].full);
                reference_format_short(&reference, text);
                assert_string_equal(text, rows[i].brief);
        }
}

static void test_what_is_no_name_is_refused(void **state) {
        static const char *const rows[] = {
                "",     "Busybox", ":tag",        "a:",  "a:.x",       "a//b",      "/a",   "a/",   "-a", "a-",
                "a..b", "a___b",   "a@sha256:12", "a b", "host:x/a:1", "a:b/c:d:e", "../a", "a/..", "ü",
        };
        Reference reference;
        Error error = ERROR_NONE;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                error = ERROR_NONE;
                assert_int_equal(reference_parse(rows[i], &reference, &error), -EINVAL);
                assert_true(error.text[0]);
        }
}

static void test_digest(void **state) {
        char text[DIGEST_TEXT_MAX];
        Digester digester;

        (void)state;
        assert_int_equal(digest_of(slice_from("abc"), text), 0); /* FIPS 180-2, B.1 */
        assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(digester_init(&digester), 0);
        digester_add(&digester, "a", 1);
        digester_add(&digester, "bc", 2);
        digester_end(&digester, text);
        digester_deinit(&digester);
        assert_string_equal(digest_hex(text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_false(
                digest_is_valid(slice_from("sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_in_full_and_short),
                cmocka_unit_test(test_what_is_no_name_is_refused),
                cmocka_unit_test(test_digest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
