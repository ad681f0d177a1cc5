#pragma once
/* What a machine's first process prints: a file of limited size; the one before is kept beside it. */
#include "base/error.h"
#include "base/str.h"

#define CONSOLE_SIZE_MAX (1U << 20) /* of each of the two files */

typedef struct Console {
        char *path, *old_path;
        int fd;
        uint64_t size;
} Console;

int console_open(Console *console, const char *folder, Error *error);
void console_close(Console *console);

/* A write that fails is lost. */
void console_write(Console *console, Slice bytes);
