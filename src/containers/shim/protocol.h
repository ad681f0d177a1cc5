#pragma once
/*
 * What the engine and a shim say to each other on the shim's socket, and where a shim keeps what
 * (docs/formats/shim.md).
 *
 * Frames in both directions: one byte of type, three of zero, a length in 4 bytes (big-endian), the payload. Output
 * frames are byte for byte what Docker's attach sends, so that the engine passes them on as they are.
 */
#include "base/buffer.h"
#include "base/str.h"

#define SHIM_FRAME_HEADER 8
#define SHIM_PAYLOAD_MAX 65536

#define SHIM_SOCKET "shim.sock" /* in the directory of the container or of the exec */
#define SHIM_LOG "log"
#define SHIM_EXIT "exit"

typedef enum ShimFrame {
        /* both ways: a stream's bytes */
        SHIM_STDIN = 0,
        SHIM_STDOUT = 1,
        SHIM_STDERR = 2,

        /* to the shim: the first frame says what a connection is for */
        SHIM_CONTROL = 'C', /* the engine's own: told of all that happens */
        SHIM_ATTACH = 'A',  /* one byte: the streams wanted, ShimStreams */
        SHIM_START = 'S',   /* runs what was made; on a control connection */
        SHIM_UNDO =
                'U', /* what was not started is not to be: answered by SHIM_FAILED, or SHIM_EXITED if it was too late */
        SHIM_SIGNAL = 'K',    /* u32: signal number to the first process */
        SHIM_RESIZE = 'R',    /* u16 rows, u16 columns */
        SHIM_INPUT_END = 'E', /* the attached client's input is at its end */

        /* from the shim */
        SHIM_MADE = 'M',     /* u32: the process, which waits for SHIM_START; 0 of an exec */
        SHIM_STARTED = 'T',  /* u32: the process */
        SHIM_FAILED = 'F',   /* text: the runtime's reason; the shim has cleared up and ends */
        SHIM_ATTACHED = 'a', /* nothing of what comes from now on is missed */
        SHIM_EXITED = 'X',   /* ShimExit as in the exit file; the last frame */
} ShimFrame;

typedef enum ShimStreams {
        SHIM_WANTS_STDIN = 1,
        SHIM_WANTS_STDOUT = 2,
        SHIM_WANTS_STDERR = 4,
} ShimStreams;

/* How it ended. */
typedef struct ShimExit {
        int status; /* as a shell says it: 0 to 255, 128 + signal */
        bool oom;   /* the kernel killed it, or a part of it, over its memory limit */
        int64_t at; /* microseconds since 1970 */
} ShimExit;

/* "status oom time\n" in decimal. -EBADMSG: something else. */
int shim_exit_parse(Slice text, ShimExit *ret);
int shim_exit_format(const ShimExit *exit, Buffer *buffer);

void shim_frame_header(uint8_t header[static SHIM_FRAME_HEADER], uint8_t type, uint32_t length);

/* Cuts the first frame off `input`: 1, and its type and its payload (borrowed until the next change of `input`;
 * consume it by shim_frame_done()); 0: more is needed; -EBADMSG: no frame. */
int shim_frame_next(const Buffer *input, uint8_t *ret_type, Slice *ret_payload);
void shim_frame_done(Buffer *input, Slice payload);

static inline uint32_t shim_u32(const void *bytes) {
        const uint8_t *b = bytes;

        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
