#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "containers/shim/log-file.h"

#define AT ((WallUsec)1795329455775985) /* 2026-11-22T06:37:35.775985Z */

static char folder[] = "/tmp/test-log-file-XXXXXX";

static int make_folder(void **state) {
        static int fd;

        if (!mkdtemp(folder))
                return -1;
        fd = open(folder, O_PATH | O_DIRECTORY);
        *state = &fd;
        return fd < 0 ? -1 : 0;
}

static int remove_folder(void **state) {
        int fd = *(int *)*state;

        for (int i = 0; i < 3; i++)
                (void)unlinkat(fd, (const char *[]){"log", "log.1", "log.2"}[i], 0);
        (void)close(fd);
        return rmdir(folder);
}

static void expect(int directory, const char *name, const char *text) {
        char got[4096];
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY);
        ssize_t n = read(fd, got, sizeof(got) - 1);

        assert_true(n >= 0);
        got[n] = '\0';
        assert_string_equal(got, text);
}

static void test_lines_are_gathered_and_the_rest_comes_at_the_end(void **state) {
        int directory = *(int *)*state;
        LogFile log;

        assert_int_equal(log_file_open(&log, directory, "log", 0, 1, NULL), 0);
        (void)log_file_write(&log, 0, slice_from("a\nb"), AT);
        (void)log_file_write(&log, 1, slice_from("oops\n"), AT);
        (void)log_file_write(&log, 0, slice_from("c\nlast"), AT);
        (void)log_file_finish(&log, AT);
        log_file_close(&log);
        expect(directory, "log",
               "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n"
               "{\"log\":\"oops\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n"
               "{\"log\":\"bc\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n"
               "{\"log\":\"last\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n");
        (void)unlinkat(directory, "log", 0);
}

static void test_full_files_move_up_and_the_oldest_goes(void **state) {
        int directory = *(int *)*state;
        char text[8];
        LogFile log;

        assert_int_equal(log_file_open(&log, directory, "log", 100, 3, NULL), 0);
        for (int i = 0; i < 5; i++) {
                (void)snprintf(text, sizeof(text), "%d\n", i);
                (void)log_file_write(&log, 0, slice_from(text), AT);
        }
        log_file_close(&log);
        expect(directory, "log",
               "{\"log\":\"4\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n");
        expect(directory, "log.1",
               "{\"log\":\"3\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n");
        expect(directory, "log.2",
               "{\"log\":\"2\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35.775985000Z\"}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines_are_gathered_and_the_rest_comes_at_the_end),
                cmocka_unit_test(test_full_files_move_up_and_the_oldest_goes),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
