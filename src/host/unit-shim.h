#pragma once
/*
 * What the embedded supervisor and the shims of its units say to each other (docs/formats/unit-shim.md): packets of text over a
 * SOCK_SEQPACKET socket, and the file in which a shim writes down how its children ended. Pure.
 */
#include <sys/types.h>

#include "base/buffer.h"
#include "base/str.h"

#define UNIT_SHIM_VERSION 1        /* of what a later supervisor has to understand */
#define UNIT_SHIM_FDS_MAX 64       /* files that one shim holds */
#define UNIT_SHIM_PACKET_MAX 16640 /* a line of a log that has not ended, and the words before it */
#define UNIT_SHIM_ENDS_MAX 16      /* children of which a shim writes down the end */
#define UNIT_SHIM_ENDS_TEXT_MAX 1024

/* How the program is started as a spawner, with one more argument whose room shims use for their title: the file is the connection. */
#define UNIT_SHIM_SPAWNER_WORD "--spawner"
#define UNIT_SHIM_SPAWNER_FD 3
#define UNIT_SHIM_TITLE_MAX 512

/* What a held file is. */
#define UNIT_SHIM_OUTPUT 'o'
#define UNIT_SHIM_ERRORS 'e'
#define UNIT_SHIM_SOCKET 's'
#define UNIT_SHIM_NOTIFY 'n' /* the socket of NOTIFY_SOCKET */

#define UNIT_SHIM_LETTERS "oesn" /* all of them */

typedef enum UnitShimKind {
        UNIT_SHIM_BORN,     /* to who asked for it, first: it is there, and its child, which has not begun */
        UNIT_SHIM_REFUSED,  /* or, instead, the spawner: it could not be made */
        UNIT_SHIM_EXECUTED, /* shim: the child runs its program */
        UNIT_SHIM_FAILED,   /* shim: a step before that has failed; the child's end follows */
        UNIT_SHIM_PART,  /* shim: first on a new connection: what it has read of a line that has not ended */
        UNIT_SHIM_NOTE,  /* shim: before hello, too: what a process has said to NOTIFY_SOCKET */
        UNIT_SHIM_HELLO, /* shim: then this, with the files it holds */
        UNIT_SHIM_ENDED, /* shim: a child has ended, and is kept until it may be reaped */
        UNIT_SHIM_UNKNOWN, /* shim, asked by WATCH: that process has gone, and was none of its children */
        UNIT_SHIM_EMPTY, /* shim: it has no child left */
        UNIT_SHIM_REAP,  /* supervisor */
        UNIT_SHIM_WATCH, /* supervisor: this child's end is to be told, too; at once if it has ended */
        UNIT_SHIM_END,   /* supervisor: the shim is not needed any more */
        UNIT_SHIM_KINDS,
} UnitShimKind;

/* How a process ended: CLD_… and exit status or signal. */
typedef struct UnitShimEnd {
        pid_t pid;
        int code, status;
} UnitShimEnd;

typedef struct UnitShimMessage {
        UnitShimKind kind;
        pid_t shim, child;                /* HELLO, BORN: child 0: none */
        char held[UNIT_SHIM_FDS_MAX + 1]; /* HELLO: what each of the files is */
        char stream;                      /* PART */
        Slice part;                       /* PART, NOTE: borrowed */
        UnitShimEnd end;                  /* ENDED; REAP, WATCH, UNKNOWN, NOTE: its pid */
        Slice run;                        /* NOTE: the sender's INVOCATION_ID; borrowed; "": not known */
        int failure, step;                /* FAILED, REFUSED: an errno; FAILED: a ProcessStep */
} UnitShimMessage;

/* Appends. -ENOMEM. */
int unit_shim_message_write(const UnitShimMessage *message, Buffer *to);

/* -EBADMSG: not a packet of this version. */
int unit_shim_message_read(Slice packet, UnitShimMessage *ret);

/* Appends one line of the file. */
int unit_shim_end_write(const UnitShimEnd *end, Buffer *to);

/* How many ends the text has; lines that are none are passed over, and those beyond `max`. */
size_t unit_shim_ends_read(Slice text, UnitShimEnd *ends, size_t max);
