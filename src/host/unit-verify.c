#include "host/unit-verify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/file.h"
#include "host/process.h"

struct UnitVerify {
        UnitVerified done; /* NULL: told, or cancelled */
        void *userdata;
        char *folder; /* of its own, with the file in it */
        char *path, *unit;
        Buffer output;
        Process process;
        uv_pipe_t pipe;
        uv_timer_t timer;
        unsigned open; /* what must be closed before memory goes */
        bool exited, drained, ended;
};

static const char *const programs[] = {"/usr/bin/systemd-analyze", "/bin/systemd-analyze"};

/* ---- its words ---- */

static int append_replaced(Slice line, Slice what, const char *with, Buffer *to) {
        while (line.length > 0) {
                const char *at = memmem(line.data, line.length, what.data, what.length);
                size_t before = at ? (size_t)(at - line.data) : line.length;

                if (before > 0)
                        (void)buffer_append(to, line.data, before);
                if (!at)
                        break;
                (void)buffer_append_string(to, with);
                line.data += before + what.length;
                line.length -= before + what.length;
        }
        return buffer_append_byte(to, '\n');
}

int unit_verify_tidy(Slice output, const char *path, const char *unit, Buffer *to) {
        Slice rest = output, line;

        if (output.length == 0)
                return 0;
        while (slice_split(&rest, '\n', &line))
                if (line.length > 0 && memmem(line.data, line.length, unit, strlen(unit)))
                        (void)append_replaced(line, slice_from(path), unit, to);
        return buffer_failed(to);
}

/* ---- the program ---- */

static void release(UnitVerify *verify) {
        if (--verify->open > 0)
                return;
        if (verify->folder && *verify->folder)
                (void)file_remove_tree(verify->folder,
                                       NULL); /* what stays when that fails is a small file that nobody else can read */
        free(verify->folder);
        free(verify->path);
        free(verify->unit);
        buffer_deinit(&verify->output);
        free(verify);
}

static void on_handle_closed(uv_handle_t *handle) {
        release(handle->data);
}

static void on_process_closed(Process *process) {
        release(process->owner);
}

static void end(UnitVerify *verify) {
        if (verify->ended)
                return;
        verify->ended = true;
        uv_close((uv_handle_t *)&verify->pipe, on_handle_closed);
        uv_close((uv_handle_t *)&verify->timer, on_handle_closed);
        process_close(&verify->process);
}

static void tell(UnitVerify *verify, int r, const Error *error) {
        UnitVerified done = verify->done;
        _cleanup_buffer_ Buffer lines = BUFFER_INIT;
        void *userdata = verify->userdata;

        verify->done = NULL;
        if (r >= 0)
                r = unit_verify_tidy((Slice){buffer_length(&verify->output) ? buffer_data(&verify->output) : "",
                                             buffer_length(&verify->output)},
                                     verify->path, verify->unit, &lines);
        end(verify);
        if (done)
                done(userdata, r, (Slice){buffer_length(&lines) ? buffer_data(&lines) : "", buffer_length(&lines)},
                     error);
}

static void settle(UnitVerify *verify) {
        if (verify->exited && verify->drained)
                tell(verify, 0, &ERROR_NONE);
}

static void on_exited(Process *process, int code, int status) {
        UnitVerify *verify = process->owner;
        Error error = ERROR_NONE;

        verify->exited = true;
        if (code == CLD_EXITED) /* 1: it has found something */
                settle(verify);
        else
                tell(verify, error_set(&error, -EREMOTEIO, "systemd-analyze was ended by signal %d", status), &error);
}

static const ProcessEvents process_events = {.exited = on_exited, .closed = on_process_closed};

