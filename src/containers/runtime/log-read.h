#pragma once
/*
 * Reads a container's log (the shim's log-file.h) as it may be written and rotated meanwhile: from the oldest file to
 * the newest, entry by entry. Reading blocks for one piece of a local file.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

enum { LOG_FILES_READ_MAX = 21, LOG_READ_PIECE = 65536, LOG_ENTRY_MAX = 262144 };

typedef struct LogEntry {
        bool is_error;
        WallUsec at;
        const char *time; /* as written, with nanoseconds */
        Slice text;       /* with its line end, if it has one */
} LogEntry;

/* One line of the file. -EBADMSG. `json` keeps what the entry borrows; json_decref() it after. */
typedef struct json_t json_t;
int log_entry_parse(Slice line, json_t **ret_json, LogEntry *ret);

/* "2026-11-22T06:37:35.775985000Z"; the fraction may be missing. -EINVAL. */
int log_time_parse(const char *text, WallUsec *ret);

/* A moment as clients write it: "1795329455", "1795329455.775985824", or as above. -EINVAL. */
int log_moment_parse(const char *text, WallUsec *ret);

typedef struct LogReader {
        int directory;
        int files[LOG_FILES_READ_MAX]; /* oldest first */
        size_t n_files, at;
        Buffer pending; /* not a whole line yet */
} LogReader;

/* `tail`: how many of the last entries are wanted; UINT64_MAX: all. A container without a log has no entries. */
int log_reader_open(LogReader *reader, const char *directory, uint64_t tail, Error *error);
void log_reader_close(LogReader *reader);

/* Reads one piece and gives its whole lines to `line`. 1: there may be more at once; 0: at the end, for now. */
int log_reader_step(LogReader *reader, void (*line)(void *userdata, Slice line), void *userdata);
