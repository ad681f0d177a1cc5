#include "machine/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host/file.h"

static void test_log_stays_within_two_files(void **state) {
        char folder[] = "/tmp/faering-console-XXXXXX", piece[4096];
        _cleanup_buffer_ Buffer last = BUFFER_INIT;
        _cleanup_free_ char *path = NULL, *old_path = NULL;
        Console console;
        struct stat status;

        (void)state;
        memset(piece, 'x', sizeof(piece));
        assert_non_null(mkdtemp(folder));
        assert_int_equal(console_open(&console, folder, NULL), 0);
        path = strdup(console.path);
        old_path = strdup(console.old_path);
        for (size_t written = 0; written < 3 * (size_t)CONSOLE_SIZE_MAX; written += sizeof(piece))
                console_write(&console, (Slice){piece, sizeof(piece)});
        console_write(&console, slice_from("last words\n"));
        console_close(&console);
        assert_int_equal(stat(path, &status), 0);
        assert_true(status.st_size <= CONSOLE_SIZE_MAX);
        assert_int_equal(stat(old_path, &status), 0);
        assert_true(status.st_size <= CONSOLE_SIZE_MAX);
        assert_int_equal(file_read(path, 2 * (size_t)CONSOLE_SIZE_MAX, &last, NULL), 0);
        assert_true(str_ends_with(buffer_string(&last), "last words\n"));
        assert_int_equal(file_remove_tree(folder, NULL), 0);
}

static void test_log_goes_on_after_the_one_that_is_there(void **state) {
        char folder[] = "/tmp/faering-console-XXXXXX";
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_free_ char *path = NULL;

        (void)state;
        assert_non_null(mkdtemp(folder));
        for (int i = 0; i < 2; i++) {
                Console console;

                assert_int_equal(console_open(&console, folder, NULL), 0);
                console_write(&console, slice_from("a line\n"));
                console_close(&console);
        }
        path = str_printf("%s/console.log", folder);
        assert_int_equal(file_read(path, FILE_SMALL_MAX, &text, NULL), 0);
        assert_string_equal(buffer_string(&text), "a line\na line\n");
        assert_int_equal(file_remove_tree(folder, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_log_stays_within_two_files),
                cmocka_unit_test(test_log_goes_on_after_the_one_that_is_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
