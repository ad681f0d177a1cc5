#pragma once
/*
 * What was read of a line that has not ended, in a file beside the one for ends: whoever reads the pipe, supervisor or shim, leaves it there
 * for the other, however it ends. It is dropped before the line is written to the log: a kill between can lose it, but not double it.
 */
#include "base/buffer.h"
#include "base/str.h"

/* `stream`: UNIT_SHIM_OUTPUT or UNIT_SHIM_ERRORS. The part as it is now: what is there is its beginning. */
void unit_part_keep(const char *ends_path, char stream, Slice part);

void unit_part_drop(const char *ends_path, char stream);

/* Appends what was kept, if anything was, and drops it. */
void unit_part_take(const char *ends_path, char stream, Buffer *to);
