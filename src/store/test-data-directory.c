#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "host/file.h"
#include "store/data-directory.h"
#include "store/log/disk-directory.h"

typedef struct Folders {
        char root[64], data[80], log[80], other[80];
} Folders;

static int setup(void **state) {
        Folders *f = calloc(1, sizeof(*f));

        *state = f;
        assert_non_null(f);
        (void)snprintf(f->root, sizeof(f->root), "/tmp/faering-data-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        (void)snprintf(f->data, sizeof(f->data), "%s/data", f->root);
        (void)snprintf(f->log, sizeof(f->log), "%s/log", f->root);
        (void)snprintf(f->other, sizeof(f->other), "%s/other", f->root);
        return 0;
}

static int teardown(void **state) {
        Folders *f = *state;
        int r = file_remove_tree(f->root, NULL);

        free(f);
        return r;
}

static bool is_there(const char *folder, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, name);

        return access(path, F_OK) == 0;
}

static void make(Disk *disk, const char *name) {
        DiskFile *file;

        assert_int_equal(disk_open(disk, name, true, &file), 0);
        (void)disk_close(file);
}

static int try(const char *data, const char *log, Error *error) {
        Disk *disk = NULL;
        int r;

        *error = ERROR_NONE;
        r = data_directory_open(data, log, &disk, error);
        (void)disk_directory_free(disk);
        return r;
}

/* A member's files, as it leaves them. */
static void begin(const Folders *f, const char *log) {
        Error error = ERROR_NONE;
        Disk *disk;

        if (data_directory_open(f->data, log, &disk, &error) < 0)
                fail_msg("%s", error.text);
        make(disk, "spare");
        assert_int_equal(disk->ops->rename(disk, "spare", "log-0000000000000001"), 0);
        make(disk, "spare");
        make(disk, "snapshot-1-1");
        assert_int_equal(disk->ops->sync_names(disk), 0);
        (void)disk_directory_free(disk);
}

static void test_the_log_has_a_folder_of_its_own(void **state) {
        const Folders *f = *state;
        _cleanup_string_list_ StringList names = {0};
        Error error;
        Disk *disk;

        begin(f, f->log);
        assert_true(is_there(f->log, "log-0000000000000001") && is_there(f->log, "spare") &&
                    is_there(f->data, "snapshot-1-1"));
        assert_false(is_there(f->data, "spare") || is_there(f->log, "snapshot-1-1"));
        assert_int_equal(data_directory_read(f->data, NULL, &disk, &error), 0); /* the note leads there */
        assert_int_equal(disk->ops->list(disk, &names), 0);
        string_list_sort(&names);
        assert_int_equal(names.length, 3);
        assert_string_equal(names.items[0], "log-0000000000000001");
        (void)disk_directory_free(disk);
        assert_int_equal(try(f->data, f->log, &error), 0);
}

static void test_both_folders_are_locked(void **state) {
        const Folders *f = *state;
        Error error = ERROR_NONE;
        Disk *disk;

        assert_int_equal(data_directory_open(f->data, f->log, &disk, &error), 0);
        assert_int_equal(try(f->other, f->log, &error), -EBUSY);
        (void)disk_directory_free(disk);
        assert_int_equal(try(f->other, f->log, &error), 0);
}

static void test_a_log_that_is_elsewhere_is_missed(void **state) {
        const Folders *f = *state;
        Error error;

        begin(f, f->log);
        assert_int_equal(try(f->data, NULL, &error), -EINVAL);
        assert_non_null(strstr(error.text, f->log));
        assert_non_null(strstr(error.text, "--wal-dir"));
        assert_int_equal(try(f->data, f->other, &error), -EINVAL);
        assert_non_null(strstr(error.text, f->log));
        assert_int_equal(rename(f->log, f->other), 0); /* moved: the flag says where to */
        assert_int_equal(try(f->data, f->other, &error), 0);
        assert_int_equal(try(f->data, f->log, &error), -EINVAL);
        assert_non_null(strstr(error.text, f->other));
}

static void test_a_log_in_the_data_directory_stays_there(void **state) {
        const Folders *f = *state;
        Error error;

        begin(f, NULL);
        assert_int_equal(try(f->data, f->log, &error), -EINVAL);
        assert_non_null(strstr(error.text, "leave --wal-dir out"));
        assert_false(is_there(f->root, "log")); /* nothing was made */
        assert_int_equal(try(f->data, f->data, &error), 0);
        assert_int_equal(try(f->data, "", &error), 0);
}

static void test_a_lost_log_is_no_beginning(void **state) {
        const Folders *f = *state;
        Error error;

        begin(f, f->log);
        assert_int_equal(file_remove_tree(f->log, NULL), 0);
        assert_int_equal(try(f->data, f->log, &error), -EINVAL);
        assert_non_null(strstr(error.text, "has no log"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_log_has_a_folder_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_both_folders_are_locked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_log_that_is_elsewhere_is_missed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_log_in_the_data_directory_stays_there, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_lost_log_is_no_beginning, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
