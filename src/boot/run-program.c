#include "boot/run-program.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "host/process.h"

#define SEARCH_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

typedef struct Run {
        Process process;
        uv_loop_t loop;
        uv_timer_t timer;
        int exec_r, code, status;
        bool timed_out;
} Run;

static void on_executed(Process *process, int r, ProcessStep step) {
        (void)step;
        ((Run *)process->owner)->exec_r = r;
}

static void on_exited(Process *process, int code, int status) {
        Run *run = process->owner;

        run->code = code;
        run->status = status;
        uv_close((uv_handle_t *)&run->timer, NULL);
        process_close(process);
}

static void on_closed(Process *process) {
        (void)process;
}

static void on_time(uv_timer_t *timer) {
        Run *run = timer->data;

        run->timed_out = true;
        (void)process_kill(&run->process, SIGKILL);
}

static int find_program(const char *name, char **ret) {
        Slice folders = slice_from(strchr(SEARCH_PATH, '=') + 1), folder;

        while (slice_split(&folders, ':', &folder)) {
                _cleanup_free_ char *path = str_printf("%.*s/%s", (int)folder.length, folder.data, name);

                if (!path)
                        return -ENOMEM;
                if (access(path, X_OK) == 0) {
                        *ret = take_ptr(path);
                        return 0;
                }
        }
        return -ENOENT;
}

static int make_input(Slice input, int *ret) {
        _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (write(fd, input.data, input.length) != (ssize_t)input.length || lseek(fd, 0, SEEK_SET) < 0)
                return -EIO;
        *ret = take_fd(fd);
        return 0;
}

/* What the program said, as one text without the line end. */
static void take_output(int fd, char text[static RUN_PROGRAM_OUTPUT_MAX]) {
        ssize_t n = pread(fd, text, RUN_PROGRAM_OUTPUT_MAX - 1, 0);
        Slice said = slice_trim((Slice){text, n > 0 ? (size_t)n : 0});

        memmove(text, said.data, said.length);
        text[said.length] = '\0';
        for (char *at = text; *at; at++)
                if ((unsigned char)*at < ' ')
                        *at = ' ';
}

static int judge(const Run *run, const char *name, const char *said, Error *error) {
        if (run->exec_r < 0)
                return error_set_errno(error, run->exec_r, "cannot run %s", name);
        if (run->timed_out)
                return error_set(error, -ETIMEDOUT, "%s took longer than %d seconds, and was ended", name,
                                 RUN_PROGRAM_SECONDS);
        if (run->code != CLD_EXITED)
                return error_set(error, -EIO, "%s was ended by signal %d", name, run->status);
        if (run->status != 0)
                return error_set(error, -EIO, "%s failed with %d%s%s", name, run->status, *said ? ": " : "", said);
        return 0;
}

static int run_to_end(Run *run, const char *path, const char *const *argv, const int fds[3], Error *error) {
        static const ProcessEvents events = {on_executed, on_exited, on_closed};
        static const char *const environment[] = {SEARCH_PATH, "LC_ALL=C", NULL};
        const ProcessOptions options = {.path = path,
                                        .argv = argv,
                                        .environment = environment,
                                        .fds = {fds[0], fds[1], fds[2]},
                                        .parent_death_signal = SIGKILL};
        int r = uv_loop_init(&run->loop);

        if (r < 0)
                return r;
        (void)uv_timer_init(&run->loop, &run->timer);
        run->timer.data = run;
        (void)uv_timer_start(&run->timer, on_time, (uint64_t)RUN_PROGRAM_SECONDS * 1000, 0);
        r = process_spawn(&run->process, &run->loop, NULL, &options, &events, run, error);
        if (r < 0)
                uv_close((uv_handle_t *)&run->timer, NULL);
        (void)uv_run(&run->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&run->loop);
        return r;
}

/* Starts it and waits; `out` and `err` get what it says. */
static int run(const char *const *argv, Slice input, int out, int err, Error *error) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int in = -1;
        char said[RUN_PROGRAM_OUTPUT_MAX];
        Run one = {0};
        int r = find_program(argv[0], &path);

        if (r == -ENOENT)
                return error_set(error, r, "there is no program %s on this machine; install the package that has it",
                                 argv[0]);
        if (r >= 0)
                r = make_input(input, &in);
        if (r < 0)
                return error_set_errno(error, r, "cannot run %s", argv[0]);
        r = run_to_end(&one, path, argv, (const int[3]){in, out, err}, error);
        if (r < 0)
                return r;
        take_output(err, said);
        return judge(&one, argv[0], said, error);
}

int run_program(const char *const *argv, Slice input, Error *error) {
        _cleanup_close_ int both = memfd_create("output", MFD_CLOEXEC);

        if (both < 0)
                return error_set_errno(error, -errno, "cannot run %s", argv[0]);
        return run(argv, input, both, both, error);
}

static int read_all(int fd, size_t max, Buffer *to) {
        size_t before = buffer_length(to);
        off_t at = 0;

        for (;;) {
                void *room = buffer_reserve(to, 4096);
                ssize_t n = room ? pread(fd, room, 4096, at) : -1;

                if (!room || n < 0)
                        return room ? -errno : -ENOMEM;
                if (n == 0)
                        return 0;
                buffer_commit(to, (size_t)n);
                at += n;
                if (buffer_length(to) - before > max)
                        return -EMSGSIZE;
        }
}

int run_program_output(const char *const *argv, Slice input, size_t max, Buffer *to, Error *error) {
        _cleanup_close_ int out = memfd_create("output", MFD_CLOEXEC), err = memfd_create("errors", MFD_CLOEXEC);
        int r;

        if (out < 0 || err < 0)
                return error_set_errno(error, -errno, "cannot run %s", argv[0]);
        r = run(argv, input, out, err, error);
        if (r < 0)
                return r;
        r = read_all(out, max, to);
        return r < 0 ? error_set_errno(error, r, "cannot read what %s says", argv[0]) : 0;
}

bool run_program_is_there(const char *name) {
        _cleanup_free_ char *path = NULL;

        return find_program(name, &path) >= 0;
}
