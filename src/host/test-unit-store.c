#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host/file.h"
#include "host/unit-store.h"

static void test_texts_and_tags_come_back(void **state) {
        char folder[] = "/tmp/faering-store-XXXXXX";
        _cleanup_free_ char *text = NULL, *tag = NULL, *plain = NULL, *path = NULL, *none = NULL, *none_tag = NULL;
        _cleanup_string_list_ StringList list = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(
                unit_store_write(folder, "web@1.service", slice_from("[Service]\nExecStart=/a\n"), "abc", &error), 0);
        assert_int_equal(unit_store_write(folder, "a.timer", slice_from("[Timer]"), "", &error), 0);
        assert_int_equal(unit_store_read(folder, "web@1.service", &text, &tag, &error), 0);
        assert_string_equal(text, "[Service]\nExecStart=/a\n");
        assert_string_equal(tag, "abc");
        path = str_printf("%s/plain.service", folder);
        assert_int_equal(file_replace(path, 0644, slice_from("[Unit]\n"), false, &error), 0);
        assert_int_equal(unit_store_read(folder, "plain.service", &plain, &none_tag, &error), 0);
        assert_string_equal(plain, "[Unit]\n");
        assert_string_equal(none_tag, "");
        assert_int_equal(unit_store_list(folder, &list, &error), 0);
        assert_int_equal(list.length, 3);
        assert_string_equal(list.items[0], "a.timer");
        assert_int_equal(unit_store_remove(folder, "a.timer", &error), 0);
        assert_int_equal(unit_store_remove(folder, "a.timer", &error), 0);
        assert_int_equal(unit_store_read(folder, "a.timer", &none, &none, &error), -ENOENT);
        assert_int_equal(file_remove_tree(folder, &error), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts_and_tags_come_back)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
