#pragma once
/* Open files that go over a unix socket with the bytes beside them (SCM_RIGHTS). */
#include <stddef.h>
#include <sys/types.h>

/* One sendmsg(2), without SIGPIPE: how many bytes went, the files with the first of them; or -errno. At most PASS_FILES_MAX. */
ssize_t pass_files_send(int fd, const void *bytes, size_t length, const int *files, size_t n_files);

/* One recvmsg(2): how many bytes came, 0 at the end; or -errno. Appends the files, close-on-exec, to `files`, which has room for `max`
 * and *n_files in it; those that have no room are closed. */
ssize_t pass_files_receive(int fd, void *bytes, size_t size, int *files, size_t max, size_t *n_files);

#define PASS_FILES_MAX 253 /* that the kernel lets go along */
