#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pass-files.h"

static bool same_file(int a, int b) {
        struct stat x, y;

        assert_int_equal(fstat(a, &x), 0);
        assert_int_equal(fstat(b, &y), 0);
        return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Number that the next opened file will have: shows whether one was left open. */
static int next_number(void) {
        int fd = dup(0);

        (void)close(fd);
        return fd;
}

static void test_files_come_with_the_bytes_as_far_as_there_is_room(void **state) {
        int pair[2], pipe_ends[2], files[2], before;
        size_t n_files = 0;
        char text[8];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        assert_int_equal(pipe(pipe_ends), 0);
        before = next_number();
        assert_int_equal(pass_files_send(pair[0], "abc", 3, (const int[]){pipe_ends[0], pipe_ends[1], pipe_ends[0]}, 3), 3);
        assert_int_equal(pass_files_receive(pair[1], text, sizeof(text), files, 2, &n_files), 3);
        assert_memory_equal(text, "abc", 3);
        assert_int_equal(n_files, 2);
        assert_true(same_file(files[0], pipe_ends[0]) && same_file(files[1], pipe_ends[1]));
        assert_int_equal(fcntl(files[0], F_GETFD), FD_CLOEXEC);
        (void)close(files[0]);
        (void)close(files[1]);
        assert_int_equal(next_number(), before);

        assert_int_equal(pass_files_send(pair[0], "d", 1, NULL, 0), 1);
        assert_int_equal(pass_files_receive(pair[1], text, sizeof(text), files, 2, &n_files), 1);
        assert_int_equal(n_files, 2);
        (void)close(pair[0]);
        assert_int_equal(pass_files_receive(pair[1], text, sizeof(text), files, 2, &n_files), 0);
        assert_int_equal(pass_files_send(pair[1], "e", 1, NULL, 0), -EPIPE);
        (void)close(pair[1]);
        (void)close(pipe_ends[0]);
        (void)close(pipe_ends[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files_come_with_the_bytes_as_far_as_there_is_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
