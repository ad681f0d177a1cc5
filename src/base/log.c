#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
        const char *program;
        LogLevel max_level;
        bool journal;
} log_state = {.program = "faering", .max_level = LOG_LEVEL_INFO};

void log_init(const char *program, LogLevel max_level) {
        log_state.program = program;
        log_state.max_level = max_level;
        log_state.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(LogLevel max_level) {
        log_state.max_level = max_level;
}

LogLevel log_level(void) {
        return log_state.max_level;
}

void log_write(LogLevel level, const char *format, ...) {
        static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
        static const int priorities[] = {3, 4, 6, 7}; /* of syslog(3) */
        char line[LOG_LINE_MAX];
        size_t used;
        va_list args;
        int n;

        if (level > log_state.max_level)
                return;
        if (log_state.journal)
                n = snprintf(line, sizeof(line), "<%d>", priorities[level]);
        else
                n = snprintf(line, sizeof(line), "%s: %s", log_state.program, names[level]);
        used = (size_t)n;
        va_start(args, format);
        (void)vsnprintf(line + used, sizeof(line) - used - 1, format, args);
        va_end(args);
        for (char *p = line + used; *p; p++)
                if (*p == '\n')
                        *p = ' ';
        used = strlen(line);
        line[used++] = '\n';
        /* one write, so that lines of several processes do not mix; there is nobody to tell when it fails */
        if (write(STDERR_FILENO, line, used) < 0)
                return;
}
