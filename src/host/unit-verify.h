#pragma once
/* What the machine's systemd says of a unit file that it has not got: `systemd-analyze verify`. */
#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define UNIT_VERIFY_MSEC 5000
#define UNIT_VERIFY_OUTPUT_MAX ((size_t)64 * 1024)

typedef struct UnitVerify UnitVerify;

/* The end: r == 0 and its lines, perhaps none; -errno with `error`. Not called from within unit_verify_start(). */
typedef void (*UnitVerified)(void *userdata, int r, Slice lines, const Error *error);

/* Writes the text below `folder`, for so long, and runs the program. In its lines the file is called by the unit's name.
 * -ENOENT: systemd-analyze is not installed; other errors with `error`. */
int unit_verify_start(uv_loop_t *loop, const char *folder, const char *unit, Slice text, UnitVerified done, void *userdata,
                      UnitVerify **ret, Error *error);

/* Nothing follows. */
void unit_verify_cancel(UnitVerify *verify);

/* The lines of a text that the program wrote which speak of the unit, with its name in place of the path. Pure. */
int unit_verify_tidy(Slice output, const char *path, const char *unit, Buffer *to);
