#include "containers/runtime/log-read.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "containers/shim/log-file.h"
#include "host/file.h"

#define AT ((WallUsec)1795329455775985)

static char folder[] = "/tmp/test-log-read-XXXXXX";

static int make_folder(void **state) {
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        (void)state;
        return file_remove_tree(folder, NULL);
}

static void gather(void *userdata, Slice line) {
        Buffer *text = userdata;
        LogEntry entry;
        json_t *json;

        assert_int_equal(log_entry_parse(line, &json, &entry), 0);
        (void)buffer_append(text, entry.text.data, entry.text.length);
        json_decref(json);
}

static void read_rest(LogReader *reader, Buffer *text) {
        int r;

        while ((r = log_reader_step(reader, gather, text)) > 0)
                ;
        assert_int_equal(r, 0);
}

static void expect_tail(uint64_t tail, const char *text) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        LogReader reader;

        assert_int_equal(log_reader_open(&reader, folder, tail, NULL), 0);
        read_rest(&reader, &got);
        log_reader_close(&reader);
        assert_string_equal(buffer_string(&got), text);
}

static void write_lines(LogFile *log, int from, int to) {
        char text[16];

        for (int i = from; i <= to; i++) {
                (void)snprintf(text, sizeof(text), "%d\n", i);
                assert_int_equal(log_file_write(log, 0, slice_from(text), AT), 0);
        }
}

static void test_the_end_is_found_over_several_files_and_followed_over_a_rotation(void **state) {
        int directory = open(folder, O_PATH | O_DIRECTORY);
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        LogReader reader;
        LogFile log;

        (void)state;
        expect_tail(UINT64_MAX, ""); /* no file at all */
        assert_int_equal(log_file_open(&log, directory, "log", 250, 3, NULL), 0);
        write_lines(&log, 1, 9); /* three lines fit into a file */
        expect_tail(UINT64_MAX, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        expect_tail(0, "");
        expect_tail(2, "8\n9\n");
        expect_tail(3, "7\n8\n9\n");
        expect_tail(5, "5\n6\n7\n8\n9\n");
        expect_tail(100, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");

        assert_int_equal(log_reader_open(&reader, folder, 1, NULL), 0);
        read_rest(&reader, &got);
        write_lines(&log, 10, 12);
        read_rest(&reader, &got);
        write_lines(&log, 13, 13);
        read_rest(&reader, &got);
        assert_string_equal(buffer_string(&got), "9\n10\n11\n12\n13\n");
        log_reader_close(&reader);
        log_file_close(&log);
        (void)close(directory);
}

static void test_moments(void **state) {
        WallUsec at;

        (void)state;
        assert_int_equal(log_moment_parse("1795329455", &at), 0);
        assert_true(at == AT - 775985);
        assert_int_equal(log_moment_parse("1795329455.775985824", &at), 0);
        assert_true(at == AT);
        assert_int_equal(log_moment_parse("2026-11-22T06:37:35.775985Z", &at), 0);
        assert_true(at == AT);
        assert_int_equal(log_moment_parse("2026-11-22T06:37:35Z", &at), 0);
        assert_true(at == AT - 775985);
        assert_int_equal(log_moment_parse("yesterday", &at), -EINVAL);
        assert_int_equal(log_moment_parse("1.2.3", &at), -EINVAL);
        assert_int_equal(log_moment_parse("99999999999999999999", &at), -EINVAL);
}

static void test_what_is_no_entry_is_refused(void **state) {
        static const char *const bad[] = {"", "{}", "[]",
                                          "{\"log\":1,\"stream\":\"stdout\",\"time\":\"2026-11-22T06:37:35Z\"}",
                                          "{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"now\"}"};
        LogEntry entry;
        json_t *json;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(log_entry_parse(slice_from(bad[i]), &json, &entry), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_end_is_found_over_several_files_and_followed_over_a_rotation),
                cmocka_unit_test(test_moments),
                cmocka_unit_test(test_what_is_no_entry_is_refused),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
