/* What a unit's processes print: read from their pipes into its log, line by line. */
#include <errno.h>
#include <fcntl.h>

#include "host/embedded-internal.h"
#include "host/unit-part.h"

enum { DRAIN_READS_MAX = 64, PIPE_READ_SIZE = 16384 };

static void on_pipe_closed(uv_handle_t *handle) {
        LogPipe *pipe = container_of((uv_poll_t *)handle, LogPipe, poll);
        UnitProcess *process = pipe->process;

        process->pipes[pipe->stream] = NULL;
        buffer_deinit(&pipe->line);
        free(pipe);
        unit_process_close_handle(process);
}

static void pipe_close(LogPipe *pipe) {
        if (pipe->fd < 0)
                return;
        uv_close((uv_handle_t *)&pipe->poll, on_pipe_closed);
        (void)close(take_fd(pipe->fd));
}

static void pipe_line(void *userdata, Slice text) {
        LogPipe *pipe = userdata;
        Unit *unit = pipe->process->unit;
        SupervisorLogLine line = {clock_wall(), pipe->process->pid, pipe->stream, text};

        (void)unit_log_write(&unit->log, &line); /* a full disk must not stop the unit */
        embedded_follow(unit->owner, unit->name, &line);
}

/* ---- the line that has not ended ---- */

static char letter_of(const LogPipe *pipe) {
        return pipe->stream == SUPERVISOR_STREAM_ERROR ? UNIT_SHIM_ERRORS : UNIT_SHIM_OUTPUT;
}

static void drop_part(LogPipe *pipe) {
        _cleanup_free_ char *ends = pipe->kept ? holders_find_ends(pipe->process) : NULL;

        pipe->kept = false;
        if (ends)
                unit_part_drop(ends, letter_of(pipe));
}

static void keep_part(LogPipe *pipe) {
        _cleanup_free_ char *ends = holders_find_ends(pipe->process);

        if (!ends)
                return;
        unit_part_keep(ends, letter_of(pipe), (Slice){buffer_data(&pipe->line), buffer_length(&pipe->line)});
        pipe->kept = true;
}

static bool goes_to_log(const LogPipe *pipe) {
        size_t length = buffer_length(&pipe->line);

        return length >= UNIT_LOG_LINE_MAX || (length > 0 && memchr(buffer_data(&pipe->line), '\n', length));
}

/* Most units are silent: memory is there only while a line has not ended. */
static void pipe_split(LogPipe *pipe, bool all) {
        if (all || goes_to_log(pipe))
                drop_part(pipe);
        unit_log_split(&pipe->line, all, pipe_line, pipe);
        if (buffer_length(&pipe->line) > 0)
                keep_part(pipe);
        else
                buffer_deinit(&pipe->line);
}

void unit_continue_line(UnitProcess *process, SupervisorStream stream, Buffer *part) {
        LogPipe *pipe = process->pipes[stream];

        pipe->line = *part;
        pipe->kept = buffer_length(part) > 0;
        *part = BUFFER_INIT;
}

/* ---- reading ---- */

/* -EAGAIN: nothing now. 0: its end. Without memory lines are lost, but the unit is not held up. */
static ssize_t pipe_read(LogPipe *pipe) {
        char bytes[PIPE_READ_SIZE];
        ssize_t n;

        do
                n = read(pipe->fd, bytes, sizeof(bytes));
        while (n < 0 && errno == EINTR);
        if (n > 0) {
                (void)buffer_append(&pipe->line, bytes, (size_t)n);
                pipe_split(pipe, false);
        }
        return n < 0 ? -errno : n;
}

static void on_pipe(uv_poll_t *poll, int status, int events) {
        LogPipe *pipe = container_of(poll, LogPipe, poll);
        ssize_t n = pipe_read(pipe);

        (void)status;
        (void)events;
        if (n > 0 || n == -EAGAIN)
                return;
        pipe_split(pipe, true);
        pipe_close(pipe);
}

int unit_attach_log(UnitProcess *process, SupervisorStream stream, int fd, Error *error) {
        LogPipe *pipe = calloc(1, sizeof(*pipe));
        int r = !pipe ? -ENOMEM : fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;

        if (r >= 0)
                r = uv_poll_init(process->unit->owner->loop, &pipe->poll, fd);
        if (r < 0) {
                free(pipe);
                (void)close(fd);
                return error_set_errno(error, r, "cannot read output");
        }
        pipe->process = process;
        pipe->stream = stream;
        pipe->fd = fd;
        process->pipes[stream] = pipe;
        process->open++;
        r = uv_poll_start(&pipe->poll, UV_READABLE, on_pipe);
        return r < 0 ? error_set_errno(error, r, "cannot read output") : 0;
}

/* What is in the pipes already, so that a unit's last words are in its log when its end is told. */
void unit_drain_pipes(UnitProcess *process) {
        for (size_t i = 0; i < ARRAY_SIZE(process->pipes); i++) {
                LogPipe *pipe = process->pipes[i];

                for (int k = 0; pipe && pipe->fd >= 0 && k < DRAIN_READS_MAX; k++)
                        if (pipe_read(pipe) <= 0)
                                break; /* nothing now, or the end, which the loop will see as well */
        }
}

void unit_close_pipes(UnitProcess *process) {
        for (size_t i = 0; i < ARRAY_SIZE(process->pipes); i++)
                if (process->pipes[i])
                        pipe_close(process->pipes[i]);
}
