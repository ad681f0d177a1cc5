/* Logs of units out of the journal: what their processes wrote, and what systemd says about them. */
#include <errno.h>
#include <stdio.h>

#include "host/systemd-internal.h"

enum { LINES_PER_TURN = 500 };

static int add_match(sd_journal *journal, const char *field, const char *value) {
        _cleanup_free_ char *match = str_printf("%s=%s", field, value);

        return match ? libsystemd.sd_journal_add_match(journal, match, 0) : -ENOMEM;
}

/* (_SYSTEMD_UNIT=name) or (_PID=1 and UNIT=name) */
static int add_matches(sd_journal *journal, const char *unit) {
        int r;

        r = add_match(journal, "_SYSTEMD_UNIT", unit);
        if (r >= 0)
                r = libsystemd.sd_journal_add_disjunction(journal);
        if (r >= 0)
                r = add_match(journal, "_PID", "1");
        if (r >= 0)
                r = add_match(journal, "UNIT", unit);
        return r;
}

static Slice field_of(sd_journal *journal, const char *name) {
        const void *data;
        size_t length, skip = strlen(name) + 1;

        if (libsystemd.sd_journal_get_data(journal, name, &data, &length) < 0 || length < skip)
                return slice_from("");
        return (Slice){(const char *)data + skip, length - skip};
}

static void tell_entry(SupervisorLog *log) {
        SupervisorLogLine line = {.stream = SUPERVISOR_STREAM_OUTPUT};
        uint64_t at = 0, number;
        Slice field;

        (void)libsystemd.sd_journal_get_realtime_usec(log->journal, &at);
        line.at = (WallUsec)at;
        if (str_parse_u64(field_of(log->journal, "_PID"), INT32_MAX, &number) >= 0)
                line.pid = (pid_t)number;
        field = field_of(log->journal, "PRIORITY");
        if (line.pid == 1)
                line.stream = SUPERVISOR_STREAM_NOTE;
        else if (field.length == 1 && field.data[0] <= '3')
                line.stream = SUPERVISOR_STREAM_ERROR;
        line.text = field_of(log->journal, "MESSAGE"); /* last: the next field of the journal replaces it */
        log->events->line(log->userdata, &line);
}

static void log_end(SupervisorLog *log, int r) {
        Error error = ERROR_NONE;

        if (log->ended || log->closed)
                return;
        log->ended = true;
        if (r < 0)
                (void)error_set_errno(&error, r, "cannot read the journal");
        log->events->end(log->userdata, r, &error);
}

static int seek_first(SupervisorLog *log) {
        int r = libsystemd.sd_journal_seek_tail(log->journal);

        log->started = true;
        /* one more back, and none forward: next() then gives the first that is wanted */
        if (r >= 0)
                r = libsystemd.sd_journal_previous_skip(log->journal, log->lines + 1);
        if (r >= 0 && (uint64_t)r <= log->lines)
                r = libsystemd.sd_journal_seek_head(log->journal);
        return r;
}

/* Gives a batch; true: there may be more. */
static bool read_batch(SupervisorLog *log) {
        int r = log->started ? 0 : seek_first(log);

        for (int i = 0; r >= 0 && i < LINES_PER_TURN; i++) {
                r = libsystemd.sd_journal_next(log->journal);
                if (r <= 0)
                        break;
                tell_entry(log);
                if (log->closed)
                        return false;
        }
        if (r > 0)
                return true;
        if (r < 0 || !log->follow)
                log_end(log, r);
        return false;
}

static void on_journal(uv_poll_t *poll, int status, int events) {
        SupervisorLog *log = poll->data;

        (void)status;
        (void)events;
        if (log && !log->closed && !log->ended && libsystemd.sd_journal_process(log->journal) != SD_JOURNAL_NOP && read_batch(log))
                systemd_wake(log->owner);
}

static void on_poll_closed(uv_handle_t *handle) {
        free(handle);
}

static int watch(SupervisorLog *log) {
        int fd = libsystemd.sd_journal_get_fd(log->journal), r;

        if (fd < 0)
                return fd;
        log->poll = calloc(1, sizeof(*log->poll));
        if (!log->poll)
                return -ENOMEM;
        r = uv_poll_init(log->owner->loop, log->poll, fd);
        if (r < 0) {
                free(log->poll);
                log->poll = NULL;
                return r;
        }
        log->poll->data = log;
        return uv_poll_start(log->poll, UV_READABLE, on_journal);
}

static void log_free(SupervisorLog *log) {
        list_unlink(&log->link);
        if (log->poll) {
                log->poll->data = NULL;
                uv_close((uv_handle_t *)log->poll, on_poll_closed);
        }
        libsystemd.sd_journal_close(log->journal);
        free(log);
}

int systemd_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                     const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error) {
        Systemd *s = container_of(supervisor, Systemd, base);
        SupervisorLog *log = calloc(1, sizeof(*log));
        int r;

        if (!log)
                return error_set_errno(error, -ENOMEM, "cannot open the log of %s", name);
        log->owner = s;
        log->lines = min_of(lines, (size_t)SUPERVISOR_LOG_LINES_MAX);
        log->follow = follow;
        log->events = events;
        log->userdata = userdata;
        list_init(&log->link);
        r = libsystemd.sd_journal_open(&log->journal, SD_JOURNAL_LOCAL_ONLY);
        if (r >= 0)
                r = add_matches(log->journal, name);
        if (r >= 0 && follow)
                r = watch(log);
        if (r < 0) {
                log_free(log);
                return error_set_errno(error, r, "cannot open the journal for %s", name);
        }
        list_append(&s->logs, &log->link);
        systemd_wake(s);
        *ret = log;
        return 0;
}

void systemd_log_close(Supervisor *supervisor, SupervisorLog *log) {
        log->closed = true;
        systemd_wake(container_of(supervisor, Systemd, base));
}

void systemd_logs_turn(Systemd *s) {
        list_foreach(&s->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                if (!log->closed && !log->ended && read_batch(log))
                        systemd_wake(s);
                if (log->closed)
                        log_free(log);
        }
}
