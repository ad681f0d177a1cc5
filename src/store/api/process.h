#pragma once
/* What the kernel says of this process. */
#include "base/buffer.h"
#include "base/clock.h"

typedef struct ProcessFigures {
        double cpu_seconds;
        uint64_t resident_bytes, virtual_bytes;
        uint64_t open_files, max_files;
        double started; /* seconds since 1970 */
} ProcessFigures;

/* What cannot be found is 0. */
void process_figures(ProcessFigures *ret_figures);

/* The command line, each word ending in NUL. -errno. */
int process_command_line(Buffer *buffer);
