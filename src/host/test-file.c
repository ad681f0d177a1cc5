#include "host/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

static char folder[] = "/tmp/faering-file-XXXXXX";

static int make(void **state) {
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static int drop(void **state) {
        (void)state;
        return file_remove_tree(folder, NULL);
}

static const char *read_back(const char *path, Buffer *text) {
        buffer_clear(text);
        assert_int_equal(file_read(path, FILE_SMALL_MAX, text, NULL), 0);
        return buffer_string(text);
}

static void test_what_is_overwritten_is_the_same_file_with_nothing_of_the_old_text(void **state) {
        _cleanup_free_ char *path = str_printf("%s/x", folder);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        struct stat before, after;

        (void)state;
        assert_int_equal(file_overwrite(path, 0600, slice_from("a long text"), NULL), 0);
        assert_string_equal(read_back(path, &text), "a long text");
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(before.st_mode & 07777, 0600);
        assert_int_equal(file_overwrite(path, 0600, slice_from("short"), NULL), 0);
        assert_string_equal(read_back(path, &text), "short");
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_ino == after.st_ino);
}

static void test_what_is_too_long_for_one_piece_takes_its_place_as_a_whole(void **state) {
        _cleanup_free_ char *path = str_printf("%s/y", folder);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        char more[FILE_PIECE + 1];
        struct stat before, after;

        (void)state;
        memset(more, 'm', sizeof(more));
        assert_int_equal(file_overwrite(path, 0600, slice_from("x"), NULL), 0);
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(file_overwrite(path, 0600, (Slice){more, sizeof(more)}, NULL), 0);
        assert_int_equal(strlen(read_back(path, &text)), sizeof(more));
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_ino != after.st_ino);
}

static void test_a_link_is_not_followed(void **state) {
        _cleanup_free_ char *path = str_printf("%s/z", folder), *target = str_printf("%s/target", folder);

        (void)state;
        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(file_overwrite(path, 0600, slice_from("x"), NULL), -ELOOP);
        assert_int_equal(access(target, F_OK), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_overwritten_is_the_same_file_with_nothing_of_the_old_text),
                cmocka_unit_test(test_what_is_too_long_for_one_piece_takes_its_place_as_a_whole),
                cmocka_unit_test(test_a_link_is_not_followed),
        };

        return cmocka_run_group_tests(tests, make, drop);
}