static void on_timeout(uv_timer_t *timer) {
        Error error = ERROR_NONE;

        tell(timer->data,
             error_set(&error, -ETIMEDOUT, "systemd-analyze has not ended in %d s", UNIT_VERIFY_MSEC / 1000), &error);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
        UnitVerify *verify = handle->data;
        char *room = buffer_reserve(&verify->output, 4096);

        (void)suggested;
        *ret = uv_buf_init(room, room ? 4096 : 0);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
        UnitVerify *verify = stream->data;

        (void)buffer;
        if (length > 0) {
                buffer_commit(&verify->output, (size_t)length);
        } else if (length < 0) { /* the end, or more than is kept */
                (void)uv_read_stop(stream);
                verify->drained = true;
                settle(verify);
        }
}

/* A folder that only we can look into, and the file in it. */
static int write_file(UnitVerify *verify, const char *folder, Slice text, Error *error) {
        int fd, r;

        verify->folder = str_printf("%s/verify-XXXXXX", folder);
        if (!verify->folder)
                return -ENOMEM;
        if (!mkdtemp(verify->folder)) {
                r = -errno;
                verify->folder[0] = '\0';
                return error_set_errno(error, r, "cannot make a folder below %s", folder);
        }
        verify->path = str_printf("%s/%s", verify->folder, verify->unit);
        if (!verify->path)
                return -ENOMEM;
        fd = open(verify->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        r = fd < 0 ? -errno : file_write_all(fd, text);
        if (fd >= 0)
                (void)close(fd);
        return r < 0 ? error_set_errno(error, r, "cannot write %s", verify->path) : 0;
}

static int spawn(UnitVerify *verify, uv_loop_t *loop, const char *program, int output, Error *error) {
        const char *argv[] = {program, "verify", "--man=no", "--no-pager", verify->path, NULL};
        const char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                     "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8", NULL};
        const ProcessOptions options = {
                .path = program,
                .argv = argv,
                .environment = environment,
                .fds = {-1, output, output},
                .new_session = true,
                .parent_death_signal = SIGKILL,
        };

        return process_spawn(&verify->process, loop, process_reaper_of_program(), &options, &process_events, verify,
                             error);
}

static const char *find_program(void) {
        for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
                if (access(programs[i], X_OK) == 0)
                        return programs[i];
        return NULL;
}

/* Once the process runs, its end cleans up. */
static int run(UnitVerify *verify, uv_loop_t *loop, const char *program, Error *error) {
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "cannot make a pipe");
        r = spawn(verify, loop, program, fds[1], error);
        (void)close(fds[1]);
        if (r < 0) {
                (void)close(fds[0]);
                return r;
        }
        verify->open = 3;
        verify->pipe.data = verify->timer.data = verify;
        (void)uv_pipe_init(loop, &verify->pipe, 0);
        (void)uv_timer_init(loop, &verify->timer);
        (void)uv_timer_start(&verify->timer, on_timeout, UNIT_VERIFY_MSEC, 0);
        r = uv_pipe_open(&verify->pipe, fds[0]);
        if (r < 0)
                (void)close(fds[0]);
        else
                r = uv_read_start((uv_stream_t *)&verify->pipe, on_alloc, on_read);
        verify->drained = r < 0; /* nothing is heard of it */
        return 0;
}

int unit_verify_start(uv_loop_t *loop, const char *folder, const char *unit, Slice text, UnitVerified done,
                      void *userdata, UnitVerify **ret, Error *error) {
        const char *program = find_program();
        UnitVerify *verify;
        int r;

        if (!program)
                return error_set(error, -ENOENT, "systemd-analyze is not installed there");
        verify = calloc(1, sizeof(*verify));
        if (!verify)
                return -ENOMEM;
        *verify = (UnitVerify){.done = done,
                               .userdata = userdata,
                               .unit = strdup(unit),
                               .output = BUFFER_INIT_LIMIT(UNIT_VERIFY_OUTPUT_MAX),
                               .open = 1};
        r = verify->unit ? write_file(verify, folder, text, error) : -ENOMEM;
        if (r >= 0)
                r = run(verify, loop, program, error);
        if (r < 0) {
                release(verify);
                return r;
        }
        *ret = verify;
        return 0;
}

void unit_verify_cancel(UnitVerify *verify) {
        verify->done = NULL;
        end(verify);
}
