#pragma once
/*
 * Writes a container's log as Docker's json-file driver does: one JSON object a line,
 * {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.000000000Z"}. A line over LOG_PIECE_MAX bytes is
 * given in pieces, all but the last without a line end. Over `max_bytes` the file becomes NAME.1, that NAME.2, … up
 * to `files` of them.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

enum { LOG_PIECE_MAX = 16384, LOG_STREAMS = 2 };

typedef struct LogFile {
        int directory; /* borrowed */
        char name[32];
        int fd;
        uint64_t size, max_bytes;
        unsigned files;
        Buffer pending[LOG_STREAMS]; /* a line's beginning */
        Buffer line;
} LogFile;

int log_file_open(LogFile *log, int directory, const char *name, uint64_t max_bytes, unsigned files, Error *error);
void log_file_close(LogFile *log);

/* Bytes of a stream (0: output, 1: errors). What cannot be written is lost, as with a full disk it must be: r tells. */
int log_file_write(LogFile *log, unsigned stream, Slice bytes, WallUsec now);

/* The streams are at their ends: what is pending is written without a line end. */
int log_file_finish(LogFile *log, WallUsec now);
