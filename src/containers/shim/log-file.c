#include "containers/shim/log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json-write.h"

static int open_file(LogFile *log) {
        struct stat info;

        log->fd = openat(log->directory, log->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (log->fd < 0)
                return -errno;
        log->size = fstat(log->fd, &info) < 0 ? 0 : (uint64_t)info.st_size;
        return 0;
}

int log_file_open(LogFile *log, int directory, const char *name, uint64_t max_bytes, unsigned files, Error *error) {
        int r;

        *log = (LogFile){.directory = directory, .fd = -1, .max_bytes = max_bytes, .files = files > 0 ? files : 1};
        (void)snprintf(log->name, sizeof(log->name), "%s", name);
        r = open_file(log);
        return r < 0 ? error_set_errno(error, r, "cannot open the log") : 0;
}

void log_file_close(LogFile *log) {
        if (log->fd >= 0)
                (void)close(log->fd);
        for (size_t i = 0; i < LOG_STREAMS; i++)
                buffer_deinit(&log->pending[i]);
        buffer_deinit(&log->line);
        log->fd = -1;
}

/* The oldest goes, the others move up; with one file it begins anew. */
static int rotate(LogFile *log) {
        char from[48], to[48];

        (void)close(log->fd);
        log->fd = -1;
        for (unsigned i = log->files - 1; i > 0; i--) {
                (void)snprintf(to, sizeof(to), "%s.%u", log->name, i);
                if (i == 1)
                        (void)snprintf(from, sizeof(from), "%s", log->name);
                else
                        (void)snprintf(from, sizeof(from), "%s.%u", log->name, i - 1);
                (void)renameat(log->directory, from, log->directory, to);
        }
        if (log->files == 1)
                (void)unlinkat(log->directory, log->name, 0);
        return open_file(log);
}

static int write_entry(LogFile *log, unsigned stream, Slice text, WallUsec now) {
        JsonWriter json = json_writer(&log->line);
        time_t seconds = (time_t)(now / (WallUsec)USEC_PER_SEC);
        char time[64];
        struct tm tm;
        size_t n;
        int r;

        n = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
        (void)snprintf(time + n, sizeof(time) - n, ".%06lld000Z", (long long)(now % (WallUsec)USEC_PER_SEC));
        buffer_clear(&log->line);
        json_begin_object(&json);
        json_field_slice(&json, "log", text);
        json_field_string(&json, "stream", stream == 0 ? "stdout" : "stderr");
        json_field_string(&json, "time", time);
        json_end_object(&json);
        (void)buffer_append_byte(&log->line, '\n');
        if (buffer_failed(&log->line))
                return buffer_failed(&log->line);
        if (log->fd < 0 ||
            (log->max_bytes > 0 && log->size > 0 && log->size + buffer_length(&log->line) > log->max_bytes)) {
                r = log->fd < 0 ? open_file(log) : rotate(log);
                if (r < 0)
                        return r;
        }
        if (write(log->fd, buffer_data(&log->line), buffer_length(&log->line)) < 0)
                return -errno;
        log->size += buffer_length(&log->line);
        return 0;
}

static int flush_pending(LogFile *log, unsigned stream, WallUsec now) {
        Buffer *pending = &log->pending[stream];
        int r = write_entry(log, stream, (Slice){buffer_data(pending), buffer_length(pending)}, now);

        buffer_clear(pending);
        return r;
}

int log_file_write(LogFile *log, unsigned stream, Slice bytes, WallUsec now) {
        Buffer *pending = &log->pending[stream];
        int result = 0;

        while (bytes.length > 0) {
                size_t room = LOG_PIECE_MAX - buffer_length(pending), take = min_of(room, bytes.length);
                const char *end = memchr(bytes.data, '\n', take);
                int r;

                if (end)
                        take = (size_t)(end + 1 - bytes.data);
                r = buffer_append(pending, bytes.data, take);
                bytes.data += take;
                bytes.length -= take;
                if (r >= 0 && (end || buffer_length(pending) >= LOG_PIECE_MAX))
                        r = flush_pending(log, stream, now);
                if (r < 0)
                        result = r;
        }
        return result;
}

int log_file_finish(LogFile *log, WallUsec now) {
        int result = 0;

        for (unsigned i = 0; i < LOG_STREAMS; i++)
                if (buffer_length(&log->pending[i]) > 0) {
                        int r = flush_pending(log, i, now);

                        if (r < 0)
                                result = r;
                }
        return result;
}
