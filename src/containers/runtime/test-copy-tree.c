#include "containers/runtime/copy-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "host/file.h"

static char folder[] = "/tmp/test-copy-tree-XXXXXX";

static int make_folder(void **state) {
        static int fd;

        if (!mkdtemp(folder))
                return -1;
        fd = open(folder, O_PATH | O_DIRECTORY);
        *state = &fd;
        return fd < 0 || mkdirat(fd, "root", 0755) < 0 || mkdirat(fd, "to", 0755) < 0 ? -1 : 0;
}

static int remove_folder(void **state) {
        (void)close(*(int *)*state);
        return file_remove_tree(folder, NULL);
}

static int copy(const char *from) {
        _cleanup_free_ char *root = str_printf("%s/root", folder), *to = str_printf("%s/to", folder);

        return copy_tree(root, from, to, NULL);
}

static void write_file(int directory, const char *path, const char *text, mode_t mode) {
        _cleanup_close_ int fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

        assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
}

static void test_absence_is_success(void **state) {
        _cleanup_free_ char *to = str_printf("%s/to", folder);

        (void)state;
        assert_int_equal(copy("/nothing/here"), 0);
        assert_true(folder_is_empty(to));
}

static void test_files_folders_and_links_come_with_their_modes(void **state) {
        int fd = *(int *)*state;
        char text[64];
        struct stat info;

        assert_int_equal(mkdirat(fd, "root/data", 0750), 0);
        assert_int_equal(mkdirat(fd, "root/data/sub", 0700), 0);
        write_file(fd, "root/data/sub/file", "text", 0640);
        assert_int_equal(symlinkat("/etc/passwd", fd, "root/data/link"), 0);
        assert_int_equal(copy("/data"), 0);
        assert_int_equal(fstatat(fd, "to", &info, 0), 0);
        assert_int_equal(info.st_mode & 07777, 0750);
        assert_int_equal(fstatat(fd, "to/sub/file", &info, 0), 0);
        assert_int_equal(info.st_mode & 07777, 0640);
        assert_int_equal(info.st_size, 4);
        assert_int_equal(readlinkat(fd, "to/link", text, sizeof(text)), 11); /* not what it points to */
}

static void test_a_place_that_is_a_link_leads_into_the_image(void **state) {
        int fd = *(int *)*state;

        assert_int_equal(symlinkat("../../../../etc", fd, "root/out"), 0);
        assert_int_equal(copy("/out"), 0); /* the image has no /etc, and the host's is not looked at */
        assert_int_equal(faccessat(fd, "to/passwd", F_OK, 0), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_absence_is_success),
                cmocka_unit_test(test_files_folders_and_links_come_with_their_modes),
                cmocka_unit_test(test_a_place_that_is_a_link_leads_into_the_image),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
