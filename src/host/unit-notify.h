#pragma once
/*
 * What services say to NOTIFY_SOCKET (sd_notify(3)): one datagram received, and those that are kept until somebody is there who acts on
 * them. Used by the embedded supervisor and, while none is there, by the shim that holds the socket.
 */
#include <sys/types.h>

#include "base/str.h"

#define UNIT_NOTIFY_MESSAGE_MAX 4096
#define UNIT_NOTIFY_RUN_MAX 33 /* 32 hexadecimal digits and a NUL */
#define KEPT_NOTICES_MAX 128                      /* messages that are kept */
#define KEPT_NOTICES_BYTES_MAX ((size_t)64 * 1024) /* and their length together */

/* Length of a message, with the process that the kernel says has sent it; *ret_pid 0: none, or too long, to be passed over. -EAGAIN: none
 * is there. Files that come along are closed: nobody asked for them. */
ssize_t unit_notify_receive(int fd, char text[static UNIT_NOTIFY_MESSAGE_MAX], pid_t *ret_pid);

/* The INVOCATION_ID that a process has in its environment; "": none that can be read. Who sends may have ended when it matters whose it was. */
void unit_notify_run_of(pid_t pid, char run[static UNIT_NOTIFY_RUN_MAX]);

typedef struct KeptNotice {
        pid_t pid;
        char run[UNIT_NOTIFY_RUN_MAX]; /* "": not known */
        char *text; /* not NUL-terminated */
        size_t length;
} KeptNotice;

/* Zeroed is empty. */
typedef struct KeptNotices {
        KeptNotice items[KEPT_NOTICES_MAX]; /* oldest first */
        size_t length, bytes;
} KeptNotices;

/*
 * Keeps a copy. A mere sign of life is not kept: that time starts anew with whoever hears of it. Where there is no room what only tells
 * of itself (STATUS=) goes first, the oldest of it; then the message that comes. False: it was not kept.
 */
bool kept_notices_add(KeptNotices *notes, pid_t pid, const char *run, Slice text);
void kept_notices_deinit(KeptNotices *notes);
