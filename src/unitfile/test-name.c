#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/name.h"

static void assert_slice(Slice slice, const char *expected) {
        assert_true(slice_equals(slice, slice_from(expected)));
}

static void test_split(void **state) {
        UnitName name = unit_name_split(slice_from("web@eu@1.x.service"));

        (void)state;
        assert_int_equal(name.kind, UNIT_NAME_INSTANCE);
        assert_slice(name.stem, "web@eu@1.x");
        assert_slice(name.prefix, "web");
        assert_slice(name.instance, "eu@1.x");
        assert_slice(name.type, "service");
        assert_int_equal(unit_name_split(slice_from("web@.service")).kind, UNIT_NAME_TEMPLATE);
        assert_int_equal(unit_name_split(slice_from("web.service")).kind, UNIT_NAME_PLAIN);
        assert_slice(unit_name_split(slice_from("web")).stem, "web");
        assert_slice(unit_name_split(slice_from("")).stem, "");
}

static void test_template_and_instance(void **state) {
        UnitName name = unit_name_split(slice_from("web@1.service"));
        _cleanup_free_ char *template = unit_name_template(&name), *instance = NULL;
        UnitName back;

        (void)state;
        assert_string_equal(template, "web@.service");
        back = unit_name_split(slice_from(template));
        instance = unit_name_instance(&back, slice_from("2"));
        assert_string_equal(instance, "web@2.service");
}

static void test_validity(void **state) {
        char long_name[300];

        (void)state;
        assert_true(unit_name_is_valid(slice_from("a-b_c:d.e\\x2d@1.mount")));
        assert_false(unit_name_is_valid(slice_from("a b.service")));
        assert_false(unit_name_is_valid(slice_from("a/b.service")));
        assert_false(unit_name_is_valid(slice_from("@a.service")));
        assert_false(unit_name_is_valid(slice_from("a.foo")));
        assert_false(unit_name_is_valid(slice_from("service")));
        assert_false(unit_name_is_valid(slice_from("")));
        memset(long_name, 'a', sizeof(long_name));
        memcpy(long_name + 247, ".service", 9);
        assert_true(unit_name_is_valid(slice_from(long_name)));
        memset(long_name, 'a', sizeof(long_name));
        memcpy(long_name + 248, ".service", 9);
        assert_false(unit_name_is_valid(slice_from(long_name)));
}

static void assert_escaped(int (*escape)(Slice, Buffer *), const char *text, const char *expected) {
        _cleanup_buffer_ Buffer to = BUFFER_INIT;

        assert_int_equal(escape(slice_from(text), &to), 0);
        assert_string_equal(buffer_string(&to), expected);
}

/* the expected texts are what systemd-escape 252 prints */
static void test_escaping(void **state) {
        _cleanup_buffer_ Buffer to = BUFFER_INIT;

        (void)state;
        assert_escaped(unit_name_escape, "Hallöchen, Meister", "Hall\\xc3\\xb6chen\\x2c\\x20Meister");
        assert_escaped(unit_name_escape, ".a/b-c", "\\x2ea-b\\x2dc");
        assert_escaped(unit_name_escape_path, "/tmp//waldi/foobar/", "tmp-waldi-foobar");
        assert_escaped(unit_name_escape_path, "/", "-");
        assert_escaped(unit_name_unescape, "tmp-a\\x2db", "tmp/a-b");
        assert_int_equal(unit_name_unescape(slice_from("a\\x2"), &to), -EINVAL);
        assert_int_equal(buffer_length(&to), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_template_and_instance),
                cmocka_unit_test(test_validity),
                cmocka_unit_test(test_escaping),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
