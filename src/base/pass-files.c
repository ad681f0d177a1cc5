#include "base/pass-files.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union Control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PASS_FILES_MAX * sizeof(int))];
} Control;

ssize_t pass_files_send(int fd, const void *bytes, size_t length, const int *files, size_t n_files) {
        Control control = {0};
        struct iovec vector = {(void *)(uintptr_t)bytes, length};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        ssize_t n;

        if (n_files > PASS_FILES_MAX)
                return -E2BIG;
        if (n_files > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_files * sizeof(int));
                control.align = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(n_files * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.align), files, n_files * sizeof(int));
        }
        do
                n = sendmsg(fd, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static void take(const struct cmsghdr *part, int *files, size_t max, size_t *n_files) {
        size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int file;

                memcpy(&file, CMSG_DATA(part) + i * sizeof(int), sizeof(file));
                if (*n_files < max)
                        files[(*n_files)++] = file;
                else
                        (void)close(file);
        }
}

ssize_t pass_files_receive(int fd, void *bytes, size_t size, int *files, size_t max, size_t *n_files) {
        Control control;
        struct iovec vector = {bytes, size};
        struct msghdr message = {
                .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n;

        do
                n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part))
                if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
                        take(part, files, max, n_files);
        return n;
}
