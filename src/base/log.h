#pragma once
/*
 * The programs' log: lines on standard error. Under systemd (JOURNAL_STREAM) they carry the <N> priority prefix, on a
 * terminal a plain level word. Only programs' edges log; library code returns errors instead.
 */
#include "base/util.h"

typedef enum LogLevel {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
} LogLevel;

/* `program` is borrowed for ever; it stands before each line unless the journal adds it. */
void log_init(const char *program, LogLevel max_level);
void log_set_level(LogLevel max_level);
LogLevel log_level(void);

/* One line, cut at LOG_LINE_MAX; line ends within become blanks. */
#define LOG_LINE_MAX 2048
void log_write(LogLevel level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
        do {                                                     \
                if (log_level() >= LOG_LEVEL_DEBUG)              \
                        log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
        } while (0)
