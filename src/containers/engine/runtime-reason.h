#pragma once
/* Why an OCI runtime did not make a container or run a command, by what it wrote to its log. The log repeats words of the image's and the
 * client's. Pure. */
#include "base/error.h"

#define RUNTIME_REASON_MAX 512

/* The message of the last line that has one (a JSON object a line), or the log as it is. */
void runtime_reason_find(const char *log, char ret[static RUNTIME_REASON_MAX]);

/* Whether it says that there is no such program. */
bool runtime_reason_is_missing(const char *reason);

/* In the words by which Docker's clients make 127 (-ENOENT) or 126 (-EACCES) of it; -EIO otherwise. */
int runtime_reason_tell(const char *reason, const char *command, Error *error);
