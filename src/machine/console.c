#include "machine/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int open_file(Console *console) {
        struct stat status;

        console->fd = open(console->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (console->fd < 0 || fstat(console->fd, &status) < 0)
                return -errno;
        console->size = (uint64_t)status.st_size;
        return 0;
}

int console_open(Console *console, const char *folder, Error *error) {
        int r;

        console->fd = -1;
        console->path = str_printf("%s/console.log", folder);
        console->old_path = str_printf("%s/console.log.1", folder);
        r = console->path && console->old_path ? open_file(console) : -ENOMEM;
        if (r < 0) {
                console_close(console);
                return error_set_errno(error, r, "cannot open the console's log in %s", folder);
        }
        return 0;
}

void console_close(Console *console) {
        if (console->fd >= 0)
                (void)close(console->fd);
        free(console->path);
        free(console->old_path);
        *console = (Console){.fd = -1};
}

static void turn_over(Console *console) {
        (void)close(console->fd);
        console->fd = -1;
        if (rename(console->path, console->old_path) < 0)
                (void)unlink(console->path);
        (void)open_file(console);
}

void console_write(Console *console, Slice bytes) {
        if (console->fd >= 0 && console->size + bytes.length > CONSOLE_SIZE_MAX)
                turn_over(console);
        if (console->fd >= 0 && write(console->fd, bytes.data, bytes.length) > 0)
                console->size += bytes.length;
}
