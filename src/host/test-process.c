#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "host/process.h"

/* A loop with one child, and what was told about it. */
typedef struct Fixture {
        uv_loop_t loop;
        Process process;
        int output[2];
        bool executed, exited, closed;
        int r, code, status;
        ProcessStep step;
        bool childless;
        bool reaper_closed;
} Fixture;

static void on_executed(Process *process, int r, ProcessStep step) {
        Fixture *f = process->owner;

        assert_false(f->exited);
        f->executed = true;
        f->r = r;
        f->step = step;
}

static void on_exited(Process *process, int code, int status) {
        Fixture *f = process->owner;

        assert_true(f->executed);
        f->exited = true;
        f->code = code;
        f->status = status;
        process_close(process);
}

static void on_closed(Process *process) {
        ((Fixture *)process->owner)->closed = true;
}

static const ProcessEvents events = {.executed = on_executed, .exited = on_exited, .closed = on_closed};

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f || uv_loop_init(&f->loop) < 0 || pipe2(f->output, O_CLOEXEC) < 0)
                return -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;
        int r;

        (void)close(f->output[0]);
        if (f->output[1] >= 0)
                (void)close(f->output[1]);
        (void)uv_run(&f->loop, UV_RUN_DEFAULT);
        r = uv_loop_close(&f->loop);
        free(f);
        return r;
}

static void spawn(Fixture *f, ProcessOptions *options) {
        Error error = ERROR_NONE;

        options->fds[0] = -1;
        options->fds[1] = options->fds[2] = f->output[1];
        if (process_spawn(&f->process, &f->loop, NULL, options, &events, f, &error) < 0)
                fail_msg("%s", error.text);
}

static void run(Fixture *f, ProcessOptions *options) {
        spawn(f, options);
        while (!f->closed)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
        (void)close(f->output[1]);
        f->output[1] = -1;
}

/* Runs a shell script and gives what it printed, without the line end. */
static const char *run_script(Fixture *f, ProcessOptions *options, const char *script, char *text, size_t size) {
        const char *const argv[] = {"sh", "-c", script, NULL};
        ssize_t n;

        options->path = "/bin/sh";
        options->argv = argv;
        run(f, options);
        n = read(f->output[0], text, size - 1);
        assert_true(n >= 0);
        text[n] = '\0';
        if (n > 0 && text[n - 1] == '\n')
                text[n - 1] = '\0';
        return text;
}

static void test_output_and_status_come_back(void **state) {
        Fixture *f = *state;
        char text[64];

        assert_string_equal(run_script(f, &(ProcessOptions){0}, "echo hello; exit 3", text, sizeof(text)), "hello");
        assert_int_equal(f->r, 0);
        assert_int_equal(f->code, CLD_EXITED);
        assert_int_equal(f->status, 3);
}

static void test_a_missing_program_is_told_with_errno_and_step(void **state) {
        Fixture *f = *state;
        const char *const argv[] = {"x", NULL};

        run(f, &(ProcessOptions){.path = "/nonexistent/program", .argv = argv});
        assert_int_equal(f->r, -ENOENT);
        assert_int_equal(f->step, PROCESS_STEP_EXEC);
        assert_int_equal(f->status, 203);
        assert_string_equal(process_exit_status_name(203), "EXEC");
}

static void test_a_missing_directory_is_told(void **state) {
        Fixture *f = *state;
        const char *const argv[] = {"true", NULL};

        run(f, &(ProcessOptions){.path = "/bin/true", .argv = argv, .directory = "/nonexistent"});
        assert_int_equal(f->step, PROCESS_STEP_DIRECTORY);
        assert_int_equal(f->status, 200);
}

static void test_an_optional_directory_may_be_missing(void **state) {
        char text[64];

        assert_string_equal(run_script(*state,
                                       &(ProcessOptions){.directory = "/nonexistent", .directory_optional = true},
                                       "pwd", text, sizeof(text)),
                            "/");
}

static void test_surroundings_are_set(void **state) {
        const char *const environment[] = {"A=1 2", "PATH=/bin:/usr/bin", NULL};
        ProcessLimit limits[PROCESS_LIMITS] = {[RLIMIT_NOFILE] = {true, 77, RLIM_INFINITY}};
        ProcessOptions options = {
                .environment = environment,
                .directory = "/usr",
                .set_umask = true,
                .umask = 027,
                .set_nice = true,
                .nice = 7,
                .limits = limits,
                .set_oom_score = true,
                .oom_score = 900,
                .new_session = true,
        };
        char text[256];

        assert_string_equal(run_script(*state, &options,
                                       "echo $A $PWD $(umask) $(nice) $(ulimit -n) $(cat /proc/self/oom_score_adj); "
                                       "set -- $(cat /proc/$$/stat); test $1 = $6 && echo leader",
                                       text, sizeof(text)),
                            "1 2 /usr 0027 7 77 900\nleader");
}

static void test_no_file_of_ours_is_inherited(void **state) {
        char text[256];
        int open_file = dup(STDERR_FILENO); /* not close-on-exec */

        assert_true(open_file > 2);
        (void)run_script(*state, &(ProcessOptions){0}, "ls -m /proc/$$/fd", text, sizeof(text));
        (void)close(open_file);
        assert_string_equal(text, "0, 1, 2");
}

