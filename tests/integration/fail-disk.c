/*
 * Preloaded into a server, this lets calls on the files of its data directory (FAIL_DISK) fail with EIO from the moment on at
 * which the file FAIL_DISK.fail is there; the first word in it says which: "write" or "sync". For test_faults.py.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* Whether `fd` is one of the directory's files and `what` is to fail. */
static int is_to_fail(int fd, const char *what) {
        const char *folder = getenv("FAIL_DISK");
        char link[64], path[PATH_MAX], word[16] = "";
        ssize_t n;
        FILE *order;

        if (!folder)
                return 0;
        (void)snprintf(path, sizeof(path), "%s.fail", folder);
        order = fopen(path, "re");
        if (!order)
                return 0;
        if (fscanf(order, "%15s", word) != 1)
                word[0] = '\0';
        (void)fclose(order);
        if (strcmp(word, what) != 0)
                return 0;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n <= 0)
                return 0;
        path[n] = '\0';
        return strncmp(path, folder, strlen(folder)) == 0 && path[strlen(folder)] == '/';
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
        if (is_to_fail(fd, "write")) {
                errno = EIO;
                return -1;
        }
        return REAL(pwrite)(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
        return pwrite(fd, bytes, length, offset);
}

int fdatasync(int fd) {
        if (is_to_fail(fd, "sync")) {
                errno = EIO;
                return -1;
        }
        return REAL(fdatasync)(fd);
}
