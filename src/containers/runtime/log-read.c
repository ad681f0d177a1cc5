#include "containers/runtime/log-read.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/shim/protocol.h"

/* ---- entries ---- */

static int parse_fraction(const char *text, WallUsec *ret, const char **ret_end) {
        WallUsec value = 0, unit = 100000;

        for (; *text >= '0' && *text <= '9'; text++) {
                value += (*text - '0') * unit;
                unit /= 10;
        }
        *ret = value;
        *ret_end = text;
        return 0;
}

int log_time_parse(const char *text, WallUsec *ret) {
        struct tm tm = {0};
        const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        WallUsec fraction = 0;
        time_t seconds;

        if (!end)
                return -EINVAL;
        if (*end == '.')
                (void)parse_fraction(end + 1, &fraction, &end);
        if (!str_equals(end, "Z"))
                return -EINVAL;
        seconds = timegm(&tm);
        *ret = (WallUsec)seconds * (WallUsec)USEC_PER_SEC + fraction;
        return 0;
}

int log_moment_parse(const char *text, WallUsec *ret) {
        const char *dot = strchr(text, '.');
        Slice seconds = {text, dot ? (size_t)(dot - text) : strlen(text)};
        WallUsec fraction = 0;
        uint64_t number;

        if (str_parse_u64(seconds, INT64_MAX / USEC_PER_SEC - 1, &number) < 0)
                return log_time_parse(text, ret);
        if (dot && (parse_fraction(dot + 1, &fraction, &dot) < 0 || *dot))
                return -EINVAL;
        *ret = (WallUsec)(number * USEC_PER_SEC) + fraction;
        return 0;
}

int log_entry_parse(Slice line, json_t **ret_json, LogEntry *ret) {
        json_t *json = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(json, "log"), *stream = json_object_get(json, "stream"),
                     *time = json_object_get(json, "time");

        if (!json_is_string(text) || !json_is_string(stream) || !json_is_string(time) ||
            log_time_parse(json_string_value(time), &ret->at) < 0) {
                json_decref(json);
                return -EBADMSG;
        }
        ret->is_error = str_equals(json_string_value(stream), "stderr");
        ret->time = json_string_value(time);
        ret->text = (Slice){json_string_value(text), json_string_length(text)};
        *ret_json = json;
        return 0;
}

/* ---- files ---- */

static int open_files(LogReader *reader) {
        char name[32];

        for (int i = LOG_FILES_READ_MAX - 1; i >= 0; i--) {
                int fd;

                (void)snprintf(name, sizeof(name), i ? SHIM_LOG ".%d" : SHIM_LOG, i);
                fd = openat(reader->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0)
                        reader->files[reader->n_files++] = fd;
                else if (errno != ENOENT)
                        return -errno;
        }
        return 0;
}

/* Goes back over `lines` line ends; *ret is where the line behind them begins. Counts down. */
static int seek_back(int fd, uint64_t *lines, off_t *ret) {
        char piece[LOG_READ_PIECE];
        off_t at = lseek(fd, 0, SEEK_END);

        while (at > 0) {
                size_t length = (size_t)min_of(at, (off_t)sizeof(piece));
                ssize_t n = pread(fd, piece, length, at - (off_t)length);

                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                at -= n;
                for (ssize_t i = n; i-- > 0;) {
                        if (piece[i] != '\n')
                                continue;
                        if (*lines == 0) {
                                *ret = at + i + 1;
                                return 1;
                        }
                        (*lines)--;
                }
        }
        *ret = 0;
        return 0;
}

static int seek_tail(LogReader *reader, uint64_t tail) {
        uint64_t lines = tail;

        for (size_t i = reader->n_files; i-- > 0;) {
                off_t start;
                int r = seek_back(reader->files[i], &lines, &start);

                if (r < 0)
                        return r;
                if (lseek(reader->files[i], start, SEEK_SET) < 0)
                        return -errno;
                reader->at = i;
                if (r > 0 || lines == 0)
                        return 0;
        }
        return 0;
}

int log_reader_open(LogReader *reader, const char *directory, uint64_t tail, Error *error) {
        int r;

        *reader = (LogReader){.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC),
                              .pending = BUFFER_INIT_LIMIT(LOG_ENTRY_MAX)};
        r = reader->directory < 0 ? -errno : open_files(reader);
        if (r >= 0 && tail != UINT64_MAX)
                r = seek_tail(reader, tail);
        if (r < 0) {
                log_reader_close(reader);
                return error_set_errno(error, r, "cannot read the log in %s", directory);
        }
        return 0;
}

void log_reader_close(LogReader *reader) {
        for (size_t i = 0; i < reader->n_files; i++)
                (void)close(reader->files[i]);
        if (reader->directory >= 0)
                (void)close(reader->directory);
        buffer_deinit(&reader->pending);
        *reader = (LogReader){.directory = -1};
}

/* The newest file was given another name meanwhile, and there is a newer one. */
static bool follow_rotation(LogReader *reader) {
        struct stat own, now;
        int fd = openat(reader->directory, SHIM_LOG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return false;
        if (reader->n_files > 0 && fstat(reader->files[reader->at], &own) >= 0 && fstat(fd, &now) >= 0 &&
            own.st_ino == now.st_ino) {
                (void)close(fd);
                return false;
        }
        for (size_t i = 0; i < reader->n_files; i++)
                (void)close(reader->files[i]);
        reader->files[0] = fd;
        reader->n_files = 1;
        reader->at = 0;
        return true;
}

static void give_lines(LogReader *reader, void (*line)(void *userdata, Slice line), void *userdata) {
        for (;;) {
                const char *start = buffer_data(&reader->pending);
                const char *end = start ? memchr(start, '\n', buffer_length(&reader->pending)) : NULL;

                if (!end)
                        return;
                line(userdata, (Slice){start, (size_t)(end - start)});
                buffer_consume(&reader->pending, (size_t)(end - start) + 1);
        }
}

int log_reader_step(LogReader *reader, void (*line)(void *userdata, Slice line), void *userdata) {
        void *room = buffer_reserve(&reader->pending, LOG_READ_PIECE);
        ssize_t n;

        if (!room) {
                buffer_clear(&reader->pending); /* a line that is none of ours: passed over */
                return 1;
        }
        n = reader->n_files > 0 ? read(reader->files[reader->at], room, LOG_READ_PIECE) : 0;
        if (n < 0)
                return -errno;
        if (n > 0) {
                buffer_commit(&reader->pending, (size_t)n);
                give_lines(reader, line, userdata);
                return 1;
        }
        if (reader->n_files > 0 && reader->at + 1 < reader->n_files) {
                reader->at++;
                return 1;
        }
        return follow_rotation(reader);
}
