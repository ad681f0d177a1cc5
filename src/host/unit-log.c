#include "host/unit-log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <stdio.h>

#include "host/file.h"

static const char stream_letters[] = {
        [SUPERVISOR_STREAM_OUTPUT] = 'o', [SUPERVISOR_STREAM_ERROR] = 'e', [SUPERVISOR_STREAM_NOTE] = 'n'};

static char *current_path(const UnitLog *log) {
        return str_printf("%s/%s.log", log->folder, log->unit);
}

static char *old_path(const UnitLog *log) {
        return str_printf("%s/%s.log.1", log->folder, log->unit);
}

static int open_current(UnitLog *log) {
        _cleanup_free_ char *path = current_path(log);
        struct stat is;

        if (!path)
                return -ENOMEM;
        log->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (log->fd < 0)
                return -errno;
        log->size = fstat(log->fd, &is) == 0 ? (uint64_t)is.st_size : 0;
        return 0;
}

void unit_log_init(UnitLog *log, const char *folder, const char *unit, uint64_t size_limit) {
        *log = (UnitLog){.folder = folder,
                         .unit = unit,
                         .fd = -1,
                         .limit = max_of(size_limit ? size_limit : UNIT_LOG_SIZE_DEFAULT, (uint64_t)UNIT_LOG_SIZE_MIN)};
}

void unit_log_close(UnitLog *log) {
        if (log->fd >= 0)
                (void)close(take_fd(log->fd));
}

static int rotate(UnitLog *log) {
        _cleanup_free_ char *path = current_path(log), *old = old_path(log);

        if (!path || !old)
                return -ENOMEM;
        if (rename(path, old) < 0 && errno != ENOENT)
                return -errno;
        (void)close(take_fd(log->fd));
        return open_current(log);
}

int unit_log_write(UnitLog *log, const SupervisorLogLine *line) {
        char head[64];
        size_t length = min_of(line->text.length, (size_t)UNIT_LOG_LINE_MAX);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT;
        char *text;
        ssize_t n;
        int r = 0;

        if (log->fd < 0)
                r = open_current(log);
        else if (log->size >= log->limit / 2)
                r = rotate(log);
        if (r < 0)
                return r;
        (void)snprintf(head, sizeof(head), "%lld %d %c ", (long long)line->at, line->pid, stream_letters[line->stream]);
        if (buffer_append_string(&whole, head) < 0)
                return -ENOMEM;
        text = buffer_reserve(&whole, length + 1);
        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < length; i++)
                text[i] = line->text.data[i] == '\n' ? ' ' : line->text.data[i];
        text[length] = '\n';
        buffer_commit(&whole, length + 1);
        do
                n = write(log->fd, buffer_data(&whole), buffer_length(&whole));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        log->size += (uint64_t)n;
        return (size_t)n == buffer_length(&whole) ? 0 : -ENOSPC;
}

void unit_log_split(Buffer *bytes, bool all, void (*give)(void *userdata, Slice line), void *userdata) {
        while (buffer_length(bytes) > 0) {
                const char *start = buffer_data(bytes);
                size_t length = buffer_length(bytes);
                const char *end = memchr(start, '\n', length);

                if (!end && !all && length < UNIT_LOG_LINE_MAX)
                        return;
                if (end)
                        length = (size_t)(end - start);
                length = min_of(length, (size_t)UNIT_LOG_LINE_MAX);
                give(userdata, (Slice){start, length});
                buffer_consume(bytes, end && start + length == end ? length + 1 : length);
        }
}

/* The start of the last `n` lines; how many of them were found. */
static size_t last_lines(Slice text, size_t n, size_t *ret_start) {
        size_t start = text.length, found = 0;

        while (start > 0 && found < n) {
                const char *before = start > 1 ? memrchr(text.data, '\n', start - 1) : NULL;

                start = before ? (size_t)(before - text.data) + 1 : 0;
                found++;
        }
        *ret_start = start;
        return found;
}

/* False for what is no line of ours: a torn one after a crash. */
static bool parse_line(Slice text, SupervisorLogLine *ret) {
        Slice at, pid, stream;
        uint64_t time, number;

        if (!slice_split(&text, ' ', &at) || !text.data || !slice_split(&text, ' ', &pid) || !text.data ||
            !slice_split(&text, ' ', &stream) || !text.data || stream.length != 1)
                return false;
        if (str_parse_u64(at, INT64_MAX, &time) < 0 || str_parse_u64(pid, INT32_MAX, &number) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(stream_letters); i++)
                if (stream.data[0] == stream_letters[i]) {
                        *ret = (SupervisorLogLine){(WallUsec)time, (pid_t)number, (SupervisorStream)i, text};
                        return true;
                }
        return false;
}

static bool give_lines(Slice text, bool (*give)(void *userdata, const SupervisorLogLine *line), void *userdata) {
        SupervisorLogLine line;
        Slice one;

        while (text.length > 0 && slice_split(&text, '\n', &one))
                if (parse_line(one, &line) && !give(userdata, &line))
                        return false;
        return true;
}

int unit_log_read(const UnitLog *log, size_t lines, bool (*line)(void *userdata, const SupervisorLogLine *line),
                  void *userdata) {
        _cleanup_free_ char *path = current_path(log), *before = old_path(log);
        _cleanup_buffer_ Buffer current = BUFFER_INIT, old = BUFFER_INIT;
        size_t max = (size_t)log->limit + UNIT_LOG_LINE_MAX + 64, start = 0, old_start = 0, found;
        int r;

        if (!path || !before)
                return -ENOMEM;
        r = file_read(path, max, &current, NULL);
        if (r < 0 && r != -ENOENT)
                return r;
        found = last_lines((Slice){buffer_data(&current), buffer_length(&current)}, lines, &start);
        if (found < lines) {
                r = file_read(before, max, &old, NULL);
                if (r < 0 && r != -ENOENT)
                        return r;
                (void)last_lines((Slice){buffer_data(&old), buffer_length(&old)}, lines - found, &old_start);
        }
        if (buffer_length(&old) > 0 &&
            !give_lines((Slice){buffer_data(&old) + old_start, buffer_length(&old) - old_start}, line, userdata))
                return 0;
        if (buffer_length(&current) > 0)
                (void)give_lines((Slice){buffer_data(&current) + start, buffer_length(&current) - start}, line,
                                 userdata);
        return 0;
}
