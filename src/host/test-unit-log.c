#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "host/file.h"
#include "host/unit-log.h"

typedef struct Seen {
        size_t n, max;
        char first[64], last[64];
        SupervisorLogLine line;
} Seen;

static bool on_line(void *userdata, const SupervisorLogLine *line) {
        Seen *seen = userdata;

        if (seen->n++ == 0)
                (void)snprintf(seen->first, sizeof(seen->first), "%.*s", (int)line->text.length, line->text.data);
        (void)snprintf(seen->last, sizeof(seen->last), "%.*s", (int)line->text.length, line->text.data);
        seen->line = *line;
        return seen->max == 0 || seen->n < seen->max;
}

static void write_number(UnitLog *log, unsigned number) {
        char text[64];
        SupervisorLogLine line = {1000 + number, 42, SUPERVISOR_STREAM_ERROR, {0}};

        (void)snprintf(text, sizeof(text), "line %u", number);
        line.text = slice_from(text);
        assert_int_equal(unit_log_write(log, &line), 0);
}

static int setup(void **state) {
        static char folder[64];

        (void)snprintf(folder, sizeof(folder), "/tmp/faering-log-XXXXXX");
        *state = mkdtemp(folder);
        return *state ? 0 : -1;
}

static int teardown(void **state) {
        return file_remove_tree(*state, NULL);
}

static void test_lines_come_back_after_reopening(void **state) {
        UnitLog log;
        Seen seen = {0}, two = {0};

        unit_log_init(&log, *state, "a.service", 0);
        for (unsigned i = 0; i < 5; i++)
                write_number(&log, i);
        unit_log_close(&log);
        unit_log_init(&log, *state, "a.service", 0);
        assert_int_equal(unit_log_read(&log, 100, on_line, &seen), 0);
        assert_int_equal(seen.n, 5);
        assert_string_equal(seen.first, "line 0");
        assert_int_equal(seen.line.at, 1004);
        assert_int_equal(seen.line.pid, 42);
        assert_int_equal(seen.line.stream, SUPERVISOR_STREAM_ERROR);
        assert_int_equal(unit_log_read(&log, 2, on_line, &two), 0);
        assert_int_equal(two.n, 2);
        assert_string_equal(two.first, "line 3");
        unit_log_close(&log);
}

static void test_the_oldest_lines_go_when_it_is_full(void **state) {
        _cleanup_free_ char *path = str_printf("%s/a.service.log", (char *)*state);
        _cleanup_free_ char *old = str_printf("%s/a.service.log.1", (char *)*state);
        UnitLog log;
        Seen seen = {0};
        struct stat one, other;

        unit_log_init(&log, *state, "a.service", UNIT_LOG_SIZE_MIN);
        for (unsigned i = 0; i < 10000; i++)
                write_number(&log, i);
        assert_int_equal(unit_log_read(&log, 100000, on_line, &seen), 0);
        assert_true(seen.n > 1000 && seen.n < 10000);
        assert_string_equal(seen.last, "line 9999");
        assert_int_equal(stat(path, &one), 0);
        assert_int_equal(stat(old, &other), 0);
        assert_true((size_t)(one.st_size + other.st_size) <= UNIT_LOG_SIZE_MIN + 256);
        unit_log_close(&log);
}

static void test_torn_and_strange_lines_are_passed_over(void **state) {
        _cleanup_free_ char *path = str_printf("%s/a.service.log", (char *)*state);
        UnitLog log;
        Seen seen = {0};

        assert_int_equal(file_replace(path, 0644, slice_from("rubbish\n12 x o y\n7 1 o good\n9 1"), false, NULL), 0);
        unit_log_init(&log, *state, "a.service", 0);
        assert_int_equal(unit_log_read(&log, 100, on_line, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.first, "good");
        unit_log_close(&log);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_lines_come_back_after_reopening, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_oldest_lines_go_when_it_is_full, setup, teardown),
                cmocka_unit_test_setup_teardown(test_torn_and_strange_lines_are_passed_over, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
