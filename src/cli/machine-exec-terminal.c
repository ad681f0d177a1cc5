#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/cleanup.h"
#include "cli/machine-exec.h"

int exec_terminal_open(int *ret_master, int *ret_slave, Error *error) {
        _cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        int slave;

        if (master < 0 || unlockpt(master) < 0)
                return error_set_errno(error, -errno, "cannot make a terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return error_set_errno(error, -errno, "cannot open the terminal");
        *ret_master = take_fd(master);
        *ret_slave = slave;
        return 0;
}

int exec_terminal_enter(int slave) {
        if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int fd = 0; fd < 3; fd++)
                if (dup2(slave, fd) < 0)
                        return -errno;
        return 0;
}

static volatile sig_atomic_t resized = 1;

static void on_resize(int number) {
        (void)number;
        resized = 1;
}

static void pass_size(int master) {
        struct winsize size;

        resized = 0;
        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                (void)ioctl(master, TIOCSWINSZ, &size);
}

/* false: the source has ended. */
static bool copy_some(int from, int to) {
        char piece[4096];
        ssize_t n = read(from, piece, sizeof(piece)), done = 0;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return true;
        while (n > 0 && done < n) {
                ssize_t w = write(to, piece + done, (size_t)(n - done));

                if (w < 0 && errno != EINTR)
                        return false;
                done += w > 0 ? w : 0;
        }
        return n > 0;
}

static void copy(int master, int done) {
        struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {master, POLLIN, 0}, {done, POLLIN, 0}};

        for (;;) {
                int n;

                if (resized)
                        pass_size(master);
                n = poll(fds, 3, -1);
                if (n < 0 && errno != EINTR)
                        return;
                if (n < 0)
                        continue;
                if ((fds[0].revents & (POLLIN | POLLHUP)) && !copy_some(STDIN_FILENO, master)) {
                        const char end = 4; /* the terminal's end of file */

                        (void)!write(master, &end, 1);
                        fds[0].fd = -1;
                }
                if (fds[1].revents) {
                        if (!copy_some(master, STDOUT_FILENO))
                                return; /* EIO: the last on the other side has closed it */
                } else if (fds[2].revents) {
                        return; /* ended, and nothing is left to print */
                }
        }
}

void exec_terminal_copy(int master, int done) {
        const struct sigaction resize = {.sa_handler = on_resize};
        struct termios before, raw;
        bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;

        (void)sigaction(SIGWINCH, &resize, NULL);
        if (terminal) {
                raw = before;
                cfmakeraw(&raw);
                (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        }
        copy(master, done);
        if (terminal)
                (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}
