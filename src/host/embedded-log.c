/* Reading and following the logs of units. */
#include <errno.h>

#include "host/embedded-internal.h"
#include "unitfile/name.h"

void embedded_follow(Embedded *e, const char *unit, const SupervisorLogLine *line) {
        list_foreach(&e->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                if (log->follow && log->started && !log->closed && str_equals(log->unit, unit))
                        log->events->line(log->userdata, line);
        }
}

static bool give_line(void *userdata, const SupervisorLogLine *line) {
        SupervisorLog *log = userdata;

        log->events->line(log->userdata, line);
        return !log->closed;
}

static void start_log(Embedded *e, SupervisorLog *log) {
        UnitLog file;
        Error error = ERROR_NONE;
        int r = 0;

        log->started = true;
        if (log->lines > 0) {
                unit_log_init(&file, e->logs_directory, log->unit, e->log_size);
                r = unit_log_read(&file, log->lines, give_line, log);
                if (r < 0)
                        (void)error_set_errno(&error, r, "cannot read the log of %s", log->unit);
        }
        if (!log->closed && (r < 0 || !log->follow)) {
                log->follow = false;
                log->events->end(log->userdata, r, &error);
        }
}

static void log_free(SupervisorLog *log) {
        list_unlink(&log->link);
        free(log->unit);
        free(log);
}

void embedded_turn_logs(Embedded *e) {
        list_foreach(&e->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                if (!log->closed && !log->started)
                        start_log(e, log);
                if (log->closed)
                        log_free(log);
        }
}

int embedded_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                             const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error) {
        Embedded *e = embedded_of(supervisor);
        SupervisorLog *log;

        if (!unit_name_is_valid(slice_from(name)))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", name);
        log = calloc(1, sizeof(*log));
        if (!log || !(log->unit = strdup(name))) {
                free(log);
                return error_set_errno(error, -ENOMEM, "cannot open the log of %s", name);
        }
        log->owner = e;
        log->lines = min_of(lines, (size_t)SUPERVISOR_LOG_LINES_MAX);
        log->follow = follow;
        log->events = events;
        log->userdata = userdata;
        list_append(&e->logs, &log->link);
        embedded_wake(e);
        *ret = log;
        return 0;
}

void embedded_log_close(Supervisor *supervisor, SupervisorLog *log) {
        log->closed = true;
        embedded_wake(embedded_of(supervisor));
}

