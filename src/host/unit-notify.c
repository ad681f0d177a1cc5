#include "host/unit-notify.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/file.h"

enum { FILES_MAX = 253 /* that the kernel lets come along */ };

/* ---- one message ---- */

static void close_files(const struct cmsghdr *c) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                (void)close(fd);
        }
}

static pid_t sender(struct msghdr *message) {
        pid_t pid = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                struct ucred credentials;

                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        close_files(c);
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
                        continue;
                memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
                pid = credentials.pid;
        }
        return pid;
}

ssize_t unit_notify_receive(int fd, char text[static UNIT_NOTIFY_MESSAGE_MAX], pid_t *ret_pid) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FILES_MAX * sizeof(int))];
        } control;
        struct iovec vector = {text, UNIT_NOTIFY_MESSAGE_MAX};
        struct msghdr message = {
                .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return -errno;
        *ret_pid = sender(&message);
        if (message.msg_flags & MSG_TRUNC)
                *ret_pid = 0;
        return n;
}

void unit_notify_run_of(pid_t pid, char run[static UNIT_NOTIFY_RUN_MAX]) {
        static const char name[] = "INVOCATION_ID=";
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        char path[64];
        Slice rest, one;

        *run = '\0';
        (void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        if (file_read(path, FILE_SMALL_MAX, &text, NULL) < 0 || buffer_length(&text) == 0)
                return;
        rest = (Slice){buffer_data(&text), buffer_length(&text)};
        while (rest.data && slice_split(&rest, '\0', &one))
                if (one.length == strlen(name) + UNIT_NOTIFY_RUN_MAX - 1 && memcmp(one.data, name, strlen(name)) == 0) {
                        memcpy(run, one.data + strlen(name), UNIT_NOTIFY_RUN_MAX - 1);
                        run[UNIT_NOTIFY_RUN_MAX - 1] = '\0';
                        return;
                }
}

/* ---- those that are kept ---- */

/* Whether each line is `word`, or with `begins` begins so. */
static bool is_only(Slice text, const char *word, bool begins) {
        size_t length = strlen(word);
        Slice line;

        while (text.data && slice_split(&text, '\n', &line))
                if (line.length > 0 && (line.length < length || (!begins && line.length > length) || memcmp(line.data, word, length) != 0))
                        return false;
        return true;
}

static void drop(KeptNotices *notes, size_t i) {
        notes->bytes -= notes->items[i].length;
        free(notes->items[i].text);
        notes->length--;
        memmove(&notes->items[i], &notes->items[i + 1], (notes->length - i) * sizeof(KeptNotice));
}

static bool make_room(KeptNotices *notes, size_t length) {
        for (size_t i = 0; notes->length == KEPT_NOTICES_MAX || length > KEPT_NOTICES_BYTES_MAX - notes->bytes;) {
                while (i < notes->length && !is_only((Slice){notes->items[i].text, notes->items[i].length}, "STATUS=", true))
                        i++;
                if (i == notes->length)
                        return false;
                drop(notes, i);
        }
        return true;
}

bool kept_notices_add(KeptNotices *notes, pid_t pid, const char *run, Slice text) {
        KeptNotice note = {.pid = pid, .length = text.length};

        if (text.length == 0 || text.length > UNIT_NOTIFY_MESSAGE_MAX || is_only(text, "WATCHDOG=1", false) || !make_room(notes, text.length))
                return false;
        (void)snprintf(note.run, sizeof(note.run), "%s", run);
        note.text = slice_dup(text);
        if (!note.text)
                return false;
        notes->items[notes->length++] = note;
        notes->bytes += note.length;
        return true;
}

void kept_notices_deinit(KeptNotices *notes) {
        for (size_t i = 0; i < notes->length; i++)
                free(notes->items[i].text);
        notes->length = notes->bytes = 0;
}
