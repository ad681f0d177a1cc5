/* The container's standard streams: pipes, or a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/pass-files.h"
#include "containers/shim/shim.h"

#define CONSOLE_SOCKET "console.sock"

static int make_pipe(int *ret_ours, int *ret_theirs, bool we_write) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_ours = fds[we_write ? 1 : 0];
        *ret_theirs = fds[we_write ? 0 : 1];
        return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* The runtime sends the terminal's other side here. */
static int console_listen(Shim *shim) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONSOLE_SOCKET};

        (void)unlink(CONSOLE_SOCKET);
        shim->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (shim->console < 0)
                return -errno;
        if (bind(shim->console, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(shim->console, 1) < 0)
                return -errno;
        return 0;
}

int shim_open_streams(Shim *shim) {
        int r = 0;

        if (shim->options->tty)
                return console_listen(shim);
        if (shim->options->open_stdin)
                r = make_pipe(&shim->input, &shim->theirs[0], true);
        for (int i = 0; r >= 0 && i < 2; i++)
                r = make_pipe(&shim->output[i], &shim->theirs[i + 1], false);
        return r;
}

void shim_close_theirs(Shim *shim) {
        for (int i = 0; i < 3; i++) {
                if (shim->theirs[i] >= 0)
                        (void)close(shim->theirs[i]);
                shim->theirs[i] = -1;
        }
}

int shim_console_accept(Shim *shim) {
        _cleanup_close_ int fd = accept4(shim->console, NULL, NULL, SOCK_CLOEXEC);
        char name[256];
        size_t n_files = 0;
        int terminal;
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = pass_files_receive(fd, name, sizeof(name), &terminal, 1, &n_files);
        if (n < 0)
                return (int)n;
        if (n_files == 0)
                return -EBADMSG;
        (void)close(shim->console);
        (void)unlink(CONSOLE_SOCKET);
        shim->console = -1;
        if (fcntl(terminal, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        shim->output[0] = terminal;
        shim->input = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
        shim_resize(shim);
        return 0;
}

void shim_resize(Shim *shim) {
        struct winsize size = {.ws_row = shim->rows, .ws_col = shim->columns};

        if (shim->options->tty && shim->output[0] >= 0 && shim->rows > 0)
                (void)ioctl(shim->output[0], TIOCSWINSZ, &size);
}

static void deliver(Shim *shim, unsigned stream, Slice bytes) {
        uint8_t wanted = stream == 0 ? SHIM_WANTS_STDOUT : SHIM_WANTS_STDERR;

        if (shim->has_log)
                (void)log_file_write(&shim->log, stream, bytes, clock_wall());
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && shim->clients[i].streams & wanted)
                        shim_tell(&shim->clients[i], stream == 0 ? SHIM_STDOUT : SHIM_STDERR, bytes.data, bytes.length);
}

void shim_read_output(Shim *shim, unsigned stream) {
        static char bytes[32768];
        ssize_t n = read(shim->output[stream], bytes, sizeof(bytes));

        if (n > 0) {
                deliver(shim, stream, (Slice){bytes, (size_t)n});
                return;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        (void)close(shim->output[stream]); /* a terminal without users gives EIO */
        shim->output[stream] = -1;
}

static void close_input(Shim *shim) {
        if (shim->input >= 0)
                (void)close(shim->input);
        shim->input = -1;
        buffer_clear(&shim->input_pending);
}

void shim_write_input(Shim *shim) {
        while (shim->input >= 0 && buffer_length(&shim->input_pending) > 0) {
                ssize_t n = write(shim->input, buffer_data(&shim->input_pending), buffer_length(&shim->input_pending));

                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0 && errno != EINTR) {
                        close_input(shim);
                        return;
                }
                if (n > 0)
                        buffer_consume(&shim->input_pending, (size_t)n);
        }
        if (shim->input_ended && !shim->options->tty)
                close_input(shim);
}

void shim_end_input(Shim *shim) {
        if (shim->options->stdin_once)
                shim->input_ended = true;
        if (shim->stage >= SHIM_STAGE_RUNNING || !shim->options->tty)
                shim_write_input(shim);
}
