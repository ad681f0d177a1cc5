#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
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

/* ---- links ---- */

#define FOLDER "/run/fleet/units"

static void assert_leads(const char *links, const char *unit, const char *target) {
        _cleanup_free_ char *path = str_printf("%s/%s", links, unit);
        char found[256];
        ssize_t n = readlink(path, found, sizeof(found));

        if (!target) {
                assert_int_equal(n, -1);
                return;
        }
        assert_int_equal(n, strlen(target));
        assert_memory_equal(found, target, (size_t)n);
}

static void test_a_link_leads_to_our_file_whatever_it_did_before(void **state) {
        char links[] = "/tmp/faering-links-XXXXXX";
        _cleanup_free_ char *path = NULL;
        Error error = ERROR_NONE;

        (void)state;
        assert_non_null(mkdtemp(links));
        path = str_printf("%s/a.service", links);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(unit_store_link(FOLDER, links, "a.service", &error), 0);
                assert_leads(links, "a.service", FOLDER "/a.service");
        }
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(unit_store_link(FOLDER, links, "a.service", &error), 0);
        assert_leads(links, "a.service", FOLDER "/a.service");
        assert_leads(links, ".#a.service", NULL);
        assert_int_equal(unit_store_unlink(FOLDER, links, "a.service", &error), 0);
        assert_int_equal(unit_store_unlink(FOLDER, links, "a.service", &error), 0);
        assert_leads(links, "a.service", NULL);
        assert_int_equal(rmdir(links), 0);
}

static void test_what_is_somebody_elses_is_left_alone(void **state) {
        char links[] = "/tmp/faering-links-XXXXXX";
        _cleanup_free_ char *path = NULL;
        Error error = ERROR_NONE;

        (void)state;
        assert_non_null(mkdtemp(links));
        path = str_printf("%s/a.service", links);
        assert_int_equal(file_replace(path, 0644, slice_from("[Unit]\n"), false, &error), 0);
        assert_int_equal(unit_store_link(FOLDER, links, "a.service", &error), -EEXIST);
        assert_non_null(strstr(error.text, path));
        assert_int_equal(unit_store_unlink(FOLDER, links, "a.service", &error), 0);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(unit_store_unlink(FOLDER, links, "a.service", &error), 0);
        assert_leads(links, "a.service", "/dev/null");
        assert_int_equal(file_remove_tree(links, &error), 0);
        assert_int_equal(unit_store_link(FOLDER, links, "a.service", &error), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_texts_and_tags_come_back),
                cmocka_unit_test(test_a_link_leads_to_our_file_whatever_it_did_before),
                cmocka_unit_test(test_what_is_somebody_elses_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