static void test_files_are_passed_from_3_on(void **state) {
        Fixture *f = *state;
        char text[64];
        int passed[] = {f->output[1], -1};

        assert_string_equal(run_script(f, &(ProcessOptions){.passed_fds = passed, .n_passed_fds = 2},
                                       "echo three >&3; ls -m /proc/$$/fd", text, sizeof(text)),
                            "three\n0, 1, 2, 3, 4");
}

static void test_signals_are_at_their_defaults(void **state) {
        sigset_t blocked, before;
        char text[256];

        (void)sigemptyset(&blocked);
        (void)sigaddset(&blocked, SIGUSR1);
        (void)sigprocmask(SIG_BLOCK, &blocked, &before);
        (void)signal(SIGUSR2, SIG_IGN);
        (void)run_script(*state, &(ProcessOptions){.ignore_sigpipe = true},
                         "exec grep -E '^Sig(Blk|Ign)' /proc/self/status", text, sizeof(text));
        (void)signal(SIGUSR2, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000");
}

static void test_a_signal_ends_it(void **state) {
        Fixture *f = *state;
        const char *const argv[] = {"sleep", "60", NULL};

        spawn(f, &(ProcessOptions){.path = "/bin/sleep", .argv = argv});
        assert_int_equal(process_kill(&f->process, SIGTERM), 0);
        while (!f->closed)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->code, CLD_KILLED);
        assert_int_equal(f->status, SIGTERM);
        assert_int_equal(process_kill(&f->process, SIGTERM), -ESRCH);
}

static void test_closing_kills_and_reaps_unheard(void **state) {
        Fixture *f = *state;
        const char *const argv[] = {"sleep", "60", NULL};
        pid_t pid;

        spawn(f, &(ProcessOptions){.path = "/bin/sleep", .argv = argv});
        pid = f->process.pid;
        process_close(&f->process);
        while (!f->closed)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
        assert_false(f->exited);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

static void test_a_path_that_is_not_full_is_refused(void **state) {
        Fixture *f = *state;
        const char *const argv[] = {"true", NULL};
        Error error;

        assert_int_equal(process_spawn(&f->process, &f->loop, NULL, &(ProcessOptions){.path = "true", .argv = argv},
                                       &events, f, &error),
                         -EINVAL);
        assert_non_null(strstr(error.text, "\"true\""));
}

static void on_settled(void *userdata) {
        siginfo_t info;

        ((Fixture *)userdata)->childless = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void on_reaper_closed(void *userdata) {
        ((Fixture *)userdata)->reaper_closed = true;
}

static void test_what_a_child_leaves_behind_is_reaped(void **state) {
        static const ProcessReaperEvents reaper_events = {.settled = on_settled, .closed = on_reaper_closed};
        const char *const argv[] = {"sh", "-c", "exec 3<&0; (read nothing <&3) & exit 4", NULL};
        const char *const environment[] = {"PATH=/bin:/usr/bin", NULL};
        Fixture *f = *state;
        ProcessReaper reaper;
        int hold[2];
        Error error;

        assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
        assert_int_equal(process_reaper_init(&reaper, &f->loop, &reaper_events, f), 0);
        assert_int_equal(process_spawn(&f->process, &f->loop, &reaper,
                                       &(ProcessOptions){.path = "/bin/sh",
                                                         .argv = argv,
                                                         .environment = environment,
                                                         .fds = {hold[0], -1, -1}},
                                       &events, f, &error),
                         0);
        (void)close(hold[0]);
        while (!f->closed)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->status, 4);
        assert_false(f->childless); /* what it left waits, and is ours now */
        (void)close(hold[1]);
        while (!f->childless)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
        process_reaper_close(&reaper);
        while (!f->reaper_closed)
                (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void test_a_user_is_taken(void **state) {
        gid_t groups[] = {65533};
        char text[128];

        if (geteuid() != 0) {
                print_message("skipped: taking another user needs root\n");
                skip();
        }
        assert_string_equal(
                run_script(*state,
                           &(ProcessOptions){
                                   .set_user = true, .uid = 65534, .gid = 65534, .groups = groups, .n_groups = 1},
                           "echo $(id -u) $(id -G)", text, sizeof(text)),
                "65534 65534 65533");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_output_and_status_come_back),
                TEST(test_a_missing_program_is_told_with_errno_and_step),
                TEST(test_a_missing_directory_is_told),
                TEST(test_an_optional_directory_may_be_missing),
                TEST(test_surroundings_are_set),
                TEST(test_no_file_of_ours_is_inherited),
                TEST(test_files_are_passed_from_3_on),
                TEST(test_signals_are_at_their_defaults),
                TEST(test_a_signal_ends_it),
                TEST(test_closing_kills_and_reaps_unheard),
                TEST(test_a_path_that_is_not_full_is_refused),
                TEST(test_what_a_child_leaves_behind_is_reaped),
                TEST(test_a_user_is_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
