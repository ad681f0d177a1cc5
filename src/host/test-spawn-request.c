#include "host/spawn-request.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static SpawnRequestRead back; /* large */

/* Writes a request and reads it. Files are given the numbers that the kernel would: in order, from 100 on. */
static int there_and_back(const SpawnRequest *request, Buffer *bytes) {
        int files[SPAWN_FILES_MAX];
        size_t n = 0, length;

        assert_int_equal(spawn_request_write(request, bytes, files, &n), 0);
        length = spawn_request_length(buffer_data(bytes));
        assert_int_equal(length, buffer_length(bytes) - SPAWN_REQUEST_HEAD);
        for (size_t i = 0; i < n; i++)
                files[i] = 100 + (int)i;
        return spawn_request_read(buffer_data(bytes) + SPAWN_REQUEST_HEAD, length, files, n, &back);
}

static void test_a_process_is_read_as_written(void **state) {
        static const char *const argv[] = {"sleep", "", "60", NULL};
        char own_pid[] = "WATCHDOG_PID=0000000000";
        const char *const environment[] = {"PATH=/bin", own_pid, NULL};
        const gid_t groups[] = {7, 0};
        const ProcessLimit limits[PROCESS_LIMITS] = {[RLIMIT_NOFILE] = {true, 77, RLIM_INFINITY}};
        const int cgroups[] = {20, 21}, passed[] = {30, 31, 32};
        const SpawnRequest request = {
                .process = {.path = "/bin/sleep",
                            .argv = argv,
                            .environment = environment,
                            .pid_rooms = {own_pid + strlen("WATCHDOG_PID=")},
                            .n_pid_rooms = 1,
                            .directory = "/tmp",
                            .directory_optional = true,
                            .set_user = true,
                            .uid = 65534,
                            .gid = 4000000000,
                            .groups = groups,
                            .n_groups = 2,
                            .set_umask = true,
                            .umask = 027,
                            .set_nice = true,
                            .nice = -20,
                            .set_oom_score = true,
                            .oom_score = -1000,
                            .limits = limits,
                            .fds = {-1, 10, 11},
                            .passed_fds = passed,
                            .n_passed_fds = 3,
                            .new_session = true,
                            .cgroup_fds = cgroups,
                            .n_cgroup_fds = 2},
                .ends_path = "/run/x.ends",
                .logs = "/var/log",
                .unit = "a.service",
                .log_size = UINT64_MAX,
                .held = "oe",
                .control = 3,
                .listener = 4,
                .held_fds = {5, 6},
        };
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        const ProcessOptions *o = &back.request.process;

        (void)state;
        assert_int_equal(there_and_back(&request, &bytes), 0);
        assert_string_equal(o->path, "/bin/sleep");
        assert_string_equal(o->argv[1], "");
        assert_string_equal(o->argv[2], "60");
        assert_null(o->argv[3]);
        assert_string_equal(o->environment[1], own_pid);
        assert_null(o->environment[2]);
        assert_ptr_equal(o->pid_rooms[0], o->environment[1] + strlen("WATCHDOG_PID="));
        assert_string_equal(o->directory, "/tmp");
        assert_null(o->root);
        assert_true(o->directory_optional && o->set_user && o->set_umask && o->set_nice && o->set_oom_score && o->new_session);
        assert_false(o->no_new_privileges || o->ignore_sigpipe);
        assert_int_equal(o->gid, 4000000000);
        assert_int_equal(o->n_groups, 2);
        assert_int_equal(o->groups[0], 7);
        assert_int_equal(o->umask, 027);
        assert_int_equal(o->nice, -20);
        assert_int_equal(o->oom_score, -1000);
        assert_true(o->limits[RLIMIT_NOFILE].set && o->limits[RLIMIT_NOFILE].hard == RLIM_INFINITY);
        assert_false(o->limits[RLIMIT_CPU].set);
        assert_int_equal(back.request.control, 100);
        assert_int_equal(back.request.listener, 101);
        assert_int_equal(back.request.held_fds[1], 103);
        assert_int_equal(o->fds[0], -1);
        assert_int_equal(o->fds[2], 105);
        assert_int_equal(o->cgroup_fds[1], 107);
        assert_int_equal(o->n_passed_fds, 3);
        assert_int_equal(o->passed_fds[2], 110);
        assert_string_equal(back.request.held, "oe");
        assert_true(back.request.log_size == UINT64_MAX);
        spawn_request_read_deinit(&back);
}

static void test_sockets_need_no_process(void **state) {
        const SpawnRequest request = {.ends_path = "e", .logs = "l", .unit = "u", .held = "ss", .held_fds = {5, 6}};
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;

        (void)state;
        assert_int_equal(there_and_back(&request, &bytes), 0);
        assert_null(back.request.process.path);
        assert_int_equal(back.request.held_fds[1], 103);
        spawn_request_read_deinit(&back);
}

/* Each cut, and each file more or less, is refused, with nothing left behind. */
static void test_what_is_not_whole_is_refused(void **state) {
        static const char *const argv[] = {"true", NULL};
        const SpawnRequest request = {.process = {.path = "/bin/true", .argv = argv, .environment = argv, .fds = {-1, -1, -1}},
                                      .ends_path = "e",
                                      .logs = "l",
                                      .unit = "u"};
        int files[SPAWN_FILES_MAX] = {0};
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        size_t length;

        (void)state;
        assert_int_equal(there_and_back(&request, &bytes), 0);
        spawn_request_read_deinit(&back);
        length = buffer_length(&bytes) - SPAWN_REQUEST_HEAD;
        for (size_t i = 0; i < length; i++)
                assert_int_equal(spawn_request_read(buffer_data(&bytes) + SPAWN_REQUEST_HEAD, i, files, 2, &back), -EBADMSG);
        assert_int_equal(spawn_request_read(buffer_data(&bytes) + SPAWN_REQUEST_HEAD, length, files, 1, &back), -EBADMSG);
        assert_int_equal(spawn_request_read(buffer_data(&bytes) + SPAWN_REQUEST_HEAD, length, files, 3, &back), -EBADMSG);
        buffer_data(&bytes)[SPAWN_REQUEST_HEAD]++; /* another version */
        assert_int_equal(spawn_request_read(buffer_data(&bytes) + SPAWN_REQUEST_HEAD, length, files, 2, &back), -EBADMSG);
        assert_int_equal(spawn_request_length("\xff\xff\xff\xff"), 0);
}

static void test_too_much_is_not_sent(void **state) {
        const SpawnRequest request = {.process = {.path = "/bin/true", .n_passed_fds = PROCESS_FDS_MAX + 1}, .ends_path = "e", .logs = "l", .unit = "u"};
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int files[SPAWN_FILES_MAX];
        size_t n;

        (void)state;
        assert_int_equal(spawn_request_write(&request, &bytes, files, &n), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_process_is_read_as_written),
                cmocka_unit_test(test_sockets_need_no_process),
                cmocka_unit_test(test_what_is_not_whole_is_refused),
                cmocka_unit_test(test_too_much_is_not_sent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
