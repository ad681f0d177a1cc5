#include "store/api/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Words of a command line that are read. */
enum { COMMAND_LINE_MAX = 64 << 10 };

static int read_file(const char *path, size_t limit, Buffer *buffer) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = 1;

        if (fd < 0)
                return -errno;
        while (n > 0 && buffer_length(buffer) < limit) {
                char *room = buffer_reserve(buffer, 4096);

                if (!room)
                        return -ENOMEM;
                n = read(fd, room, 4096);
                if (n > 0)
                        buffer_commit(buffer, (size_t)n);
        }
        return n < 0 ? -errno : 0;
}

/* The figure after `key` in /proc/stat. */
static double boot_time(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *at;

        if (read_file("/proc/stat", 1 << 20, &text) < 0 || !buffer_string(&text))
                return 0;
        at = strstr(buffer_string(&text), "btime ");
        return at ? strtod(at + 6, NULL) : 0;
}

static void read_stat(ProcessFigures *figures) {
        double tick = (double)sysconf(_SC_CLK_TCK);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        unsigned long user, system, bytes;
        unsigned long long started;
        const char *after;
        long pages;

        if (read_file("/proc/self/stat", 4096, &text) < 0 || !buffer_string(&text))
                return;
        after = strrchr(buffer_string(&text), ')'); /* the name before it may hold anything */
        if (!after || sscanf(after + 2,
                             "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu %lu %ld",
                             &user, &system, &started, &bytes, &pages) != 5)
                return;
        figures->cpu_seconds = (double)(user + system) / tick;
        figures->started = boot_time() + (double)started / tick;
        figures->virtual_bytes = bytes;
        figures->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_files(void) {
        DIR *directory = opendir("/proc/self/fd");
        uint64_t count = 0;

        if (!directory)
                return 0;
        for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
                count += entry->d_name[0] != '.';
        (void)closedir(directory);
        return count > 0 ? count - 1 : 0; /* without the directory itself */
}

void process_figures(ProcessFigures *ret_figures) {
        struct rlimit limit;

        *ret_figures = (ProcessFigures){.open_files = count_files()};
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                ret_figures->max_files = limit.rlim_cur;
        read_stat(ret_figures);
}

int process_command_line(Buffer *buffer) {
        return read_file("/proc/self/cmdline", COMMAND_LINE_MAX, buffer);
}
