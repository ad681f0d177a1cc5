#include "store/tree/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/buffer.h"

static PathFault check(const char *path) {
        return path_check(slice_from(path));
}

static void test_clean_absolute_paths_are_right(void **state) {
        (void)state;
        assert_int_equal(check("/"), PATH_OK);
        assert_int_equal(check("/1"), PATH_OK);
        assert_int_equal(check("/1/a b/_c/..."), PATH_OK);
        assert_int_equal(path_check((Slice){"/1/\0\xff", 5}), PATH_OK);
        assert_int_equal(check(""), PATH_MALFORMED);
        assert_int_equal(check("a"), PATH_MALFORMED);
        assert_int_equal(check("//"), PATH_MALFORMED);
        assert_int_equal(check("/a/"), PATH_MALFORMED);
        assert_int_equal(check("/a//b"), PATH_MALFORMED);
        assert_int_equal(check("/a/./b"), PATH_MALFORMED);
        assert_int_equal(check("/a/.."), PATH_MALFORMED);
}

static void test_length_and_depth_are_limited(void **state) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        Slice slice;

        (void)state;
        for (size_t i = 0; i < TREE_DEPTH_MAX; i++)
                assert_int_equal(buffer_append_string(&path, "/d"), 0);
        slice = (Slice){buffer_data(&path), buffer_length(&path)};
        assert_int_equal(path_check(slice), PATH_OK);
        assert_int_equal(path_check_unique(slice), PATH_TOO_DEEP);
        assert_int_equal(buffer_append_string(&path, "/d"), 0);
        assert_int_equal(path_check((Slice){buffer_data(&path), buffer_length(&path)}), PATH_TOO_DEEP);

        buffer_clear(&path);
        assert_int_equal(buffer_append_byte(&path, '/'), 0);
        while (buffer_length(&path) < TREE_PATH_MAX)
                assert_int_equal(buffer_append_byte(&path, 'x'), 0);
        slice = (Slice){buffer_data(&path), buffer_length(&path)};
        assert_int_equal(path_check(slice), PATH_OK);
        assert_int_equal(path_check_unique(slice), PATH_TOO_LONG);
        slice.length -= PATH_UNIQUE_NAME_LENGTH + 1;
        assert_int_equal(path_check_unique(slice), PATH_OK);
        assert_int_equal(buffer_append_byte(&path, 'x'), 0);
        assert_int_equal(path_check((Slice){buffer_data(&path), buffer_length(&path)}), PATH_TOO_LONG);
}

static void test_texts_name_the_limits(void **state) {
        _cleanup_free_ char *length = str_printf("%zu", TREE_PATH_MAX);
        _cleanup_free_ char *depth = str_printf("%zu", TREE_DEPTH_MAX);

        (void)state;
        assert_non_null(strstr(path_fault_text(PATH_TOO_LONG), length));
        assert_non_null(strstr(path_fault_text(PATH_TOO_DEEP), depth));
}

static void test_components(void **state) {
        Slice rest = slice_from("/1/bc/d"), name;

        (void)state;
        assert_true(path_next(&rest, &name) && slice_equals(name, slice_from("1")));
        assert_true(path_next(&rest, &name) && slice_equals(name, slice_from("bc")));
        assert_true(path_next(&rest, &name) && slice_equals(name, slice_from("d")));
        assert_false(path_next(&rest, &name));
        rest = slice_from("/");
        assert_false(path_next(&rest, &name));
        assert_true(slice_equals(path_parent(slice_from("/1/bc")), slice_from("/1")));
        assert_true(slice_equals(path_parent(slice_from("/1")), slice_from("/")));
        assert_true(slice_equals(path_name(slice_from("/1/bc")), slice_from("bc")));
}

static bool within(const char *path, const char *directory) {
        return path_is_within(slice_from(path), slice_from(directory));
}

static bool hidden(const char *watched, const char *key) {
        return path_is_hidden_from(slice_from(watched), slice_from(key));
}

static void test_within_goes_by_components(void **state) {
        (void)state;
        assert_true(within("/foo", "/foo"));
        assert_true(within("/foo/bar", "/foo"));
        assert_true(within("/foo", "/"));
        assert_false(within("/foobar", "/foo"));
        assert_false(within("/fo", "/foo"));
}

static void test_hidden_is_what_lies_behind_an_underscore(void **state) {
        (void)state;
        assert_true(hidden("/1", "/1/_a"));
        assert_true(hidden("/1", "/1/a/_b/c"));
        assert_true(hidden("/", "/_a"));
        assert_false(hidden("/1/_a", "/1/_a/b"));
        assert_false(hidden("/1/_a", "/1/_a"));
        assert_false(hidden("/1", "/1/a_b"));
        assert_false(hidden("/1/a/b/c", "/1/_"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clean_absolute_paths_are_right),
                cmocka_unit_test(test_length_and_depth_are_limited),
                cmocka_unit_test(test_texts_name_the_limits),
                cmocka_unit_test(test_components),
                cmocka_unit_test(test_within_goes_by_components),
                cmocka_unit_test(test_hidden_is_what_lies_behind_an_underscore),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
