#pragma once
/*
 * What a unit prints, kept on disk within a limit: NAME.log and, when that is half the limit long, NAME.log.1
 * instead of the one before. Lines are "MICROSECONDS PID STREAM TEXT", STREAM being o, e or n. It outlives the daemon.
 */
#include "base/buffer.h"
#include "host/supervisor.h"

#define UNIT_LOG_LINE_MAX 16384             /* longer lines are cut in pieces */
#define UNIT_LOG_SIZE_DEFAULT (8U << 20)    /* of both files of a unit together */
#define UNIT_LOG_SIZE_MIN (64U << 10)

typedef struct UnitLog {
        const char *folder, *unit; /* borrowed */
        int fd;        /* -1: not open */
        uint64_t size;  /* of the current file */
        uint64_t limit; /* of both */
} UnitLog;

/* `size_limit` 0: the default. The folder must be there when something is written: the file is made with the first line. */
void unit_log_init(UnitLog *log, const char *folder, const char *unit, uint64_t size_limit);

/* Lets go of the file; the next line opens it again. */
void unit_log_close(UnitLog *log);

/* Appends one line (cut at UNIT_LOG_LINE_MAX, line ends become blanks). -errno of the file system: the line is lost. */
int unit_log_write(UnitLog *log, const SupervisorLogLine *line);

/* Takes the whole lines off the front of `bytes`, and with `all` what is left; longer ones come in pieces. */
void unit_log_split(Buffer *bytes, bool all, void (*give)(void *userdata, Slice line), void *userdata);

/* Gives the last `lines` lines, oldest first. `line` returns false to end early. */
int unit_log_read(const UnitLog *log, size_t lines, bool (*line)(void *userdata, const SupervisorLogLine *line),
                  void *userdata);
